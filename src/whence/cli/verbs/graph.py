"""`whence graph`: the nodes and what they need, as a tree or a drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from whence.cli import options

FORMATS = ("tree", "mermaid", "svg", "dot")


@click.command("graph")
@click.argument("targets", nargs=-1, shell_complete=options.complete_nodes)
@click.option("--format", "form", type=click.Choice(FORMATS), default="tree", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False), help="Write to a file.")
@click.option("--status", "with_status", is_flag=True, help="Mark what is stale.")
@options.common
def command(
    targets: tuple[str, ...],
    form: str,
    out: str | None,
    with_status: bool,
    project: str,
    as_json: bool,
) -> int:
    """Draw the graph of TARGETS (all nodes by default)."""
    from whence.cli.output import console, write_json
    from whence.engine.project import Project

    with Project.open(project) as opened:
        document = describe(opened, targets, with_status)
    nodes = document["graph"]["nodes"]
    if out is not None:
        text = _drawn(nodes, form, document["graph"]["project"])
        Path(out).write_text(text, encoding="utf-8")
    if as_json:
        write_json(document)
    elif out is not None:
        console().print(f"✓ {out}")
    elif form == "tree":
        console().print(view(nodes))
    else:
        click.echo(_drawn(nodes, form, document["graph"]["project"]), nl=False)
    return 0


def describe(project: Any, targets: Sequence[str], with_status: bool) -> dict[str, Any]:
    """The graph as JSON: each node with its kind, inputs and params."""
    graph = project.graph()
    states: dict[str, str] = {}
    if with_status:
        worst = ("failed", "stale", "new", "waiting", "fresh")
        for task in project.status(targets).tasks:
            states[task.node] = min(states.get(task.node, "fresh"), task.state, key=worst.index)
    nodes = []
    selected = graph.select(targets)
    if not targets:
        selected = graph.order  # services, too
    for name in selected:
        node = graph.nodes[name]
        spec = node.spec
        nodes.append(
            {
                "name": name,
                "kind": spec.kind,
                "inputs": sorted({edge.node for edge in node.inputs}),
                "params": dict(node.params),
                "partitioned": spec.partitioned,
                "deterministic": spec.deterministic,
                "where": spec.where,
                "line": spec.line,
                "doc": spec.doc.partition("\n")[0],
                "state": states.get(name),
            }
        )
    return {"graph": {"project": project.config.name, "nodes": nodes}}


def _drawn(nodes: Sequence[Mapping[str, Any]], form: str, title: str) -> str:
    if form == "svg":
        from whence.cli.drawing.svg import draw_svg

        return draw_svg(nodes, title)
    from whence.cli.drawing.languages import draw_dot, draw_mermaid

    if form == "mermaid":
        return draw_mermaid(nodes)
    if form == "dot":
        return draw_dot(nodes)
    from io import StringIO

    from whence.cli.output import console

    text = StringIO()
    console(text).print(view(nodes))
    return text.getvalue()


def view(nodes: Sequence[Mapping[str, Any]]) -> Any:
    """A tree from the ends of the graph up to its sources; each node unfolds once."""
    from rich.console import Group
    from rich.text import Text
    from rich.tree import Tree

    by_name = {node["name"]: node for node in nodes}
    used = {up for node in nodes for up in node["inputs"]}
    told: set[str] = set()

    def label(node: Mapping[str, Any]) -> Text:
        text = Text(node["name"], style="name")
        text.append(f"  {node['kind']}", style="kind")
        if node["partitioned"]:
            text.append(" by partition", style="quiet")
        if not node["deterministic"]:
            text.append(" recorded", style="warn")
        if node["state"] not in (None, "fresh"):
            text.append(f" {node['state']}", style="warn")
        return text

    def grow(tree: Tree, name: str) -> None:
        node = by_name[name]
        text = label(node)
        if name in told and node["inputs"]:
            text.append("  (above)", style="quiet")
            tree.add(text)
            return
        told.add(name)
        branch = tree.add(text)
        for up in node["inputs"]:
            if up in by_name:
                grow(branch, up)

    roots = [node["name"] for node in nodes if node["name"] not in used]
    trees = []
    for name in roots:
        trunk = Tree(Text(""), hide_root=True, guide_style="quiet")
        grow(trunk, name)
        trees.append(trunk)
    return Group(*trees)
