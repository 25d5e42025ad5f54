"""`whence log`: what the nodes of a build printed, how long they took, what they needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from whence.cli import options


@click.command("log")
@click.argument("build", default="latest")
@click.argument("node", required=False, shell_complete=options.complete_nodes)
@options.common
def command(build: str, node: str | None, project: str, as_json: bool) -> int:
    """Show what the nodes of BUILD did; with NODE, its log and error in full.

    BUILD is b12, latest (that succeeded), last (whatever its end) or accepted.
    """
    from whence.cli.output import deliver
    from whence.engine.project import Project
    from whence.errors import UnknownId

    with Project.open(project) as opened:
        made = opened.get_build(options.build_name(build))
        chosen = [task for task in made.tasks if node is None or node in (task.node, task.label)]
        if node is not None and not chosen:
            raise UnknownId(
                f"Build {made.id} has no node '{node}'.", f"`whence log {made.id}` lists them."
            )
        ids = [task.run_id for task in chosen if task.run_id is not None]
        runs = opened.stores.catalog.runs(ids)
    tasks = []
    for task in chosen:
        row = runs.get(task.run_id) if task.run_id is not None else None
        entry = task.to_json()
        entry["made_in"] = f"b{row.build_id}" if row else None
        entry["started"] = row.run.started if row else None
        entry["duration_s"] = round(row.run.duration_s, 6) if row else 0.0
        entry["cpu_s"] = round(row.run.cpu_s, 6) if row else 0.0
        entry["peak_bytes"] = row.run.peak_bytes if row else 0
        entry["log"] = row.run.log if row else ""
        entry["error"] = entry["error"] or (row.run.error if row else "")
        tasks.append(entry)
    document = {"log": {"build": made.id, "status": made.status, "tasks": tasks}}
    deliver(document, as_json, lambda shown: view(shown, in_full=node is not None))
    return 0


def view(document: Mapping[str, Any], in_full: bool = False) -> Any:
    """The log for people: a table of tasks, or the full text of the chosen ones."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from whence.cli import words

    log = document["log"]
    table = Table(box=None, pad_edge=False)
    for heading in ("task", "", "made in", "took", "CPU", "peak", "printed"):
        table.add_column(heading, justify="right" if heading in ("took", "CPU", "peak") else "left")
    parts: list[Any] = []
    for task in log["tasks"]:
        label = f"{task['node']}[{task['partition']}]" if task["partition"] else task["node"]
        ran = task["made_in"] is not None
        last_line = task["log"].rstrip().rpartition("\n")[2]
        table.add_row(
            Text(label, style="name"),
            Text(
                task["status"], style={"failed": "bad", "skipped": "warn"}.get(task["status"], "")
            ),
            task["made_in"] or "-",
            words.duration(task["duration_s"]) if ran else "-",
            words.duration(task["cpu_s"]) if ran else "-",
            words.size(task["peak_bytes"]) if ran else "-",
            Text(last_line[:60], style="quiet"),
        )
        if in_full:
            if task["log"]:
                parts.append(Text(task["log"].rstrip()))
            if task["error"]:
                parts.append(Text(task["error"].rstrip(), style="bad"))
            if task["status"] == "skipped":
                parts.append(Text(f"skipped: {task['reason']}", style="warn"))
    title = Text(f"{log['build']} {log['status']}", style="name")
    return Group(title, table, *parts)
