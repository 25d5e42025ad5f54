"""Which parts of a guilty change are guilty: columns, partitions, statements, by the same search.

Parts are taken back from the candidate's side to the baseline's in ever smaller groups, after delta
debugging (Zeller & Hildebrandt, TSE 2002) with a metric in place of a test that passes or fails.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

#: The part of the effect that guilty parts must bring back, taken back alone.
BRINGS_BACK = 0.7
#: A part without which so little is lost is not needed.
NEEDLESS = 0.1
#: A part that alone moves less is innocent.
TAKES_PART = 0.2

Ask = Callable[[Sequence[frozenset[T]]], "list[float | None]"]


@dataclass(slots=True)
class Narrowing(Generic[T]):
    """Finds guilty parts.

    Parameters
    ----------
    parts : sequence
        In an order in which neighbours belong together.
    ask : callable
        The metric with each of these sets of parts taken back; None where that crashes.
    target, reverted : float
        The metric with nothing, and with everything taken back.
    noise : float
        A difference below this is none.
    takes_part, needless : float
        A part that alone moves less of the effect is innocent; one without which less is lost is
        not needed.
    """

    parts: Sequence[T]
    ask: Ask[T]
    target: float
    reverted: float
    noise: float = 0.0
    takes_part: float = TAKES_PART
    needless: float = NEEDLESS
    known: dict[frozenset[T], float | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.known[frozenset()] = self.target
        self.known[frozenset(self.parts)] = self.reverted

    @property
    def effect(self) -> float:
        """What taking everything back does."""
        return self.reverted - self.target

    def guilty(self) -> tuple[list[T], bool]:
        """The guilty parts, and whether taking back these alone brings the metric back."""
        if len(self.parts) == 1:
            return list(self.parts), True
        found = self._halve(frozenset())
        if not self.brings_back(found):
            # Either of some parts suffices to do the harm: take all back but a few.
            more = self._halve(frozenset(self.parts))
            found = [part for part in self.parts if part in found or part in more]
        verified = self.brings_back(found)
        if verified:
            found = self._without_needless(found)
        return found, verified

    def _halve(self, context: frozenset[T]) -> list[T]:
        """Parts that move the metric, taken back on top of nothing or kept out of everything."""
        groups: list[Sequence[T]] = [self.parts]
        found: list[T] = []
        while groups:
            pieces = [piece for group in groups for piece in _halves(group) if piece]
            values = self._values([context ^ frozenset(piece) for piece in pieces])
            groups = []
            for piece, value in zip(pieces, values, strict=True):
                if value is not None and self._is_little(value, self.known[context]):
                    continue
                if len(piece) > 1:
                    groups.append(piece)
                elif value is not None:
                    found.append(piece[0])
        return found

    def _is_little(self, value: float, base: float | None) -> bool:
        limit = max(self.takes_part * abs(self.effect), self.noise)
        return base is not None and abs(value - base) < limit

    def _without_needless(self, found: list[T]) -> list[T]:
        for part in list(found):
            rest = [other for other in found if other != part]
            if not rest:
                continue
            less, all_ = self._values([frozenset(rest), frozenset(found)])
            if (
                less is not None
                and all_ is not None
                and (abs(all_ - less) <= max(self.needless * abs(self.effect), self.noise))
            ):
                found = rest
        return found

    def brings_back(self, parts: Collection[T]) -> bool:
        """Whether taking back these parts alone brings the metric back."""
        (value,) = self._values([frozenset(parts)])
        return self.is_enough(value)

    def is_enough(self, value: float | None) -> bool:
        """Whether a value is near enough to the metric with everything taken back."""
        if value is None:
            return False
        moved = value - self.target
        return moved * self.effect > 0 and abs(moved) >= (
            BRINGS_BACK * abs(self.effect) - self.noise
        )

    def _values(self, sets: Sequence[frozenset[T]]) -> list[float | None]:
        new = [s for s in dict.fromkeys(sets) if s not in self.known]
        if new:
            self.known.update(zip(new, self.ask(new), strict=True))
        return [self.known[s] for s in sets]


def _halves(group: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    middle = len(group) // 2
    return group[:middle], group[middle:]
