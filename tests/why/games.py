"""Games whose truth is known: numbers in place of builds."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from whence.why.game import Mix, Outcome

Units = frozenset[int]


@dataclass
class Made:
    """A game from dividends: the metric is a sum over sets of units, seen through a link.

    Attributes
    ----------
    effects : mapping
        Set of units -> what it adds when all of it is flipped.
    redundant : sequence of (set, effect)
        Sets any unit of which has the effect, once.
    crashing : sequence of set
        Sets that only run together: a mix with some of one but not all crashes.
    touched : set of int
        Units that change results without moving the metric.
    """

    size: int
    effects: Mapping[Units, float] = field(default_factory=dict)
    redundant: Sequence[tuple[Units, float]] = ()
    crashing: Sequence[Units] = ()
    touched: Units = frozenset()
    noise: float = 0.0
    link: Callable[[float], float] = float
    broken: Sequence[Units] = ()  # sets that crash when all of them are flipped
    salt: int = 0
    asked: set[Mix] = field(default_factory=set)

    @property
    def seeds(self) -> Sequence[int]:
        return range(16)

    @property
    def family(self) -> set[Units]:
        """The sets that are causes, by construction."""
        found = set(self.effects)
        found |= {frozenset([unit]) for units, _ in self.redundant for unit in units}
        joined = [c for c in self.crashing if any(c & s for s in found)]
        found = {s for s in found if not any(s & c for c in joined)}
        return found | set(joined)

    @property
    def idle(self) -> Units:
        """Units whose flip changes nothing at all."""
        used = frozenset[int]().union(
            *self.effects, *(u for u, _ in self.redundant), *self.crashing, self.touched,
            *self.broken,
        )  # fmt: skip
        return frozenset(range(self.size)) - used

    def crashes(self, flipped: Units) -> bool:
        return any(c & flipped and not c <= flipped for c in self.crashing) or any(
            b <= flipped for b in self.broken
        )

    def evaluate(self, mixes: Sequence[Mix]) -> list[Outcome]:
        self.asked.update(mixes)
        return [self._outcome(mix) for mix in mixes]

    def _outcome(self, mix: Mix) -> Outcome:
        if self.crashes(mix.flipped):
            return Outcome(None, "", "crashed")
        seen = mix.flipped - self.idle
        value = math.fsum(e for s, e in self.effects.items() if s <= mix.flipped)
        value += math.fsum(e for s, e in self.redundant if s & mix.flipped)
        value = self.link(value)
        if self.noise:
            rng = random.Random(f"{self.salt} {sorted(seen)} {mix.seed}")
            value += rng.gauss(0.0, self.noise)
        return Outcome(value, f"{sorted(seen)} {mix.seed if self.noise else ''}")

    def probe(self, units: Sequence[int]) -> list[str]:
        return [self._probe(unit) for unit in units]

    def _probe(self, unit: int) -> str:
        one = frozenset([unit])
        if unit in self.idle:
            return "inert"
        everything = frozenset(range(self.size))
        if self.crashes(one) or self.crashes(everything - one):
            return "crashes"
        return "live"


def sets(*units: Iterable[int]) -> list[Units]:
    return [frozenset(each) for each in units]


def logistic(x: float) -> float:
    """A metric that saturates, as an AUC does: 0.85 falling towards 0.5."""
    return 0.5 + 0.35 / (1 + math.exp(-x))
