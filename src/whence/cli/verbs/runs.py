"""`whence runs`: the builds, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from whence.cli import options

_STYLES = {"ok": "ok", "failed": "bad", "interrupted": "warn", "running": "kind"}


@click.command("runs")
@click.option("--limit", "-n", default=20, show_default=True, help="At most so many.")
@options.common
def command(limit: int, project: str, as_json: bool) -> int:
    """List the builds, newest first."""
    from whence.cli.output import deliver
    from whence.engine.project import Project

    with Project.open(project) as opened:
        rows = opened.builds(limit)
        accepted = opened.stores.catalog.accepted()
    document = {
        "builds": [
            {
                "id": row.id,
                "status": row.status,
                "started": row.started,
                "finished": row.finished,
                "targets": list(row.start.targets),
                "counts": dict(row.counts),
                "commit": row.start.git_commit,
                "dirty": row.start.dirty,
                "accepted": accepted is not None and accepted.build_id == row.build_id,
            }
            for row in rows
        ]
    }
    deliver(document, as_json, view)
    return 0


def view(document: Mapping[str, Any]) -> Any:
    """The builds as a table."""
    from rich.table import Table
    from rich.text import Text

    from whence.cli import words

    if not document["builds"]:
        return Text("No builds yet: `whence build` makes the first.")
    table = Table(box=None, pad_edge=False)
    for heading in (
        "build",
        "status",
        "when",
        "took",
        "ran",
        "store",
        "failed",
        "commit",
        "targets",
    ):
        table.add_column(
            heading, justify="right" if heading in ("ran", "store", "failed") else "left"
        )
    for row in document["builds"]:
        took = words.duration(row["finished"] - row["started"]) if row["finished"] else "-"
        counts = row["counts"]
        commit = row["commit"][:8] + ("+" if row["dirty"] else "") if row["commit"] else "-"
        table.add_row(
            Text(row["id"] + (" ★" if row["accepted"] else ""), style="name"),
            Text(row["status"], style=_STYLES.get(row["status"], "")),
            words.moment(row["started"]),
            took,
            str(counts.get("ran", 0)),
            str(counts.get("hit", 0)),
            str(counts.get("failed", 0) + counts.get("skipped", 0)),
            commit,
            words.listed(row["targets"], 3) or "all",
        )
    return table
