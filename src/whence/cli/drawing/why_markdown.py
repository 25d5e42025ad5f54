"""The answer of `whence why` as a comment on a pull request, in GitHub's markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from whence.cli.drawing.why_reading import (
    KINDS,
    Json,
    Reading,
    Row,
    cell_text,
    percent,
    sample_columns,
    short,
)

#: Rows of a sample, and columns.
SAMPLE, COLUMNS = 5, 8
#: What markdown reads as more than text; an underscore inside a name is none of it.
_SPECIAL = re.compile(r"([\\`*\[\]<>|#~]|(?<!\w)_|_(?!\w))")


def markdown(document: Json) -> str:
    """The explanation as one comment.

    Parameters
    ----------
    document : mapping
        `{"why": …}`, as `whence why --json` prints it.
    """
    reading = Reading(document)
    blocks = [f"### {_headline(reading)}", _sentence(reading)]
    blocks.append("\n".join(f"- {name}: {said}" for name, said in _facts(reading)))
    if reading.verdict == "noise":
        blocks.append(_bands(reading))
    if reading.causes:
        blocks.append(_causes(reading))
    for number, cause in enumerate(reading.causes, 1):
        blocks += _cause(reading, cause, number)
    blocks += [f"> **Note:** {_plain(note)}" for note in reading.why["notes"]]
    if reading.why["next"]:
        blocks.append("\n".join(["Next:", "", "```sh", *reading.why["next"], "```"]))
    if reading.changes:
        blocks.append(_folded(f"Changes: {_html(reading.counts())}", [_changes(reading)]))
    blocks.append(f"<sub>Cost: {_plain(', '.join(reading.spent()))}.</sub>")
    return "\n\n".join(blocks)


def _plain(text: str) -> str:
    """Text that markdown leaves as it is, on one line."""
    return _escaped(" ".join(text.split()))


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _code(text: str) -> str:
    """Text as code, fit for a cell of a table."""
    fence = "`" * (1 + max((len(ticks) for ticks in re.findall("`+", text)), default=0))
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text.replace('|', chr(92) + '|')}{pad}{fence}"


def _fenced(text: str, language: str) -> str:
    longest = max((len(run) for run in re.findall("`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: bool = False) -> str:
    """A table; with `numbers`, all columns but the first are set to the right."""
    under = ["---", *(["---:" if numbers else "---"] * (len(heads) - 1))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, under, *rows))


def _folded(summary: str, blocks: Sequence[str]) -> str:
    # GitHub reads markdown inside the fold after an empty line only.
    inner = "\n\n".join(blocks)
    return f"<details>\n<summary>{summary}</summary>\n\n{inner}\n\n</details>"


def _headline(reading: Reading) -> str:
    name = _code(reading.metric)
    old, new = (reading.side(side) for side in (reading.before, reading.after))
    if reading.verdict == "unchanged":
        return f"{name} is unchanged at {new}"
    if reading.verdict == "noise":
        return f"{name}: {old} → {new}, no more than noise"
    direction = reading.direction()
    said = f"{name}: {old} → {new}" + (f" ({direction})" if direction else "")
    ends = {
        "unexplained": "unexplained",
        "out of budget": "the budget ended first",
        "failure": "" if reading.causes else "no change alone is to blame",
    }
    end = ends.get(reading.verdict, "")
    return f"{said}, {end}" if end else said


def _sentence(reading: Reading) -> str:
    """The sentence, with the changes that it names as code."""
    ids = sorted(map(re.escape, reading.changes), key=len, reverse=True)
    found = re.split(
        rf"(?<![\w.:])({'|'.join(ids)})(?![\w:])" if ids else "(?!)", reading.why["sentence"]
    )
    return "".join(_code(part) if part in reading.changes else _escaped(part) for part in found)


def _facts(reading: Reading) -> Iterator[tuple[str, str]]:
    between = f"{reading.before['label']} → {reading.after['label']}"
    yield "builds", f"{_plain(between)}, {reading.seeds()}"
    if said := reading.difference():
        yield "difference", said
    for side, name in ((reading.before, "baseline"), (reading.after, "candidate")):
        if side["error"]:
            yield name, _code(side["error"])
    yield "changes", reading.counts()
    if said := reading.explained():
        yield "explained", said


def _bands(reading: Reading) -> str:
    rows = []
    for side in (reading.before, reading.after):
        low, high = (reading.figure(side["band"][key]) for key in ("low", "high"))
        values = ", ".join(reading.figure(value) for value in side["values"].values())
        mean = reading.figure(side["band"]["mean"])
        rows.append([_plain(side["label"]), mean, f"{low} to {high}", values])
    return _table(["", "mean", "interval", "at each seed"], rows, numbers=True)


def _causes(reading: Reading) -> str:
    """One line for each cause, with its place to look at."""
    rows = []
    for number, cause in enumerate(reading.causes, 1):
        changes = "<br>".join(_named(reading, change) for change in cause["changes"])
        places = "<br>".join(_place(reading, cause, change) for change in cause["changes"])
        cells = [f"{number}", reading.heading(cause), changes, places]
        if reading.has_sides:
            share = percent(cause["share"]) if reading.has_shares else "–"
            cells += [reading.band(cause["effect"], signed=True), share]
        rows.append(cells)
    heads = ["", "", "change", "where", *(["effect", "share"] if reading.has_sides else [])]
    return _table(heads, rows)


def _named(reading: Reading, change: str) -> str:
    report = reading.changes.get(change)
    kind = change.partition(":")[0]
    values = f" {_plain(reading.values(report))}" if report and reading.values(report) else ""
    return f"{KINDS.get(kind, kind)} {_code(short(change))}{values}"


def _place(reading: Reading, cause: Json, change: str) -> str:
    parts = reading.place(change, reading.refinement(cause, change))
    return " · ".join(map(_plain, parts)) or "–"


def _cause(reading: Reading, cause: Json, number: int) -> Iterator[str]:
    checks = [
        f"- {'✓ ' if check.holds else ''}{_plain(check.text)}" for check in reading.checks(cause)
    ]
    title = f"{number}. {reading.heading(cause)}: " + " + ".join(
        f"<code>{_html(short(change))}</code>" for change in cause["changes"]
    )
    blocks = []
    rows = reading.table(cause)
    if len(reading.groups(cause)) > 1 and rows:
        blocks.append(_counterfactual(reading, cause, rows))
    errors = dict.fromkeys(row.error for row in rows if row.error)
    blocks += [f"Crashes with {_code(error)}" for error in errors]
    for found in cause["refinements"]:
        blocks += _refinement(reading, found)
    if checks:
        blocks.append("\n".join(checks))
    if blocks:
        yield _folded(title, blocks)


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _counterfactual(reading: Reading, cause: Json, rows: Sequence[Row]) -> str:
    groups = [" + ".join(map(short, group)) for group in reading.groups(cause)]
    metric = _code(reading.metric)
    if len(groups) == 2:
        cells = {row.flipped: row for row in rows}
        down, across = (_code(name) for name in groups)
        lines = [
            [f"{down} {name}", *(reading.cell(cells.get((old, new))) for new in (False, True))]
            for old, name in ((False, "old"), (True, "new"))
        ]
        return _table([metric, f"{across} old", f"{across} new"], lines, numbers=True)
    lines = [
        [*("new" if is_new else "old" for is_new in row.flipped), reading.cell(row)] for row in rows
    ]
    return _table([*map(_code, groups), metric], lines)


def _refinement(reading: Reading, found: Json) -> Iterator[str]:
    said = [reading.rows(found), found["note"], reading.proof(found)]
    facts = "; ".join(_plain(text) for text in said if text)
    yield f"**Inside {_code(short(found['change']))}**" + (f": {facts}." if facts else "")
    if found["text"]:
        yield _fenced(found["text"], "diff")
    if found["sample"]:
        names = sample_columns(found, COLUMNS)
        rows = [
            [_plain(cell_text(row.get(name))) for name in names] for row in found["sample"][:SAMPLE]
        ]
        yield _table([_plain(name) for name in names], rows)


def _changes(reading: Reading) -> str:
    rows = []
    ordered = [change for group in reading.by_state().values() for change in group]
    for state, changes in groupby(ordered, key=lambda change: str(change["state"])):
        for change in changes:
            reason = _plain(change["reason"])
            rows.append(
                [
                    _named(reading, change["id"]),
                    _plain(change["where"]),
                    reading.state(state),
                    reason,
                ]
            )
    return _table(["change", "where", "", ""], rows)
