"""Tables between two versions of a table."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from whence.store.flips import (
    ADDED,
    COLUMN_ORDER,
    REMOVED,
    ROW_ORDER,
    align,
    changed_cells,
    revert,
    shared_rows,
    type_changes,
)

OLD = pa.table({"id": [1, 2, 3, 4], "x": [1.0, None, float("nan"), 4.0], "s": list("abcd")})
NEW = pa.table({"id": [4, 3, 2, 9], "x": [4.0, float("nan"), float("nan"), 9.0], "s": list("dzbe")})


def by_id(table: pa.Table) -> list[dict[str, object]]:
    return sorted(table.to_pylist(), key=lambda row: str(row["id"]))


def test_rows_are_matched_by_what_identifies_them() -> None:
    aligned = align(OLD, NEW)
    assert aligned.how == "by id"
    changed = changed_cells(aligned)
    assert set(changed) == {"x", "s", ADDED, REMOVED, ROW_ORDER}
    assert changed["x"].tolist() == [False, False, True]  # null is not NaN; NaN is NaN
    assert changed["s"].tolist() == [False, True, False]


def test_without_a_key_rows_are_matched_by_position_or_as_wholes() -> None:
    old = pa.table({"x": [1, 1, 2]})
    assert align(old, pa.table({"x": [1, 5, 2]})).how == "by position"
    aligned = align(old, pa.table({"x": [2, 1]}))
    assert aligned.how == "by whole rows"
    assert set(changed_cells(aligned)) == {REMOVED, ROW_ORDER}


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


def test_a_type_that_changed_is_a_change_and_never_a_crash() -> None:
    old, new = pa.array([1.5, 2.0, 3.0]), pa.array([1, 2, 3, 4])
    before, after = (
        pa.table({"id": range(3), "x": old}),
        pa.table({"id": range(4), "x": new}),
    )
    aligned = align(before, after)
    assert type_changes(aligned) == {"x": "double → int64"}
    assert revert(aligned, {"x": None})["x"].to_pylist() == [1.5, 2.0, 3.0, 4.0]
    one = revert(aligned, {"x": np.array([True, False, False])})
    assert one["x"].to_pylist() == [1.5, 2.0, 3.0, 4.0]
    texts = align(before, after.set_column(1, "x", pa.array(list("abcd"))))
    assert revert(texts, {"x": np.array([True, False, False])})["x"].to_pylist() == [
        "1.5", "b", "c", "d",
    ]  # fmt: skip
    same = align(pa.table({"x": [1, 2]}), pa.table({"x": [1.0, 2.0]}))
    assert changed_cells(same)["x"].all()
    wide = align(pa.table({"s": ["a"]}), pa.table({"s": pa.array(["a"], pa.large_string())}))
    assert changed_cells(wide) == {}


def test_rows_that_are_put_back_have_the_columns_of_the_new_table() -> None:
    old = pa.table({"id": [1, 2], "x": ["a", "b"], "gone": [1, 2]})
    new = pa.table({"id": [1], "x": [7], "more": [True]})
    back = revert(align(old, new), {REMOVED: None})
    assert back.to_pylist() == [
        {"id": 1, "x": 7, "more": True},
        {"id": 2, "x": None, "more": None},
    ]


def test_a_key_whose_type_changed_still_matches() -> None:
    old = pa.table({"id": [1, 2], "x": [1, 2]})
    aligned = align(old, pa.table({"id": ["1", "2"], "x": [1, 2]}), ["id"])
    assert set(changed_cells(aligned)) == {"id"}


def test_a_key_of_two_columns_is_found() -> None:
    rng = np.random.default_rng(0)
    n = 500
    old = pa.table({"day": np.arange(n) // 10, "slot": np.arange(n) % 10, "x": rng.normal(size=n)})
    aligned = align(old, old.take(pa.array(rng.permutation(n))))
    assert aligned.how == "by day, slot"
    assert set(changed_cells(aligned)) == {ROW_ORDER}


def test_a_column_that_identifies_rows_may_be_what_went_wrong() -> None:
    n = 300
    old = pa.table({"at": range(n), "x": np.arange(n) / 7, "code": [f"k{i}" for i in range(n)]})
    new = old.set_column(0, "at", pa.array(np.random.default_rng(1).permutation(n)))
    aligned = align(old, new)
    assert aligned.how == "by code"
    assert set(changed_cells(aligned)) == {"at"}


#: Cells of each type, null among them; the first two tables' types may differ.
KINDS = {
    pa.int64(): st.integers(0, 2),
    pa.float64(): st.sampled_from([0.0, 1.5, float("nan")]),
    pa.string(): st.sampled_from(["a", "1", ""]),
    pa.timestamp("us", "UTC"): st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 9)),
    pa.dictionary(pa.int32(), pa.string()): st.sampled_from("xyz"),
    pa.list_(pa.int8()): st.lists(st.integers(0, 1), max_size=2),
    pa.null(): st.none(),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    ids = draw(st.lists(st.integers(0, 8), unique=True, max_size=6))
    names = draw(st.permutations(["id", *draw(st.lists(st.sampled_from("abc"), unique=True))]))
    columns = {}
    for name in names:
        if name == "id":
            columns[name] = pa.array(ids, pa.int64())
            continue
        kind, cells = draw(st.sampled_from(list(KINDS.items())))
        values = draw(st.lists(cells | st.none(), min_size=len(ids), max_size=len(ids)))
        columns[name] = pa.array(values, kind)
    return pa.table(columns)


def same(one: pa.Table, other: pa.Table) -> bool:
    """Equal in columns, types, rows and order; NaN equals NaN."""
    return bool(one.schema == other.schema) and repr(one.to_pylist()) == repr(other.to_pylist())


@given(tables(), tables())
def test_everything_taken_back_is_the_old_table(old: pa.Table, new: pa.Table) -> None:
    aligned = align(old, new, ["id"])
    changed = changed_cells(aligned)
    assert same(revert(aligned, dict.fromkeys(changed)), old)
    assert same(revert(aligned, {}), new)
    assert same(old, new) or changed


@given(tables(), tables(), st.data())
def test_columns_are_taken_back_in_any_order_and_each_by_itself(
    old: pa.Table, new: pa.Table, data: st.DataObject
) -> None:
    aligned = align(old, new, ["id"])
    both = [name for name in changed_cells(aligned) if name in new.column_names]
    kept = [name for name in both if name in old.column_names]
    masks = {
        name: np.array(
            data.draw(
                st.lists(st.booleans(), min_size=len(aligned.right), max_size=len(aligned.right))
            ),
            dtype=bool,
        )
        for name in kept
    }
    back = dict(reversed(masks.items()))
    assert same(revert(aligned, masks), revert(aligned, back))
    table = revert(aligned, masks)
    untouched = [name for name in new.column_names if name not in masks]
    assert same(table.select(untouched), new.select(untouched))
    assert {ADDED, REMOVED, ROW_ORDER, COLUMN_ORDER}.isdisjoint(masks)
