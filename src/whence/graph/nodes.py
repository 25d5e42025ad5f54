"""What a node is: the mark a decorator leaves on a function, and the specification made of it.

A decorator only marks the function, which stays callable as it is. Discovery turns marks into
`NodeSpec`s: plain values that travel between processes as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar, overload

from whence.errors import ConfigError, GraphError

F = TypeVar("F", bound=Callable[..., Any])
MARK = "__whence__"

#: Parameter names with a meaning of their own; no node or param may take them.
RESERVED = {
    "seed": "the world's seed",
    "partition": "the key of the partition being built",
    "request": "the validated body of a request to a service",
}


@dataclass(frozen=True, slots=True)
class Window:
    """Neighbouring partitions that an input takes: from `first` to `last` steps of `unit`."""

    unit: str
    first: int
    last: int


def window(unit: str, first: int, last: int) -> Any:
    """Give a partitioned node's input the neighbours of the current partition.

    Written as the parameter's default: ``def rolling(flights=wh.window("month", -2, 0))``.

    Parameters
    ----------
    unit : str
        "month", "day", "year" step through the calendar where partition keys are dates or hold
        such a column; any other word steps through the partitions in their order.
    first, last : int
        Steps relative to the current partition, 0 being itself, both included. Partitions that do
        not exist are left out.

    Raises
    ------
    ConfigError
        If `first` is after `last`.
    """
    if first > last:
        raise ConfigError(
            f"wh.window({unit!r}, {first}, {last}) starts after it ends.",
            f"write wh.window({unit!r}, {last}, {first}).",
        )
    return Window(unit, first, last)


@dataclass(frozen=True, slots=True)
class Mark:
    """What a decorator says of its function."""

    kind: str
    name: str | None = None
    deterministic: bool = True
    partitioned: bool = False
    key: tuple[str, ...] = ()
    max_age_s: float | None = None
    allow_pickle: bool = False
    finish: str | None = None  # "module:function" applied to the value in the worker
    options: Mapping[str, Any] = field(default_factory=dict)


_AGE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*$")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_duration(text: str) -> float:
    """Seconds of a duration written as "90s", "15m", "12h", "7d" or "2w".

    Raises
    ------
    ConfigError
        If the text is not of that form.

    Examples
    --------
    >>> parse_duration("12h")
    43200.0
    """
    match = _AGE.match(text)
    if match is None:
        raise ConfigError(
            f"{text!r} is not a duration.", 'write a number and a unit: "90s", "15m", "12h", "7d".'
        )
    return float(match[1]) * _UNIT_S[match[2]]


def mark(
    function: F,
    kind: str,
    *,
    name: str | None = None,
    deterministic: bool = True,
    partitioned: bool = False,
    key: str | Sequence[str] = (),
    max_age: str | None = None,
    allow_pickle: bool = False,
    finish: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> F:
    """Leave a `Mark` on `function` and return it: the one thing every decorator does.

    Raises
    ------
    GraphError
        If `function` is not a plain function, or is marked already.
    """
    if not hasattr(function, "__code__"):
        raise GraphError(
            f"@{kind} was put on {function!r}, which is not a function.",
            "decorate a function defined with `def` at the top level of a module.",
        )
    if MARK in vars(function):
        raise GraphError(
            f"Function '{function.__qualname__}' is marked twice.", "keep one decorator of whence."
        )
    keys = (key,) if isinstance(key, str) else tuple(key)
    age = parse_duration(max_age) if max_age is not None else None
    setattr(
        function,
        MARK,
        Mark(
            kind,
            name,
            deterministic,
            partitioned,
            keys,
            age,
            allow_pickle,
            finish,
            dict(options or {}),
        ),
    )
    return function


@overload
def node(function: F) -> F: ...
@overload
def node(
    *,
    name: str | None = ...,
    deterministic: bool = ...,
    partitioned: bool = ...,
    key: str | Sequence[str] = ...,
    max_age: str | None = ...,
    allow_pickle: bool = ...,
) -> Callable[[F], F]: ...
def node(function: Any = None, **options: Any) -> Any:
    """Make a function a node: its parameters name its inputs, its return value is stored.

    Parameters
    ----------
    name : str, optional
        Name of the node; by default the function's.
    deterministic : bool
        False for a node whose value may differ from run to run (an API call, say): its first value
        is recorded and kept until ``--refresh NAME`` or `max_age`.
    partitioned : bool
        Run once per partition of the partitioned inputs.
    key : str or sequence of str
        Columns that identify a row of a table; then the order of rows does not count.
    max_age : str, optional
        "12h", "7d": how long a recorded value of a non-deterministic node is kept.
    allow_pickle : bool
        Store the value as a pickle where no safe format fits; flagged in lineage.
    """
    if function is not None:
        return mark(function, "node")
    return lambda f: mark(f, "node", **options)


class Source:
    """A declared source: a node without inputs whose value comes from outside.

    Parameters
    ----------
    reader : str
        "module:class" of the reader, with `probe` and `read`; see `whence.data`.
    options : mapping
        What the reader needs, as JSON.
    deterministic, max_age : see `node`
    """

    def __init__(
        self,
        reader: str,
        options: Mapping[str, Any],
        *,
        key: str | Sequence[str] = (),
        partitioned: bool = False,
    ) -> None:
        self.reader = reader
        self.options = dict(options)
        self.key = (key,) if isinstance(key, str) else tuple(key)
        self.partitioned = partitioned

    def __repr__(self) -> str:
        return f"Source({self.reader!r}, {self.options!r})"


class Param:
    """A project-wide parameter, made by `param`."""

    def __init__(self, default: Any, doc: str) -> None:
        self.default, self.doc = default, doc


def param(default: Any = None, doc: str = "") -> Any:
    """Declare a parameter that every node may take by the name it is bound to.

    ``horizon = wh.param(14)`` gives 14 to each node with a parameter `horizon`, unless
    ``[tool.whence.params] horizon`` or ``--set horizon=…`` says otherwise.
    """
    return Param(default, doc)


class Parameter(NamedTuple):
    """One parameter of a node's function, before it is bound."""

    name: str
    form: str | None = None  # in-memory form wanted, as the annotation's dotted name
    has_default: bool = False
    default: Any = None  # JSON
    window: Window | None = None

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {"name": self.name, "form": self.form}
        if self.has_default:
            out["default"] = self.default
        if self.window is not None:
            out["window"] = [self.window.unit, self.window.first, self.window.last]
        return out

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Parameter:
        span = data.get("window")
        return Parameter(
            data["name"],
            data["form"],
            "default" in data,
            data.get("default"),
            Window(*span) if span else None,
        )


class NodeSpec(NamedTuple):
    """A node as discovery found it: plain values only."""

    name: str
    kind: str  # "source", "param", or what the decorator said
    module: str
    qualname: str
    line: int = 0
    parameters: tuple[Parameter, ...] = ()
    deterministic: bool = True
    partitioned: bool = False
    key: tuple[str, ...] = ()
    max_age_s: float | None = None
    allow_pickle: bool = False
    finish: str | None = None
    reader: str | None = None  # of a source
    options: Mapping[str, Any] = {}
    captured: Mapping[str, str] = {}  # digests of a closure's values
    doc: str = ""

    @property
    def where(self) -> str:
        """The definition's dotted name."""
        return f"{self.module}.{self.qualname}"

    def to_json(self) -> dict[str, Any]:
        out = {name: getattr(self, name) for name in _PLAIN_FIELDS}
        out["parameters"] = [p.to_json() for p in self.parameters]
        return out

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> NodeSpec:
        fields = dict(data)
        fields["parameters"] = tuple(Parameter.from_json(p) for p in data["parameters"])
        fields["key"] = tuple(data["key"])
        return NodeSpec(**fields)


_PLAIN_FIELDS = tuple(name for name in NodeSpec._fields if name != "parameters")

__all__ = [
    "MARK",
    "RESERVED",
    "Mark",
    "NodeSpec",
    "Param",
    "Parameter",
    "Source",
    "Window",
    "mark",
    "node",
    "param",
    "parse_duration",
    "window",
]
