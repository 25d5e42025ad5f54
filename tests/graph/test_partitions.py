"""Partitions come in their natural order, and a window takes the right neighbours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence.errors import GraphError
from whence.graph.nodes import Window
from whence.graph.partitions import neighbours, order_partitions

MONTHS = ["2012-11", "2012-12", "2013-01", "2013-02", "2013-04"]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["10", "9", "1"], ("1", "9", "10")),
        (["-2", "-10", "1.5", "1"], ("-10", "-2", "1", "1.5")),
        (["2013-02", "2012-12", "2013-01"], ("2012-12", "2013-01", "2013-02")),
        (
            ["year=2013/month=2", "year=2013/month=12", "year=2012/month=3"],
            ("year=2012/month=3", "year=2013/month=2", "year=2013/month=12"),
        ),
        (["part10", "part9", "part1"], ("part1", "part9", "part10")),
        (["b", "2", "a"], ("2", "a", "b")),
    ],
)
def test_natural_order(keys: list[str], expected: tuple[str, ...]) -> None:
    assert order_partitions(keys) == expected


@given(st.lists(st.text(alphabet="01a=/-.²e", max_size=6)))
def test_order_is_total_and_ignores_the_order_given(keys: list[str]) -> None:
    assert order_partitions(keys) == order_partitions(reversed(keys))
    assert sorted(order_partitions(keys)) == sorted(set(keys))


@pytest.mark.parametrize(
    ("keys", "current", "window", "expected"),
    [
        (MONTHS, "2013-01", Window("month", -2, 0), ("2012-11", "2012-12", "2013-01")),
        (MONTHS, "2013-04", Window("month", -2, -1), ("2013-02",)),  # March does not exist
        (MONTHS, "2013-04", Window("place", -2, -1), ("2013-01", "2013-02")),
        (MONTHS, "2013-03", Window("month", -1, 1), ("2013-02", "2013-04")),
        (MONTHS, "2013-03", Window("place", -1, 1), ("2013-02", "2013-04")),
        (MONTHS, "2013-01", Window("year", -1, -1), ("2012-11", "2012-12")),
        (["1", "2", "12"], "1", Window("month", -1, 1), ("1", "2")),
        (["month=1", "month=12"], "month=1", Window("month", -1, 0), ("month=1",)),
        (
            ["year=2012/month=12", "year=2013/month=1"],
            "year=2013/month=1",
            Window("month", -1, -1),
            ("year=2012/month=12",),
        ),
        (
            ["r=eu/day=2013-01-31", "r=us/day=2013-01-31", "r=eu/day=2013-02-01"],
            "r=eu/day=2013-02-01",
            Window("day", -1, 0),
            ("r=eu/day=2013-01-31", "r=eu/day=2013-02-01"),
        ),
        (
            ["2013-01-30", "2013-01-31", "2013-02-01"],
            "2013-02-01",
            Window("month", -1, -1),
            ("2013-01-30", "2013-01-31"),
        ),
        (
            ["2012-12-30", "2012-12-31", "2013-01-06"],
            "2013-01-06",
            Window("week", 0, 0),
            ("2012-12-31", "2013-01-06"),
        ),
        (
            ["2013-01-05T23", "2013-01-06T00"],
            "2013-01-06T00",
            Window("hour", -1, -1),
            ("2013-01-05T23",),
        ),
        (["2012Q4", "2013Q1"], "2013Q1", Window("quarter", -1, -1), ("2012Q4",)),
        (
            ["flights-2013-01", "flights-2013-02"],
            "flights-2013-02",
            Window("month", -1, -1),
            ("flights-2013-01",),
        ),
        (["north", "south", "west"], "south", Window("month", -1, 0), ("north", "south")),
        (["a", "b"], "a", Window("step", -3, -1), ()),
        (["2013-02-30", "2013-03-01"], "2013-03-01", Window("day", -1, -1), ("2013-02-30",)),
    ],
)
def test_neighbours(
    keys: list[str], current: str, window: Window, expected: tuple[str, ...]
) -> None:
    assert neighbours(keys, current, window) == expected


def test_a_step_finer_than_the_keys_is_an_error() -> None:
    with pytest.raises(GraphError, match=r"steps by day.*'2013-01' is no day"):
        neighbours(MONTHS, "2013-01", Window("day", -7, -1))
