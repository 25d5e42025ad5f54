"""Small charts of the page of `whence why`, as rows of HTML with inline SVG.

Marks are placed in percent of the row's width, so a chart fits any screen and its text never
scales with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from whence.cli.drawing.why_figures import is_number
from whence.cli.drawing.why_reading import Reading, Row, Step, percent

#: Height of a row's drawing, in pixels, and the middle of it.
_TALL, _STRIP = 46, 30
#: How far dots of one row are moved apart, in pixels, so that equal values are all seen.
_JITTER = (0, -5, 5, -9, 9, -3, 3, -7)


@dataclass(frozen=True, slots=True)
class Scale:
    """Values of the metric -> percent of a drawing's width."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Scale:
        """One that holds all values with a little room."""
        found = [v for v in values if is_number(v)]
        low, high = min(found, default=0.0), max(found, default=1.0)
        room = (high - low) * 0.06 or abs(high) * 0.01 or 1.0
        return cls(low - room, high + room)

    def at(self, value: float) -> str:
        """Where a value lies."""
        return f"{100 * (value - self.low) / (self.high - self.low):.2f}%"

    def ticks(self, about: int = 6) -> list[str]:
        """Round values within the scale, with the same decimals."""
        rough = (self.high - self.low) / about
        power = 10.0 ** math.floor(math.log10(rough))
        step = next((m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough), 10 * power)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        decimals = max(
            0, math.ceil(-math.log10(step) - 1e-9), len(f"{step:.10g}".partition(".")[2])
        )
        return [f"{i * step:.{decimals}f}" for i in range(first, last + 1)]


def line(x: str, y1: float | str, y2: float | str, kind: str) -> str:
    """An upright line."""
    return f'<line class="{kind}" x1="{x}" x2="{x}" y1="{y1}" y2="{y2}"/>'


def drawing(marks: Sequence[str], title: str, height: float) -> str:
    """A row's SVG; the title is its tooltip and what a screen reader says."""
    return (
        f'<svg width="100%" height="{height:g}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(marks)}</svg>"
    )


def row(label: str, svg: str, number: str, kind: str = "") -> str:
    """Label, drawing and number of one row; label and number are HTML."""
    return (
        f'<div class="row{f" {kind}" if kind else ""}"><div class="lab">{label}</div>{svg}'
        f'<div class="num">{number}</div></div>'
    )


def axis(reading: Reading, scale: Scale) -> str:
    """The last row: ticks with their values."""
    marks = []
    for tick in scale.ticks():
        x = scale.at(float(tick))
        marks.append(line(x, 0, 5, "grid"))
        text = tick.replace("-", "−")
        marks.append(f'<text x="{x}" y="19" text-anchor="middle">{text}</text>')
    svg = f'<svg width="100%" height="24" aria-hidden="true"><g>{"".join(marks)}</g></svg>'
    return row(f'<span class="soft">{escape(reading.metric)}</span>', svg, "", "axis")


def _grid(scale: Scale) -> list[str]:
    return [line(scale.at(float(tick)), 0, "100%", "grid") for tick in scale.ticks()]


def _whisker(scale: Scale, at: float, half: float, middle: float) -> list[str]:
    if not half:
        return []
    low, high = scale.at(at - half), scale.at(at + half)
    across = f'<line class="whisker" x1="{low}" x2="{high}" y1="{middle}" y2="{middle}"/>'
    caps = [line(x, middle - 4, middle + 4, "whisker") for x in (low, high)]
    return [across, *caps]


# -- the waterfall ----------------------------------------------------------------------------


def waterfall(reading: Reading, names: Sequence[str]) -> str:
    """From the baseline over each cause's share and the remainder to the candidate.

    Parameters
    ----------
    names : sequence of str
        HTML of each cause's label, in their order.
    """
    steps = reading.steps()
    ends = [v for s in steps for v in (s.start - s.half, s.start + s.half, s.end - s.half,
                                       s.end + s.half)]  # fmt: skip
    scale = Scale.of(ends)
    labels = iter(names)
    rows = []
    for i, step in enumerate(steps):
        is_total = step.kind in ("baseline", "candidate")
        is_cause = not is_total and step.kind not in ("shared", "remainder")
        label = next(labels) if is_cause else escape(step.label)
        marks = _grid(scale)
        if i:
            marks.append(line(scale.at(step.start), 0, 12, "link"))
        if i + 1 < len(steps):
            marks.append(line(scale.at(step.end), 34, "100%", "link"))
        marks += _total(scale, step) if is_total else _bar(reading, scale, step)
        if is_total:
            side = reading.before if step.kind == "baseline" else reading.after
            label += f" <small>{escape(side['label'])}</small>"
            number = reading.figure(step.end)
        else:
            number = reading.figure(step.end - step.start, signed=True)
            number += f"<small>{percent(step.share or 0.0)}</small>"
        said = f"{step.label}: {reading.figure(step.start)} to {reading.figure(step.end)}"
        if step.half:
            said += f", ± {reading.figure(step.half)}"
        rows.append(row(label, drawing(marks, said, _TALL), number, "total" if is_total else ""))
    return f'<div class="rows">{"".join(rows)}{axis(reading, scale)}</div>'


def _total(scale: Scale, step: Step) -> list[str]:
    x = scale.at(step.end)
    dot = f'<circle class="total" cx="{x}" cy="23" r="5"/>'
    return [*_whisker(scale, step.end, step.half, 23), dot]


def _bar(reading: Reading, scale: Scale, step: Step) -> list[str]:
    low, high = sorted((step.start, step.end))
    width = 100 * (high - low) / (scale.high - scale.low)
    kind = "harm" if reading.is_harm(step.end - step.start) else "help"
    if step.kind in ("shared", "remainder"):
        kind = "rest"
    bar = (
        f'<rect class="bar {kind}" x="{scale.at(low)}" y="12" width="{max(width, 0.25):.2f}%" '
        'height="22" rx="2"/>'
    )
    return [bar, *_whisker(scale, step.end, step.half, 23)]


# -- dots, one a seed -------------------------------------------------------------------------


def dots(scale: Scale, values: Sequence[float], middle: float) -> list[str]:
    """A dot for each seed, and a line at their mean."""
    marks = []
    for i, value in enumerate(values):
        y = middle + (_JITTER[i % len(_JITTER)] if len(values) > 1 else 0)
        marks.append(f'<circle class="dot" cx="{scale.at(value)}" cy="{y:g}" r="3.6"/>')
    if values:
        mean = scale.at(math.fsum(values) / len(values))
        marks.append(line(mean, middle - 12, middle + 12, "mean"))
    return marks


def sides(reading: Reading) -> str:
    """Baseline and candidate at each seed, with their intervals."""
    both = (reading.before, "baseline"), (reading.after, "candidate")
    ends = [side["band"][key] for side, _ in both for key in ("low", "high")]
    scale = Scale.of([*ends, *(v for side, _ in both for v in side["values"].values())])
    rows = []
    for side, name in both:
        band = side["band"]
        marks = _grid(scale)
        if is_number(band["mean"]):
            width = 100 * (band["high"] - band["low"]) / (scale.high - scale.low)
            marks.append(
                f'<rect class="bandbar" x="{scale.at(band["low"])}" y="10" '
                f'width="{width:.2f}%" height="26" rx="3"/>'
            )
        values = [v for v in side["values"].values() if is_number(v)]
        marks += dots(scale, values, 23)
        said = ", ".join(reading.figure(v) for v in values) or "no value"
        label = f"{name} <small>{escape(side['label'])}</small>"
        half = reading.half(band)
        number = escape(reading.side(side))
        number += f"<small>± {reading.figure(half)}</small>" if half else ""
        rows.append(row(label, drawing(marks, f"{name}: {said}", _TALL), number, "total"))
    return f'<div class="rows">{"".join(rows)}{axis(reading, scale)}</div>'


def strip(reading: Reading, scale: Scale, mix: Row) -> str:
    """The dots of one mix, with the baseline's metric as a dashed line."""
    marks = []
    if is_number(reading.before["band"]["mean"]):
        marks.append(line(scale.at(reading.before["band"]["mean"]), 0, _STRIP, "base"))
    marks += dots(scale, mix.known, _STRIP / 2)
    said = ", ".join(f"seed {seed}: {reading.figure(value)}" for seed, value in mix.values.items())
    return drawing(marks, said, _STRIP)
