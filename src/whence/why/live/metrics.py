"""Named metrics with row weights, and their bands by the bootstrap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from whence.errors import WhenceError

if TYPE_CHECKING:
    import numpy as np

    from whence.why.live.verdict import MetricBand

    Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    Metric = Callable[[Floats, Floats, Floats | None], float]

#: Draws of the bootstrap; its standard error is then known to 3.5 %.
DRAWS = 400


class LiveError(WhenceError):
    """The windows, the label, the scores or the metric cannot be used."""


def auc(y: Floats, score: Floats, weights: Floats | None = None) -> float:
    """Area under the ROC curve; ties count one half. NaN where a class is missing.

    References
    ----------
    Hanley & McNeil (1982), Radiology 143(1): the Mann-Whitney form, here with weights.
    """
    import numpy as np

    w = np.ones(len(y)) if weights is None else weights
    order = np.argsort(score, kind="stable")
    ordered, positive, w = score[order], y[order] > 0.5, w[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    above = np.add.reduceat(np.where(positive, w, 0.0), starts)
    below = np.add.reduceat(np.where(positive, 0.0, w), starts)
    total = above.sum() * below.sum()
    if total <= 0:
        return float("nan")
    return float((above * (np.cumsum(below) - 0.5 * below)).sum() / total)


def accuracy(y: Floats, score: Floats, weights: Floats | None = None) -> float:
    """Share of rows whose score rounds to the label: probabilities at 0.5, classes as they are."""
    import numpy as np

    return float(np.average(np.round(score) == y, weights=weights))


def brier(y: Floats, score: Floats, weights: Floats | None = None) -> float:
    """Mean squared difference of probability and outcome (Brier 1950)."""
    import numpy as np

    return float(np.average((score - y) ** 2, weights=weights))


def log_loss(y: Floats, score: Floats, weights: Floats | None = None) -> float:
    """Mean negative log-likelihood in nats; probabilities are kept 1e-15 away from 0 and 1."""
    import numpy as np

    p = np.clip(score, 1e-15, 1 - 1e-15)
    return float(-np.average(np.where(y > 0.5, np.log(p), np.log1p(-p)), weights=weights))


def mae(y: Floats, score: Floats, weights: Floats | None = None) -> float:
    """Mean absolute error, in the label's unit."""
    import numpy as np

    return float(np.average(np.abs(score - y), weights=weights))


def rmse(y: Floats, score: Floats, weights: Floats | None = None) -> float:
    """Root of the mean squared error, in the label's unit."""
    import numpy as np

    return float(np.sqrt(np.average((score - y) ** 2, weights=weights)))


#: Name -> metric, and which direction is better.
NAMED: dict[str, tuple[Metric, str]] = {
    "auc": (auc, "higher"),
    "accuracy": (accuracy, "higher"),
    "brier": (brier, "lower"),
    "log_loss": (log_loss, "lower"),
    "mae": (mae, "lower"),
    "rmse": (rmse, "lower"),
}


@dataclass(frozen=True, slots=True)
class Quality:
    """A metric turned so that a drop is positive: `sign` is 1 where higher is better, else -1."""

    name: str
    function: Metric
    better: str

    @property
    def sign(self) -> float:
        return 1.0 if self.better == "higher" else -1.0

    @classmethod
    def of(cls, metric: str | Metric, better: str | None) -> Quality:
        """The metric of this name, or this function with a direction.

        Raises
        ------
        LiveError
            If the name is not known, or a function comes without a direction.
        """
        if better not in ("higher", "lower", None):
            raise LiveError(f"better is {better!r}.", "say 'higher' or 'lower'.")
        if not isinstance(metric, str):
            if better is None:
                raise LiveError(
                    "The metric is a function, and nothing says which direction is better.",
                    "pass better='higher' or better='lower'.",
                )
            return cls(getattr(metric, "__name__", "metric"), metric, better)
        if metric not in NAMED:
            raise LiveError(
                f"No metric is called '{metric}'.",
                f"use one of: {', '.join(NAMED)}; or a function.",
            )
        function, direction = NAMED[metric]
        return cls(metric, function, better or direction)

    def goodness(self, y: Floats, score: Floats, weights: Floats | None = None) -> float:
        """The metric, the higher the better."""
        return self.sign * float(self.function(y, score, weights))

    def band(self, y: Floats, score: Floats, seed: int) -> tuple[MetricBand, Floats]:
        """Value with its 95 % interval, and the bootstrap's draws of the metric (Efron 1979).

        Draws without a value (a class that is missing) are left out.
        """
        import numpy as np

        from whence.why.live.verdict import MetricBand

        rng = np.random.default_rng(seed)
        order = np.argsort(score, kind="stable")  # sorting again, in each draw, is then quick
        y, score = y[order], score[order]
        n = len(y)
        found = []
        for _ in range(DRAWS):
            counts = np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)
            kept = counts > 0
            found.append(float(self.function(y[kept], score[kept], counts[kept])))
        draws = np.array(found)
        draws = draws[np.isfinite(draws)]
        value = float(self.function(y, score, None))
        if not np.isfinite(value) or len(draws) < DRAWS // 2:
            raise LiveError(
                f"The metric '{self.name}' has no value on a window of {n:,} rows"
                f" (labels {np.unique(y)[:3].tolist()}).",
                "choose a window that holds more rows, with all classes of the label.",
            )
        low, high = np.quantile(draws, [0.025, 0.975])
        return MetricBand(value, float(low), float(high), n), draws
