"""Nodes are plain functions, and a whole build is one call."""

import pandas as pd
import pytest
from pipeline import discounted

import whence


def test_a_discount_is_taken_off() -> None:
    sales = pd.DataFrame({"price": [10.0], "count": [3]})
    assert discounted(sales, rate=0.2)["revenue"].tolist() == [24.0]


def test_the_whole_pipeline() -> None:
    with whence.Project.open() as project:
        build = project.build(["best"], params={"rate": 0.0})
        assert build.ok
        assert build["best"] == pytest.approx(53.0)
