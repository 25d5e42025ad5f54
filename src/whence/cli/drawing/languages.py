"""A graph in the languages of other drawing tools: Mermaid and Graphviz DOT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_MERMAID_SHAPES = {
    "source": ("[(", ")]"),
    "model": ("{{", "}}"),
    "metric": ("([", "])"),
    "figure": ("[/", "/]"),
    "service": (">", "]"),
}
_DOT_SHAPES = {
    "source": "cylinder",
    "model": "hexagon",
    "metric": "ellipse",
    "figure": "note",
    "service": "component",
}
_STALE = ("stale", "waiting", "new")


def draw_mermaid(nodes: Sequence[Mapping[str, Any]]) -> str:
    """A Mermaid flowchart of nodes as in `whence graph --json`."""
    # "graph" and "end" are words of Mermaid, so nodes get ids that no name can spell.
    ids = {node["name"]: f"n{i}" for i, node in enumerate(nodes)}
    lines = ["flowchart LR"]
    for node in nodes:
        label = node["name"].replace('"', "#quot;")
        left, right = _MERMAID_SHAPES.get(node["kind"], ("[", "]"))
        lines.append(f'    {ids[node["name"]]}{left}"{label}"{right}')
    for node in nodes:
        lines += [f"    {ids[up]} --> {ids[node['name']]}" for up in node["inputs"] if up in ids]
    stale = [ids[node["name"]] for node in nodes if node.get("state") in _STALE]
    if stale:
        lines.append("    classDef stale stroke:#d9480f,stroke-width:2px,stroke-dasharray:5 3")
        lines.append(f"    class {','.join(stale)} stale")
    return "\n".join(lines) + "\n"


def draw_dot(nodes: Sequence[Mapping[str, Any]]) -> str:
    """A Graphviz digraph of nodes as in `whence graph --json`."""
    lines = ["digraph whence {", "    rankdir=LR", '    node [shape=box fontname="sans-serif"]']
    known = {node["name"] for node in nodes}
    for node in nodes:
        shape = _DOT_SHAPES.get(node["kind"])
        features = [f"shape={shape}"] if shape else []
        if node.get("state") in _STALE:
            features.append('style=dashed color="#d9480f"')
        suffix = f" [{' '.join(features)}]" if features else ""
        lines.append(f"    {_quoted(node['name'])}{suffix}")
    for node in nodes:
        lines += [
            f"    {_quoted(up)} -> {_quoted(node['name'])}" for up in node["inputs"] if up in known
        ]
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
