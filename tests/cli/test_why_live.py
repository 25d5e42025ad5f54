"""What `whence why --since` shows."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from tests.cli.support import validate

from whence.cli.drawing.why_live import view
from whence.cli.output import console
from whence.why.live.verdict import Hypothesis, LiveVerdict, MetricBand

FOUND = LiveVerdict(
    kind="broken feature",
    sentence="auc went from 0.8663 to 0.6655: feature 'queue' is broken.",
    metric="auc",
    better="higher",
    reference=MetricBand(0.8663, 0.85, 0.88, 3000),
    current=MetricBand(0.6655, 0.64, 0.69, 2500),
    drop=0.2008,
    p=1e-9,
    features=("queue",),
    how="0 in 43% of the rows",
    shares={"broken feature": 1.0},
    evidence={"recovered": 0.07},
    alternatives=(
        Hypothesis("broken feature", ("queue",), 1.0, 0.0, -1.1, 1.0),
        Hypothesis("concept shift", (), 1.3, 0.002, 2.6, 0.6, slice="distance > 1000"),
    ),
    harmless=("fuel_price",),
    notes=("scored by the model's stored value",),
)


def shown(document: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "100")
    out = io.StringIO()
    console(out).print(view(document))
    return out.getvalue()


def test_the_sentence_comes_first_and_everything_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown({"live": FOUND.to_json()}, monkeypatch)
    assert text.splitlines()[0] == FOUND.sentence
    for part in (
        "0.8663 [0.85, 0.88] (n = 3,000) before → 0.6655 [0.64, 0.69]",
        "queue, 0 in 43% of the rows",
        "fuel_price drift and do not matter",
        "where distance > 1000",
        "note: scored by",
    ):
        assert part in text
    assert all(len(line) <= 100 for line in text.splitlines())


def test_the_json_fits_its_schema() -> None:
    validate("why-live", json.loads(json.dumps({"live": FOUND.to_json()})))
