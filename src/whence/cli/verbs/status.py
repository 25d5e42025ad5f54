"""`whence status`: what is stale, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from whence.cli import options

_SYMBOLS = {"fresh": "✓", "stale": "~", "waiting": "·", "new": "+", "failed": "✗"}
_STYLES = {"fresh": "ok", "stale": "warn", "waiting": "quiet", "new": "kind", "failed": "bad"}


@click.command("status")
@click.argument("targets", nargs=-1, shell_complete=options.complete_nodes)
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Give a param a value."
)
@click.option("--profile", metavar="NAME", help="Use [tool.whence.profile.NAME].")
@click.option("--seed", type=int, help="The world's seed.")
@click.option("--all", "show_all", is_flag=True, help="List what is up to date, too.")
@options.common
def command(
    targets: tuple[str, ...],
    settings: tuple[str, ...],
    profile: str | None,
    seed: int | None,
    show_all: bool,
    project: str,
    as_json: bool,
) -> int:
    """Say what a build of TARGETS would run, and why. Runs nothing."""
    from whence.cli.output import deliver
    from whence.engine.project import Project

    with Project.open(project, profile) as opened:
        found = opened.status(targets, params=options.parse_settings(settings), seed=seed)
        opened.stores.save()
    deliver({"status": found.to_json()}, as_json, lambda document: view(document, show_all))
    return 0


def view(document: Mapping[str, Any], show_all: bool = False) -> Any:
    """The status for people."""
    from rich.console import Group
    from rich.text import Text

    from whence.cli import words

    status = document["status"]
    tasks = status["tasks"]
    counts = {state: sum(t["state"] == state for t in tasks) for state in _SYMBOLS}
    lines: list[Text] = []
    for group in _grouped(tasks, show_all):
        first = group[0]
        state = first["state"]
        line = Text(f"{_SYMBOLS[state]} ", style=_STYLES[state])
        line.append(_label(group), style="name" if state != "waiting" else "quiet")
        if reason := _reason(first):
            line.append(f"  {reason}", style="quiet" if state in ("fresh", "waiting") else "")
        if first["age_s"] is not None:
            line.append(f"  recorded {words.duration(first['age_s'])} ago", style="quiet")
        lines.append(line)
    told = [
        f"{n:,} {'up to date' if state == 'fresh' else state}" for state, n in counts.items() if n
    ]
    lines.append(Text(", ".join(told) or "no tasks", style="ok" if _is_fresh(counts) else ""))
    for fallback in status["fallbacks"]:
        lines.append(
            Text(
                f"! {fallback['node']}: the whole {fallback['scope']} counts, because of "
                f"{fallback['where']}, line {fallback['line']}: {fallback['cause']}",
                style="warn",
            )
        )
    if status["effects"]:
        lines.append(
            Text(
                f"! importing {', '.join(status['effects'])} changes something outside of it, so "
                "that part of it counts for every node",
                style="warn",
            )
        )
    lines += [
        Text(f"  not in the snapshot: {skipped['path']} ({skipped['why']})", style="quiet")
        for skipped in status["skipped_files"]
    ]
    return Group(*lines)


def _is_fresh(counts: Mapping[str, int]) -> bool:
    return not any(n for state, n in counts.items() if state != "fresh")


def _grouped(tasks: list[dict[str, Any]], show_all: bool) -> list[list[dict[str, Any]]]:
    """Neighbouring partitions of one node that are in the same state for the same reason."""
    groups: list[list[dict[str, Any]]] = []
    for task in tasks:
        if task["state"] == "fresh" and task["age_s"] is None and not show_all:
            continue
        last = groups[-1][0] if groups else None
        same = last is not None and last["node"] == task["node"]
        if same and last is not None and (last["state"], _why(last)) == (task["state"], _why(task)):
            groups[-1].append(task)
        else:
            groups.append([task])
    return groups


def _why(task: Mapping[str, Any]) -> object:
    if task["changes"] or task["error"]:
        return [change["name"] for change in task["changes"]], task["error"]
    return sorted({above.partition("[")[0] for above in task["upstream"]})


def _label(group: list[dict[str, Any]]) -> str:
    names = [task["partition"] for task in group]
    if names == [""]:
        return str(group[0]["node"])
    if len(names) > 3:
        return f"{group[0]['node']}[{names[0]} … {names[-1]}] ({len(names)})"
    return f"{group[0]['node']}[{', '.join(names)}]"


def _reason(task: Mapping[str, Any]) -> str:
    from whence.cli import words

    if task["error"]:
        return str(task["error"])
    if task["changes"]:
        return words.listed(words.change(change) for change in task["changes"])
    if task["state"] == "new":
        return "never built"
    if task["upstream"]:
        above = dict.fromkeys(name.partition("[")[0] for name in task["upstream"])
        return f"may change with {words.listed(above)}"
    return ""
