"""`whence check`: is the store whole, does every node give the same value again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from whence.cli import options
from whence.cli.failures import FAILED


@click.command("check")
@click.argument("targets", nargs=-1, shell_complete=options.complete_nodes)
@click.option("--determinism", is_flag=True, help="Run every node again and compare the values.")
@click.option("--store", is_flag=True, help="Read the whole store and compare the digests.")
@click.option("--jobs", "-j", type=click.IntRange(1), help="Most worker processes at once.")
@options.common
def command(
    targets: tuple[str, ...],
    determinism: bool,
    store: bool,
    jobs: int | None,
    project: str,
    as_json: bool,
) -> int:
    """Check the project: by default that its nodes can be read, and that the store is whole."""
    from whence.cli.output import deliver
    from whence.engine.project import Project

    everything = not (determinism or store)
    document: dict[str, Any] = {"graph": None, "store": None, "determinism": None}
    with Project.open(project) as opened:
        if everything:
            document["graph"] = {"nodes": len(opened.graph().nodes)}
        if store or everything:
            document["store"] = {"faults": opened.check_store()}
        if determinism:
            found = opened.check_determinism(targets, jobs=jobs)
            document["determinism"] = {"reruns": [rerun.to_json() for rerun in found]}
    deliver({"check": document}, as_json, view)
    faults = document["store"]["faults"] if document["store"] else []
    reruns = document["determinism"]["reruns"] if document["determinism"] else []
    return FAILED if faults or not all(rerun["same"] for rerun in reruns) else 0


def view(document: Mapping[str, Any]) -> Any:
    """The findings for people."""
    from rich.console import Group
    from rich.text import Text

    from whence.cli import words

    check = document["check"]
    lines: list[Text] = []
    if check["graph"]:
        lines.append(Text(f"✓ graph: {words.count(check['graph']['nodes'], 'node')}", style="ok"))
    if check["store"] is not None:
        faults = check["store"]["faults"]
        lines += [Text(f"✗ {fault}", style="bad") for fault in faults]
        if not faults:
            lines.append(Text("✓ store: every value matches its digest", style="ok"))
    if check["determinism"] is not None:
        reruns = check["determinism"]["reruns"]
        for rerun in reruns:
            if rerun["same"]:
                continue
            label = rerun["node"] + (f"[{rerun['partition']}]" if rerun["partition"] else "")
            what = f"failed: {rerun['error']}" if rerun["error"] else "made another value"
            lines.append(Text(f"✗ {label} {what} when it ran again", style="bad"))
        same = sum(rerun["same"] for rerun in reruns)
        style = "ok" if same == len(reruns) else ""
        lines.append(Text(f"{same} of {len(reruns)} tasks gave the same value again", style=style))
        if same < len(reruns):
            lines.append(
                Text(
                    "  fix: draw randomness from `seed` or a global generator, or declare the node "
                    "deterministic=False"
                )
            )
    return Group(*lines)
