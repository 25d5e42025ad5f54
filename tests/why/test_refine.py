"""Which columns and rows of a source, on a real model whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from whence.why.predicates import predicates
from whence.why.refine import ddmin, refine_source
from whence.why.verdict import Refinement

N = 3000
FEATURES = ["tenure", "fee", "calls", "north"]


@cache
def customers() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "id": np.arange(N),
            "tenure": rng.integers(1, 60, N).astype(float),
            "fee": rng.gamma(4, 10, N),
            "calls": rng.poisson(3, N).astype(float),
            "region": rng.choice(list("NSEW"), N),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 360, N), "D"),
            "note": rng.choice(["a", "b", None], N),
        }
    )
    frame["month"] = frame["day"].dt.month
    logit = 1.5 - 0.09 * frame.tenure + 0.03 * frame.fee + 0.5 * frame.calls
    logit += 1.5 * (frame.region == "N") - 3.0
    frame["churned"] = (rng.random(N) < 1 / (1 + np.exp(-logit))).astype(int)
    return frame


def auc(table: pa.Table) -> float | None:
    frame = table.to_pandas().sort_values("id")
    frame["north"] = (frame["region"] == "N").astype(float)
    if frame[FEATURES].isna().any(axis=None):
        return None
    train = frame["id"] % 2 == 0
    scaled = (frame[FEATURES] - frame[FEATURES].mean()) / frame[FEATURES].std().replace(0, 1)
    model = LogisticRegression().fit(scaled[train], frame["churned"][train])
    score = model.predict_proba(scaled[~train])[:, 1]
    return float(roc_auc_score(frame["churned"][~train], score))


Edit = Callable[[pd.DataFrame], None]


def refine(*edits: Edit) -> tuple[Refinement, int]:
    new = customers().copy()
    for edit in edits:
        edit(new)
    old_table = pa.Table.from_pandas(customers(), preserve_index=False)
    new_table = pa.Table.from_pandas(new.sample(frac=1, random_state=1), preserve_index=False)
    asked = 0

    def evaluate(tables: Sequence[pa.Table]) -> list[float | None]:
        nonlocal asked
        asked += len(tables)
        return [auc(table) for table in tables]

    target, reverted = auc(new_table), auc(old_table)
    assert target is not None and reverted is not None and reverted - target > 0.01
    found = refine_source(
        "source:customers", old_table, new_table, evaluate, target=target, reverted=reverted
    )
    return found, asked


def set_where(column: str, rows: Callable[[pd.DataFrame], Any], value: Any) -> Edit:
    def edit(frame: pd.DataFrame) -> None:
        mask = rows(frame)
        frame.loc[mask, column] = value(frame.loc[mask, column]) if callable(value) else value

    return edit


def shuffled(values: pd.Series[Any]) -> Any:
    return values.sample(frac=1, random_state=3).to_numpy()


def everywhere(frame: pd.DataFrame) -> Any:
    return frame["id"] >= 0


def benign_fee(frame: pd.DataFrame) -> None:
    frame["fee"] = frame["fee"].round(2)


def benign_note(frame: pd.DataFrame) -> None:
    frame["note"] = frame["note"].fillna("none")


def benign_region(frame: pd.DataFrame) -> None:
    frame["region"] = frame["region"].replace({"W": "E"})


BENIGN = (benign_fee, benign_note, benign_region)

FAULTS: dict[str, tuple[Edit, tuple[str, ...], str]] = {
    "tenure shuffled": (set_where("tenure", everywhere, shuffled), ("tenure",), ""),
    "tenure constant": (set_where("tenure", everywhere, 1.0), ("tenure",), ""),
    "calls negated half": (
        set_where("calls", lambda f: f["id"] >= 1500, lambda c: -c),
        ("calls",),
        "id >= 1500",
    ),
    "one month": (
        set_where("tenure", lambda f: f["month"].isin([3, 4, 5]), shuffled),
        ("tenure",),
        "3 <= month <= 5",
    ),
    "late months": (
        set_where("calls", lambda f: f["month"] >= 7, 0.0),
        ("calls",),
        "month >= 7",
    ),
    "one region": (
        set_where("tenure", lambda f: f["region"] == "N", lambda c: c * 12),
        ("tenure",),
        "region = 'N'",
    ),
    "from a day on": (
        set_where("tenure", lambda f: f["day"] >= "2024-06-20", shuffled),
        ("tenure",),
        "day >= 2024-06-20",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_column_and_rows_are_found_among_benign_changes(name: str) -> None:
    edit, columns, partition = FAULTS[name]
    others = BENIGN[:2] if "region" in name else BENIGN
    found, asked = refine(edit, *others)
    assert found.columns == columns
    assert found.partition == partition
    assert found.verified
    assert asked <= 12
    assert found.rows_guilty == found.rows_changed
    for row in found.sample:
        assert set(row[columns[0]]) == {"before", "after"}
        assert row[columns[0]]["before"] != row[columns[0]]["after"]


def test_two_columns() -> None:
    found, _ = refine(
        set_where("tenure", everywhere, shuffled), set_where("calls", everywhere, shuffled), *BENIGN
    )
    assert set(found.columns) == {"tenure", "calls"}
    assert found.verified


def test_rows_that_came() -> None:
    def add(frame: pd.DataFrame) -> None:
        extra = frame[frame["month"] == 2].sample(frac=1, random_state=2)
        for copy in range(4):
            rows = extra.copy()
            rows["id"] += 10_000 * (copy + 1)
            rows["churned"] = 1 - rows["churned"]
            rows["region"] = "X"
            for place, row in zip(range(len(frame), len(frame) + len(rows)), rows.itertuples(),
                                  strict=False):  # fmt: skip
                frame.loc[place] = list(row)[1:]

    found, _ = refine(add, benign_note)
    assert found.columns == ("(rows added)",)
    assert found.partition == "region = 'X'"


def test_scattered_rows_have_no_condition() -> None:
    rng = np.random.default_rng(9)
    chosen = rng.random(N) < 0.5
    found, _ = refine(set_where("tenure", lambda f: chosen, shuffled))
    assert found.columns == ("tenure",)
    assert found.partition == ""
    assert "no simple condition" in found.note


def test_conditions_are_the_smallest() -> None:
    table = pa.table({"month": [1, 1, 2, 2, 3, 3], "origin": list("ababab")})
    one = predicates(table, np.array([0, 0, 0, 1, 0, 0], bool))
    assert one[0].text in ("month = 2 and origin = 'b'", "origin = 'b' and month = 2")
    assert predicates(table, np.array([0, 0, 1, 1, 0, 0], bool))[0].text == "month = 2"
    assert predicates(table, np.array([0, 0, 1, 1, 1, 1], bool))[0].text == "month >= 2"


def told(
    metric: Callable[[pd.DataFrame], float], *edits: Edit, by: str = "id"
) -> tuple[Refinement, int]:
    """Refinement under a metric that is a plain rule, of rows sorted by a column."""
    new = customers().copy()
    for edit in edits:
        edit(new)
    new = new.sort_values(by)
    old_table = pa.Table.from_pandas(customers(), preserve_index=False)
    new_table = pa.Table.from_pandas(new, preserve_index=False)
    asked = 0

    def evaluate(tables: Sequence[pa.Table]) -> list[float | None]:
        nonlocal asked
        asked += len(tables)
        return [metric(table.to_pandas()) for table in tables]

    found = refine_source(
        "source:customers",
        old_table,
        new_table,
        evaluate,
        target=metric(new),
        reverted=metric(customers()),
    )
    return found, asked


def differs(frame: pd.DataFrame, column: str) -> bool:
    return bool(
        (frame.sort_values("id")[column].to_numpy() != customers()[column].to_numpy()).any()
    )


BOTH = tuple(
    set_where(column, everywhere, lambda c: c + 1) for column in ("tenure", "calls", "fee")
)


def test_columns_that_do_harm_only_together_are_both_named() -> None:
    found, asked = told(
        lambda f: 0.6 if differs(f, "tenure") and differs(f, "calls") else 0.8, *BOTH
    )
    assert set(found.columns) == {"tenure", "calls"}
    assert found.verified
    assert asked <= 12


def test_columns_of_which_either_suffices_are_both_named() -> None:
    found, _ = told(lambda f: 0.6 if differs(f, "tenure") or differs(f, "calls") else 0.8, *BOTH)
    assert set(found.columns) == {"tenure", "calls"}
    assert found.verified


def test_the_order_of_rows_can_be_guilty() -> None:
    found, _ = told(lambda f: float(f["id"].is_monotonic_increasing), benign_note, by="fee")
    assert found.columns == ("(row order)",)
    assert found.rows_guilty == found.rows_changed == N


def test_few_rows_are_named_one_by_one() -> None:
    def edit(frame: pd.DataFrame) -> None:
        frame.loc[frame["id"] % 100 == 7, "fee"] += 0.01  # harmless, 30 rows
        frame.loc[frame["id"].isin([407, 1507]), "fee"] = 9e6

    found, asked = told(lambda f: float(f["fee"].max() < 1e6), edit)
    assert found.columns == ("fee",)
    assert found.partition == "id in (407, 1507)"
    assert found.rows_changed == 30
    assert found.rows_guilty == 2
    assert [row["fee"]["after"] for row in found.sample] == [9e6, 9e6]
    assert asked <= 20


def test_a_smallest_set_of_rows() -> None:
    asked: list[int] = []

    def ask(sets: Sequence[Sequence[int]]) -> list[bool]:
        asked.append(len(sets))
        return [{3, 11} <= set(rows) for rows in sets]

    assert ddmin(list(range(16)), ask, lambda n: True) == [3, 11]
    assert ddmin(list(range(16)), ask, lambda n: n <= 2) == list(range(16))  # no more is allowed
    assert ddmin([5], ask, lambda n: True) == [5]


def test_harmless_kinds_of_change_do_not_hide_where_the_fault_is() -> None:
    def edit(frame: pd.DataFrame) -> None:
        march = frame["month"] == 3
        frame["fee"] = frame["fee"].where(march, frame["fee"].round(4))  # nearly all rows differ
        frame.loc[march, "fee"] *= 100

    found, asked = told(lambda f: float(f["fee"].mean()), edit)
    assert found.partition == "month = 3"
    assert found.rows_guilty < found.rows_changed
    assert found.verified
    assert asked <= 8


def test_nulls_that_were_filled_in_a_region_are_few_of_its_rows() -> None:
    found, _ = told(
        lambda f: float((f["note"] == "none").mean()),
        set_where("note", lambda f: (f["region"] == "N") & f["note"].isna(), "none"),
    )
    assert found.columns == ("note",)
    assert found.partition == "region = 'N'"


def test_a_type_is_not_blamed_on_the_rows_whose_values_changed_with_it() -> None:
    def edit(frame: pd.DataFrame) -> None:
        frame["calls"] = frame["calls"].astype("int64")
        frame.loc[frame["month"] == 3, "calls"] += 1

    found, _ = told(lambda f: float(f["calls"].dtype == "float64"), edit)
    assert found.columns == ("calls",)
    assert found.partition == ""
    assert "double → int64" in found.note
