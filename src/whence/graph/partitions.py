"""Partition keys: their natural order, and the neighbours that a window takes.

A key is a text: one value ("2013-01", "7", "north"), or named values as in folders of the Hive
style ("year=2013/month=1"). Both functions are pure: keys in, keys out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date

from whence.errors import GraphError
from whence.graph.nodes import Window

#: Units of the calendar, from coarse to fine.
CALENDAR = ("year", "quarter", "month", "week", "day", "hour")

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_RUNS = re.compile(r"\d+|\D+")
_DATE = re.compile(
    r"(?P<before>.*?)(?<!\d)(?P<year>\d{4})"
    r"(?:[-_]?(?:[Qq](?P<quarter>[1-4])|[Ww](?P<week>[0-5]\d)|"
    r"(?P<month>0[1-9]|1[0-2])"
    r"(?:[-_]?(?P<day>0[1-9]|[12]\d|3[01])(?:[T _-]?(?P<hour>[01]\d|2[0-3])(?::?00){0,2}Z?)?)?))?"
)

_Key = tuple[tuple[object, ...], ...]
_Place = tuple[tuple[str, ...], dict[str, int]]  # what stays equal, and the parts of the date


def order_partitions(keys: Iterable[str]) -> tuple[str, ...]:
    """The keys in their natural order: numbers by value, dates by time, texts by their runs.

    Examples
    --------
    >>> order_partitions(["month=10", "month=9", "month=1"])
    ('month=1', 'month=9', 'month=10')
    """
    return tuple(sorted(set(keys), key=_sort_key))


def neighbours(keys: Sequence[str], current: str, window: Window) -> tuple[str, ...]:
    """The keys that `window` takes at `current`, in natural order.

    A unit of the calendar steps through time where all keys are dates, months or the like; a key
    finer than the unit belongs to the unit it lies in (all days of last month). Named values
    other than the date stay as in `current`. Any other unit counts places in the order.

    Parameters
    ----------
    keys : sequence of str
        All keys of the input.
    current : str
        Key of the partition being built; it need not be among `keys`.
    window : Window

    Raises
    ------
    GraphError
        If the keys are dates too coarse for the unit: a day's step between monthly partitions.

    Examples
    --------
    >>> neighbours(["2012-12", "2013-01", "2013-03"], "2013-03", Window("month", -3, -1))
    ('2012-12', '2013-01')
    """
    ordered = order_partitions(keys)
    if window.unit in CALENDAR:
        everywhere = dict.fromkeys((*ordered, current))
        places = [_place(key) for key in everywhere]
        if all(place is not None for place in places):
            return _by_calendar(
                dict(zip(everywhere, places, strict=True)), ordered, current, window
            )
    place = order_partitions((*ordered, current)).index(current)
    if current in ordered:
        first, last = place + window.first, place + window.last
        return ordered[max(first, 0) : max(last + 1, 0)]
    # Where `current` is not a key, step -1 is the last key before it and step 0 is nothing.
    steps = [index - place + (1 if index >= place else 0) for index in range(len(ordered))]
    return tuple(
        key for key, step in zip(ordered, steps, strict=True) if window.first <= step <= window.last
    )


def _by_calendar(
    places: dict[str, _Place | None], ordered: Sequence[str], current: str, window: Window
) -> tuple[str, ...]:
    def step_of(key: str) -> tuple[tuple[str, ...], int]:
        place = places[key]
        assert place is not None
        group, parts = place
        ordinal = _ordinal(parts, window.unit)
        if ordinal is None:
            raise GraphError(
                f"A window steps by {window.unit}, but partition '{key}' is no {window.unit} and "
                "lies in none.",
                f"use a coarser unit ({', '.join(parts)}) or partition by {window.unit}.",
            )
        return group, ordinal

    group, here = step_of(current)
    taken = []
    for key in ordered:
        other, ordinal = step_of(key)
        if other == group and window.first <= ordinal - here <= window.last:
            taken.append(key)
    return tuple(taken)


def _ordinal(parts: dict[str, int], unit: str) -> int | None:
    """Count of `unit`s since an arbitrary start, None where `parts` do not say."""
    year, month, day = parts.get("year"), parts.get("month"), parts.get("day")
    if unit == "year" or (len(parts) == 1 and unit in parts):
        return parts.get(unit)  # a lone month (1..12) counts within its unnamed year
    if year is None:
        if unit == "hour" and day is not None and "hour" in parts:
            return day * 24 + parts["hour"]
        return parts.get(unit)
    if unit == "quarter":
        quarter = parts.get("quarter", (month - 1) // 3 + 1 if month else None)
        return None if quarter is None else year * 4 + quarter
    if unit == "month":
        return None if month is None else year * 12 + month
    if unit == "week" and "week" in parts:
        return date.fromisocalendar(year, parts["week"], 1).toordinal() // 7
    if month is None or day is None:
        return None
    ordinal = date(year, month, day).toordinal()
    if unit == "week":
        return (ordinal - 1) // 7  # day 1 of the calendar was a Monday
    if unit == "day":
        return ordinal
    return ordinal * 24 + parts["hour"] if "hour" in parts else None


def _place(key: str) -> _Place | None:
    """The parts of the date that a key holds, and what else it holds; None where no date."""
    group: list[str] = []
    parts: dict[str, int] = {}
    for segment in key.split("/"):
        name, equals, value = segment.rpartition("=")
        unit = name.lower()
        if equals and unit in CALENDAR and value.isdigit():
            parts[unit] = int(value)
        elif found := _date_parts(value):
            before, more = found
            parts |= more
            group.append(name + before)
        elif not equals and re.fullmatch(r"\d{1,2}", value):
            parts["month"] = int(value)  # a plain 1..12; other small numbers step in the same way
        else:
            group.append(segment)
    if not parts or not _exists(parts):
        return None
    return tuple(group), parts


def _date_parts(value: str) -> tuple[str, dict[str, int]] | None:
    match = _DATE.fullmatch(value)
    if match is None:
        return None
    fields = match.groupdict()
    before = fields.pop("before")
    return before, {unit: int(text) for unit, text in fields.items() if text}


def _exists(parts: dict[str, int]) -> bool:
    try:
        if {"year", "month", "day"} <= parts.keys():
            date(parts["year"], parts["month"], parts["day"])
        if {"year", "week"} <= parts.keys():
            date.fromisocalendar(parts["year"], parts["week"], 1)
    except ValueError:
        return False
    return 1 <= parts.get("year", 1) <= 9999


def _sort_key(key: str) -> _Key:
    pieces: list[tuple[object, ...]] = []
    for segment in key.split("/"):
        name, equals, value = segment.rpartition("=")
        pieces.append((0, 0, _runs(name + equals), ""))
        if _NUMBER.fullmatch(value):
            pieces.append((1, float(value) if "." in value else _integer(value), (), value))
        else:
            pieces.append((2, 0, _runs(value), value))
    return tuple(pieces)


def _integer(text: str) -> int | float:
    return float(text) if "e" in text.lower() else int(text)


def _runs(text: str) -> tuple[tuple[int, int, str], ...]:
    return tuple(
        (0, int(run), run) if run.isdecimal() else (1, 0, run) for run in _RUNS.findall(text)
    )


__all__ = ["CALENDAR", "neighbours", "order_partitions"]
