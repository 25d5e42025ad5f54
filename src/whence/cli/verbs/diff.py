"""`whence diff`: what is not the same in two builds, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from whence.cli import options

_TITLES = {
    "code": "code",
    "params": "params",
    "data": "data",
    "environment": "packages",
    "seed": "seed",
}


@click.command("diff")
@click.argument("before", required=False)
@click.argument("after", required=False)
@click.option("--text", "with_text", is_flag=True, help="Show changed definitions line by line.")
@options.common
def command(
    before: str | None, after: str | None, with_text: bool, project: str, as_json: bool
) -> int:
    """Compare two builds: BEFORE with AFTER (the latest by default).

    Without arguments, the last two builds that succeeded.
    """
    from whence.cli.output import deliver
    from whence.engine.project import Project
    from whence.errors import UnknownId

    with Project.open(project) as opened:
        if before is None:
            good = [row.id for row in opened.builds(200) if row.status == "ok"]
            if len(good) < 2:
                raise UnknownId(
                    "There are not two builds to compare.", "change something and `whence build`."
                )
            before, after = good[1], good[0]
        found = opened.diff(
            options.build_name(before), options.build_name(after) if after else None
        )
        document: dict[str, Any] = {"diff": found.to_json()}
        if with_text:
            document["diff"]["texts"] = opened.changed_texts(found)
    deliver(document, as_json, view)
    return 0


def view(document: Mapping[str, Any]) -> Any:
    """The differences for people."""
    from rich.console import Group
    from rich.text import Text

    from whence.cli import words

    diff = document["diff"]
    lines: list[Any] = [Text(f"{diff['before']} → {diff['after']}", style="name")]
    for key, title in _TITLES.items():
        for change in diff[key]:
            line = Text(f"  {title:9}", style="kind")
            line.append(words.change(change), style="")
            lines.append(line)
    if len(lines) == 1:
        lines.append(Text("  no difference in code, params, data, packages or seed"))
    nodes = dict.fromkeys(change["name"].partition("[")[0] for change in diff["values"])
    if nodes:
        lines.append(Text(f"  values that differ: {words.listed(nodes, 12)}", style="quiet"))
    else:
        lines.append(Text("  every value is the same", style="quiet"))
    for name, sides in diff["metrics"].items():
        old, new = (words.value(sides[s]) if sides[s] else "-" for s in ("before", "after"))
        lines.append(Text(f"  {name}: {old} → {new}", style="name"))
    for text in diff.get("texts", {}).values():
        lines.append(Text(text.rstrip(), style=""))
    return Group(*lines)
