"""Confidence intervals of the usual metrics, from published methods."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from whence.errors import ValueFault
from whence.models.estimate import Estimate

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray


def bootstrap_interval(
    statistic: Callable[..., float],
    *arrays: ArrayLike,
    seed: int,
    n_resamples: int = 1000,
    level: float = 0.95,
) -> Estimate:
    """The statistic of `arrays`, with its percentile bootstrap interval.

    Parameters
    ----------
    statistic : function
        Arrays of n rows each -> float.
    *arrays : array-like, shape (n, ...)
        Resampled together, by rows.
    seed : int
    n_resamples : int
    level : float

    Raises
    ------
    ValueFault
        If the arrays are empty or differ in length.

    References
    ----------
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.

    Examples
    --------
    >>> import numpy as np
    >>> print(bootstrap_interval(np.mean, np.arange(100.0), seed=0))
    49.5 [43.82, 54.95], n = 100
    """
    import numpy as np

    columns = [np.asarray(array) for array in arrays]
    n = _same_length(columns)
    rng = np.random.default_rng(seed)
    drawn = np.empty(n_resamples)
    for i in range(n_resamples):
        rows = rng.integers(0, n, n)
        drawn[i] = statistic(*(column[rows] for column in columns))
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    value = float(statistic(*columns))
    return Estimate(value, min(float(low), value), max(float(high), value), n, level)


def auc_interval(y: ArrayLike, score: ArrayLike, level: float = 0.95) -> Estimate:
    """Area under the ROC curve with its DeLong interval.

    Parameters
    ----------
    y : array-like of 0/1 or bool, shape (n,)
    score : array-like of float, shape (n,)
        Higher means more likely 1. Ties count half.
    level : float

    Raises
    ------
    ValueFault
        If `y` holds one class only, or the lengths differ.

    References
    ----------
    DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44(3); the ranks of Sun & Xu (2014), IEEE
    Signal Processing Letters 21(11).

    Examples
    --------
    >>> print(auc_interval([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]))
    0.75 [0.05705, 1], n = 4
    """
    import numpy as np

    truth, scores = np.asarray(y).astype(bool), np.asarray(score, dtype=float)
    n = _same_length([truth, scores])
    positive, negative = scores[truth], scores[~truth]
    m, k = len(positive), len(negative)
    if m == 0 or k == 0:
        raise ValueFault(
            f"The AUC needs both classes, but all {n:,} cases are of one.",
            "widen the split that the metric is computed on.",
        )
    ranks = _midranks(np.concatenate([positive, negative]))
    over_negatives = (ranks[:m] - _midranks(positive)) / k
    over_positives = 1 - (ranks[m:] - _midranks(negative)) / m
    value = float(over_negatives.mean())
    variance = 0.0
    for part, size in ((over_negatives, m), (over_positives, k)):
        variance += float(part.var(ddof=1)) / size if size > 1 else 0.0
    reach = _z(level) * math.sqrt(variance)
    return Estimate(value, max(value - reach, 0.0), min(value + reach, 1.0), n, level)


def _midranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1; ties share the middle of theirs."""
    import numpy as np

    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return ((last - (counts - 1) / 2.0)[where]).astype(np.float64)


def proportion_interval(hits: ArrayLike, level: float = 0.95) -> Estimate:
    """Share of true values (accuracy, recall, coverage …) with its Wilson interval.

    Unlike a bootstrap it stays honest where all or none are true.

    Parameters
    ----------
    hits : array-like of bool, shape (n,)
    level : float

    Raises
    ------
    ValueFault
        If there are no values.

    References
    ----------
    Wilson (1927), Journal of the American Statistical Association 22(158).

    Examples
    --------
    >>> print(proportion_interval([True] * 20))
    1 [0.8389, 1], n = 20
    """
    import numpy as np

    values = np.asarray(hits).astype(bool)
    n = _same_length([values])
    value = float(values.mean())
    low, high = _wilson(np.array([value]), np.array([n]), level)
    return Estimate(value, min(float(low[0]), value), max(float(high[0]), value), n, level)


def _wilson(
    share: NDArray[np.float64], n: NDArray[np.integer[Any]], level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    import numpy as np

    z2 = _z(level) ** 2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = np.sqrt(share * (1 - share) * z2 / n + z2**2 / (4 * n**2)) / (1 + z2 / n)
    return np.clip(middle - reach, 0, 1), np.clip(middle + reach, 0, 1)


def brier(y: ArrayLike, probability: ArrayLike, level: float = 0.95) -> Estimate:
    """Brier score, the mean squared error of a probability, with its normal interval.

    Parameters
    ----------
    y : array-like of 0/1 or bool, shape (n,)
    probability : array-like of float, shape (n,)
    level : float

    Raises
    ------
    ValueFault
        If the lengths differ, or a probability lies outside of [0, 1].

    References
    ----------
    Brier (1950), Monthly Weather Review 78(1); the interval is that of a mean of independent cases.

    Examples
    --------
    >>> print(brier([0, 1], [0.2, 0.6]))
    0.1 [0, 0.2176], n = 2
    """
    import numpy as np

    truth, chance = np.asarray(y, dtype=float), _probabilities(probability)
    n = _same_length([truth, chance])
    errors = (chance - truth) ** 2
    value = float(errors.mean())
    reach = _z(level) * float(errors.std(ddof=1)) / math.sqrt(n) if n > 1 else 1.0
    return Estimate(value, max(value - reach, 0.0), min(value + reach, 1.0), n, level)


def calibration_table(
    y: ArrayLike, probability: ArrayLike, n_bins: int = 10, level: float = 0.95
) -> pd.DataFrame:
    """How often it happened where the model said how often it would.

    Parameters
    ----------
    y : array-like of 0/1 or bool, shape (n,)
    probability : array-like of float, shape (n,)
    n_bins : int
        Bins of equal count, by predicted probability; fewer where ties do not let it.
    level : float

    Returns
    -------
    DataFrame
        One row per bin: `predicted` (mean), `observed` (share), `low`, `high` (Wilson interval of
        `observed`), `n`.

    References
    ----------
    Wilson (1927), Journal of the American Statistical Association 22(158).
    """
    import numpy as np
    import pandas as pd

    truth, chance = np.asarray(y, dtype=float), _probabilities(probability)
    _same_length([truth, chance])
    edges = np.unique(np.quantile(chance, np.linspace(0, 1, n_bins + 1)[1:-1]))
    groups = pd.DataFrame({"y": truth, "p": chance}).groupby(np.searchsorted(edges, chance))
    n = groups["y"].size().to_numpy()
    observed = groups["y"].mean().to_numpy()
    low, high = _wilson(observed, n, level)
    return pd.DataFrame(
        {
            "predicted": groups["p"].mean().to_numpy(),
            "observed": observed,
            "low": low,
            "high": high,
            "n": n,
        }
    )


def _probabilities(values: ArrayLike) -> NDArray[np.float64]:
    import numpy as np

    chance = np.asarray(values, dtype=np.float64)
    wrong = chance[~((chance >= 0) & (chance <= 1))]
    if len(wrong):
        raise ValueFault(
            f"{len(wrong):,} of {len(chance):,} probabilities are outside of [0, 1], the first is "
            f"{wrong[0]:g}.",
            "pass probabilities (predict_proba(X)[:, 1]), not scores.",
        )
    return chance


def _same_length(columns: list[Any]) -> int:
    lengths = [len(column) for column in columns]
    if len(set(lengths)) != 1 or lengths[0] == 0:
        raise ValueFault(
            f"The arrays of a metric have {' and '.join(map(str, lengths)) or 'no'} rows.",
            "pass arrays of one length, at least 1.",
        )
    return lengths[0]


def _z(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)


__all__ = [
    "auc_interval",
    "bootstrap_interval",
    "brier",
    "calibration_table",
    "proportion_interval",
]
