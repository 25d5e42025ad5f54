"""Harmless and harmful changes of one column are told apart by how its cells changed."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence.store.flipkinds import kinds_of_change
from whence.store.flips import align, changed_cells


def kinds(old: Any, new: Any) -> list[list[int]]:
    tables = [pa.table({"id": range(len(side)), "x": side}) for side in (old, new)]
    aligned = align(*tables, ["id"])
    changed = changed_cells(aligned)["x"]
    found = kinds_of_change(aligned, "x", changed)
    assert (np.sum(found, axis=0) == changed).all()  # each changed cell is of one kind
    return [np.flatnonzero(mask).tolist() for mask in found]


DAY = dt.datetime(2020, 1, 1)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([1.0, None, 3.0, 4.0], [2.0, 0.0, None, 4.0], [[1], [2], [0]]),
        (["a", "b", "c", "a"], ["A", "b", "d", "A"], [[0, 3], [2]]),
        ([DAY, DAY, DAY], [DAY + dt.timedelta(hours=8), DAY, DAY + dt.timedelta(1)], [[0], [2]]),
        ([True, False, None], [False, True, None], [[1], [0]]),
        ([1, 2, 3], ["1", "2", "4"], [[2]]),
        ([[1], [2]], [[2], [2]], [[0]]),
    ],
)
def test_kinds(old: Any, new: Any, expected: list[list[int]]) -> None:
    assert sorted(kinds(old, new)) == sorted(expected)


def test_roundings_are_not_units() -> None:
    rng = np.random.default_rng(0)
    old = rng.gamma(4, 100, 1000)
    new = np.round(old, 3)
    new[600:] = old[600:] * 1.6
    small, large = sorted(kinds(old, new))
    assert large == list(range(600, 1000))
    assert max(small) < 600


def test_changes_of_all_sizes_are_one_kind() -> None:
    rng = np.random.default_rng(0)
    old = rng.gamma(4, 100, 1000)
    assert len(kinds(old, rng.permutation(old))) == 1
    letters = rng.choice(list("abcd"), 1000)
    assert len(kinds(letters, rng.permutation(letters))) == 1


cells = st.none() | st.sampled_from([0.0, 1.0, 1e9, -3.5, float("nan"), float("inf")])


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=20))
def test_kinds_add_up(pairs: list[tuple[float | None, float | None]]) -> None:
    old, new = (pa.array(side, pa.float64()) for side in zip(*pairs, strict=True))
    tables = [pa.table({"id": range(len(pairs)), "x": side}) for side in (old, new)]
    aligned = align(*tables, ["id"])
    for name, changed in changed_cells(aligned).items():
        parts = kinds_of_change(aligned, name, changed)
        assert (np.sum(parts, axis=0) == changed).all()
