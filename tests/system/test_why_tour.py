"""The guided tour of `whence why`: what it shows is the truth.

The tour itself ends with an error where the answer is another; here its result is read once more,
from the JSON and from the page.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        not (EXAMPLE / "data" / "flights.csv.zip").exists(),
        reason="examples/flights/data is not there: run examples/flights/get_data.py",
    ),
]


def listing(folder: Path) -> dict[str, int]:
    """Every file of the example but stores and caches, with the time of its last change."""
    return {
        str(path): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and not {".whence", "__pycache__"} & set(path.parts)
    }


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that the tour worked in, and what it printed."""
    root = tmp_path_factory.mktemp("tour") / "flights"
    before = listing(EXAMPLE)
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "tour.py"), str(root)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert listing(EXAMPLE) == before
    return root, done.stdout


@pytest.fixture(scope="module")
def answer(tour: tuple[Path, str]) -> dict[str, Any]:
    words = [sys.executable, "-m", "whence", "why", "auc", "b1", "b2", "--json"]
    done = subprocess.run(words, cwd=tour[0], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)["why"]
    return found


def test_exactly_the_pair_is_to_blame(answer: dict[str, Any]) -> None:
    assert answer["verdict"] == "explained"
    (cause,) = answer["causes"]
    assert cause["kind"] == "interaction"
    assert set(cause["changes"]) == {"code:flights.prepare.departures", "source:flights"}
    assert cause["share"] == pytest.approx(1.0, abs=0.05)


def test_it_names_column_partition_and_line(answer: dict[str, Any], tour: tuple[Path, str]) -> None:
    inside = {found["change"]: found for found in answer["causes"][0]["refinements"]}
    data, code = inside["source:flights"], inside["code:flights.prepare.departures"]
    assert data["columns"] == ["sched_dep_time"]
    assert data["partition"] == "month = 11"
    assert data["verified"] and code["verified"]
    (line,) = code["lines"]
    path, _, number = line.partition(":")
    text = (tour[0] / path).read_text(encoding="utf-8").splitlines()[int(number) - 1]
    assert "clock_hours(arrived" in text


def test_each_alone_is_harmless_and_the_rest_innocent(answer: dict[str, Any]) -> None:
    states = {change["id"]: change["state"] for change in answer["changes"]}
    assert states.pop("distribution:vendor.smoothing") in ("inert", "no effect")
    assert set(states.values()) == {"cause"}  # and the seed of the retraining is no change at all
    effect = abs(answer["causes"][0]["effect"]["mean"])
    table = {frozenset(row["flipped"]): row["values"] for row in answer["causes"][0]["table"]}
    alone = [values for flipped, values in table.items() if len(flipped) == 1]
    assert len(alone) == 2
    for values in alone:
        for seed, value in values.items():
            assert value == pytest.approx(table[frozenset()][seed], abs=0.1 * effect)


def test_terminal_and_page_say_so_too(tour: tuple[Path, str]) -> None:
    root, printed = tour
    page = (root / "why.html").read_text(encoding="utf-8")
    shown = printed.split("$ whence why auc b1 b2 --html")[1].split("The same as a page")[0]
    for said in (shown, page):
        for word in ("flights.prepare.departures", "sched_dep_time", "month = 11"):
            assert word in said
    assert "whence why auc b1 b2 --apply" in shown
