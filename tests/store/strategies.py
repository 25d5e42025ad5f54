"""Hypothesis strategies: random values, random Arrow tables, other spellings of the same table."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import strategies as st

plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)

rich_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.complex_numbers()
    | st.decimals()
    | st.fractions()
    | st.uuids()
    | st.dates()
    | st.datetimes(timezones=st.none() | st.just(dt.UTC) | st.timezones())
    | st.times()
    | st.timedeltas(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers() | st.tuples(st.integers()), inner, max_size=3)
    ),
    max_leaves=10,
)

_floats = st.floats(width=64)
_SCALARS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.int8(), st.integers(-128, 127)),
    (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.float64(), _floats),
    (pa.float32(), st.floats(width=32)),
    (pa.bool_(), st.booleans()),
    (pa.string(), st.text(st.characters(exclude_categories=["Cs"]), max_size=5)),
    (pa.binary(), st.binary(max_size=5)),
    (pa.date32(), st.dates()),
    (pa.timestamp("us"), st.datetimes()),
    (pa.timestamp("us", "UTC"), st.datetimes(timezones=st.just(dt.UTC))),
    (pa.duration("us"), st.timedeltas(dt.timedelta(-9999), dt.timedelta(9999))),
    (pa.decimal128(9, 2), st.integers(-(10**9) + 1, 10**9 - 1).map(lambda n: Decimal(n) / 100)),
]


def _nested(
    inner: st.SearchStrategy[tuple[pa.DataType, st.SearchStrategy[Any]]],
) -> st.SearchStrategy[tuple[pa.DataType, st.SearchStrategy[Any]]]:
    return st.one_of(
        inner.map(lambda i: (pa.list_(i[0]), st.lists(st.none() | i[1], max_size=3))),
        inner.map(
            lambda i: (pa.list_(i[0], 2), st.lists(st.none() | i[1], min_size=2, max_size=2))
        ),
        st.tuples(inner, inner).map(
            lambda two: (
                pa.struct([("a", two[0][0]), ("b", two[1][0])]),
                st.fixed_dictionaries({"a": st.none() | two[0][1], "b": st.none() | two[1][1]}),
            )
        ),
        inner.map(
            lambda i: (
                pa.map_(pa.string(), i[0]),
                st.dictionaries(st.text("ab", max_size=2), st.none() | i[1], max_size=2).map(
                    lambda d: list(d.items())
                ),
            )
        ),
    )


# Arrow builds invalid arrays of null inside fixed-size lists: null is a column's own type only.
_null: tuple[pa.DataType, st.SearchStrategy[Any]] = (pa.null(), st.none())
columns = st.recursive(st.sampled_from(_SCALARS), _nested, max_leaves=3) | st.just(_null)


@st.composite
def tables(draw: st.DrawFn, min_rows: int = 0) -> pa.Table:
    """A table of up to 4 columns and 8 rows, with nulls, NaN and nesting."""
    kinds = draw(st.lists(columns, min_size=1, max_size=4))
    n_rows = draw(st.integers(min_rows, 8))
    made = {}
    for at, (kind, values) in enumerate(kinds):
        rows = draw(st.lists(st.none() | values, min_size=n_rows, max_size=n_rows))
        made[f"c{at}"] = pa.array(rows, kind)
    return pa.table(made)


@st.composite
def respelled(draw: st.DrawFn, table: pa.Table) -> pa.Table:
    """The same table: other chunks, offsets, large types, dictionaries."""
    if draw(st.booleans()) and table.num_rows:
        # A slice of something longer, so that offsets are not zero.
        table = pa.concat_tables([table.slice(0, 1), table]).combine_chunks().slice(1)
    cuts = sorted(draw(st.lists(st.integers(0, table.num_rows), max_size=3)))
    edges = [0, *cuts, table.num_rows]
    pieces = [table.slice(a, b - a) for a, b in pairwise(edges)]
    table = pa.concat_tables(pieces)
    for at, field in enumerate(table.schema):
        column = table.column(at)
        if pa.types.is_string(field.type):
            choice = draw(st.sampled_from(["plain", "large", "view", "dictionary"]))
            column = {
                "plain": lambda c=column: c,
                "large": lambda c=column: c.cast(pa.large_string()),
                "view": lambda c=column: c.cast(pa.string_view()),
                "dictionary": lambda c=column: pc.dictionary_encode(c),
            }[choice]()
        elif pa.types.is_list(field.type) and draw(st.booleans()):
            column = column.cast(pa.large_list(field.type.value_type))
        table = table.set_column(at, field.name, column)
    return table
