"""Two tables share a digest when, and only when, no consumer could tell them apart."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import duckdb
import ibis
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.store.strategies import respelled, tables

from whence.errors import ValueFault
from whence.store.blobs import LocalBlobs
from whence.store.formats import compact, decode, decode_union, encode
from whence.store.tables import table_digest


def stored(value: object, blobs: LocalBlobs, **options: Any) -> Any:
    return encode(value, blobs, node="n", **options)[0]


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


@given(st.data())
def test_chunks_offsets_and_spelling_do_not_count(data: st.DataObject) -> None:
    table = data.draw(tables())
    other = data.draw(respelled(table))
    assert table_digest(other) == table_digest(table)


def _canonical(value: Any) -> Any:
    """Values as Arrow compares them, but with NaN equal to itself and 0.0 unlike -0.0."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value.hex()
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    return value


@given(st.data())
def test_any_change_of_a_cell_counts(data: st.DataObject) -> None:
    table = data.draw(tables(min_rows=1))
    at = data.draw(st.integers(0, table.num_columns - 1))
    row = data.draw(st.integers(0, table.num_rows - 1))
    donor = data.draw(st.integers(0, table.num_rows - 1))
    cells = table.column(at).to_pylist()
    changed = list(cells)
    changed[row] = data.draw(st.sampled_from([None, cells[donor]]))
    field = table.schema.field(at)
    other = table.set_column(at, field.name, pa.array(changed, field.type))
    same = _canonical(changed) == _canonical(cells)
    assert (table_digest(other) == table_digest(table)) == same


@given(tables())
def test_what_is_stored_is_read_back(table: pa.Table) -> None:
    # In memory: small tables are inline, so the blobs are not touched.
    blobs = LocalBlobs("never-made")
    artifact = stored(table, blobs)
    again: Any = decode(artifact, blobs, "pyarrow.Table")
    assert table_digest(again) == artifact.digest == table_digest(table)
    assert _canonical(again.to_pylist()) == _canonical(table.to_pylist())


_LIST, _STRUCT = pa.list_(pa.int64()), pa.struct([("a", pa.int8())])
PAIRS_THAT_DIFFER = {
    "int32, int64": (pa.array([1], pa.int32()), pa.array([1], pa.int64())),
    "null, NaN": (pa.array([None], pa.float64()), pa.array([math.nan])),
    "null, empty": (pa.array([None], pa.string()), pa.array([""])),
    "null, zero": (pa.array([None], pa.int64()), pa.array([0])),
    "zero, minus zero": (pa.array([0.0]), pa.array([-0.0])),
    "text, bytes": (pa.array(["a"]), pa.array([b"a"])),
    "null list, empty list": (pa.array([None], _LIST), pa.array([[]], _LIST)),
    "lists cut elsewhere": (pa.array([[1], [2, 3]]), pa.array([[1, 2], [3]])),
    "text cut elsewhere": (pa.array(["ab", "c"]), pa.array(["a", "bc"])),
    "null struct, struct of nulls": (pa.array([None], _STRUCT), pa.array([{"a": None}], _STRUCT)),
    "time unit": (pa.array([0], pa.timestamp("s")), pa.array([0], pa.timestamp("ms"))),
    "time zone": (pa.array([0], pa.timestamp("s")), pa.array([0], pa.timestamp("s", "UTC"))),
    "rows swapped": (pa.array([1, 2]), pa.array([2, 1])),
}


@pytest.mark.parametrize("case", PAIRS_THAT_DIFFER)
def test_these_differ(case: str) -> None:
    one, two = PAIRS_THAT_DIFFER[case]
    assert table_digest(pa.table({"x": one})) != table_digest(pa.table({"x": two}))


def test_column_names_cannot_be_confused_with_types() -> None:
    one = pa.struct([("a: int64, b", pa.int64())])
    two = pa.struct([("a", pa.int64()), ("b", pa.int64())])
    assert table_digest(pa.table({"x": pa.nulls(1, one)})) != table_digest(
        pa.table({"x": pa.nulls(1, two)})
    )


def test_what_lies_under_a_null_and_in_a_nan_does_not_count() -> None:
    mask = np.array([False, True])
    one = pa.array(np.array([1, 5]), mask=mask)
    two = pa.array(np.array([1, 9]), mask=mask)
    assert table_digest(pa.table({"x": one})) == table_digest(pa.table({"x": two}))
    odd = np.array([0x7FF8000000000001], "<u8").view("<f8")
    assert table_digest(pa.table({"x": pa.array(odd)})) == table_digest(
        pa.table({"x": pa.array([math.nan])})
    )
    offsets, letters = pa.py_buffer(np.array([0, 1, 2], "<i4")), pa.py_buffer(b"ab")
    hidden = pa.Array.from_buffers(pa.string(), 2, [pa.py_buffer(b"\x01"), offsets, letters])
    assert hidden.to_pylist() == ["a", None]
    assert table_digest(pa.table({"x": hidden})) == table_digest(pa.table({"x": ["a", None]}))


def test_nullability_and_metadata_do_not_count() -> None:
    field = pa.field("x", pa.int64(), nullable=False, metadata={"a": "b"})
    table = pa.table({"x": [1]}, pa.schema([field], metadata={"pandas": "{}"}))
    assert table_digest(table) == table_digest(pa.table({"x": [1]}))


def test_one_digest_whatever_the_writer(blobs: LocalBlobs) -> None:
    rows: dict[str, Any] = {"n": [1, 2, 3], "s": ["a", None, "c"], "f": [0.5, None, 2.0]}
    arrow = pa.table(rows)
    writers = [
        arrow,
        arrow.to_reader(max_chunksize=1),
        arrow.to_batches()[0],
        (batch for batch in arrow.to_batches(1)),
        pd.DataFrame(rows),
        pl.DataFrame(rows),
        pl.DataFrame(rows).lazy(),
        duckdb.from_arrow(arrow).order("n"),
        duckdb.from_arrow(arrow),
        ibis.memtable(arrow),
    ]
    digests = {stored(writer, blobs).digest for writer in writers}
    assert digests == {table_digest(arrow)}


def test_nullable_integers_are_what_arrow_says(blobs: LocalBlobs) -> None:
    frame = pd.DataFrame({"x": pd.array([1, None, 2**60 + 1], dtype="Int64")})
    artifact = stored(frame, blobs)
    assert artifact.digest == table_digest(pa.table({"x": [1, None, 2**60 + 1]}))
    again: Any = decode(artifact, blobs)
    pd.testing.assert_frame_equal(again, frame)  # as floats the last digit would be lost


_DURATIONS = pd.to_timedelta([1, 2])
_LETTERS = pd.Categorical(["b", None, "a"], ["b", "a", "z"], ordered=True)
_TWO_LEVELS = pd.MultiIndex.from_tuples([(1, "a"), (2, "b")], names=["i", None])
FRAMES = {
    "plain": pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [1.5, math.nan]}),
    "no rows": pd.DataFrame({"a": pd.Series([], dtype="int64"), "b": pd.Series([], dtype="str")}),
    "dates": pd.DataFrame({"t": pd.to_datetime(["2020-01-01", None]), "d": _DURATIONS}),
    "zones": pd.DataFrame({"t": pd.date_range("2020", periods=2, tz="Europe/Berlin", unit="s")}),
    "category": pd.DataFrame({"c": _LETTERS}),
    "category of numbers": pd.DataFrame({"c": pd.Categorical([3, 1, 3])}),
    "no rows, category": pd.DataFrame({"c": pd.Categorical([], ["b", "a"])}),
    "index": pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="key")),
    "unnamed index": pd.DataFrame({"a": [1, 2]}, index=[5, 7]),
    "two levels": pd.DataFrame({"a": [1, 2]}, index=_TWO_LEVELS),
    "index named as a column": pd.DataFrame({"a": [1, 2]}, index=pd.Index([3, 4], name="a")),
    "booleans": pd.DataFrame({"b": pd.array([True, None], dtype="boolean"), "c": [True, False]}),
    "periods": pd.DataFrame({"p": pd.period_range("2020", periods=2, freq="M")}),
    "intervals": pd.DataFrame({"p": pd.interval_range(0, 2)}),
    "no columns": pd.DataFrame(index=pd.Index([1, 2])),
    "nothing": pd.DataFrame(),
}


@pytest.mark.parametrize("case", FRAMES)
def test_pandas_comes_back(case: str, blobs: LocalBlobs) -> None:
    frame = FRAMES[case]
    again: Any = decode(stored(frame, blobs), blobs)
    pd.testing.assert_frame_equal(
        again, frame, check_freq=False, check_column_type=False, check_index_type=False
    )
    assert stored(again, blobs).digest == stored(frame, blobs).digest


def test_the_index_counts_unless_it_is_the_default_one(blobs: LocalBlobs) -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    assert stored(frame, blobs).digest == table_digest(pa.table({"a": [1, 2]}))
    assert stored(frame.set_index([[1, 2]]), blobs).digest != stored(frame, blobs).digest
    named = pd.DataFrame({"a": [1, 2]}, index=pd.Index([1, 2], name="k"))
    assert stored(named, blobs).digest != stored(named.reset_index(), blobs).digest


def test_categories_count_but_plain_dictionaries_do_not(blobs: LocalBlobs) -> None:
    one = pd.DataFrame({"c": pd.Categorical(["a"], ["a", "b"])})
    two = pd.DataFrame({"c": pd.Categorical(["a"], ["b", "a"])})
    three = pd.DataFrame({"c": pd.Categorical(["a"], ["a", "b"], ordered=True)})
    plain = pd.DataFrame({"c": ["a"]})
    assert len({stored(frame, blobs).digest for frame in (one, two, three, plain)}) == 4
    encoded = pa.table({"c": pa.array(["a"]).dictionary_encode()})
    assert stored(encoded, blobs).digest == stored(plain, blobs).digest


def test_categories_in_other_forms(blobs: LocalBlobs) -> None:
    frame = pd.DataFrame({"c": pd.Categorical(["a", None], ["b", "a"], ordered=True)})
    artifact = stored(frame, blobs)
    polars: Any = decode(artifact, blobs, "polars.DataFrame")
    assert polars.schema["c"] == pl.Enum(["b", "a"])
    assert stored(polars, blobs).digest == artifact.digest
    arrow: Any = decode(artifact, blobs, "pyarrow.Table")
    assert arrow.schema.field("c").type == pa.dictionary(pa.int32(), pa.string(), True)
    lent: Any = decode(artifact, blobs, "ibis.Table")
    assert lent.to_pyarrow().column("c").to_pylist() == ["a", None]


def test_series_come_back_as_series(blobs: LocalBlobs) -> None:
    for series in (pd.Series([1, 2], name="x"), pd.Series([1.5], index=["k"])):
        again: Any = decode(stored(series, blobs), blobs)
        pd.testing.assert_series_equal(again, series)
        assert stored(series, blobs).digest != stored(series.to_frame("value"), blobs).digest


def test_polars_series_and_nested_types(blobs: LocalBlobs) -> None:
    frame = pl.DataFrame({"l": [[1, 2], None], "s": [{"a": 1}, {"a": None}], "n": [math.nan, None]})
    artifact = stored(frame, blobs)
    assert frame.equals(decode(artifact, blobs, "polars.DataFrame"), null_equal=True)
    series: Any = decode(stored(pl.Series("x", [1, 2]), blobs), blobs, "polars.Series")
    assert series.equals(pl.Series("x", [1, 2]))


def test_key_sorts_the_rows_and_refuses_duplicates(blobs: LocalBlobs) -> None:
    one = pd.DataFrame({"k": [2, 1, 3], "v": ["b", "a", "c"]})
    two = one.iloc[[1, 0, 2]].reset_index(drop=True)
    assert stored(one, blobs).digest != stored(two, blobs).digest
    assert stored(one, blobs, key=["k"]).digest == stored(two, blobs, key=["k"]).digest
    with pytest.raises(ValueFault, match=r"not unique: 1 of 2 values .*\(1\) in rows 0, 2"):
        stored(pd.DataFrame({"k": [1, 2, 1]}), blobs, key=["k"])
    with pytest.raises(ValueFault, match="did you mean 'k'"):
        stored(one, blobs, key=["kk"])
    with pytest.raises(ValueFault, match="which has no rows"):
        stored([1], blobs, key=["k"])


@given(st.data())
def test_unordered_results_are_sorted_by_everything(data: st.DataObject) -> None:
    from whence.store.sorting import sort_by_everything

    table = data.draw(tables())
    order = data.draw(st.permutations(range(table.num_rows)))
    shuffled = table.take(pa.array(order, pa.int64()))
    assert table_digest(sort_by_everything(shuffled)) == table_digest(sort_by_everything(table))


BAD = {
    "duplicate": (pd.DataFrame([[1, 2]], columns=["a", "a"]), "duplicate column names: 'a'"),
    "numbers": (pd.DataFrame([[1, 2]]), "not text: 0, 1"),
    "mixed": (pd.DataFrame({"a": [1, "x"]}), "Column 'a'"),
    "arrow duplicate": (pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), "duplicate"),
    "empty generator": ((x for x in ()), "yields nothing"),
    "generator of numbers": ((x for x in (1, 2)), "yielded a int"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_tables_are_refused(case: str, blobs: LocalBlobs) -> None:
    value, text = BAD[case]
    with pytest.raises(ValueFault, match=text):
        stored(value, blobs)
    assert list(blobs.iterate()) == []


def big_table(n_rows: int = 200_000) -> pa.Table:
    rng = np.random.default_rng(0)
    words = pa.array(["alpha", "beta", None, "delta"]).take(pa.array(rng.integers(0, 4, n_rows)))
    return pa.table({"x": rng.normal(size=n_rows), "n": rng.integers(0, 99, n_rows), "w": words})


def test_big_tables_are_files_that_are_mapped(blobs: LocalBlobs) -> None:
    table = big_table()
    artifact = stored(table, blobs)
    assert artifact.inline is None and artifact.blob is not None
    assert artifact.summary["rows"] == 200_000
    assert artifact.summary["columns"] == [["x", "double"], ["n", "int64"], ["w", "string"]]
    before = pa.total_allocated_bytes()
    again: Any = decode(artifact, blobs, "pyarrow.Table")
    assert pa.total_allocated_bytes() - before < 100_000
    assert again.equals(table)
    relation: Any = decode(artifact, blobs, "duckdb.DuckDBPyRelation")
    assert relation.count("*").fetchall() == [(200_000,)]


def test_streams_are_written_batch_by_batch(blobs: LocalBlobs) -> None:
    table = big_table()
    reader = pa.RecordBatchReader.from_batches(table.schema, iter(table.to_batches(1_000)))
    assert stored(reader, blobs).digest == stored(table, blobs).digest

    def broken() -> Any:
        yield table.to_batches()[0]
        yield pa.record_batch({"other": [1]})

    with pytest.raises(ValueFault, match="different schemas"):
        stored(broken(), blobs)
    assert blobs.sweep(0.0) == []


def test_compaction_keeps_the_content(blobs: LocalBlobs) -> None:
    frame = big_table().to_pandas()
    frame["c"] = pd.Categorical(frame["w"], ["delta", "alpha", "beta", "unused"])
    artifact = stored(frame, blobs)
    smaller = compact(artifact, blobs)
    assert smaller.encoding == "parquet" and smaller.size_bytes < artifact.size_bytes
    assert smaller.digest == artifact.digest
    left: Any = decode(smaller, blobs)
    right: Any = decode(artifact, blobs)
    pd.testing.assert_frame_equal(left, right)
    pd.testing.assert_frame_equal(left, frame)


def test_compaction_leaves_what_parquet_cannot_hold(blobs: LocalBlobs) -> None:
    kinds = pa.month_day_nano_interval()
    table = pa.table({"i": pa.array([(1, 2, 3)] * 9_000, kinds)})
    artifact = stored(table, blobs)
    assert compact(artifact, blobs) == artifact
    assert decode(artifact, blobs, "pyarrow.Table") == table


def test_partitions_are_joined_in_order(blobs: LocalBlobs) -> None:
    parts = [(m, stored(pd.DataFrame({"m": [m], "n": [i]}), blobs)) for i, m in enumerate("ba")]
    union: Any = decode_union(parts, blobs)
    pd.testing.assert_frame_equal(union, pd.DataFrame({"m": ["b", "a"], "n": [0, 1]}))
    numbers = [(m, stored({"n": m}, blobs)) for m in "ba"]
    assert decode_union(numbers, blobs) == {"b": {"n": "b"}, "a": {"n": "a"}}
    assert list(decode_union(numbers, blobs)) == ["b", "a"]  # type: ignore[call-overload]


def test_partitions_that_do_not_fit(blobs: LocalBlobs) -> None:
    def union(*frames: pd.DataFrame) -> Any:
        return decode_union([(f"p{i}", stored(f, blobs)) for i, f in enumerate(frames)], blobs)

    one = pd.DataFrame({"a": [1]})
    with pytest.raises(ValueFault, match=r"'p0' and 'p1' have different columns: 'b'"):
        union(one, pd.DataFrame({"a": [1], "b": [2]}))
    with pytest.raises(ValueFault, match=r"'a' is int64 in partition 'p0' but double in .*'p1'"):
        union(one, pd.DataFrame({"a": [1.5]}))
    absent = pd.DataFrame({"a": [None]}, dtype=object)
    assert union(absent, one)["a"].tolist() == [pd.NA, 1]
    cats = [pd.DataFrame({"a": pd.Categorical([v])}) for v in "xy"]
    assert union(*cats)["a"].tolist() == ["x", "y"]
    assert union(cats[0], cats[0])["a"].dtype == cats[0]["a"].dtype
    ordered = [pd.DataFrame({"a": pd.Categorical([v], ordered=True)}) for v in "xy"]
    with pytest.raises(ValueFault, match="ordered categories"):
        union(*ordered)
