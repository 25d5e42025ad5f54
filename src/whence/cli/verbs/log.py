"""`whence log`: what the nodes of a build printed, how long they took, what they needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
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
    from whence.engine.history import no_node
    from whence.engine.project import Project

    with Project.open(project) as opened:
        made = opened.get_build(options.build_name(build))
        chosen = [task for task in made.tasks if node is None or node in (task.node, task.label)]
        if node is not None and not chosen:
            raise no_node(made.id, node, (task.node for task in made.tasks))
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
    for heading in ("node", "", "made in", "took", "CPU", "peak", "printed"):
        table.add_column(heading, justify="right" if heading in ("took", "CPU", "peak") else "left")
    parts: list[Any] = []
    for group in _grouped(log["tasks"], in_full):
        first, ran = group[0], [task for task in group if task["made_in"] is not None]
        made_in = dict.fromkeys(task["made_in"] for task in ran)
        table.add_row(
            Text(_label(group), style="name"),
            Text(
                first["status"], style={"failed": "bad", "skipped": "warn"}.get(first["status"], "")
            ),
            words.listed(made_in, 3) or "-",
            words.duration(sum(task["duration_s"] for task in ran)) if ran else "-",
            words.duration(sum(task["cpu_s"] for task in ran)) if ran else "-",
            words.size(max(task["peak_bytes"] for task in ran)) if ran else "-",
            Text(words.shortened(_last_line(group)), style="quiet"),
        )
        if in_full:
            parts += _told(first, titled=len(log["tasks"]) > 1)
    title = Text(f"{log['build']} {log['status']}", style="name")
    return Group(title, table, *parts)


def _last_line(group: Sequence[Mapping[str, Any]]) -> str:
    """Of what was printed; of what went wrong, where something did."""
    first = group[0]
    text = first["error"] if first["status"] == "failed" else ""
    if first["status"] == "skipped":
        text = first["reason"]
    text = text or next((task["log"] for task in group if task["log"]), "")
    return str(text).rstrip().rpartition("\n")[2].strip()


def _told(task: Mapping[str, Any], titled: bool) -> list[Any]:
    """All that one task printed, and its error."""
    from rich.text import Text

    parts: list[Any] = []
    if task["log"]:
        parts.append(Text(task["log"].rstrip()))
    if task["error"]:
        parts.append(Text(task["error"].rstrip(), style="bad"))
    if task["status"] == "skipped":
        parts.append(Text(f"skipped: {task['reason']}", style="warn"))
    if parts and titled:
        parts.insert(0, Text(_label([task]), style="kind"))
    return [Text(""), *parts] if parts else []


def _label(group: Sequence[Mapping[str, Any]]) -> str:
    first = group[0]
    if len(group) > 1:
        return f"{first['node']} ({len(group)} partitions)"
    return f"{first['node']}[{first['partition']}]" if first["partition"] else str(first["node"])


def _grouped(tasks: Sequence[Mapping[str, Any]], in_full: bool) -> list[list[Mapping[str, Any]]]:
    """Nodes in the order in which they began; partitions that ended alike in one group."""
    began: dict[str, float] = {}
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for task in tasks:
        node, start = task["node"], task["started"]
        began[node] = min(began.get(node, inf), start if start is not None else inf)
        alone = in_full or task["status"] == "failed"
        groups.setdefault((node, task["status"], task["partition"] if alone else ""), []).append(
            task
        )
    return sorted(groups.values(), key=lambda group: began[group[0]["node"]])
