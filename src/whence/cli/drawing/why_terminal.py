"""The answer of `whence why` on a terminal: the sentence first, then what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from whence.cli.drawing.why_reading import (
    KINDS,
    Json,
    Reading,
    Row,
    brief,
    cell_text,
    sample_columns,
    short,
)
from whence.cli.words import listed

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.table import Table
    from rich.text import Text

#: Rows of a list of mixes, and of a sample, that a terminal has room for.
MIXES, SAMPLE, COLUMNS = 16, 3, 6


def view(document: Json) -> RenderableType:
    """The explanation for people.

    Parameters
    ----------
    document : mapping
        `{"why": …}`, as `whence why --json` prints it.
    """
    from rich.console import Group

    reading = Reading(document)
    parts: list[RenderableType] = [_text(reading.why["sentence"], "name"), _blank()]
    parts.append(_facts(reading))
    if reading.verdict == "noise":
        parts += [_blank(), _bands(reading)]
    for number, cause in enumerate(reading.causes, 1):
        parts += [_blank(), *_cause(reading, cause, number)]
    parts += _rest(reading)
    return Group(*parts)


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(text, style=style)


def _blank() -> Text:
    return _text("")


class _Command:
    """A command to type: broken between words only, so that it can be pasted."""

    def __init__(self, words: str) -> None:
        self.words = words

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = [""]
        for word in self.words.replace(" --", "\0--").split("\0"):
            if lines[-1] and len(lines[-1]) + len(word) + 7 > options.max_width:
                lines[-1] += " \\"
                lines.append(word)
            else:
                lines[-1] = f"{lines[-1]} {word}".lstrip()
        for line in lines:
            yield _text(" " * max(0, min(4, options.max_width - len(line))) + line, "name")


def _indented(part: RenderableType, by: int = 3) -> RenderableType:
    from rich.padding import Padding

    return Padding(part, (0, 0, 0, by), expand=False)


def _grid(*rows: tuple[RenderableType, RenderableType], label: int = 11) -> Table:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="kind", width=label, no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(name, value)
    return grid


def _facts(reading: Reading) -> RenderableType:
    why = reading.why
    old, new = (reading.side(side) for side in (reading.before, reading.after))
    moved = _text("").append(f"{old} → {new}", style="name")
    if direction := reading.direction():
        moved.append(f"  {direction}", style="bad" if direction == "worse" else "ok")
    moved.append(f"  ({reading.before['label']} → {reading.after['label']}", style="quiet")
    moved.append(f", {reading.seeds()})", style="quiet")
    rows: list[tuple[RenderableType, RenderableType]] = [(why["metric"][:40], moved)]
    if said := reading.difference():
        rows.append(("difference", _text(said)))
    for side, name in ((reading.before, "baseline"), (reading.after, "candidate")):
        if side["error"]:
            rows.append((name, _text(side["error"], "bad")))
    rows.append(("changes", _text(reading.counts())))
    if said := reading.explained():
        hidden = why["remainder"]["mean"] and not reading.is_quiet
        rows.append(("explained", _text(said, "warn" if hidden else "")))
    width = min(max(11, len(why["metric"])), 24)
    return _indented(_grid(*rows, label=width), 2)


def _bands(reading: Reading) -> RenderableType:
    """Both sides over the seeds: that they lie in one another is the whole verdict."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="kind")
    for name in ("", "mean", "interval", "at each seed"):
        table.add_column(name, justify="left", overflow="fold")
    for side, name in ((reading.before, "baseline"), (reading.after, "candidate")):
        band = side["band"]
        low, high = (reading.figure(band[key]) for key in ("low", "high"))
        values = "  ".join(reading.figure(v) for v in side["values"].values())
        mean = reading.figure(band["mean"])
        table.add_row(f"{name} {side['label']}", mean, f"{low} to {high}", values)
    return _indented(table, 2)


# -- one cause --------------------------------------------------------------------------------


def _cause(reading: Reading, cause: Json, number: int) -> list[RenderableType]:
    head = _text("").append(f"{number}  {reading.heading(cause)}", style="name")
    if figures := reading.figures(cause):
        head.append(f"  {figures}")
    parts: list[RenderableType] = [head]
    for change in cause["changes"]:
        parts.append(_indented(_change(reading, cause, change)))
    rows = reading.table(cause)
    if len(reading.groups(cause)) == 2 and rows:
        parts += [_blank(), _indented(_square(reading, cause, rows))]
    elif len(reading.groups(cause)) > 2 and rows:
        parts += [_blank(), _indented(_list(reading, cause, rows))]
    crashes = {row.error: None for row in rows if row.error}
    if crashes:
        parts.append(_blank())
    for error in crashes:
        parts.append(_indented(_text(f"crashes with: {error}", "quiet")))
    for found in cause["refinements"]:
        parts += [_blank(), *(_indented(part) for part in _refinement(reading, found))]
    checks = reading.checks(cause)
    if checks:
        parts.append(_blank())
    for check in checks:
        line = _text(f"✓ {check.text}" if check.holds else f"· {check.text}")
        parts.append(_indented(line))
    return parts


def _change(reading: Reading, cause: Json, change: str) -> RenderableType:
    report = reading.changes.get(change, {})
    said = _text("").append(short(change), style="name")
    facts = reading.place(change, reading.refinement(cause, change))
    if report and (values := reading.values(report)):
        facts.insert(0, values)
    if facts:
        said.append(f"  {' · '.join(facts)}")
    kind = str(report.get("kind", change.partition(":")[0]))
    return _grid((KINDS.get(kind, kind), said), label=7)


def _square(reading: Reading, cause: Json, rows: list[Row]) -> RenderableType:
    """Old and new of one group against old and new of the other."""
    from rich import box
    from rich.table import Table

    names = [" + ".join(map(short, group)) for group in reading.groups(cause)]
    down, across = brief(names, 16)
    cells = {row.flipped: row for row in rows}
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), header_style="kind", show_edge=False)
    table.add_column(reading.metric, overflow="fold")
    for name in ("old", "new"):
        table.add_column(f"{across} {name}", justify="right")
    for flipped, name in ((False, "old"), (True, "new")):
        found = [cells.get((flipped, new)) for new in (False, True)]
        table.add_row(f"{down} {name}", *(reading.cell(row) for row in found))
    return table


def _list(reading: Reading, cause: Json, rows: list[Row]) -> RenderableType:
    """One line for each mix of three groups and more."""
    from rich import box
    from rich.table import Table

    groups = brief([" + ".join(map(short, group)) for group in reading.groups(cause)], 30)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), header_style="kind", show_edge=False)
    table.add_column("new", overflow="fold")
    table.add_column(reading.metric, justify="right", no_wrap=True)
    for row in rows[:MIXES]:
        names = [name for name, is_new in zip(groups, row.flipped, strict=True) if is_new]
        said = "all" if all(row.flipped) else ", ".join(names) or "none"
        table.add_row(said, reading.cell(row))
    if len(rows) > MIXES:
        table.add_row(f"and {len(rows) - MIXES} more mixes, on the page that --html writes", "")
    return table


def _refinement(reading: Reading, found: Json) -> list[RenderableType]:
    title = _text("").append(f"inside {short(found['change'])}", style="kind")
    said = [reading.rows(found), found["note"], reading.proof(found)]
    if facts := "; ".join(filter(None, said)):
        title.append(f"  {facts}", style="quiet")
    parts: list[RenderableType] = [title]
    if found["text"]:
        parts.append(_indented(_diff(found["text"]), 2))
    if found["sample"]:
        parts.append(_indented(_sample(found), 2))
    return parts


def _diff(text: str) -> Text:
    styles = {"+": "ok", "-": "bad", "@": "quiet"}
    made = _text("")
    for i, line in enumerate(text.rstrip().splitlines()):
        made.append("\n" * bool(i) + line, style=styles.get(line[:1], ""))
    return made


def _sample(found: Mapping[str, Any]) -> RenderableType:
    from rich.table import Table

    names = sample_columns(found, COLUMNS)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="kind")
    for name in names:
        table.add_column(name, overflow="ellipsis", no_wrap=True)
    for row in found["sample"][:SAMPLE]:
        table.add_row(*(cell_text(row.get(name)) for name in names))
    return table


# -- what is left -----------------------------------------------------------------------------


def _rest(reading: Reading) -> list[RenderableType]:
    rows: list[tuple[RenderableType, RenderableType]] = []
    for state, changes in reading.by_state().items():
        if state == "cause":
            continue
        said = listed([short(change["id"]) for change in changes], 4)
        if state == "unmixable":
            said = "; ".join(f"{short(c['id'])} ({c['reason']})" for c in changes)
        rows.append((reading.state(state), _text(said)))
    rows.append(("cost", _text(", ".join(reading.spent()))))
    for note in reading.why["notes"]:
        rows.append(("note", _text(note, "warn")))
    parts = [_blank(), _indented(_grid(*rows, label=14), 2)]
    if reading.why["next"]:
        parts += [_blank(), _indented(_text("next", "kind"), 2)]
    return [*parts, *(_Command(line) for line in reading.why["next"])]
