"""`table` marks a function and lets only tables pass."""

from collections.abc import Callable
from typing import Any

import duckdb
import ibis
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from whence.data import table
from whence.data.tabular import check_table
from whence.errors import ValueFault
from whence.graph.nodes import MARK, NodeSpec

SPEC = NodeSpec("t", "table", "module", "t")


def test_the_function_stays_plain_and_carries_its_mark() -> None:
    @table(partitioned=True, key="id")
    def departures(flights: pd.DataFrame) -> pd.DataFrame:
        return flights

    frame = pd.DataFrame({"id": [1]})
    assert departures(frame) is frame
    mark = vars(departures)[MARK]
    assert (mark.kind, mark.partitioned, mark.key) == ("table", True, ("id",))
    assert mark.finish == "whence.data.tabular:check_table"


@pytest.mark.parametrize(
    "make",
    [
        lambda table: table,
        lambda table: table.to_pandas(),
        pl.from_arrow,
        lambda table: pl.from_arrow(table).lazy(),
        duckdb.from_arrow,
        ibis.memtable,
    ],
    ids=["arrow", "pandas", "polars", "lazy", "duckdb", "ibis"],
)
def test_tables_pass(make: Callable[[pa.Table], Any]) -> None:
    value = make(pa.table({"a": [1]}))
    assert check_table(value, SPEC) is value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, 2], "returned a list.*pandas.DataFrame"),
        (pd.Series([1]), "Series.*to_frame"),
        (3.5, "returned a float"),
    ],
)
def test_other_values_do_not(value: Any, message: str) -> None:
    with pytest.raises(ValueFault, match=f"(?s)Table 't'.*{message}"):
        check_table(value, SPEC)
