"""Models, metrics and figures let pass what they promise, and say what they do not."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression

from whence.errors import ConfigError, GraphError, ValueFault
from whence.graph.nodes import MARK, NodeSpec
from whence.models import Estimate, figure, metric, model
from whence.models.declare import check_figure, check_metric, check_model

SPEC = NodeSpec("m", "metric", "module", "m")


def test_marks() -> None:
    @model
    def fitted() -> int:
        return 1

    @metric(better="lower")
    def loss() -> float:
        return 2.0

    @figure(name="curve")
    def picture() -> int:
        return 3

    assert (fitted(), loss(), picture()) == (1, 2.0, 3)
    marks = [vars(f)[MARK] for f in (fitted, loss, picture)]
    assert [mark.kind for mark in marks] == ["model", "metric", "figure"]
    assert marks[1].options == {"better": "lower"} and marks[2].name == "curve"


def test_a_metric_needs_a_direction() -> None:
    with pytest.raises(ConfigError, match="better='up'"):
        metric(better="up")  # type: ignore[arg-type]


def test_one_mark_only() -> None:
    def twice() -> int:
        return 1

    with pytest.raises(GraphError, match="marked twice"):
        model(figure(twice))


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), np.int64(1), 2, np.array(0.5)])
def test_numbers_become_floats(value: Any) -> None:
    checked = check_metric(value, SPEC)
    assert type(checked) is float and checked == float(value)


def test_estimates_get_plain_numbers() -> None:
    checked = check_metric(Estimate(np.float64(0.5), np.float64(0.4), 1, np.int64(9)), SPEC)
    assert isinstance(checked, Estimate)
    assert [type(v) for v in (checked.low, checked.high, checked.n)] == [float, float, int]
    assert float(checked) == 0.5 and str(checked) == "0.5 [0.4, 1], n = 9"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "returned NaN"),
        (np.float64("nan"), "returned NaN"),
        (Estimate(0.5, float("nan"), 0.6), "lower bound NaN"),
        (Estimate(0.5, 0.6, 0.7), "0.5, outside of its interval"),
        ("0.5", "a str, not a number"),
        (True, "a bool, not a number"),
        (np.array([1.0, 2.0]), "no single number"),
        ({"auc": 1}, "a dict, not a number"),
    ],
)
def test_what_is_no_metric(value: Any, message: str) -> None:
    with pytest.raises(ValueFault, match=f"Metric 'm'.*{message}"):
        check_metric(value, SPEC)


def test_models() -> None:
    fitted = LogisticRegression()
    for value in (fitted, {"a": fitted}, len):
        assert check_model(value, SPEC) is value
    with pytest.raises(ValueFault, match="returned a float, which cannot predict"):
        check_model(0.5, SPEC)


def test_figures() -> None:
    drawn = Figure()
    assert check_figure(drawn, SPEC) is drawn
    for value in (0.5, [drawn], pd.DataFrame({"a": [1]})):
        with pytest.raises(ValueFault, match="which is no picture"):
            check_figure(value, SPEC)
