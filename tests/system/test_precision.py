"""Precision: for each edit of the flights example, exactly the nodes that must run do run.

A builder that hashed everything would pass every staleness test and fail here.
"""

import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from whence.engine.project import Project

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"
EVERY = 20  # rows kept: one of so many

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        not (EXAMPLE / "data" / "flights.csv.zip").exists(),
        reason="examples/flights/data is not there: run examples/flights/get_data.py",
    ),
]


@dataclass(frozen=True)
class Edit:
    """One change of the project, and the tasks that must run for it: "node" or "node[key]"."""

    what: str
    apply: Callable[[Path], None]
    runs: frozenset[str]


def months(node: str, first: int = 1, last: int = 12) -> frozenset[str]:
    return frozenset(f"{node}[{month}]" for month in range(first, last + 1))


def nodes(*names: str) -> frozenset[str]:
    return frozenset(names)


NOTHING = nodes()
SCORED = nodes(
    "predictions", "auc", "brier", "brier_of_base_rate", "calibration", "calibration_curve"
)
SPLIT = nodes("training_set", "holdout")
MODEL = nodes("delay_model") | SCORED


def replace(path: str, old: str, new: str) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        file = root / path
        text = file.read_text()
        assert text.count(old) == 1, (path, old, text.count(old))
        file.write_text(text.replace(old, new))

    return apply


def substitute(path: str, pattern: str, new: str) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        file = root / path
        text, count = re.subn(pattern, new, file.read_text())
        assert count, (path, pattern)
        file.write_text(text)

    return apply


def append(path: str, text: str) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        with (root / path).open("a") as file:
            file.write(text)

    return apply


def rewrite_flights(change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    """Change the rows (without the header) of the flights table."""

    def apply(root: Path) -> None:
        file = root / "data" / "flights.csv.zip"
        with zipfile.ZipFile(file) as archive:
            header, *rows = archive.read("flights.csv").decode().splitlines()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("flights.csv", "\n".join([header, *change(rows)]) + "\n")

    return apply


def delayed(month: int) -> Callable[[list[str]], list[str]]:
    """The first punctual flight of a month arrives two hours late after all."""

    def change(rows: list[str]) -> list[str]:
        for i, row in enumerate(rows):
            cells = row.split(",")
            if cells[1] == str(month) and re.fullmatch(r"-?\d+", cells[8]) and int(cells[8]) < 0:
                cells[8] = "120"
                return [*rows[:i], ",".join(cells), *rows[i + 1 :]]
        raise AssertionError(month)

    return change


def reorder_planes(root: Path) -> None:
    file = root / "data" / "planes.csv"
    header, *rows = file.read_text().splitlines()
    file.write_text("\n".join([header, *reversed(rows)]) + "\n")


def touch_weather(root: Path) -> None:
    file = root / "data" / "weather.csv"
    file.write_bytes(file.read_bytes())


def colder_in_march(root: Path) -> None:
    file = root / "data" / "weather.csv"
    rows = file.read_text().splitlines()
    for i, row in enumerate(rows):
        cells = row.split(",")
        if cells[2] == "3" and cells[5] != "NA":
            rows[i] = ",".join([*cells[:5], f"{float(cells[5]) - 1:.2f}", *cells[6:]])
    file.write_text("\n".join(rows) + "\n")


EDITS = [
    Edit("a comment", append("flights/prepare.py", "\n# A remark.\n"), NOTHING),
    Edit(
        "a docstring",
        replace("flights/prepare.py", "Flights that arrived, with", "Arrived flights, with"),
        NOTHING,
    ),
    Edit(
        "formatting",
        replace(
            "flights/features.py",
            "    return join_rates(out, rates)\n",
            "    return join_rates(\n        out,\n        rates,\n    )\n",
        ),
        NOTHING,
    ),
    Edit(
        "a definition that nothing uses",
        append("flights/history.py", "\n\ndef unused(value: int) -> int:\n    return value + 1\n"),
        NOTHING,
    ),
    Edit(
        "a script beside the pipeline",
        replace("get_data.py", '"{path.name}: ', '"got {path.name}: '),
        NOTHING,
    ),
    Edit("the same bytes written again", touch_weather, NOTHING),
    Edit(
        "the service's answer",
        replace("flights/service.py", "round(chance, 4)", "round(chance, 3)"),
        NOTHING,
    ),
    Edit(
        "the order of a node's parameters",
        replace(
            "flights/features.py",
            "def features(\n    departures: pd.DataFrame,\n    rates: pd.DataFrame,\n",
            "def features(\n    rates: pd.DataFrame,\n    departures: pd.DataFrame,\n",
        ),
        NOTHING,
    ),
    Edit(
        "a renamed node",
        replace("flights/evaluate.py", "def brier_of_base_rate(", "def brier_of_share("),
        NOTHING,
    ),
    Edit(
        "a colour",
        replace("flights/evaluate.py", '"#1971c2"', '"#c2255c"'),
        nodes("calibration_curve"),
    ),
    Edit(
        "a helper, its result being equal",
        replace(
            "flights/history.py",
            "departures.groupby(departures",
            "departures.copy().groupby(departures",
        ),
        months("lateness"),
    ),
    Edit(
        "a helper's name",
        substitute("flights/training.py", r"\bencoder\(\)", "columns()"),
        nodes("delay_model"),
    ),
    Edit("rows in another order under key=", reorder_planes, nodes("planes")),
    Edit(
        "a row that nothing joins",
        append("data/planes.csv", "N00000,2004,Fixed wing multi engine,X,Y,2,55,NA,Turbo-fan\n"),
        nodes("planes", "aircraft") | months("features"),
    ),
    Edit(
        "a param in pyproject.toml",
        replace("pyproject.toml", "max_iter = 20", "max_iter = 21"),
        MODEL,
    ),
    Edit(
        "a project-wide param",
        replace("pyproject.toml", "last_training_month = 9", "last_training_month = 8"),
        SPLIT | MODEL,
    ),
    Edit(
        "the last month's data",
        rewrite_flights(delayed(12)),
        nodes("flights", "departures[12]", "lateness[12]", "features[12]") | SPLIT | SCORED,
    ),
    Edit(
        "a training month's data",
        rewrite_flights(delayed(3)),
        nodes("flights", "departures[3]", "lateness[3]", "rates[4]", "rates[5]")
        | months("features", 3, 5)
        | SPLIT
        | MODEL,
    ),
    Edit(
        "the weather of one month",
        colder_in_march,
        nodes("weather", "observations") | months("features") | SPLIT | MODEL,
    ),
    Edit(
        "a constant of a helper",
        replace("flights/history.py", "PRIOR_FLIGHTS = 50", "PRIOR_FLIGHTS = 60"),
        # January has no earlier month: its rates stay empty, and the wave ends there.
        months("rates") | months("features", 2) | SPLIT | MODEL,
    ),
    Edit(
        "what counts as late",
        replace("flights/prepare.py", "LATE_MINUTES = 15", "LATE_MINUTES = 20"),
        months("departures")
        | months("lateness")
        | months("rates", 2)
        | months("features")
        | SPLIT
        | MODEL,
    ),
    Edit(
        "a feature less",
        replace("flights/prepare.py", '    "visib",\n', ""),
        nodes("observations") | months("features") | SPLIT | MODEL,
    ),
]


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example with a part of its rows and a quick model."""
    root = tmp_path_factory.mktemp("precision") / "flights"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns(".whence", "__pycache__"))
    rewrite_flights(lambda rows: rows[::EVERY])(root)
    settings = root / "pyproject.toml"
    quick = "[tool.whence.params.delay_model]\nmax_iter = 20\n\n[tool.ruff]"
    text = settings.read_text().replace("[tool.ruff]", quick)
    settings.write_text(text)
    return root


def ran(root: Path) -> frozenset[str]:
    with Project.open(root) as project:
        build = project.build(jobs=2)
        failed = [(task.label, task.error) for task in build.tasks if task.status == "failed"]
        assert build.ok, failed
        return frozenset(task.label for task in build.tasks if task.status == "ran")


def test_exactly_the_nodes_that_must_run_do(flights: Path) -> None:
    everything = ran(flights)
    assert months("departures") < everything
    assert ran(flights) == NOTHING
    wrong = []
    for edit in EDITS:
        edit.apply(flights)
        seen = ran(flights)
        # After the rename the metric goes by its new name.
        wanted = edit.runs
        if "def brier_of_share(" in (flights / "flights/evaluate.py").read_text():
            wanted = frozenset(n.replace("brier_of_base_rate", "brier_of_share") for n in wanted)
        if seen != wanted:
            wrong.append(
                (edit.what, {"more": sorted(seen - wanted), "less": sorted(wanted - seen)})
            )
    assert wrong == []


def test_no_node_of_the_example_uses_a_fallback(flights: Path) -> None:
    with Project.open(flights) as project:
        assert list(project.status().fallbacks) == []
