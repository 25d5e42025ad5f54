"""Is a difference more than the randomness of seeds? Decided with as few replicates as it takes.

Two sides are compared at common seeds, so that what a seed does to both cancels. A spread learnt
from few values is itself uncertain: differences are judged by Student's t with the degrees of
freedom behind the spread (W. S. Gosset, Biometrika 1908), at a level low enough for several looks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from whence.why.verdict import Band

#: Chance of calling noise a difference, at one look; there are at most five.
LEVEL = 0.004
#: Below this many standard errors a difference is left alone rather than looked at again.
HOPELESS, HOPELESS_AT_FIRST = 1.0, 0.5
#: Of intervals that are shown.
SHOWN = 0.95


@dataclass(frozen=True, slots=True)
class Noise:
    """What is known of the spread of a difference at one seed.

    Attributes
    ----------
    sd : float
        Standard deviation of a difference between two worlds at one common seed.
    freedom : int
        Degrees of freedom behind `sd`; 0 where nothing random was seen.
    """

    sd: float
    freedom: int

    @property
    def is_none(self) -> bool:
        return self.freedom == 0


NONE = Noise(0.0, 0)


def spread(
    before: Sequence[float], after: Sequence[float], others: Sequence[Sequence[float]] = ()
) -> Noise:
    """The noise of a difference at one seed, from values of two sides at the same seeds.

    With four seeds and more, from the differences themselves; with fewer from the spread within
    the sides, as if they were independent, which is the larger in all but odd cases.

    Parameters
    ----------
    others : sequence of sequence of float
        Values of other mixes, each at several seeds; taken to spread alike.
    """
    n = len(before)
    groups = [before, after, *others]
    freedom = sum(len(group) - 1 for group in groups)
    independent = math.sqrt(2 * math.fsum(map(_squares, groups)) / freedom)
    if n < 4:
        return Noise(independent, freedom)
    paired = math.sqrt(_squares([b - a for a, b in zip(before, after, strict=True)]) / (n - 1))
    # A lucky small spread of few differences must not make the noise vanish.
    return Noise(max(paired, 0.25 * independent), n - 1)


def _squares(values: Sequence[float]) -> float:
    mean = fmean(values)
    return math.fsum((value - mean) ** 2 for value in values)


def quantile(level: float, freedom: int) -> float:
    """How many standard errors a difference may have by chance, two-sided."""
    from scipy.stats import t

    return float(t.isf(level / 2, freedom))


def tail(errors: float, freedom: int) -> float:
    """Chance of a difference of so many standard errors, two-sided."""
    from scipy.stats import t

    return float(2 * t.sf(abs(errors), freedom))


def judge(mean: float, n: int, noise: Noise, sampling_se: float = 0.0) -> bool | None:
    """Whether a mean difference over `n` seeds is real; None where more seeds must tell."""
    if noise.is_none and not sampling_se:
        return mean != 0.0
    error = math.hypot(noise.sd / math.sqrt(n), sampling_se)
    if error == 0.0:
        return None if mean else False  # values that agree by chance: look again
    errors = abs(mean) / error
    if errors > quantile(LEVEL, max(noise.freedom, 1) if noise.sd else 1000):
        return True
    return False if errors < (HOPELESS if n >= 4 else HOPELESS_AT_FIRST) else None


def band(values: Sequence[float]) -> Band:
    """Mean and interval of the mean."""
    mean = fmean(values)
    n = len(values)
    if n < 2 or len(set(values)) == 1:
        return Band(mean, mean, mean)
    error = math.sqrt(_squares(values) / (n - 1) / n)
    half = quantile(1 - SHOWN, n - 1) * error
    return Band(mean, mean - half, mean + half)
