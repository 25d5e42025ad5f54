"""What the search plays on: units that flip from the baseline's side to the candidate's.

The search knows nothing of builds. It sees a number of units and asks for the metric's value with
some of them flipped; the one who answers (`laboratory`) makes mixed worlds and builds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Mix(NamedTuple):
    """One counterfactual world: the baseline with `flipped` units taken from the candidate."""

    flipped: frozenset[int]
    seed: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a mix came to.

    Attributes
    ----------
    value : float or None
        The metric; None where the mix is infeasible (it crashed).
    digest : str
        Of the metric's artifact: equal digests are exactly equal results. "" where infeasible.
    error : str
        The failing node and its message, where infeasible.
    cpu_s : float
        CPU seconds of the nodes that had to run for this mix and that nothing had stored before.
    executions : int
        How many they were.
    """

    value: float | None
    digest: str
    error: str = ""
    cpu_s: float = 0.0
    executions: int = 0

    @property
    def feasible(self) -> bool:
        return self.value is not None


class OutOfBudget(Exception):
    """The next mixes would cost more than was allowed; what is known so far stands."""


class Game(Protocol):
    """Answers mixes.

    Attributes
    ----------
    size : int
        How many units there are, numbered 0 … size-1 in topological order of what they touch.
    seeds : sequence of int
        Common seeds, in the order in which they are to be used: the first are the cheapest.
    """

    @property
    def size(self) -> int: ...
    @property
    def seeds(self) -> Sequence[int]: ...

    def probe(self, units: Sequence[int]) -> list[str]:
        """What flipping each unit does to what it reaches first, on either side.

        Returns
        -------
        list of str
            "inert" (exactly the same results, on the baseline and on the candidate), "crashes", or
            "live". Cheaper than `evaluate`, since nothing further downstream is made.
        """
        ...

    def evaluate(self, mixes: Sequence[Mix]) -> list[Outcome]:
        """The outcomes of `mixes`, in their order; they are made in parallel.

        Asking again for a mix is free.

        Raises
        ------
        OutOfBudget
            If the budget is spent.
        """
        ...
