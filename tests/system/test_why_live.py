"""A project's metric since a moment: the table gets other rows, the model stays."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from whence.engine.project import Project
from whence.why.live import LiveError
from whence.why.live.windows import explain_live, split_rows

pytestmark = pytest.mark.system

PYPROJECT = """
[project]
name = "late"
version = "0.1.0"

[tool.whence]
pipeline = ["late"]
"""
PIPELINE = '''
"""Late flights: a model that was trained once, and the rows that were logged since."""

import numpy as np
import pandas as pd
import whence as wh
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

history = wh.files("data/history.parquet")
served = wh.files("data/served/*.parquet"{options})
FEATURES = ["queue", "wind", "hour"]


@wh.model
def late_model(history: pd.DataFrame):
    return LogisticRegression(max_iter=500).fit(history[FEATURES], history["late"])


@wh.metric(better="higher")
def live_auc(late_model, served: pd.DataFrame) -> float:
    return float(roc_auc_score(served["late"], late_model.predict_proba(served[FEATURES])[:, 1]))
'''
SCORES = """

@wh.node
def scores(late_model, served: pd.DataFrame) -> np.ndarray:
    return late_model.predict_proba(served[FEATURES])[:, 1]
"""


def flights(n: int, start: str, days: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    wind = rng.gamma(3, 3, n).round(1)
    queue = (rng.gamma(4, 2, n) + 0.5 * wind).round()
    hour = rng.integers(6, 23, n)
    signal = 0.35 * (queue - 12) + 0.1 * (wind - 9) + 0.1 * (hour - 14)
    seconds = pd.to_timedelta((np.sort(rng.random(n)) * days * 86400).round(), "s")
    return pd.DataFrame(
        {
            "time": pd.Timestamp(start) + seconds,
            "queue": queue,
            "wind": wind,
            "hour": hour,
            "late": (rng.random(n) < 1 / (1 + np.exp(-signal))).astype(int),
        }
    )


def write(root: Path, options: str = "", more: str = "") -> Path:
    (root / "data" / "served").mkdir(parents=True)
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "late.py").write_text(PIPELINE.replace("{options}", options) + more)
    flights(3000, "2026-06-01", 90, 1).to_parquet(root / "data" / "history.parquet")
    september = flights(2000, "2026-09-01", 30, 2)
    october = flights(2000, "2026-10-01", 31, 3)
    october.loc[np.random.default_rng(0).random(2000) < 0.6, "queue"] = 0.0
    september.to_parquet(root / "data" / "served" / "2026-09.parquet")
    october.to_parquet(root / "data" / "served" / "2026-10.parquet")
    return root


@pytest.fixture(params=["stored model", "scores node", "partitions"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    options = ', partition_by="file"' if request.param == "partitions" else ""
    more = SCORES if request.param == "scores node" else ""
    with Project.open(write(tmp_path, options, more)) as opened:
        yield opened


def test_finds_table_time_label_and_metric_and_names_the_broken_feature(project: Project) -> None:
    found = explain_live(project, "live_auc", since="2026-10-01", jobs=1)
    assert (found.kind, found.features) == ("broken feature", ("queue",))
    assert found.metric == "live_auc"
    assert found.sentence.startswith("live_auc went from 0.8")
    assert "Rows of 'served' by 'time' since 2026-10-01; label 'late'" in found.notes[0]
    # Worlds with other rows are mixes: the project's own builds are as they were.
    assert [row.start.targets for row in project.builds()] == [("live_auc",)]


def test_what_cannot_be_found_is_asked_for(tmp_path: Path) -> None:
    with Project.open(write(tmp_path)) as project:
        with pytest.raises(LiveError, match="No row lies from 2027-01-01"):
            explain_live(project, "live_auc", since="2027-01-01", jobs=1)
        with pytest.raises(LiveError, match="none of the metrics known by name"):
            explain_live(project, "live_auc", since="2026-10-01", label="hour", jobs=1)
        with pytest.raises(LiveError, match="There is no column 'when'"):
            explain_live(project, "live_auc", since="2026-10-01", time="when", jobs=1)


@pytest.mark.parametrize(
    ("column", "since", "until", "sides"),
    [
        (pa.array([1, 2, 3, 4]), "3", None, ([1, 1, 0, 0], [0, 0, 1, 1])),
        (pa.array([1, 2, None, 4]), "2", "4", ([1, 0, 0, 0], [0, 1, 0, 0])),
        (
            pa.array(pd.to_datetime(["2026-01-01", "2026-02-01"]).tz_localize("UTC")),
            "2026-01-15T12:00:00",
            None,
            ([1, 0], [0, 1]),
        ),
        (
            pa.array(pd.to_datetime(["2026-01-01", "2026-02-01"]).date),
            "2026-02-01",
            None,
            ([1, 0], [0, 1]),
        ),
        (pa.array(["a", "b"]), "b", None, ([1, 0], [0, 1])),
    ],
)  # fmt: skip
def test_rows_are_split_at_a_moment(
    column: pa.Array, since: str, until: str | None, sides: tuple[list[int], list[int]]
) -> None:
    before, after = split_rows(pa.table({"time": column}), "time", since, until)
    assert (before.to_pylist(), after.to_pylist()) == tuple([bool(x) for x in s] for s in sides)


def test_a_moment_in_another_spelling_is_refused() -> None:
    rows = pa.table({"time": pa.array(pd.to_datetime(["2026-01-01", "2026-02-01"]))})
    with pytest.raises(LiveError, match="spell moments as 2026-10-01"):
        split_rows(rows, "time", "January", None)
