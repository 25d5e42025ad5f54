"""Environment markers of requirements: which of them hold in this interpreter (PEP 508).

Reads what nearly all distributions write, comparisons of plain words and release numbers joined by
`and` and `or`; `packaging`, which costs a dozen imports, judges the rest.
"""

from __future__ import annotations

import re
import sys

_TOKEN = re.compile(
    r"""\s*(?:(?P<bracket>[()])|(?P<word>and|or)\b
    |(?P<name>\w+)\s*(?P<op>[<>=!]=|[<>])\s*(?:'(?P<one>[^'"]*)'|"(?P<two>[^'"]*)"))""",
    re.VERBOSE,
)
_RELEASE = re.compile(r"\d+(?:\.\d+)*")


class _Unusual(Exception):
    """The marker says more than is read here."""


class Markers:
    """Judges each distinct marker once."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], bool] = {}
        self._values: dict[str, str] = {}

    def holds(self, marker: str, extra: str) -> bool:
        """Whether `marker` holds here where `extra` ("" for none) is asked for."""
        key = (marker, extra)
        if key not in self._seen:
            try:
                self._seen[key] = self._read(marker, extra)
            except _Unusual:
                self._seen[key] = _ask_packaging(marker, extra)
        return self._seen[key]

    def _read(self, marker: str, extra: str) -> bool:
        tokens: list[str | bool] = []
        at = 0
        text = marker.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise _Unusual
            at = found.end()
            if found["op"]:
                value = found["one"] if found["one"] is not None else found["two"]
                tokens.append(self._compare(found["name"], found["op"], value, extra))
            else:
                tokens.append(found["bracket"] or found["word"])
        tokens.reverse()  # taken from the end
        value = _either(tokens)
        if tokens:
            raise _Unusual
        return value

    def _compare(self, name: str, op: str, value: str, extra: str) -> bool:
        if name == "extra" and op in ("==", "!="):
            return (normalise(value) == normalise(extra)) == (op == "==")
        if name in ("python_version", "python_full_version"):
            final = sys.version_info.releaselevel == "final"
            if not _RELEASE.fullmatch(value) or not (final or name == "python_version"):
                raise _Unusual
            major, minor, micro, *_ = sys.version_info
            here = [major, minor] if name == "python_version" else [major, minor, micro]
            return _ordered(here, op, [int(part) for part in value.split(".")])
        # What looks like a version is compared as one.
        if op not in ("==", "!=") or not value or not value[0].isalpha() or value[0] in "vV":
            raise _Unusual
        return (self._value(name) == value) == (op == "==")

    def _value(self, name: str) -> str:
        if name not in self._values:
            self._values[name] = _here(name)
        return self._values[name]


def _either(tokens: list[str | bool]) -> bool:
    value = _both(tokens)
    while tokens and tokens[-1] == "or":
        tokens.pop()
        value = _both(tokens) or value
    return value


def _both(tokens: list[str | bool]) -> bool:
    value = _one(tokens)
    while tokens and tokens[-1] == "and":
        tokens.pop()
        value = _one(tokens) and value
    return value


def _one(tokens: list[str | bool]) -> bool:
    first = tokens.pop() if tokens else ""
    if isinstance(first, bool):
        return first
    if first != "(":
        raise _Unusual
    value = _either(tokens)
    if not tokens or tokens.pop() != ")":
        raise _Unusual
    return value


def _ordered(here: list[int], op: str, there: list[int]) -> bool:
    size = max(len(here), len(there))
    a = here + [0] * (size - len(here))
    b = there + [0] * (size - len(there))
    match op:
        case "==":
            return a == b
        case "!=":
            return a != b
        case "<":
            return a < b
        case "<=":
            return a <= b
        case ">":
            return a > b
        case ">=":
            return a >= b
    raise _Unusual


def _here(name: str) -> str:
    if name == "sys_platform":
        return sys.platform
    if name == "implementation_name":
        return sys.implementation.name
    if name == "os_name":
        import os

        return os.name
    if name in ("platform_system", "platform_machine", "platform_python_implementation"):
        import platform

        return str(getattr(platform, name.removeprefix("platform_"))())
    raise _Unusual


def _ask_packaging(marker: str, extra: str) -> bool:
    from packaging.markers import InvalidMarker, Marker

    try:
        return Marker(marker).evaluate({"extra": extra})
    except (InvalidMarker, ValueError):
        return True  # unreadable: rather one distribution too many


def normalise(name: str) -> str:
    """A distribution's name as the index spells it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
