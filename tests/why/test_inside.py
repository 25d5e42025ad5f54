"""What is said of guilty partitions."""

from __future__ import annotations

import pytest

from whence.why.inside import partition_text


@pytest.mark.parametrize(
    ("by", "parts", "text"),
    [
        (["month"], ["11"], "month = 11"),
        (["month"], ["10", "11"], "month in (10, 11)"),
        (["year", "month"], ["2013-11"], "2013-11"),
        ("file", ["a.csv", "b.csv"], "a.csv, b.csv"),
        (["month"], [], ""),
        (None, ["x"], "x"),
    ],
)
def test_partitions_are_a_condition_where_a_column_makes_them(
    by: object, parts: list[str], text: str
) -> None:
    assert partition_text(by, parts) == text
