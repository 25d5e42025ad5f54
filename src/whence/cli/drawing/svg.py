"""A graph as one self-contained SVG file that reads in light and in dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from whence.cli.drawing.layout import Layout, Place, Route, Size, lay_out

#: Kind -> colour of its mark, for light and for dark; both have contrast 3:1 on their ground.
KINDS = {
    "source": ("#0b7285", "#3bc9db"),
    "param": ("#868e96", "#adb5bd"),
    "node": ("#495057", "#ced4da"),
    "table": ("#2b6cb0", "#74c0fc"),
    "model": ("#7b2cbf", "#d0a2f7"),
    "metric": ("#2f7d32", "#8ce99a"),
    "figure": ("#b45309", "#ffc078"),
    "service": ("#c2255c", "#faa2c1"),
}
STALE = ("stale", "waiting", "new")
_PAD = 20.0
_HEIGHT = 40.0
_LEGEND = 34.0


def draw_svg(nodes: Sequence[Mapping[str, Any]], title: str = "whence graph") -> str:
    """Draw nodes and their inputs.

    Parameters
    ----------
    nodes : sequence of mapping
        As in the document of `whence graph --json`: name, kind, inputs, partitioned, state.
    title : str
        Read out by screen readers.

    Returns
    -------
    str
        The text of an SVG file.
    """
    by_name = {str(node["name"]): node for node in nodes}
    sizes = {name: Size(_width(name, _under(node)), _HEIGHT) for name, node in by_name.items()}
    edges = [(up, name) for name, node in by_name.items() for up in node["inputs"] if up in by_name]
    layout = lay_out(sizes, edges)
    kinds = [kind for kind in KINDS if any(_kind(node) == kind for node in nodes)]
    states = any(node.get("state") in STALE for node in nodes)
    width = max(layout.width, _legend_width(kinds, states)) + 2 * _PAD
    height = layout.height + 2 * _PAD + _LEGEND
    shift = _PAD + max(0.0, (width - 2 * _PAD - layout.width) / 2)
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>",
        _style(),
        '<rect class="ground" width="100%" height="100%"/>',
        f'<g transform="translate({shift:g} {_PAD:g})">',
        *(_edge(route) for route in layout.routes),
        *(_box(name, by_name[name], layout.places[name]) for name in sorted(layout.places)),
        "</g>",
        _legend(kinds, states, layout),
        "</svg>",
    ]
    return "\n".join(body) + "\n"


def _kind(node: Mapping[str, Any]) -> str:
    return str(node["kind"]) if node["kind"] in KINDS else "node"


def _under(node: Mapping[str, Any]) -> str:
    return str(node["kind"]) + (" · partitioned" if node.get("partitioned") else "")


def _width(name: str, under: str) -> float:
    # No font is measured here: mean advances of system fonts at 13 and 11 px, on the safe side.
    return round(30 + max(7.3 * len(name), 6.2 * len(under)), 1)


def _style() -> str:
    def rules(side: int) -> str:
        return "".join(f".{kind} .mark{{fill:{c[side]}}}" for kind, c in KINDS.items())

    light = (
        ".ground{fill:#fff}.box{fill:#f8f9fa;stroke:#ced4da}.edge{stroke:#adb5bd}"
        "text{fill:#212529}.quiet{fill:#5c636a}.stale .box{stroke:#d9480f}" + rules(0)
    )
    dark = (
        ".ground{fill:#16181d}.box{fill:#22262e;stroke:#495057}.edge{stroke:#5c636a}"
        "text{fill:#e9ecef}.quiet{fill:#adb5bd}.stale .box{stroke:#ff922b}" + rules(1)
    )
    shared = (
        "text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
        ".quiet{font-size:11px}.edge{fill:none;stroke-width:1.4}"
        ".stale .box{stroke-width:2;stroke-dasharray:5 3}"
    )
    return f"<style>{shared}{light}@media (prefers-color-scheme:dark){{{dark}}}</style>"


def _box(name: str, node: Mapping[str, Any], place: Place) -> str:
    kind, state = _kind(node), node.get("state")
    stale = " stale" if state in STALE else ""
    under = _under(node)
    hint = " · ".join(filter(None, [name, under, state or "", str(node.get("doc") or "")]))
    parts = [f'<g class="{kind}{stale}" transform="translate({place.x:g} {place.y:g})">']
    parts.append(f"<title>{escape(hint)}</title>")
    if node.get("partitioned"):  # a second sheet behind the first
        parts.append(
            f'<rect class="box" x="3" y="3" width="{place.width:g}" '
            f'height="{place.height:g}" rx="6"/>'
        )
    parts.append(f'<rect class="box" width="{place.width:g}" height="{place.height:g}" rx="6"/>')
    parts.append(
        f'<rect class="mark" width="5" height="{place.height - 12:g}" x="6" y="6" rx="2"/>'
    )
    parts.append(f'<text x="18" y="18">{escape(name)}</text>')
    parts.append(f'<text class="quiet" x="18" y="32">{escape(under)}</text></g>')
    return "".join(parts)


def edge_path(route: Route) -> str:
    """The `d` of the path that follows a route: curves between layers, straight through them."""
    (x, y), rest = route.points[0], route.points[1:]
    path = [f"M{x:g} {y:g}"]
    for i, (to_x, to_y) in enumerate(rest):
        if i % 2:  # through a layer, where other boxes lie: straight
            path.append(f"L{to_x:g} {to_y:g}")
        else:
            bend = (x + to_x) / 2
            path.append(f"C{bend:g} {y:g} {bend:g} {to_y:g} {to_x:g} {to_y:g}")
        x, y = to_x, to_y
    return " ".join(path)


def _edge(route: Route) -> str:
    return f'<path class="edge" d="{edge_path(route)}"/>'


def _legend_width(kinds: Sequence[str], states: bool) -> float:
    return sum(34 + 6.5 * len(kind) for kind in kinds) + (70 if states else 0)


def _legend(kinds: Sequence[str], states: bool, layout: Layout) -> str:
    y = layout.height + 2 * _PAD + 6
    x = _PAD
    parts = []
    for kind in kinds:
        parts.append(
            f'<g class="{kind}" transform="translate({x:g} {y:g})">'
            '<rect class="mark" width="5" height="14" rx="2"/>'
            f'<text class="quiet" x="11" y="11">{kind}</text></g>'
        )
        x += 34 + 6.5 * len(kind)
    if states:
        parts.append(
            f'<g class="stale" transform="translate({x:g} {y:g})">'
            '<rect class="box" width="14" height="14" rx="3"/>'
            '<text class="quiet" x="20" y="11">stale</text></g>'
        )
    return "".join(parts)
