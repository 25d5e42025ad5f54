"""What people do without counterfactual search, on the same mixes, each mix counted.

Every method passes the same gate first: where B does not differ from A beyond the noise of the
seeds, nothing is blamed. A mix that crashes says nothing to them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scenario import Scenario, Table
from truth import Oracle, moves

PERMUTATIONS = 6
REPRODUCED = 0.75  # of the difference, for a set that "shows the fault"
SHARE = 0.1  # of the difference, to be named by Shapley's values
PSI_LIMIT = 0.2  # above it a column has "shifted": Siddiqi (2006), Credit Risk Scorecards


@dataclass
class Blame:
    """Sets of changes, the largest first, and how many mixes were evaluated."""

    sets: list[frozenset[int]]
    mixes: int


class Counter:
    """The oracle, with a count of the mixes that a method asked for; A and B are known."""

    def __init__(self, oracle: Oracle, size: int) -> None:
        self.oracle = oracle
        self.all = frozenset(range(size))
        self.asked: set[frozenset[int]] = set()
        self.a, self.b = oracle.values(()), oracle.values(self.all)
        self.delta = float((self.b - self.a).mean())

    def __call__(self, chosen: frozenset[int]) -> np.ndarray | None:
        if chosen and chosen != self.all:
            self.asked.add(chosen)
        values = self.oracle.answer(chosen).values
        return None if values is None else np.array(values)


def ranked(effects: dict[int, float]) -> list[frozenset[int]]:
    return [frozenset({i}) for i in sorted(effects, key=lambda i: -abs(effects[i]))]


def forward(ask: Counter) -> list[frozenset[int]]:
    """A with one change: who moves it?"""
    found = {}
    for i in sorted(ask.all):
        values = ask(frozenset({i}))
        if values is not None and moves(values - ask.a):
            found[i] = float((values - ask.a).mean())
    return ranked(found)


def revert(ask: Counter) -> list[frozenset[int]]:
    """B without one change: who moves it back?"""
    found = {}
    for i in sorted(ask.all):
        values = ask(ask.all - {i})
        if values is not None and moves(ask.b - values):
            found[i] = float((ask.b - values).mean())
    return ranked(found)


def shows(ask: Counter, chosen: frozenset[int]) -> bool:
    values = ask(chosen)
    if values is None:
        return False
    return float((values - ask.a).mean()) / ask.delta >= REPRODUCED


def bisect(ask: Counter) -> list[frozenset[int]]:
    """As git bisect does: the first change of the series after which the fault shows."""
    low, high = 0, len(ask.all)
    while high - low > 1:
        middle = (low + high) // 2
        if shows(ask, frozenset(range(middle))):
            high = middle
        else:
            low = middle
    return [frozenset({high - 1})]


def ddmin(ask: Counter) -> list[frozenset[int]]:
    """A minimal set that shows the fault: Zeller & Hildebrandt (2002), IEEE TSE 28(2)."""
    kept, parts = sorted(ask.all), 2
    while len(kept) >= 2:
        chunks = [frozenset(c.tolist()) for c in np.array_split(kept, parts)]
        rest = [frozenset(kept) - c for c in chunks]
        if hit := next((c for c in chunks if shows(ask, c)), None):
            kept, parts = sorted(hit), 2
        elif hit := next((c for c in rest if parts > 2 and shows(ask, c)), None):
            kept, parts = sorted(hit), max(parts - 1, 2)
        elif parts < len(kept):
            parts = min(len(kept), parts * 2)
        else:
            break
    return [frozenset(kept)]


def shapley(ask: Counter) -> list[frozenset[int]]:
    """Shapley's values (1953) from six random orders; Castro et al. (2009), COR 36(5)."""
    rng = np.random.default_rng(len(ask.all))
    total = dict.fromkeys(ask.all, 0.0)
    for _ in range(PERMUTATIONS):
        before, chosen = ask.a, frozenset[int]()
        for i in rng.permutation(sorted(ask.all)):
            chosen = chosen | {int(i)}
            values = ask(chosen)
            if values is not None:
                total[int(i)] += float((values - before).mean()) / PERMUTATIONS
                before = values
    return ranked({i: v for i, v in total.items() if abs(v) >= SHARE * abs(ask.delta)})


METHODS: dict[str, Callable[[Counter], list[frozenset[int]]]] = {
    "one at a time, forward": forward,
    "one at a time, revert": revert,
    "bisect": bisect,
    "ddmin": ddmin,
    "shapley, 6 permutations": shapley,
}


def stability(before: pd.Series, after: pd.Series) -> float:
    """Population stability index over ten bins, or over the values of a category."""
    if pd.api.types.is_numeric_dtype(before) and pd.api.types.is_numeric_dtype(after):
        edges = np.unique(np.nanquantile(before.astype(float), np.linspace(0.1, 0.9, 9)))
        first, second = (
            np.bincount(
                np.where(s.isna(), len(edges) + 1, np.searchsorted(edges, s.astype(float))),
                minlength=len(edges) + 2,
            )
            for s in (before, after)
        )
    else:
        one, two = (s.astype("str").value_counts() for s in (before, after))
        names = sorted({*one.index, *two.index})
        first, second = (c.reindex(names, fill_value=0).to_numpy() for c in (one, two))
    p, q = ((c + 0.5) / (c + 0.5).sum() for c in (first, second))
    return float(((q - p) * np.log(q / p)).sum())


def drift(made: Scenario, base: Path, candidate: Path) -> list[frozenset[int]]:
    """The change of data whose column has drifted most; other changes have no drift."""
    found: dict[int, float] = {}
    for i, change in enumerate(made.changes):
        paths = [p for e in change.edits if isinstance(e, Table) for p in e.paths]
        if not paths:
            continue
        a, b = (pd.concat([pd.read_parquet(root / p) for p in paths]) for root in (base, candidate))
        shared = [c for c in a.columns if c in b.columns]
        found[i] = max((stability(a[c], b[c]) for c in shared), default=0.0)
    best = max(found, key=lambda i: found[i], default=None)
    return [frozenset({best})] if best is not None and found[best] >= PSI_LIMIT else []


def run(oracle: Oracle, made: Scenario, names: Sequence[str] = tuple(METHODS)) -> dict[str, Blame]:
    """What each method blames."""
    found = {}
    for name in names:
        ask = Counter(oracle, len(made.changes))
        sets = METHODS[name](ask) if moves(ask.b - ask.a) else []
        found[name] = Blame(sets, len(ask.asked))
    candidate = oracle.folder / "candidate"
    made.write_base(candidate)
    made.apply(candidate, range(len(made.changes)))
    found["psi ranking"] = Blame(drift(made, oracle.base, candidate), 0)
    return found
