"""Models that compare two windows: what tells them apart, and what the outcome should be.

Everything is cross-fitted: a row is judged by models that did not see it (Chernozhukov et al. 2018,
Econometrics Journal 21(1)). Each model is a blend of a ridge-penalised linear model, which finds
weak and smooth differences in few rows, and of boosted trees, which find the others; the blend's
weights are stacked on the held-out predictions (Wolpert 1992).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from whence.why.live.frame import Bools, Frame
    from whence.why.live.metrics import Floats

    Ints = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

FOLDS = 3
#: Odds are kept within 1:400, a density ratio within 40 times its mean.
MOST_LOG_ODDS = 6.0
MOST_WEIGHT = 40.0
#: A current row is beyond the reference window where it is this much rarer there.
LEAST_OVERLAP = 20.0


@dataclass(slots=True)
class Comparison:
    """Rows of both windows with the model's scores, and what was already found out about them.

    Attributes
    ----------
    frame : Frame
    score : array of float, shape (n_rows,)
        What the real model says.
    seed : int
    """

    frame: Frame
    score: Floats
    seed: int
    fold: Ints = field(init=False)
    linear: list[Floats] = field(init=False)  # of each feature: its columns in a linear model
    _gains: dict[tuple[frozenset[int], bool], Floats] = field(default_factory=dict)
    _log_odds: dict[tuple[frozenset[int], bool], Floats] = field(default_factory=dict)
    _outcomes: dict[frozenset[int], Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        import numpy as np

        rng = np.random.default_rng(self.seed)
        self.fold = np.empty(len(self.frame.y), dtype=np.int64)
        for side in (False, True):
            rows = np.flatnonzero(self.frame.current == side)
            self.fold[rows] = rng.permutation(len(rows)) % FOLDS
        self.linear = [linear_columns(self.frame, index) for index in range(self.frame.X.shape[1])]

    @property
    def all(self) -> frozenset[int]:
        return frozenset(range(self.frame.X.shape[1]))

    @property
    def _scale(self) -> Floats:
        """The label, standardised on the reference window."""
        import numpy as np

        y, old = self.frame.y, ~self.frame.current
        spread = float(np.std(y[old]))
        return np.asarray((y - np.mean(y[old])) / (spread if spread > 0 else 1.0))

    def outcome(self, features: frozenset[int]) -> Floats:
        """E[y | features], learnt on the reference window only; shape (n_rows,).

        Of all features, the model's score is one more: it knows a lot about y.
        """
        import numpy as np

        if features not in self._outcomes:
            trees, linear = self._inputs(features)
            target = self.frame.y
            if trees.shape[1] == 0:
                found = np.zeros(len(target)) + target[~self.frame.current].mean()
            else:
                found = cross_fit(
                    trees,
                    linear,
                    self._categories(features, trees.shape[1]),
                    target,
                    self.fold,
                    ~self.frame.current,
                    binary=self.frame.binary,
                )
                if self.frame.binary:
                    found = 1 / (1 + np.exp(-found))
            self._outcomes[features] = found
        return self._outcomes[features]

    def gain(self, features: frozenset[int], label: bool) -> Floats:
        """How much better the window of each row is known from `features` (and the label).

        Log-likelihood in nats against knowing only the windows' sizes; its mean estimates the
        Jensen-Shannon divergence of the windows in these columns, 0 where they do not differ.
        """
        key = (features, label)
        if key not in self._gains:
            self._gains[key] = self._gain(features, label)
        return self._gains[key]

    def log_ratio(self, features: frozenset[int], label: bool = False) -> Floats:
        """log of p_current / p_reference of these columns, of each row."""
        self.gain(features, label)
        return self._log_odds[(features, label)]

    def weights(self, features: frozenset[int]) -> Floats:
        """Weights that turn the reference's rows into the current ones; mean 1.

        See Shimodaira (2000), J. Stat. Planning and Inference 90(2).
        """
        import numpy as np

        ratio = np.exp(self.log_ratio(features)[~self.frame.current])
        ratio = np.minimum(ratio / ratio.mean(), MOST_WEIGHT)
        return np.asarray(ratio / ratio.mean())

    def overlap(self) -> float:
        """Share of the current rows that the reference window has rows like; from 0 to 1."""
        import numpy as np

        ratio = self.log_ratio(self.all)[self.frame.current]
        return float(np.mean(ratio < np.log(LEAST_OVERLAP)))

    def _gain(self, features: frozenset[int], label: bool) -> Floats:
        import numpy as np

        current = self.frame.current
        share = current.mean()
        base = np.log(share / (1 - share))
        trees, linear = self._inputs(features)
        if label:
            extra, crossed = self._label_columns(features, linear)
            trees, linear = np.column_stack([trees, extra]), np.column_stack([linear, crossed])
        if trees.shape[1] == 0:
            odds = np.zeros(len(current)) + base
        else:
            categories = self._categories(features, trees.shape[1])
            odds = cross_fit(
                trees,
                linear,
                categories,
                current.astype(np.float64),
                self.fold,
                np.ones(len(current), dtype=bool),
                binary=True,
            )
        odds = np.clip(odds, base - MOST_LOG_ODDS, base + MOST_LOG_ODDS)
        self._log_odds[(features, label)] = odds - base
        sign = np.where(current, 1.0, -1.0)
        return np.asarray(np.logaddexp(0.0, -sign * base) - np.logaddexp(0.0, -sign * odds))

    def _inputs(self, features: frozenset[int]) -> tuple[Floats, Floats]:
        """Columns for the trees and for the linear model."""
        import numpy as np

        n = len(self.frame.y)
        chosen = sorted(features)
        trees = [self.frame.X[:, chosen]] if chosen else [np.empty((n, 0))]
        linear = [self.linear[index] for index in chosen] or [np.empty((n, 0))]
        if features == self.all:
            trees.append(self.score[:, None])
            linear.append(standardised(self.score, ~self.frame.current))
        return np.column_stack(trees), np.column_stack(linear)

    def _categories(self, features: frozenset[int], width: int) -> list[int]:
        """Which columns of the trees' inputs are categories."""
        return [
            place
            for place, index in enumerate(sorted(features))
            if self.frame.features[index].is_category and place < width
        ]

    def _label_columns(self, features: frozenset[int], linear: Floats) -> tuple[Floats, Floats]:
        """The label, its distance from what is expected, and both crossed with the features."""
        import numpy as np

        label = self._scale
        expected = self.outcome(features)
        off = self.frame.y - expected
        spread = float(np.std(off[~self.frame.current]))
        off = off / (spread if spread > 0 else 1.0)
        crossed = [label[:, None], off[:, None], label[:, None] * linear]
        if not self.frame.binary:
            crossed += [label[:, None] ** 2, np.minimum(off**2, 25.0)[:, None]]
            crossed += [off[:, None] * linear]
        else:
            crossed += [standardised(expected, ~self.frame.current)]
        return np.column_stack([label, off]), np.column_stack(crossed)


def standardised(values: Floats, fitted_on: Bools) -> Floats:
    """(value, square), robustly scaled on some of the rows and cut at 4; shape (n_rows, 2)."""
    import numpy as np

    low, middle, high = np.nanquantile(values[fitted_on], [0.1, 0.5, 0.9])
    spread = (high - low) / 2.56  # of a normal distribution: one standard deviation
    if not spread > 0:
        spread = float(np.nanstd(values[fitted_on])) or 1.0
    z = np.clip((values - middle) / spread, -4, 4)
    z = np.where(np.isnan(z), 0.0, z)
    return np.column_stack([z, (z**2 - 1) / 2])


def linear_columns(frame: Frame, index: int) -> Floats:
    """A feature as columns of a linear model: its frequent categories, or value and square."""
    import numpy as np

    values, old = frame.X[:, index], ~frame.current
    missing = np.isnan(values)
    levels = frame.features[index].levels
    if levels is None and np.isfinite(values[old]).any():
        found = standardised(values, old)
    else:
        found = np.column_stack(
            [np.empty((len(values), 0))]
            + [values == code for code in range(min(len(levels or ()), 12))]
        ).astype(np.float64)
    return np.column_stack([found, missing.astype(np.float64)]) if missing.any() else found


def cross_fit(
    trees: Floats,
    linear: Floats,
    categories: Sequence[int],
    target: Floats,
    fold: Ints,
    learn: Bools,
    *,
    binary: bool,
) -> Floats:
    """Predictions (log-odds, or the expected value) for all rows, learnt on the rows of `learn`.

    Rows that are not learnt from are judged by the models of their fold too, so that both kinds of
    rows meet models of one quality.
    """
    import numpy as np

    found = np.zeros((2, len(target)))
    for number in range(FOLDS):
        inside, outside = learn & (fold != number), fold == number
        if binary and len(np.unique(target[inside])) < 2:
            found[:, outside] = MOST_LOG_ODDS if target[inside].mean() > 0.5 else -MOST_LOG_ODDS
            continue
        for place, (model, X) in enumerate(
            ((_linear(binary), linear), (_trees(binary, categories, inside.sum()), trees))
        ):
            model.fit(X[inside], target[inside])
            found[place, outside] = (
                model.decision_function(X[outside]) if binary else model.predict(X[outside])
            )
    return _blend(found, target, learn, binary=binary)


def _linear(binary: bool) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge

    if binary:
        return LogisticRegression(C=0.1, max_iter=300, tol=1e-3)
    return Ridge(alpha=10.0)


def _trees(binary: bool, categories: Sequence[int], n: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if binary else HistGradientBoostingRegressor
    return kind(
        max_iter=50,
        learning_rate=0.12,
        max_leaf_nodes=8,
        min_samples_leaf=max(15, int(n) // 100),
        l2_regularization=5.0,
        categorical_features=list(categories) or None,
        early_stopping=False,
        random_state=0,
    )


def _blend(found: Floats, target: Floats, learn: Bools, *, binary: bool) -> Floats:
    """Both predictions as one, weighted so that they predict held-out rows best."""
    import numpy as np
    from sklearn.linear_model import LinearRegression, LogisticRegression

    known = found[:, learn].T
    if not binary:
        blend = LinearRegression(positive=True).fit(known, target[learn])
        return np.asarray(blend.predict(found.T))
    if len(np.unique(target[learn])) < 2:
        return np.asarray(found.mean(axis=0))
    # The penalty pulls to 0, which is: the windows do not differ.
    blend = LogisticRegression(C=0.02 * len(known), max_iter=200).fit(known, target[learn])
    return np.asarray(blend.decision_function(found.T))
