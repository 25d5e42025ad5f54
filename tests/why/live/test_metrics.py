"""Named metrics agree with scikit-learn, weights are counts, and bands cover what they should."""

import numpy as np
import pytest
from sklearn import metrics as sk

from whence.why.live.metrics import NAMED, LiveError, Quality

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 2, 400).astype(float)
P = np.clip(0.3 * Y + RNG.uniform(0, 0.7, 400), 0.01, 0.99).round(2)  # with ties
W = RNG.integers(1, 4, 400).astype(float)

THEIRS = {
    "auc": lambda y, p, w: sk.roc_auc_score(y, p, sample_weight=w),
    "accuracy": lambda y, p, w: sk.accuracy_score(y, np.round(p), sample_weight=w),
    "brier": lambda y, p, w: sk.brier_score_loss(y, p, sample_weight=w),
    "log_loss": lambda y, p, w: sk.log_loss(y, p, sample_weight=w),
    "mae": lambda y, p, w: sk.mean_absolute_error(y, p, sample_weight=w),
    "rmse": lambda y, p, w: sk.root_mean_squared_error(y, p, sample_weight=w),
}


@pytest.mark.parametrize("weights", [None, W], ids=["plain", "weighted"])
@pytest.mark.parametrize("name", NAMED)
def test_named_metrics_are_those_of_scikit_learn(name: str, weights: np.ndarray | None) -> None:
    assert NAMED[name][0](Y, P, weights) == pytest.approx(THEIRS[name](Y, P, weights))


@pytest.mark.parametrize("name", NAMED)
def test_a_weight_is_a_count_of_rows(name: str) -> None:
    counts = W.astype(int)
    repeated = NAMED[name][0](np.repeat(Y, counts), np.repeat(P, counts), None)
    assert NAMED[name][0](Y, P, W) == pytest.approx(repeated)


def test_the_band_covers_the_true_metric_about_as_often_as_it_says() -> None:
    quality, covered = Quality.of("brier", None), 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        p = rng.uniform(0, 1, 300)
        band, _ = quality.band((rng.uniform(0, 1, 300) < p).astype(float), p, seed)
        covered += band.low <= 1 / 6 <= band.high  # E[p (1 - p)] of a uniform p
    assert covered >= 51


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(LiveError, match="auc, accuracy, brier"):
        Quality.of("f1", None)


def test_a_function_needs_a_direction() -> None:
    with pytest.raises(LiveError, match="better='higher'"):
        Quality.of(NAMED["mae"][0], None)


def test_a_window_with_one_class_has_no_auc() -> None:
    with pytest.raises(LiveError, match="no value on a window of 50 rows"):
        Quality.of("auc", None).band(np.zeros(50), np.linspace(0, 1, 50), 0)
