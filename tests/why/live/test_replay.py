"""Served features against replayed ones: what differs is found exactly, and named."""

import numpy as np
import pyarrow as pa
import pytest

from whence.why.live.metrics import LiveError
from whence.why.live.replay import compare

RNG = np.random.default_rng(0)
N = 600
TRUE = RNG.gamma(2, 3, N)
CITY = RNG.choice(["Oslo", "Rome", "Lima"], N)
PLANE = RNG.integers(0, 40, N)


def table(value: object = TRUE, city: object = CITY) -> pa.Table:
    return pa.table({"value": pa.array(value, from_pandas=True), "city": city, "plane": PLANE})


def behind_by_plane() -> np.ndarray:
    out = TRUE.copy()
    for plane in np.unique(PLANE):
        rows = np.flatnonzero(plane == PLANE)
        out[rows[1:]] = TRUE[rows[:-1]]
    return out


@pytest.mark.parametrize(
    ("served", "how"),
    [
        (RNG.permutation(TRUE), "shuffled: the same values, in other rows"),
        (np.r_[TRUE[:3], TRUE[:-3]], "stale by 3 rows"),
        (behind_by_plane(), "stale by 1 row of its plane"),
        (np.zeros(N), "filled with 0.0"),
        (np.where(np.arange(N) % 4 == 0, -1.0, TRUE), "filled with -1.0 in 25% of the rows"),
        (np.full(N, np.nan), "null"),
        (TRUE * 1000, "scaled by 1000"),
        (TRUE + 7, "shifted by 7"),
        (-TRUE, "turned in sign"),
        (1.8 * TRUE + 32, "scaled by 1.8 and shifted by 32"),
        (TRUE**2, "other values"),
    ],
)
def test_says_what_was_done(served: np.ndarray, how: str) -> None:
    (skew,) = compare(table(served), table(), ["value", "city"])
    assert (skew.feature, skew.how) == ("value", how)


def test_text_columns_are_compared_too() -> None:
    (skew,) = compare(table(city=np.char.lower(CITY)), table(), ["value", "city"])
    assert (skew.feature, skew.rows, skew.how) == ("city", N, "other values")


def test_another_precision_is_no_difference() -> None:
    assert compare(table(TRUE.astype(np.float32)), table(), ["value", "city"]) == []


def test_one_wrong_row_is_found() -> None:
    served = TRUE.copy()
    served[17] += 1
    (skew,) = compare(table(served), table(), ["value"])
    assert (skew.rows, skew.feature) == (1, "value")


def test_other_rows_are_refused() -> None:
    with pytest.raises(LiveError, match="599 rows were replayed, but 600 were served"):
        compare(table(), table().slice(1), ["value"])
