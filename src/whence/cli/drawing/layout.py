"""A layered layout of a directed acyclic graph, left to right, the same on every run.

Sugiyama's method in its plain form: layers by longest path, a dummy box wherever an edge passes
a layer, order within layers by barycentres, then heights that keep the order and pull each box
towards its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

GAP_X = 56.0
GAP_Y = 18.0
_SWEEPS = 12


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height of a box, in pixels."""

    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where a box lies: its top left corner and its size, in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Route:
    """The points that an edge passes, from the right side of a box to the left of another."""

    start: str
    end: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Boxes and routes, with the size of the whole picture."""

    places: Mapping[str, Place]
    routes: tuple[Route, ...]
    width: float
    height: float


_Key = tuple[str, ...]  # (name,) for a box, (start, end, layer) for a dummy


def lay_out(sizes: Mapping[str, Size], edges: Iterable[tuple[str, str]]) -> Layout:
    """Place the boxes of an acyclic graph and route its edges.

    Parameters
    ----------
    sizes : mapping
        Box -> its size. The picture depends on names and edges only, not on their order.
    edges : iterable of (str, str)
        From upstream to downstream; both ends must be in `sizes`.

    Returns
    -------
    Layout
    """
    arrows = sorted(set(edges))
    layer_of = assign_layers(sizes, arrows)
    if not layer_of:
        return Layout({}, (), 0.0, 0.0)
    chains = {arrow: _chain(arrow, layer_of) for arrow in arrows}
    layers: list[list[_Key]] = [[] for _ in range(max(layer_of.values()) + 1)]
    for name in sorted(sizes):
        layers[layer_of[name]].append((name,))
    above: dict[_Key, list[_Key]] = {}
    below: dict[_Key, list[_Key]] = {}
    for (start, _), chain in chains.items():
        for offset, key in enumerate(chain):
            if len(key) > 1:
                layers[layer_of[start] + offset].append(key)
        for left, right in pairwise(chain):
            below.setdefault(left, []).append(right)
            above.setdefault(right, []).append(left)
    layers = _order(layers, above, below)
    middle = _heights(layers, above, below, sizes)
    return _assemble(layers, middle, chains, sizes)


def assign_layers(names: Iterable[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Layer of each box: its longest path from a root; roots move next to their first reader."""
    into: dict[str, list[str]] = {name: [] for name in names}
    out: dict[str, list[str]] = {name: [] for name in into}
    for start, end in edges:
        into[end].append(start)
        out[start].append(end)
    waiting = {name: len(ups) for name, ups in into.items()}
    ready = sorted((name for name, count in waiting.items() if not count), reverse=True)
    layer: dict[str, int] = {}
    while ready:
        name = ready.pop()
        layer[name] = max((layer[up] + 1 for up in into[name]), default=0)
        for down in sorted(out[name], reverse=True):
            waiting[down] -= 1
            if not waiting[down]:
                ready.append(down)
    for name in layer:
        if not into[name] and out[name]:
            layer[name] = min(layer[down] for down in out[name]) - 1
    return layer


def count_crossings(layers: Sequence[Sequence[_Key]], below: Mapping[_Key, Sequence[_Key]]) -> int:
    """How many pairs of edges cross between neighbouring layers."""
    total = 0
    for left, right in pairwise(layers):
        rank = {key: i for i, key in enumerate(right)}
        ends = [
            rank[down] for key in left for down in sorted(below.get(key, ()), key=rank.__getitem__)
        ]
        # Inversions among the ends, counted by insertion: pictures have few edges per layer.
        for i, end in enumerate(ends):
            total += sum(1 for other in ends[:i] if other > end)
    return total


def _chain(arrow: tuple[str, str], layer_of: Mapping[str, int]) -> list[_Key]:
    start, end = arrow
    between = range(layer_of[start] + 1, layer_of[end])
    return [(start,), *((start, end, str(layer)) for layer in between), (end,)]


def _order(
    layers: list[list[_Key]],
    above: Mapping[_Key, Sequence[_Key]],
    below: Mapping[_Key, Sequence[_Key]],
) -> list[list[_Key]]:
    """Sweep forth and back by barycentres; keep the order with the fewest crossings."""
    best = [list(layer) for layer in layers]
    fewest = count_crossings(best, below)
    current = [list(layer) for layer in layers]
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        forth = sweep % 2 == 0
        indices = range(1, len(current)) if forth else range(len(current) - 2, -1, -1)
        neighbours = above if forth else below
        for i in indices:
            fixed = current[i - 1 if forth else i + 1]
            current[i] = _by_barycentre(current[i], fixed, neighbours)
        crossings = count_crossings(current, below)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in current], crossings
    return best


def _by_barycentre(
    layer: Sequence[_Key], fixed: Sequence[_Key], neighbours: Mapping[_Key, Sequence[_Key]]
) -> list[_Key]:
    rank = {key: i for i, key in enumerate(fixed)}

    def centre(indexed: tuple[int, _Key]) -> tuple[float, int]:
        place, key = indexed
        near = [rank[other] for other in neighbours.get(key, ())]
        # Boxes without neighbours stay about where they are.
        scale = len(fixed) / max(len(layer), 1)
        return (sum(near) / len(near) if near else place * scale, place)

    return [key for _, key in sorted(enumerate(layer), key=centre)]


def _heights(
    layers: Sequence[Sequence[_Key]],
    above: Mapping[_Key, Sequence[_Key]],
    below: Mapping[_Key, Sequence[_Key]],
    sizes: Mapping[str, Size],
) -> dict[_Key, float]:
    """The vertical middle of each box: near its neighbours', in order, without overlap."""
    middle: dict[_Key, float] = {}
    for layer in layers:
        top = 0.0
        for key in layer:
            height = _height(key, sizes)
            middle[key] = top + height / 2
            top += height + GAP_Y
    for sweep in range(_SWEEPS * 2):
        forth = sweep % 2 == 0
        for layer in layers if forth else reversed(layers):
            wanted = []
            for key in layer:
                # A sweep looks mostly back at what it has placed, and a little ahead.
                back = [middle[k] for k in (above if forth else below).get(key, ())]
                ahead = [middle[k] for k in (below if forth else above).get(key, ())]
                pulls = [(sum(back) / len(back), 3.0)] if back else []
                pulls += [(sum(ahead) / len(ahead), 1.0)] if ahead else []
                weight = sum(w for _, w in pulls)
                wanted.append(sum(y * w for y, w in pulls) / weight if weight else middle[key])
            spaced = _spread(wanted, [_height(key, sizes) for key in layer])
            middle.update(zip(layer, spaced, strict=True))
    return middle


def _spread(wanted: Sequence[float], heights: Sequence[float]) -> list[float]:
    """The middles nearest to `wanted` in least squares that keep order and distance."""
    offsets = [0.0]
    for upper, lower in pairwise(heights):
        offsets.append(offsets[-1] + upper / 2 + GAP_Y + lower / 2)
    # With distances taken off this is isotonic regression: pool neighbours that are out of order.
    pools: list[list[float]] = []  # [sum, count]
    for target, offset in zip(wanted, offsets, strict=True):
        pools.append([target - offset, 1.0])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] > pools[-1][0] / pools[-1][1]:
            total, count = pools.pop()
            pools[-1][0] += total
            pools[-1][1] += count
    flat = [total / count for total, count in pools for _ in range(int(count))]
    return [base + offset for base, offset in zip(flat, offsets, strict=True)]


def _height(key: _Key, sizes: Mapping[str, Size]) -> float:
    return sizes[key[0]].height if len(key) == 1 else 6.0


def _assemble(
    layers: Sequence[Sequence[_Key]],
    middle: Mapping[_Key, float],
    chains: Mapping[tuple[str, str], Sequence[_Key]],
    sizes: Mapping[str, Size],
) -> Layout:
    top = min(y - _height(key, sizes) / 2 for key, y in middle.items())
    bottom = max(y + _height(key, sizes) / 2 for key, y in middle.items())
    left_of: dict[_Key, float] = {}
    widths: dict[_Key, float] = {}
    x = 0.0
    for layer in layers:
        width = max((sizes[key[0]].width for key in layer if len(key) == 1), default=0.0)
        for key in layer:
            left_of[key], widths[key] = x, width
        x += width + GAP_X
    places = {
        key[0]: Place(
            round(left_of[key], 1),
            round(middle[key] - top - sizes[key[0]].height / 2, 1),
            sizes[key[0]].width,
            sizes[key[0]].height,
        )
        for layer in layers
        for key in layer
        if len(key) == 1
    }
    routes = []
    for (start, end), chain in chains.items():
        points = [(places[start].x + places[start].width, middle[(start,)] - top)]
        for key in chain[1:-1]:
            y = middle[key] - top
            points += [(left_of[key], y), (left_of[key] + widths[key], y)]
        points.append((places[end].x, middle[(end,)] - top))
        routes.append(Route(start, end, tuple((round(a, 1), round(b, 1)) for a, b in points)))
    return Layout(places, tuple(routes), round(x - GAP_X, 1), round(bottom - top, 1))
