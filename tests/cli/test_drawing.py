"""The layout: boxes do not overlap, edges go forward, and the picture is the same every time."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from whence.cli.drawing.languages import draw_dot, draw_mermaid
from whence.cli.drawing.layout import Layout, Size, assign_layers, lay_out
from whence.cli.drawing.svg import draw_svg

NAMES = [f"node_{i}" for i in range(14)]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, Size], list[tuple[str, str]]]:
    n = draw(st.integers(0, len(NAMES)))
    widths = draw(st.lists(st.integers(20, 300), min_size=n, max_size=n))
    sizes = {name: Size(float(w), 40.0) for name, w in zip(NAMES, widths, strict=False)}
    pairs = list(combinations(list(sizes), 2))
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=30)) if pairs else []
    return sizes, edges


@given(graphs())
def test_no_two_boxes_overlap(graph: tuple[dict[str, Size], list[tuple[str, str]]]) -> None:
    layout = lay_out(*graph)
    for one, two in combinations(layout.places.values(), 2):
        apart_x = one.x + one.width <= two.x or two.x + two.width <= one.x
        apart_y = one.y + one.height <= two.y or two.y + two.height <= one.y
        assert apart_x or apart_y


@given(graphs())
def test_all_lies_in_the_picture(graph: tuple[dict[str, Size], list[tuple[str, str]]]) -> None:
    layout = lay_out(*graph)
    assert set(layout.places) == set(graph[0])
    for place in layout.places.values():
        assert place.x >= 0 and place.y >= 0
        assert place.x + place.width <= layout.width + 0.1
        assert place.y + place.height <= layout.height + 0.1


@given(graphs())
def test_edges_go_forward_from_box_to_box(
    graph: tuple[dict[str, Size], list[tuple[str, str]]],
) -> None:
    sizes, edges = graph
    layout = lay_out(sizes, edges)
    assert {(route.start, route.end) for route in layout.routes} == set(edges)
    for route in layout.routes:
        start, end = layout.places[route.start], layout.places[route.end]
        assert route.points[0][0] == round(start.x + start.width, 1)
        assert route.points[-1][0] == end.x
        assert all(a[0] < b[0] or a == b for a, b in pairwise(route.points))
        assert start.x + start.width < end.x


@given(graphs(), st.randoms(use_true_random=False))
def test_the_order_of_declaration_does_not_count(
    graph: tuple[dict[str, Size], list[tuple[str, str]]], rng: random.Random
) -> None:
    sizes, edges = graph
    names, shuffled = list(sizes), list(edges)
    rng.shuffle(names)
    rng.shuffle(shuffled)
    assert lay_out(sizes, edges) == lay_out({name: sizes[name] for name in names}, shuffled)


def crossings(layout: Layout) -> int:
    ends = [(r.points[0][1], r.points[-1][1]) for r in layout.routes]
    return sum((a[0] - b[0]) * (a[1] - b[1]) < 0 for a, b in combinations(ends, 2))


def test_what_can_be_drawn_without_crossings_is() -> None:
    sizes = {name: Size(60.0, 40.0) for name in "abcdef"}
    assert crossings(lay_out(sizes, [("a", "f"), ("b", "e"), ("c", "d")])) == 0


def test_a_source_lies_beside_its_reader() -> None:
    layers = assign_layers("abcs", [("a", "b"), ("b", "c"), ("s", "c")])
    assert layers == {"a": 0, "b": 1, "c": 2, "s": 1}


NODES = [
    {"name": "raw", "kind": "source", "inputs": [], "partitioned": True, "state": "fresh"},
    {"name": "end", "kind": "table", "inputs": ["raw"], "partitioned": False, "state": "stale"},
    {"name": 'a<b&"c"', "kind": "odd", "inputs": ["end", "x"], "partitioned": False, "state": None},
]


def test_the_svg_is_whole_and_reads_in_light_and_dark() -> None:
    text = draw_svg(NODES, "a & b")
    root = ET.fromstring(text)
    texts = ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("text")]
    assert {"raw", "end", 'a<b&"c"', "stale", "source"} <= set(texts)
    assert "prefers-color-scheme:dark" in text
    assert draw_svg(NODES, "a & b") == draw_svg(list(reversed(NODES)), "a & b")
    assert ET.fromstring(draw_svg([], "empty")) is not None


def test_other_languages_escape_names() -> None:
    assert r'"a<b&\"c\""' in draw_dot(NODES)
    mermaid = draw_mermaid(NODES)
    assert "n0 --> n1" in mermaid and "class n1 stale" in mermaid
    assert 'n2["a<b&#quot;c#quot;"]' in mermaid
