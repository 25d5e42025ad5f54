"""The answer of `whence why` as one self-contained page: no network, no script, light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape, unescape
from importlib.resources import files

from whence.cli.drawing import why_charts as charts
from whence.cli.drawing.why_cards import breakable, cause_card, change_name
from whence.cli.drawing.why_graph import draw_graph
from whence.cli.drawing.why_reading import KINDS, VERDICTS, Json, Reading, percent, short
from whence.cli.words import count

#: Rows of proven inert changes that are shown unfolded.
UNFOLDED = 6
_METHOD = (
    "Every figure here was measured: mixed worlds (the baseline with some of the changes) were "
    "built, on the same seeds for every mix. Joint effects are Harsanyi dividends (1963), shares "
    "are Shapley values (1953), chances are corrected after Holm (1979). Intervals are Student's t "
    "over seeds."
)


def html(document: Json) -> str:
    """The explanation as one HTML page.

    Parameters
    ----------
    document : mapping
        `{"why": …}`, as `whence why --json` prints it.

    Returns
    -------
    str
        Well-formed as XML, too, but for the doctype; styles and pictures are inside.
    """
    reading = Reading(document)
    style = (files("whence.cli") / "templates" / "why" / "page.css").read_text(encoding="utf-8")
    title = f"{reading.metric}: {reading.before['label']} to {reading.after['label']}"
    body = [
        _header(reading),
        _tiles(reading),
        _errors(reading),
        _sides(reading),
        _waterfall(reading),
        _causes(reading),
        _matrix(reading),
        _graph(reading),
        _changes(reading),
        _notes(reading),
        _footer(reading),
    ]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8"/>',
            '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
            f"<title>{escape(title)}</title>",
            f"<style>\n{style}</style></head>",
            "<body><main>",
            *filter(None, body),
            "</main></body></html>",
            "",
        ]
    )


def _header(reading: Reading) -> str:
    sentence = escape(reading.why["sentence"])
    ids = sorted((escape(i) for i in reading.changes), key=len, reverse=True)
    if ids:  # in one pass, so that an id inside another is left alone
        pattern = "|".join(map(re.escape, ids))
        sentence = re.sub(
            rf"(?<![\w.:])({pattern})(?![\w:])",
            lambda found: f"<code>{breakable(unescape(found[0]))}</code>",
            sentence,
        )
    verdict = VERDICTS.get(reading.verdict, reading.verdict)
    sides = f"{reading.before['label']} → {reading.after['label']}"
    return (
        f'<header><p class="over"><span class="chip verdict">{escape(verdict)}</span>'
        f"<span>{escape(reading.metric)}</span><span>{escape(sides)}</span>"
        f"<span>{reading.seeds()}</span></p><h1>{sentence}</h1></header>"
    )


def _tiles(reading: Reading) -> str:
    old, new = (escape(reading.side(side)) for side in (reading.before, reading.after))
    direction = reading.direction()
    kind = {"worse": "harm", "better": "help"}.get(direction, "soft")
    note = f'<small class="{kind}">{direction}</small>' if direction else ""
    tiles = [(reading.metric, f"{old} → {new}{note}")]
    if reading.has_sides:
        figure = reading.band(reading.delta, signed=True)
        rest = reading.difference().removeprefix(figure).lstrip(":, ")
        tiles.append(("difference", f"{escape(figure)}<small>{escape(rest)}</small>"))
    if said := reading.explained():
        figure = percent(reading.why["explained"] if reading.causes else 0.0)
        rest = said.removeprefix(figure).removeprefix(" of the difference;").lstrip(", ")
        tiles.append(("explained", f"{escape(figure)}<small>{escape(rest)}</small>"))
    number, _, rest = reading.counts().partition(": ")
    tiles.append(("changes", f"{escape(number)}<small>{escape(rest)}</small>"))
    cost = reading.why["cost"]
    tiles.append(
        (
            "cost",
            f"{cost['rebuilds']:.1f} rebuilds"
            f"<small>{cost['from_store'] * 100:.0f} % of the mixes’ tasks from the store</small>",
        )
    )
    inner = "".join(f"<div><dt>{escape(n)}</dt><dd>{v}</dd></div>" for n, v in tiles)
    return f'<dl class="tiles">{inner}</dl>'


def _errors(reading: Reading) -> str:
    said = []
    for side, name in ((reading.before, "baseline"), (reading.after, "candidate")):
        if side["error"]:
            text = f"<b>The {name} ({escape(side['label'])}) crashes.</b>"
            said.append(f'<p class="wrong">{text} <code>{escape(side["error"])}</code></p>')
    return "".join(said)


def _figure(title: str, lead: str, inner: str) -> str:
    return (
        f"<figure><figcaption><h2>{escape(title)}</h2>"
        f'<p class="lead">{escape(lead)}</p></figcaption>{inner}</figure>'
    )


def _sides(reading: Reading) -> str:
    if not reading.has_sides:
        return ""
    lead = "One dot a seed, a line at the mean; the band is the mean’s interval. Differences are "
    lead += "taken seed by seed, so that what the two share of the noise drops out."
    if reading.verdict == "noise":
        lead += " The two cannot be told apart: no change is to blame."
    return _figure("The two builds at each seed", lead, charts.sides(reading))


def _waterfall(reading: Reading) -> str:
    if not reading.has_sides or reading.is_quiet:
        return ""
    names = []
    for number, cause in enumerate(reading.causes, 1):
        ids = " + ".join(change_name(change) for change in cause["changes"])
        kind = escape(reading.heading(cause).lower())
        names.append(f"{number}. {ids}<small>{kind}</small>")
    lead = (
        "Each bar is a cause’s share of the difference; whiskers are the interval of its effect "
        "and of the two builds."
    )
    if not reading.causes:
        lead = "No cause was found: the whole difference is unexplained."
    return _figure("From baseline to candidate", lead, charts.waterfall(reading, names))


def _causes(reading: Reading) -> str:
    if not reading.causes:
        return ""
    cards = [cause_card(reading, cause, n) for n, cause in enumerate(reading.causes, 1)]
    title = "The cause" if len(cards) == 1 else f"The {len(cards)} causes"
    return f"<section><h2>{title}</h2>{''.join(cards)}</section>"


def _matrix(reading: Reading) -> str:
    """Units against units: what each did alone, and what two did beyond that."""
    units = reading.unit_changes()
    if len(units) < 2 or not reading.has_sides:
        return ""
    found = [[reading.joint(a, b) for b in units] for a in units]
    known = [abs(v) for line in found for v in line if v is not None]
    if not known:
        return ""
    largest = max(known)

    def cell(i: int, j: int) -> str:
        value = found[i][j]
        if j > i:
            return '<td aria-hidden="true"></td>'
        if value is None:
            return '<td class="soft">–</td>'
        part = abs(value) / largest if largest else 0.0
        kind = "harmed" if reading.is_harm(value) else "helped"
        own = " own" if i == j else ""
        text = reading.figure(value, signed=True)
        return f'<td class="{kind}{own}" style="--a:{42 * part:.0f}%">{text}</td>'

    heads = "".join(f'<th scope="col" class="r">{j + 1}</th>' for j in range(len(units)))
    lines = "".join(
        f'<tr><th scope="row">{i + 1}. {" + ".join(map(change_name, unit))}</th>'
        + "".join(cell(i, j) for j in range(len(units)))
        + "</tr>"
        for i, unit in enumerate(units)
    )
    inner = (
        '<div class="scroll matrix"><table><thead><tr><th></th>'
        f"{heads}</tr></thead><tbody>{lines}</tbody></table></div>"
    )
    larger = [
        f"{' + '.join(short(i) for i in name.split(' + '))}: {reading.figure(value, signed=True)}"
        for name, value in reading.why["interactions"].items()
        if name.count(" + ") > 1 and reading.figure(value) != reading.figure(0.0)
    ]
    if larger:
        inner += f'<p class="lead after">Of more than two: {escape("; ".join(larger))}.</p>'
    lead = (
        "On the diagonal what a change does alone to the baseline; below it what two do together "
        "beyond the sum of both."
    )
    if any(found[i][j] is None for i in range(len(units)) for j in range(i + 1)):
        lead += " A dash: no mix tells."
    return _figure("Which changes act together", lead, inner)


def _graph(reading: Reading) -> str:
    svg = draw_graph(reading)
    if not svg:
        return ""
    states = {reading.blame(i) for ids in reading.why["nodes"].values() for i in ids}
    entries = (
        ("cause", "cause", "a cause enters here"),
        ("improver", "improver", "what worked against the rest enters here"),
        ("no effect", "noeffect", "changed, without effect on the metric"),
        ("untested", "untested", "changed, untested"),
        ("unmixable", "untested", "changed, not mixable"),
        ("inert", "", "changed, proven inert, or not changed"),
    )
    legend = "".join(
        f'<li><i class="{kind}"></i>{text}</li>' for state, kind, text in entries if state in states
    )
    inner = f'<div class="scroll graph">{svg}</div>'
    inner += f'<ul class="legend">{legend}</ul>' if legend else ""
    lead = f"What {reading.metric} is made from, and where the changes enter."
    if "cause" not in states:
        return _figure(f"The graph of {reading.metric}", lead, inner)
    lead += " Coloured lines carry what a cause altered."
    return _figure("Where it enters the graph", lead, inner)


def _changes(reading: Reading) -> str:
    if not reading.changes:
        return ""
    states = reading.by_state()
    shown = [c for state, found in states.items() if state != "inert" for c in found]
    inert = states.get("inert", [])
    if len(inert) <= UNFOLDED:
        shown, inert = [*shown, *inert], []
    inner = _change_table(reading, shown) if shown else ""
    if inert:
        inner += (
            f"<details><summary>{count(len(inert), 'change')} proven inert</summary>"
            f"{_change_table(reading, inert)}</details>"
        )
    title = count(len(reading.changes), "change")
    lead = "What differs between the two worlds and reaches the metric."
    return _figure(f"{title} between the builds", lead, inner)


def _change_table(reading: Reading, changes: Iterable[Json]) -> str:
    lines = []
    for change in changes:
        blame = reading.blame(change["id"])
        kind = {"cause": "is-cause", "improver": "is-good"}.get(blame, "")
        state = blame if kind else reading.state(change["state"])
        place = reading.values(change) or str(change["where"])
        lines.append(
            f"<tr><td>{change_name(change['id'])}</td>"
            f'<td><span class="chip {kind}">{escape(state)}</span></td>'
            f'<td class="soft">{escape(KINDS.get(change["kind"], str(change["kind"])))}</td>'
            f'<td class="facts">{breakable(place)}</td>'
            f'<td class="facts">{escape(change["reason"])}</td></tr>'
        )
    heads = "".join(f'<th scope="col">{h}</th>' for h in ("change", "state", "kind", "what", "why"))
    return (
        f'<div class="scroll all"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _notes(reading: Reading) -> str:
    said = []
    if reading.why["notes"]:
        notes = "".join(f"<li>{escape(note)}</li>" for note in reading.why["notes"])
        said.append(f'<section><h2>Notes</h2><ul class="notes">{notes}</ul></section>')
    if reading.why["next"]:
        lines = escape("\n".join(reading.why["next"]))
        said.append(
            f'<section><h2>Next</h2><div class="scroll command"><pre>{lines}</pre></div></section>'
        )
    return "".join(said)


def _footer(reading: Reading) -> str:
    cost = reading.why["cost"]
    unit = f"A rebuild is the CPU time of a cold build of {reading.metric}"
    said = f"Cost: {', '.join(reading.spent())}. {unit}: {cost['rebuild_cpu_s']:.3g} s."
    seeds = ", ".join(map(str, reading.why["seeds"]))
    return f"<footer><p>{escape(said)}</p><p>{escape(_METHOD)} Seeds: {escape(seeds)}.</p></footer>"
