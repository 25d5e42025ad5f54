"""`whence gc`: free what nothing that is kept refers to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from whence.cli import options


@click.command("gc")
@click.option("--dry-run", is_flag=True, help="Only say what would be freed.")
@click.option("--keep", default=20, show_default=True, help="Newest good builds that stay.")
@click.option("--days", default=14.0, show_default=True, help="Builds younger than this stay.")
@options.common
def command(dry_run: bool, keep: int, days: float, project: str, as_json: bool) -> int:
    """Free what no kept build, accepted build or prediction refers to."""
    from whence.cli.output import deliver
    from whence.engine.project import Project

    with Project.open(project) as opened:
        report = opened.gc(keep_builds=keep, keep_days=days, dry_run=dry_run)
    document = {
        "gc": {
            "dry_run": report.dry_run,
            "builds": list(report.builds),
            "kept": dict(report.kept),
            "rows": dict(report.rows),
            "blobs": report.blobs,
            "bytes": report.bytes,
        }
    }
    deliver(document, as_json, view)
    return 0


def view(document: Mapping[str, Any]) -> Any:
    """The report for people."""
    from rich.text import Text

    from whence.cli import words

    gc = document["gc"]
    verb = "Would free" if gc["dry_run"] else "Freed"
    lines = [
        f"{verb} {words.size(gc['bytes'])}: {words.count(gc['blobs'], 'blob')}, "
        f"{words.count(len(gc['builds']), 'build')}."
    ]
    if gc["builds"]:
        lines.append(f"  builds that go: {words.listed(gc['builds'], 12)}")
    by_reason: dict[str, list[str]] = {}
    for build, reason in gc["kept"].items():
        by_reason.setdefault(reason, []).append(build)
    lines += [f"  kept, {reason}: {words.listed(names, 12)}" for reason, names in by_reason.items()]
    return Text("\n".join(lines))
