"""Tables between two versions of a table."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from whence.store.flips import ADDED, REMOVED, align, changed_cells, revert, shared_rows

OLD = pa.table({"id": [1, 2, 3, 4], "x": [1.0, None, float("nan"), 4.0], "s": list("abcd")})
NEW = pa.table({"id": [4, 3, 2, 9], "x": [4.0, float("nan"), float("nan"), 9.0], "s": list("dzbe")})


def by_id(table: pa.Table) -> list[dict[str, object]]:
    return sorted(table.to_pylist(), key=lambda row: str(row["id"]))


def test_rows_are_matched_by_what_identifies_them() -> None:
    aligned = align(OLD, NEW)
    assert aligned.how == "by id"
    changed = changed_cells(aligned)
    assert set(changed) == {"x", "s", ADDED, REMOVED}
    assert changed["x"].tolist() == [False, False, True]  # null is not NaN; NaN is NaN
    assert changed["s"].tolist() == [False, True, False]


def test_without_a_key_rows_are_matched_by_position_or_as_wholes() -> None:
    old = pa.table({"x": [1, 1, 2]})
    assert align(old, pa.table({"x": [1, 5, 2]})).how == "by position"
    aligned = align(old, pa.table({"x": [2, 1]}))
    assert aligned.how == "by whole rows"
    assert set(changed_cells(aligned)) == {REMOVED}


def test_columns_and_rows_are_taken_back() -> None:
    aligned = align(OLD, NEW, ["id"])
    assert revert(aligned, {"s": None}).column("s").to_pylist() == ["d", "c", "b", "e"]
    one = revert(aligned, {"s": np.array([False, False, True])})
    assert one.column("s").to_pylist() == ["d", "z", "b", "e"]
    assert revert(aligned, {ADDED: None}).num_rows == 3
    assert 1 in revert(aligned, {REMOVED: None}).column("id").to_pylist()


def test_a_column_of_one_side() -> None:
    old, new = OLD.append_column("gone", pa.array("wxyz")), NEW.append_column("new", NEW["id"])
    aligned = align(old, new)
    assert {"gone", "new"} <= set(changed_cells(aligned))
    back = revert(aligned, {"gone": None, "new": None})
    assert back.column("gone").to_pylist() == ["z", "y", "x", None]
    assert "new" not in back.column_names


def test_a_column_whose_type_changed() -> None:
    old = pa.table({"id": [1, 2], "x": ["1", "b"]})
    new = pa.table({"id": [1, 2], "x": [1, 2]})
    aligned = align(old, new)
    assert changed_cells(aligned)["x"].all()
    assert revert(aligned, {"x": None}).column("x").to_pylist() == ["1", "b"]


def test_the_part_of_rows_that_is_shared() -> None:
    assert shared_rows(OLD, NEW) == 3 / 4
    assert shared_rows(OLD, NEW.filter(pa.array([True, False, False, True]))) == 1 / 2
    assert shared_rows(OLD.drop_columns(["id"]), NEW) is None
    assert shared_rows(OLD.rename_columns(["k", "x", "s"]), NEW.rename_columns(["k", "x", "s"]),
                       ["k"]) == 3 / 4  # fmt: skip


@st.composite
def versions(draw: st.DrawFn) -> tuple[pa.Table, pa.Table]:
    sides = []
    for _ in range(2):
        ids = draw(st.lists(st.integers(0, 12), unique=True, max_size=10))
        n = len(ids)
        floats = st.one_of(st.none(), st.sampled_from([0.0, 1.5, float("nan")]))
        sides.append(
            pa.table(
                {
                    "id": pa.array(ids, pa.int64()),
                    "x": pa.array(draw(st.lists(floats, min_size=n, max_size=n)), pa.float64()),
                    "s": pa.array(
                        draw(st.lists(st.sampled_from("ab"), min_size=n, max_size=n)), pa.string()
                    ),
                }
            )
        )
    return sides[0], sides[1]


@given(versions())
def test_taking_everything_back_gives_the_old_table(sides: tuple[pa.Table, pa.Table]) -> None:
    old, new = sides
    aligned = align(old, new, ["id"])
    changed = changed_cells(aligned)
    back = revert(aligned, dict.fromkeys(changed))
    assert str(by_id(back)) == str(by_id(old))
    assert str(by_id(revert(aligned, {}))) == str(by_id(new))
    half = [name for name in changed if name in ("x", "s")]
    one_way = revert(aligned, {name: changed[name] for name in half})
    other_way = revert(aligned, {name: changed[name] for name in reversed(half)})
    assert one_way.equals(other_way) or str(one_way.to_pylist()) == str(other_way.to_pylist())
