"""One cause on the page of `whence why`: its changes, its table of mixes, what lies inside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from string import ascii_uppercase

from whence.cli.drawing import why_charts as charts
from whence.cli.drawing.why_reading import (
    KINDS,
    Json,
    Reading,
    Row,
    cell_text,
    sample_columns,
    short,
)

#: Mixes that a card shows: all of five groups.
MIXES = 32
#: Columns of a sample; the table scrolls in its box.
COLUMNS = 24


def breakable(name: str) -> str:
    """A name as HTML that may break after its dots and underscores."""
    return re.sub(r"([._:/])", r"\1<wbr/>", escape(name))


def change_name(change: str) -> str:
    """A change's name as code."""
    return f'<code title="{escape(change)}">{breakable(short(change))}</code>'


def cause_card(reading: Reading, cause: Json, number: int) -> str:
    """The card of one cause."""
    figures = escape(reading.figures(cause))
    groups = reading.groups(cause)
    keys = _keys(len(groups)) if cause["table"] else [""] * len(groups)
    parts = [
        f'<article class="card"><header><h2>{number}. {escape(reading.heading(cause))}</h2>'
        f'<span class="soft">{figures}</span></header>',
        '<ul class="changes">',
        *(
            _change(reading, cause, change, key)
            for group, key in zip(groups, keys, strict=True)
            for change in group
        ),
        "</ul>",
        _table(reading, cause),
        *(_inside(reading, found) for found in cause["refinements"]),
    ]
    if checks := reading.checks(cause):
        lines = "".join(
            f"<li><b>{'✓' if check.holds else '·'}</b>{escape(check.text)}</li>" for check in checks
        )
        parts.append(f'<ul class="checks" aria-label="Verification">{lines}</ul>')
    return "".join([*parts, "</article>"])


def _keys(n: int) -> list[str]:
    """A letter for each group, for tables in which names have no room; none for a single one."""
    return [""] if n == 1 else [f'<b class="key">{letter}</b>' for letter in ascii_uppercase[:n]]


def _change(reading: Reading, cause: Json, change: str, key: str) -> str:
    report = reading.changes.get(change, {})
    kind = str(report.get("kind", change.partition(":")[0]))
    facts = reading.place(change, reading.refinement(cause, change))
    if report and (values := reading.values(report)):
        facts.insert(0, values)
    said = f' <span class="facts">{escape(" · ".join(facts))}</span>' if facts else ""
    return (
        f'<li><span><span class="chip">{escape(KINDS.get(kind, kind))}</span></span>'
        f"<span>{key}{change_name(change)}{said}</span></li>"
    )


# -- the counterfactual table -----------------------------------------------------------------


def _table(reading: Reading, cause: Json) -> str:
    rows = reading.table(cause)
    if not rows:
        return ""
    scale = _scale(reading)
    groups = reading.groups(cause)
    heads = "".join(
        f'<th scope="col">{key}{" + ".join(change_name(change) for change in group)}</th>'
        for group, key in zip(groups, _keys(len(groups)), strict=True)
    )
    lines = [_mix(reading, scale, row, len(groups)) for row in rows[:MIXES]]
    more = f"<p>{len(rows) - MIXES} more mixes in --json</p>" if len(rows) > MIXES else ""
    metric = escape(reading.metric)
    them = "each of them" if len(groups) > 1 else "it"
    kind = "scroll cf keyed" if len(groups) > 1 else "scroll cf"
    return (
        f"<h3>With {them} old or new</h3><p>One dot a seed; the dashed line is the "
        f'baseline.</p><div class="{kind}"><table><thead><tr>{heads}<th scope="col">'
        f'{metric} at each seed</th><th scope="col" class="r">mean</th></tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>{more}"
    )


def _scale(reading: Reading) -> charts.Scale:
    """One for all causes, so that their tables can be compared."""
    values = [v for cause in reading.causes for row in reading.table(cause) for v in row.known]
    return charts.Scale.of([*values, reading.before["band"]["mean"]])


def _mix(reading: Reading, scale: charts.Scale, row: Row, n_groups: int) -> str:
    sides = "".join(
        f'<td class="{"new" if is_new else "old"}">{"new" if is_new else "old"}</td>'
        for is_new in row.flipped
    )
    last = ' class="last"' if all(row.flipped) else ""
    if row.mean is None:
        error = escape(row.error or "no value")
        return f'<tr{last}>{sides}<td class="crash">{error}</td><td class="r">crashes</td></tr>'
    strip = charts.strip(reading, scale, row)
    return (
        f'<tr{last}>{sides}<td class="strip">{strip}</td>'
        f'<td class="r">{reading.figure(row.mean)}</td></tr>'
    )


# -- inside a change --------------------------------------------------------------------------


def _inside(reading: Reading, found: Json) -> str:
    facts = [*reading.place(found["change"], found), reading.rows(found), found["note"]]
    facts.append(reading.proof(found))
    parts = [
        f"<h3>Inside {change_name(found['change'])}</h3>",
        f"<p>{escape('; '.join(filter(None, facts)))}</p>",
    ]
    if found["text"]:
        parts.append(_diff(found["text"]))
    if found["sample"]:
        parts.append(_sample(found))
    return "".join(parts)


def _diff(text: str) -> str:
    kinds = {"+": "add", "-": "del", "@": "at"}
    lines = "".join(
        f'<span class="{kinds.get(line[:1], "same")}">{escape(line) or " "}</span>'
        for line in text.rstrip().splitlines()
    )
    return f'<div class="scroll"><pre aria-label="Guilty lines">{lines}</pre></div>'


def _sample(found: Json) -> str:
    names = sample_columns(found, COLUMNS)
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    lines = "".join(
        "<tr>" + "".join(_cell(row.get(name)) for name in names) + "</tr>"
        for row in found["sample"]
    )
    return (
        '<div class="scroll sample"><table aria-label="Guilty rows"><thead>'
        f"<tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _cell(value: object) -> str:
    if isinstance(value, Mapping) and set(value) == {"before", "after"}:
        old, new = (escape(cell_text(value[side])) for side in ("before", "after"))
        return f"<td><del>{old}</del> → <ins>{new}</ins></td>"
    return f"<td>{escape(cell_text(value))}</td>"
