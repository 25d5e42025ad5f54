"""The two branches of the tour: a smaller copy of the project, and what is changed in it.

Every edit says which text it replaces, and fails where that text is not found.
"""

import csv
import io
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

FLIGHTS = Path("data/flights.csv.zip")
#: One flight of so many is kept, and these months: four to learn from, two to be judged on.
EVERY, MONTHS = 3, ("6", "7", "8", "9", "10", "11")
SPOILT_MONTH = "11"

Row = dict[str, str]

#: A package of somebody else that the pipeline ships: release 1.2.0.
SMOOTHING = {
    "1.2.0": '''\
"""Shares of few cases, drawn towards the share of all."""

__version__ = "1.2.0"


def smooth(hits, cases, prior, weight):
    """Share of `hits` among `cases`, as if `weight` cases more had had the share `prior`."""
    return (hits + weight * prior) / (cases + weight)
''',
    "1.3.0": '''\
"""Shares of few cases, drawn towards the share of all."""

__version__ = "1.3.0"


def smooth(hits, cases, prior, weight, floor=0.0):
    """Share of `hits` among `cases`, as if `weight` cases more had had the share `prior`."""
    trust = cases / (cases + weight)
    share = prior + trust * (hits / cases.where(cases > 0, 1) - prior)
    return share.clip(lower=floor)
''',
}


def replace(path: Path, old: str, new: str) -> None:
    """Replace a text that a file holds exactly once."""
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        sys.exit(f"{path} holds this {text.count(old)} times, not once:\n{old}")
    path.write_text(text.replace(old, new), encoding="utf-8")


def rewrite_flights(root: Path, change: Callable[[Row], Row | None]) -> int:
    """Pass every row of the flights through `change`; None leaves it out. Rows that changed."""
    target = root / FLIGHTS
    with zipfile.ZipFile(target) as archive:
        (name,) = archive.namelist()
        rows = csv.DictReader(io.StringIO(archive.read(name).decode()))
    columns = list(rows.fieldnames or [])
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    changed = 0
    for row in rows:
        new = change(dict(row))
        changed += new != row
        if new is not None:
            writer.writerow(new)
    if not changed:
        sys.exit(f"{target}: no row was changed.")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(name, out.getvalue())
    return changed


def write_smoothing(root: Path, version: str) -> None:
    """Put a release of the vendored package into the project."""
    folder = root / "vendor" / "smoothing"
    folder.mkdir(parents=True, exist_ok=True)
    (root / "vendor" / "__init__.py").touch()
    (folder / "__init__.py").write_text(SMOOTHING[version], encoding="utf-8")


# -- branch A -----------------------------------------------------------------------------------


def make_smaller(root: Path) -> None:
    """Fewer flights, a smaller model, and trees that look at a part of the columns at a time."""
    count = iter(range(10**9))

    def kept(row: Row) -> Row | None:
        return row if row["month"] in MONTHS and next(count) % EVERY == 0 else None

    rewrite_flights(root, kept)
    training = root / "flights" / "training.py"
    replace(training, "max_iter: int = 150", "max_iter: int = 40")
    replace(
        training,
        "l2_regularization=1.0,\n",
        "l2_regularization=1.0,\n                    max_features=0.7,\n",
    )


def vendor_smoothing(root: Path) -> None:
    """Let late rates be smoothed by the vendored package."""
    write_smoothing(root, "1.2.0")
    replace(
        root / "pyproject.toml",
        'pipeline = "flights"\n',
        'pipeline = "flights"\nvendored = ["vendor/smoothing"]\n',
    )
    history = root / "flights" / "history.py"
    replace(history, "import whence as wh\n", "import whence as wh\nfrom vendor import smoothing\n")
    replace(
        history,
        '(counts["late"] + PRIOR_FLIGHTS * overall) / (counts["flights"] + PRIOR_FLIGHTS)',
        'smoothing.smooth(counts["late"], counts["flights"], overall, PRIOR_FLIGHTS)',
    )


# -- branch B -----------------------------------------------------------------------------------


def read_the_clock(root: Path) -> None:
    """The hour of departure, from one column instead of two: `sched_dep_time` is 1745 at 17:45."""
    prepare = root / "flights" / "prepare.py"
    replace(
        prepare,
        'out["hour"] = arrived["hour"] + arrived["minute"] / 60',
        'out["hour"] = clock_hours(arrived["sched_dep_time"])',
    )
    replace(
        prepare,
        "@wh.table(partitioned=True)\ndef departures(",
        "def clock_hours(hhmm: pd.Series) -> pd.Series:\n"
        '    """Hours since midnight: 17.75 of 1745."""\n'
        "    return hhmm // 100 + hhmm % 100 / 60\n\n\n"
        "@wh.table(partitioned=True)\ndef departures(",
    )


def deliver_again(root: Path) -> int:
    """One month comes from a new system: times in minutes since midnight, air times to five."""

    def minutes(row: Row) -> Row:
        if row["month"] != SPOILT_MONTH:
            return row
        hour, minute = divmod(int(row["sched_dep_time"]), 100)
        air_time = row["air_time"]
        if air_time != "NA":
            air_time = str(5 * round(int(air_time) / 5))
        return {**row, "sched_dep_time": str(60 * hour + minute), "air_time": air_time}

    return rewrite_flights(root, minutes)
