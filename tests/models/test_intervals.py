"""Intervals agree with other implementations, and cover the truth as often as they say."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from whence.errors import ValueFault
from whence.models import auc_interval, bootstrap_interval, brier, calibration_table


def sample(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    chance = rng.uniform(0.02, 0.98, n).round(2)
    return rng.uniform(size=n) < chance, chance


@pytest.mark.parametrize("seed", range(5))
def test_values_agree_with_scikit_learn(seed: int) -> None:
    y, p = sample(seed)
    assert auc_interval(y, p).value == pytest.approx(roc_auc_score(y, p), abs=1e-12)
    assert brier(y, p).value == pytest.approx(brier_score_loss(y, p), abs=1e-12)


def test_delong_agrees_with_the_bootstrap() -> None:
    y, p = sample(1)
    exact, drawn = auc_interval(y, p), bootstrap_interval(roc_auc_score, y, p, seed=0)
    assert exact.low == pytest.approx(drawn.low, abs=0.01)
    assert exact.high == pytest.approx(drawn.high, abs=0.01)


def test_delong_variance_of_a_case_worked_by_hand() -> None:
    # V10 = (1/2, 1), V01 = (1, 1/2): both variances are 1/8, so the sum over n is 1/8.
    estimate = auc_interval([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    assert estimate.low == pytest.approx(0.75 - 1.959964 * np.sqrt(1 / 8), abs=1e-5)


def test_intervals_cover_what_they_say() -> None:
    true_auc = auc_interval(*sample(10_000, 200_000)).value
    covered = 0
    for seed in range(300):
        estimate = auc_interval(*sample(seed))
        assert estimate.low is not None and estimate.high is not None
        covered += estimate.low <= true_auc <= estimate.high
    assert 0.92 <= covered / 300 <= 0.98  # 0.95 within two standard errors


def test_calibration_of_calibrated_chances() -> None:
    y, p = sample(3, 50_000)
    table = calibration_table(y, p)
    assert len(table) == 10 and table["n"].sum() == 50_000
    assert ((table["low"] <= table["observed"]) & (table["observed"] <= table["high"])).all()
    assert (table["predicted"] - table["observed"]).abs().max() < 0.02


def test_calibration_of_ties() -> None:
    table = calibration_table([0, 1, 1, 0], [0.5, 0.5, 0.5, 0.5])
    assert table[["predicted", "observed", "n"]].to_numpy().tolist() == [[0.5, 0.5, 4]]


def test_what_cannot_be_computed_says_why() -> None:
    with pytest.raises(ValueFault, match="both classes, but all 2 cases are of one"):
        auc_interval([1, 1], [0.1, 0.2])
    with pytest.raises(ValueFault, match=r"1 of 2 probabilities.*first is 1.5"):
        brier([0, 1], [0.5, 1.5])
    with pytest.raises(ValueFault, match="have 1 and 2 rows"):
        brier([0], [0.5, 0.5])
