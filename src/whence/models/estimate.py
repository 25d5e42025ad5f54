"""A number with its uncertainty: what a metric returns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number, the interval it lies in, and how many cases it rests on.

    Parameters
    ----------
    value : float
    low, high : float, optional
        Bounds of the confidence interval.
    n : int, optional
        Cases that the number was found from.
    level : float
        Of the interval.

    Examples
    --------
    >>> print(Estimate(0.712, 0.701, 0.723, n=5400))
    0.712 [0.701, 0.723], n = 5,400
    """

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    level: float = 0.95

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        text = f"{self.value:.4g}"
        if self.low is not None and self.high is not None:
            text += f" [{self.low:.4g}, {self.high:.4g}]"
        return text if self.n is None else f"{text}, n = {self.n:,}"

    def __summary__(self) -> dict[str, float | int | None]:
        """What the store shows of it without loading it."""
        return {name: getattr(self, name) for name in self.__slots__}


__all__ = ["Estimate"]
