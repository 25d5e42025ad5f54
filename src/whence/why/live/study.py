"""The measurements that a diagnosis rests on: what each explanation would do to the metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from whence.why.live.broken import donors, how_broken, imputed_scores
from whence.why.live.nuisance import MOST_WEIGHT, Comparison

if TYPE_CHECKING:
    import pyarrow as pa

    from whence.why.live.frame import Bools, Frame
    from whence.why.live.metrics import Floats, Quality
    from whence.why.live.nuisance import Ints

#: Bins of a single feature's distribution.
BINS = 12


@dataclass
class Study:
    """Two windows, the real model and the metric.

    Parameters
    ----------
    table : pa.Table
        Rows of both windows, the reference's first; label and features among its columns.
    frame : Frame
        The same rows as numbers.
    score : callable
        The real model: table -> scores, shape (n_rows,).
    scores : array of float, shape (n_rows,)
        What it says of `table`.
    """

    table: pa.Table
    frame: Frame
    score: Callable[[pa.Table], Floats]
    scores: Floats
    quality: Quality
    seed: int
    drop_z: float = 5.0  # the drop in its standard errors
    _imputed: dict[int, tuple[Floats, Floats]] = field(default_factory=dict)

    @cached_property
    def comparison(self) -> Comparison:
        return Comparison(self.frame, self.scores, self.seed)

    @cached_property
    def n_reference(self) -> int:
        return int((~self.frame.current).sum())

    @cached_property
    def before(self) -> float:
        return self.goodness(False)

    @cached_property
    def drop(self) -> float:
        return self.before - self.goodness(True)

    def goodness(self, current: bool, scores: Floats | None = None) -> float:
        """The metric on one window, the higher the better, with these scores."""
        rows = self.frame.current == current
        found = self.scores if scores is None else scores
        return self.quality.goodness(self.frame.y[rows], found[rows])

    def reweighted(self, weights: Floats) -> float:
        """The metric on the reference window with these weights."""
        rows = ~self.frame.current
        return self.quality.goodness(self.frame.y[rows], self.scores[rows], weights)

    def share(self, predicted: float) -> float:
        """The part of the drop that is there if the metric falls to `predicted`."""
        return (self.before - predicted) / self.drop if self.drop > 0 else 0.0

    # -- features one by one ------------------------------------------------------------------

    @cached_property
    def single_ratios(self) -> list[Floats]:
        """p_current / p_reference of each feature alone, of each reference row; by bins."""
        return [self._binned(index)[0] for index in range(self.frame.X.shape[1])]

    @cached_property
    def drifts(self) -> list[float]:
        """Population stability index of each feature (bins of the reference window)."""
        return [self._binned(index)[1] for index in range(self.frame.X.shape[1])]

    @cached_property
    def marginal_shares(self) -> list[float]:
        """What reweighting the reference on one feature alone does to the metric, as a share."""
        return [self.share(self.reweighted(ratio)) for ratio in self.single_ratios]

    def _binned(self, index: int) -> tuple[Floats, float]:
        import numpy as np

        values, current = self.frame.X[:, index], self.frame.current
        codes = bins_of(values, ~current, self.frame.features[index].is_category)
        size = int(codes.max()) + 1
        old, new = (
            np.bincount(codes[current == side], minlength=size) + 0.5 for side in (False, True)
        )
        old, new = old / old.sum(), new / new.sum()
        ratio = np.minimum(new / old, MOST_WEIGHT)[codes[~current]]
        return ratio / ratio.mean(), float(((new - old) * np.log(new / old)).sum())

    @cached_property
    def importances(self) -> list[float]:
        """What is lost when the reference rows get the feature of random current rows, as a share.

        The largest harm that a change of this feature alone can do through the model.
        """
        import numpy as np
        import pyarrow as pa

        rng = np.random.default_rng(self.seed + 1)
        n = min(self.n_reference, 4000)
        rows = np.sort(rng.choice(self.n_reference, n, replace=False))
        new = np.flatnonzero(self.frame.current)
        y, base = self.frame.y[rows], self.scores[rows]
        known = self.quality.goodness(y, base)
        plain = self.table.take(rows)
        variants = []
        for feature in self.frame.features:
            place = plain.column_names.index(feature.name)
            served = self.table.column(feature.name).take(rng.choice(new, n))
            variants.append(plain.set_column(place, plain.schema.field(place), served))
        scores = self.score(pa.concat_tables(variants)).reshape(len(variants), n)
        return [(known - self.quality.goodness(y, score)) / self.drop for score in scores]

    @cached_property
    def harmless(self) -> frozenset[int]:
        """Features that can have done nothing: the model hardly uses them, nor does the loss.

        All comparisons are made given these features, so that a decoy's drift accuses nobody.
        """
        import numpy as np

        found = []
        for index, share in enumerate(self.marginal_shares):
            # Few reference rows carry the weights where a feature drifts far: the share is noisy.
            lost = float(np.mean(self.single_ratios[index] ** 2)) - 1
            error = (lost / 2) ** 0.5 / max(1.0, self.drop_z)
            allowed = min(0.4, 0.12 + 2 * error)
            if abs(self.importances[index]) >= 0.08 or abs(share) >= allowed:
                continue
            unseen = abs(share) < 0.12 and self.drifts[index] < 1.0
            if unseen or not self._errors_follow(index):
                found.append(index)
        return frozenset(found)

    def _errors_follow(self, index: int) -> bool:
        """Whether outcomes are harder to tell, on the reference rows, at some values of a feature.

        A chi-squared test of the bins' mean errors at about three standard deviations.
        """
        import numpy as np

        old = ~self.frame.current
        off = np.abs(self.frame.y - self.comparison.outcome(self.comparison.all))[old]
        category = self.frame.features[index].is_category
        codes = bins_of(self.frame.X[:, index], old, category)[old]
        counts = np.bincount(codes)
        means = np.bincount(codes, off - off.mean())[counts > 0] / counts[counts > 0]
        free = max(1, int((counts > 0).sum()) - 1)
        found = float((counts[counts > 0] * means**2).sum() / max(float(off.var()), 1e-300))
        return bool(found > free + 3 * (2 * free) ** 0.5)

    # -- explanations -------------------------------------------------------------------------

    def label_weights(self) -> Floats:
        """p_current(y) / p_reference(y), of each reference row (Lipton 2018, with labels known)."""
        import numpy as np

        y, current = self.frame.y, self.frame.current
        codes = bins_of(y, ~current, self.frame.binary, bins=20)
        size = int(codes.max()) + 1
        old, new = (
            np.bincount(codes[current == side], minlength=size) + 0.5 for side in (False, True)
        )
        ratio = np.minimum((new / new.sum()) / (old / old.sum()), MOST_WEIGHT)[codes[~current]]
        return np.asarray(ratio / ratio.mean())

    def covariate_prediction(self, features: frozenset[int] | None = None) -> float:
        """The metric on the current window if only P(x) had changed; doubly robust.

        The metric on current rows with labels drawn from what the reference window says of P(y|x),
        plus what such labels are off on the reference rows, reweighted to the current P(x). Right
        where either the density ratio or the outcome model is.

        References
        ----------
        Shimodaira (2000), J. Stat. Planning and Inference 90(2); Robins, Rotnitzky & Zhao (1994).
        """
        import numpy as np

        comparison, current = self.comparison, self.frame.current
        weights = comparison.weights(comparison.all if features is None else features)
        old = self._expected(~current, weights)
        if features is None:
            new = self._expected(current, np.ones(int(current.sum())))
        else:
            return self.reweighted(weights)
        return new + self.reweighted(weights) - old

    def _expected(self, rows: Bools, weights: Floats) -> float:
        """The metric with labels as the reference window says that they should be."""
        import numpy as np

        expected, scores = self.comparison.outcome(self.comparison.all)[rows], self.scores[rows]
        if self.frame.binary:
            labels = np.r_[np.ones(len(scores)), np.zeros(len(scores))]
            chance = np.r_[weights * expected, weights * (1 - expected)]
            return self.quality.goodness(labels, np.r_[scores, scores], chance)
        rng = np.random.default_rng(self.seed + 2)
        draws = expected + self._spread[rows] * rng.choice(self._errors, (3, len(scores)))
        return self.quality.goodness(draws.ravel(), np.tile(scores, 3), np.tile(weights, 3))

    @cached_property
    def _spread(self) -> Floats:
        """Expected |error| of the outcome model, of each row; regression only."""
        import numpy as np

        from whence.why.live.nuisance import cross_fit

        comparison = self.comparison
        trees, linear = comparison._inputs(comparison.all)
        off = np.abs(self.frame.y - comparison.outcome(comparison.all))
        categories = comparison._categories(comparison.all, trees.shape[1])
        found = cross_fit(
            trees, linear, categories, off, comparison.fold, ~self.frame.current, binary=False
        )
        return np.maximum(found, 0.1 * float(off[~self.frame.current].mean()))

    @cached_property
    def _errors(self) -> Floats:
        """Errors of the outcome model on the reference, in units of what was expected of them."""
        import numpy as np

        off = self.frame.y - self.comparison.outcome(self.comparison.all)
        return np.asarray((off / self._spread)[~self.frame.current])

    def imputed(self, index: int) -> tuple[Floats, Floats]:
        """Scores of all rows with a feature imputed, and the feature's expected value."""
        import numpy as np

        if index not in self._imputed:
            rows = donors(self.frame, index, self.comparison.fold, self.seed + index)
            scores = imputed_scores(
                self.table, self.n_reference, self.frame.features[index].name, rows, self.score
            )
            expected = np.nanmean(self.frame.X[rows, index], axis=0)
            self._imputed[index] = scores, expected
        return self._imputed[index]

    def how(self, index: int) -> str:
        return how_broken(self.frame, index, self.imputed(index)[1])

    def how_shifted(self, index: int) -> str:
        """The shift of one feature, in words."""
        import numpy as np

        feature, current = self.frame.features[index], self.frame.current
        old, new = self.frame.X[~current, index], self.frame.X[current, index]
        if feature.levels is not None:
            levels = range(len(feature.levels))
            grew = max(levels, key=lambda code: float((new == code).mean() - (old == code).mean()))
            return (
                f"{feature.levels[grew]!r} went from {(old == grew).mean():.0%}"
                f" to {(new == grew).mean():.0%}"
            )
        return f"its mean went from {np.nanmean(old):.4g} to {np.nanmean(new):.4g}"

    # -- what an explanation does not allow ------------------------------------------------------

    def excess(
        self, features: frozenset[int], label: bool, *given: tuple[frozenset[int], bool]
    ) -> tuple[float, float]:
        """Nats a row by which these columns tell the windows apart beyond `given`; and their z."""
        import numpy as np

        extra = self.comparison.gain(features, label).copy()
        for columns, with_label in given:
            extra -= self.comparison.gain(columns, with_label)
        error = float(np.std(extra) / np.sqrt(len(extra)))
        mean = float(np.mean(extra))
        return mean, (mean / error if error > 0 else 0.0)


def bins_of(values: Floats, fitted_on: Bools, category: bool, bins: int = BINS) -> Ints:
    """A bin for each value: its category, or quantiles of some of the rows; nulls come last."""
    import numpy as np

    missing = np.isnan(values)
    if category:
        codes = np.where(missing, -1, values).astype(np.int64)
    else:
        known = values[fitted_on & ~missing]
        at = np.linspace(0, 1, bins + 1)[1:-1]
        edges = np.unique(np.quantile(known, at)) if len(known) else np.zeros(0)
        codes = np.searchsorted(edges, values, side="left").astype(np.int64)
    codes[missing] = codes[~missing].max(initial=-1) + 1
    return np.asarray(codes)
