"""The graph of a metric, coloured by which changes reach its nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from whence.cli.drawing.layout import Size, lay_out
from whence.cli.drawing.svg import edge_path
from whence.cli.drawing.why_reading import Reading, short
from whence.cli.words import count

#: State of the worst change that reaches a node -> its class in the page's style sheet.
_CLASSES = {
    "cause": "cause",
    "improver": "improver",
    "no effect": "noeffect",
    "unmixable": "unmixable",
    "untested": "untested",
    "inert": "inert",
}
_HEIGHT = 42.0
_PAD = 4.0


def draw_graph(reading: Reading) -> str:
    """The graph as inline SVG for the page; "" where there is none.

    Nodes are marked by the worst state among the changes that reach them, edges by whether what
    flows there comes from a node that a cause reaches.
    """
    nodes: Mapping[str, Sequence[str]] = reading.why["nodes"]
    edges = [(a, b) for a, b in reading.why["edges"] if a in nodes and b in nodes]
    if not nodes:
        return ""
    under = {name: _under(reading, ids) for name, ids in nodes.items()}
    sizes = {name: Size(_width(name, under[name]), _HEIGHT) for name in nodes}
    layout = lay_out(sizes, edges)
    states = {name: _state(reading, ids) for name, ids in nodes.items()}
    hot = _downstream({name for name, state in states.items() if state == "cause"}, edges)
    width, height = layout.width + 2 * _PAD, layout.height + 2 * _PAD
    said = f"Graph of {reading.metric}, by the changes that reach its nodes"
    parts = [
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(said)}" '
        f'style="width:100%;max-width:{width:g}px;min-width:{0.75 * width:g}px">',
        f'<title>{escape(said)}</title><g transform="translate({_PAD:g} {_PAD:g})">',
    ]
    for route in sorted(layout.routes, key=lambda route: route.start in hot):
        kind = "edge hot" if route.start in hot else "edge"
        parts.append(f'<path class="{kind}" d="{edge_path(route)}"/>')
    for name, place in sorted(layout.places.items()):
        kind = " ".join(
            filter(None, [_CLASSES.get(states[name], ""), "goal" * (name == reading.metric)])
        )
        ids = ", ".join(nodes[name]) or "no change reaches it first here"
        parts.append(
            f'<g class="{kind}" transform="translate({place.x:g} {place.y:g})">'
            f"<title>{escape(f'{name}: {ids}')}</title>"
            f'<rect class="box" width="{place.width:g}" height="{place.height:g}" rx="7"/>'
            f'<text class="name" x="{place.width / 2:g}" y="{18 if under[name] else 26}" '
            f'text-anchor="middle">{escape(_cut(name))}</text>'
        )
        if under[name]:
            parts.append(
                f'<text x="{place.width / 2:g}" y="33" text-anchor="middle">'
                f"{escape(under[name])}</text>"
            )
        parts.append("</g>")
    return "".join([*parts, "</g></svg>"])


def _state(reading: Reading, ids: Sequence[str]) -> str:
    found = {reading.blame(i) for i in ids}
    return next((state for state in _CLASSES if state in found), "")


def _under(reading: Reading, ids: Sequence[str]) -> str:
    """What reaches a node: the cause's name, or how many changes do."""
    causes = [i for i in ids if reading.blame(i) in ("cause", "improver")]
    if causes:
        more = f" + {len(ids) - 1} more" if len(ids) > 1 else ""
        return _cut(short(causes[0]).rpartition(".")[2], 22) + more
    return count(len(ids), "change") if ids else ""


def _cut(name: str, limit: int = 30) -> str:
    return name if len(name) <= limit else name[: limit - 1] + "…"


def _width(name: str, under: str) -> float:
    # No font is measured here: mean advances of system fonts at 13 and 12 px, on the safe side.
    return round(max(64.0, 26 + max(7.6 * len(_cut(name)), 6.6 * len(under))), 1)


def _downstream(start: set[str], edges: Sequence[tuple[str, str]]) -> set[str]:
    reached, waiting = set(start), list(start)
    while waiting:
        name = waiting.pop()
        for up, down in edges:
            if up == name and down not in reached:
                reached.add(down)
                waiting.append(down)
    return reached
