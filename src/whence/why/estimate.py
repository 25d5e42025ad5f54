"""How much each cause did, and with which others: dividends, shares and what to call them.

Dividends: J. C. Harsanyi, "A simplified bargaining model for the n-person cooperative game",
International Economic Review 1963. Shares: L. S. Shapley, "A value for n-person games", 1953.
Correction for several tests: S. Holm, Scandinavian Journal of Statistics 1979.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

from whence.why import noise
from whence.why.board import MINOR, Board, Units
from whence.why.verdict import Band

#: Up to so many causes, every subset of them is made.
FULL = 5
#: An interaction below this part of the largest effect of its members is saturation, not a cause.
INTERACTS = 0.3
#: Two effects and their joint one this alike: either suffices.
ALIKE = 0.3

Row = tuple[Units, Mapping[int, float | None], str]


@dataclass(frozen=True, slots=True)
class FoundCause:
    """A set of units that moved the metric.

    Attributes
    ----------
    effect : Band
        What they did by themselves (of an interaction: beyond what its members did alone).
    p : float
        That it is noise, after Holm; 0 where nothing random was seen.
    table : tuple
        (flipped, seed -> metric or None, error) for each subset of the units.
    """

    kind: str
    units: Units
    effect: Band
    p: float
    table: tuple[Row, ...] = ()
    reverted: Band | None = None
    reverted_one: Mapping[int, Band] = field(default_factory=dict)

    def of_kind(self, kind: str) -> FoundCause:
        return replace(self, kind=kind)


@dataclass(frozen=True, slots=True)
class Estimated:
    """Causes with their figures."""

    causes: tuple[FoundCause, ...]
    shares: Mapping[int, float]
    remainder: Band
    interactions: Mapping[Units, float]
    notes: tuple[str, ...] = ()


def estimate(board: Board, causal: Sequence[Units]) -> Estimated:
    """Figures for these blocks of units, flipped in all combinations (up to `FULL` of them)."""
    nothing = frozenset[int]()
    if not causal:
        return Estimated((), {}, _whole(board), {})
    orders = len(causal) if len(causal) <= FULL else 2
    subsets = [
        frozenset(chosen)
        for size in range(orders + 1)
        for chosen in itertools.combinations(range(len(causal)), size)
    ]
    if orders < len(causal):
        subsets.append(frozenset(range(len(causal))))
    union = {s: nothing.union(*(causal[i] for i in s)) for s in subsets}
    seeds = board.seeds_of(nothing, board.everything)
    if board.noise.is_none:
        seeds = seeds[:1]
    seeds = seeds[:4] if len(causal) > 2 else seeds
    board.ask(union.values(), seeds)
    usable = {s for s in subsets if all(board.outcome(union[s], seed).feasible for seed in seeds)}
    values = {s: board.values(union[s], seeds) for s in usable}
    maker = _Maker(board, causal, union, values, seeds)
    return maker.estimated(crashing=len(subsets) - len(usable))


def _whole(board: Board) -> Band:
    seeds = board.seeds_of(frozenset(), board.everything)
    old, new = (board.values(s, seeds) for s in (frozenset[int](), board.everything))
    return noise.band([b - a for a, b in zip(old, new, strict=True)])


class _Maker:
    """Turns the values of all subsets of blocks into causes. Blocks by position here."""

    def __init__(
        self,
        board: Board,
        causal: Sequence[Units],
        union: Mapping[Units, Units],
        values: Mapping[Units, list[float]],
        seeds: Sequence[int],
    ) -> None:
        self.board, self.causal, self.union = board, causal, union
        self.values, self.seeds = values, seeds
        self.dividends = {
            s: d for s in sorted(values, key=len) if s and (d := self._dividend(s)) is not None
        }
        self.mains = {
            i: fmean(self.dividends[frozenset([i])])
            for i in range(len(causal))
            if frozenset([i]) in self.dividends
        }
        self.notes: list[str] = []

    def _dividend(self, s: Units) -> list[float] | None:
        """Harsanyi's dividend of a set at each seed; None where a subset crashed."""
        parts = [frozenset(c) for n in range(len(s) + 1) for c in itertools.combinations(s, n)]
        if any(part not in self.values for part in parts):
            return None
        return [
            math.fsum((-1) ** (len(s) - len(part)) * self.values[part][k] for part in parts)
            for k in range(len(self.seeds))
        ]

    # -- which sets are causes ----------------------------------------------------------------

    def estimated(self, crashing: int) -> Estimated:
        overlaps = self._overlaps()
        taken = frozenset[int]().union(*overlaps)
        interactions = self._interactions(overlaps)
        in_some = frozenset[int]().union(*interactions)
        largest = max(
            [abs(v) for v in self.mains.values()]
            + [abs(self._mean(s)) for s in interactions]
            + [0.0]
        )
        causes: list[FoundCause] = []
        delta = _whole(self.board).mean
        for units in overlaps:
            causes.append(self._cause("overlap", units, self._effect(units)))
        for i, effect in self.mains.items():
            if i in taken:
                continue
            limit = max(MINOR * self.board.scale, 0.05 * largest)
            if i in in_some:  # a member with an effect of its own, beside the joint one
                joint = max(abs(self._mean(s)) for s in interactions if i in s)
                limit = max(limit, INTERACTS * joint)
            if abs(effect) <= limit or not self._is_real(frozenset([i])):
                if abs(effect) > self._error(1) and i not in in_some and effect:
                    self.notes.append(f"minor: {self._name(i)} moves the metric by {effect:+.3g}")
                continue
            kind = "improver" if effect * delta < 0 else "cause"
            causes.append(self._cause(kind, frozenset([i]), self.dividends[frozenset([i])]))
        for units in interactions:
            kind = (
                "improver"
                if self._mean(units) * delta < 0 and self._others(units)
                else ("interaction")
            )
            kind = "interaction" if kind == "improver" else kind
            causes.append(self._cause(kind, units, self.dividends[units]))
        if crashing:
            self.notes.append(f"{crashing} mixes of the causes crash; figures leave them out")
        causes.sort(key=lambda cause: -abs(cause.effect.mean))
        shares, remainder = self._shares()
        named = {self._units(s): fmean(d) for s, d in self.dividends.items() if len(s) > 1}
        return Estimated(_holm(causes), shares, remainder, named, tuple(self.notes))

    def _others(self, units: Units) -> bool:
        return any(i not in units for i in self.mains)

    def _overlaps(self) -> list[Units]:
        """Sets of blocks any of which does alone what all of them do together."""
        found: list[Units] = []
        strong = [i for i in self.mains if self._is_real(frozenset([i]))]
        for size in range(len(strong), 1, -1):
            for chosen in itertools.combinations(strong, size):
                s = frozenset(chosen)
                if s not in self.values or any(s & other for other in found):
                    continue
                effects = [fmean(self._effect(frozenset([i]))) for i in s]
                joint = fmean(self._effect(s))
                reach = max(map(abs, effects))
                alike = all(abs(e - joint) <= ALIKE * reach for e in effects)
                if alike and reach > MINOR * self.board.scale:
                    found.append(s)
        return found

    def _interactions(self, overlaps: Iterable[Units]) -> list[Units]:
        """Sets that did more together than their members and smaller sets did."""
        found: list[Units] = []
        shared = [set(o) for o in overlaps]
        for s in sorted(self.dividends, key=len, reverse=True):
            if len(s) < 2 or any(len(o & s) > 1 for o in shared):
                continue
            dividend = self._mean(s)
            inside = [abs(self._mean(part)) for part in self.dividends if part < s]
            limit = max(INTERACTS * max(inside, default=0.0), 0.05 * self.board.scale)
            if abs(dividend) <= limit or not self._is_real(s):
                continue
            if any(s < larger for larger in found) and not self._explains(s, found):
                continue
            if self._is_saturation(s, dividend):
                continue
            found.append(s)
        return found

    def _explains(self, s: Units, found: Sequence[Units]) -> bool:
        """Whether a smaller set matters beside the larger ones that hold it."""
        return all(
            abs(self._mean(s)) > INTERACTS * abs(self._mean(larger))
            for larger in found
            if s < larger
        )

    def _is_saturation(self, s: Units, dividend: float) -> bool:
        """Whether effects of one sign only add up to less than their sum."""
        mains = [self.mains.get(i, 0.0) for i in s]
        low = 0.15 * abs(dividend)
        one_sign = all(m > low for m in mains) or all(m < -low for m in mains)
        return one_sign and dividend * sum(mains) < 0 and abs(dividend) <= max(map(abs, mains))

    # -- figures ------------------------------------------------------------------------------

    def _mean(self, s: Units) -> float:
        return fmean(self.dividends[s])

    def _effect(self, s: Units) -> list[float]:
        base = self.values[frozenset()]
        return [v - b for v, b in zip(self.values[s], base, strict=True)]

    def _error(self, size: int) -> float:
        """Standard error of a dividend of a set of so many blocks."""
        spread = self.board.noise.sd * math.sqrt(2 ** (size - 1))
        return spread / math.sqrt(len(self.seeds))

    def _is_real(self, s: Units) -> bool:
        error = self._error(len(s))
        if error == 0.0:
            return abs(self._mean(s)) > 0.0
        limit = noise.quantile(0.01, max(self.board.noise.freedom, 1))
        return abs(self._mean(s)) > min(limit, 6.0) * error

    def _units(self, s: Units) -> Units:
        return frozenset[int]().union(*(self.causal[i] for i in s))

    def _name(self, i: int) -> str:
        return "unit " + "+".join(map(str, sorted(self.causal[i])))

    def _band(self, values: Sequence[float], size: int) -> Band:
        mean = fmean(values)
        if self.board.noise.sd == 0.0:
            return Band(mean, mean, mean)
        half = noise.quantile(1 - noise.SHOWN, max(self.board.noise.freedom, 1)) * self._error(size)
        return Band(mean, mean - half, mean + half)

    def _cause(self, kind: str, s: Units, effects: Sequence[float]) -> FoundCause:
        everyone = frozenset(range(len(self.causal)))
        error = self._error(len(s))
        p = noise.tail(fmean(effects) / error, max(self.board.noise.freedom, 1)) if error else 0.0
        rows = [
            self._row(frozenset(chosen))
            for size in range(len(s) + 1)
            for chosen in itertools.combinations(sorted(s), size)
        ]
        ones = {
            min(self.causal[i]): band
            for i in s
            if len(s) > 1 and (band := self._side(everyone - {i})) is not None
        }
        units = self._units(s)
        return FoundCause(
            kind,
            units,
            self._band(effects, len(s)),
            p,
            tuple(row for row in rows if row is not None),
            self._side(everyone - s),
            ones,
        )

    def _row(self, s: Units) -> Row | None:
        if s not in self.union:
            return None
        found = {seed: self.board.outcome(self.union[s], seed) for seed in self.seeds}
        error = next((o.error for o in found.values() if o.error), "")
        return self.union[s], {seed: o.value for seed, o in found.items()}, error

    def _side(self, s: Units) -> Band | None:
        return noise.band(self.values[s]) if s in self.values else None

    def _shares(self) -> tuple[dict[int, float], Band]:
        """Shapley's shares of the whole difference; and what the causes leave of it."""
        everyone = frozenset(range(len(self.causal)))
        whole = _whole(self.board).mean
        if everyone not in self.values or not whole:
            return {}, _whole(self.board)
        explained = fmean(self._effect(everyone))
        raw = self._shapley(everyone, explained)
        shares: dict[int, float] = {}
        for i, value in raw.items():
            for unit in self.causal[i]:
                shares[unit] = value / whole / len(self.causal[i])
        rest = whole - explained
        return shares, Band(rest, rest, rest)

    def _shapley(self, everyone: Units, explained: float) -> dict[int, float]:
        if all(s in self.dividends for s in _subsets(everyone) if s):
            return {
                i: math.fsum(self._mean(s) / len(s) for s in self.dividends if i in s)
                for i in everyone
            }
        # Of orders one and two only, or with crashed mixes: what is known, scaled to the whole.
        known = {
            i: math.fsum(self._mean(s) / len(s) for s in self.dividends if i in s) for i in everyone
        }
        missing = (explained - math.fsum(known.values())) / len(everyone)
        return {i: value + missing for i, value in known.items()}


def _subsets(s: Units) -> Iterable[Units]:
    return (frozenset(chosen) for n in range(len(s) + 1) for chosen in itertools.combinations(s, n))


def _holm(causes: Sequence[FoundCause]) -> tuple[FoundCause, ...]:
    """The causes with their chances corrected for how many were tested."""
    order = sorted(range(len(causes)), key=lambda i: causes[i].p)
    corrected: dict[int, float] = {}
    running = 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, causes[i].p * (len(causes) - rank)))
        corrected[i] = running
    return tuple(replace(cause, p=corrected[i]) for i, cause in enumerate(causes))
