"""`whence trace`: from a prediction or a value back to files, code, params and packages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from whence.cli import options


@click.command("trace")
@click.argument("what", shell_complete=options.complete_nodes)
@click.option("--depth", type=click.IntRange(1), default=50, help="Steps back at most.")
@options.common
def command(what: str, depth: int, project: str, as_json: bool) -> int:
    """Trace WHAT: a prediction's id, NODE, NODE@BUILD, a build such as b12, or a digest."""
    from whence.cli.output import deliver
    from whence.engine.project import Project

    with Project.open(project) as opened:
        found = opened.trace(what)
    deliver({"trace": found.to_json()}, as_json, lambda document: view(document, depth))
    return 0


def view(document: Mapping[str, Any], depth: int = 50) -> Any:
    """The lineage as a tree."""
    from rich.tree import Tree

    root = document["trace"]
    tree = Tree(_label(root), guide_style="quiet")
    _grow(tree, root, depth)
    return tree


def _grow(tree: Any, trace: Mapping[str, Any], depth: int) -> None:
    for line in _details(trace):
        tree.add(line)
    if depth <= 0:
        return
    for parent in trace["parents"]:
        branch = tree.add(_label(parent))
        _grow(branch, parent, depth - 1)


def _label(trace: Mapping[str, Any]) -> Any:
    from rich.text import Text

    from whence.cli import words

    kind, facts = trace["kind"], trace["facts"]
    text = Text(kind, style="kind")
    if kind in ("params", "packages"):
        return text
    text.append(" ").append(trace["name"], style="name")
    if facts.get("above"):
        text.append("  (above)", style="quiet")
    elif kind == "build":
        commit = facts["commit"][:12] + (" with changes" if facts["dirty"] else "")
        text.append(f"  {words.moment(facts['started'])}", style="quiet")
        text.append(f"  commit {commit}" if facts["commit"] else "  not in git", style="quiet")
    elif "summary" in facts:
        text.append(f"  {words.value(facts['summary'])}")
        text.append(f"  {words.digest(facts['digest'])}", style="quiet")
    elif "partitions" in facts:
        rows = [part["summary"].get("rows") for part in facts["partitions"].values()]
        total = f", {sum(rows):,} rows" if rows and None not in rows else ""
        text.append(f"  {len(facts['partitions'])} partitions{total}")
    return text


def _details(trace: Mapping[str, Any]) -> list[Any]:
    from rich.text import Text

    from whence.cli import words

    kind, facts = trace["kind"], trace["facts"]
    lines: list[str] = []
    if kind == "prediction":
        lines.append(f"asked  {words.moment(facts['time'])}: {_short(facts['request'])}")
        lines.append(f"answer {_short(facts['answer'])} in {facts['latency_ms']:.1f} ms")
    elif kind == "source" and "units" in facts:
        files = [file for unit in facts["units"].values() for file in unit["files"]]
        lines.append(f"files  {words.listed(dict.fromkeys(files), 8)}")
        if len(facts.get("partitions", {})) > 1:
            lines.append(f"parts  {words.listed(facts['partitions'], 14)}")
    elif kind == "code":
        where = f"commit {facts['commit']}" if facts["commit"] else "not in git"
        changed = facts["commit"] and facts["dirty"]
        dirty = ", with changes that are not committed" if changed else ""
        lines.append(f"{where}{dirty}; snapshot {words.digest(facts['snapshot'])}")
        lines.append(
            f"{len(facts['definitions'])} definitions: {words.listed(facts['definitions'], 10)}"
        )
    elif kind == "params":
        lines += [f"{name} = {_short(value)}" for name, value in facts["values"].items()]
        lines.append(
            f"seed of the world: {facts['seed'] if facts['seed'] is not None else 'not set'}"
        )
    elif kind == "packages":
        found = [f"{name} {_version(version)}" for name, version in facts["distributions"].items()]
        lines.append(words.listed(sorted(found), 40))
    elif facts.get("params") and not facts.get("above"):
        lines.append(
            "params " + ", ".join(f"{k} = {_short(v)}" for k, v in facts["params"].items())
        )
    return [Text(line, style="quiet") for line in lines]


def _version(text: str) -> str:
    version, _, content = text.partition(" content ")
    return f"{version} ({content.rpartition(':')[2][:8]})" if content else version


def _short(value: object) -> str:
    import json

    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else text[:159] + "…"
