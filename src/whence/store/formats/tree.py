"""Trees: nested containers of anything, with exact types.

A tree is JSON in which {"$": tag, "v": ...} stands for what JSON cannot say. Values with a format
of their own (tables, arrays, estimators) become child artifacts, referred to by digest.
"""

from __future__ import annotations

import datetime as dt
import enum
import zoneinfo
from base64 import b64decode, b64encode
from collections import Counter, OrderedDict
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from uuid import UUID

from whence.errors import ValueFault
from whence.store.encoded import encoded_bytes
from whence.store.formats.codec import reference, resolve, split_references
from whence.store.formats.faults import UnknownType, WrongForm, type_name
from whence.store.formats.jsontext import from_json_bytes, json_bytes
from whence.store.formats.values import ATOMS

if TYPE_CHECKING:
    from collections.abc import Callable

    from whence.graph.digest import Digest
    from whence.store.artifact import JSON, Artifact
    from whence.store.formats.codec import Reading, Writing

_BIG_INT = 10**4000


class TreeCodec:
    """Containers and scalars that plain JSON would change."""

    name = "tree"

    def __init__(
        self,
        encode_child: Callable[[object, Writing, str], Artifact],
        decode_child: Callable[[Artifact, Reading], object],
    ) -> None:
        self._encode_child, self._decode_child = encode_child, decode_child

    def encode(self, value: object, writing: Writing) -> Artifact:
        packer = _Packer(writing, self._encode_child)
        try:
            packed = packer.pack(value, "")
        except RecursionError:
            raise ValueFault(
                f"Node '{writing.node}' returned a {type(value).__name__} that contains itself or "
                "is nested too deep.",
                "return a flat structure.",
            ) from None
        children = list(packer.children.values())
        refs, dists = split_references(sorted(packer.references), writing.is_project)
        for child in children:
            refs, dists = refs + child.code_refs, dists + child.distributions
        return writing.store(
            "tree",
            json_bytes(packed),
            encoding="json",
            summary=_summary(value, packed),
            code_refs=sorted(set(refs)),
            distributions=sorted(set(dists)),
            unsafe=any(child.unsafe for child in children),
            children=sorted(packer.children),
        )

    def decode(self, artifact: Artifact, reading: Reading, form: str | None) -> object:
        if form == "pathlib.Path":
            raise WrongForm.of("tree", form)

        def child(digest: Digest) -> object:
            return self._decode_child(reading.child(digest), reading)

        return _unpack(from_json_bytes(encoded_bytes(artifact, reading.blobs)), child)


def _summary(value: object, packed: JSON) -> dict[str, JSON]:
    shown: dict[str, JSON] = {"type": type_name(type(value))}
    describe = getattr(type(value), "__summary__", None)
    if describe is not None:
        shown |= describe(value)  # a type that says itself what to show
    elif hasattr(value, "__len__"):
        shown["size"] = len(value)
    elif isinstance(packed, dict) and packed["$"] not in ("dataclass", "artifact", "int"):
        shown["value"] = str(value)[:200]
    return shown


class _Packer:
    def __init__(
        self, writing: Writing, encode_child: Callable[[object, Writing, str], Artifact]
    ) -> None:
        self.writing, self.encode_child = writing, encode_child
        self.children: dict[Digest, Artifact] = {}
        self.references: set[str] = set()

    def pack(self, value: Any, where: str) -> JSON:
        kind = type(value)
        if kind in ATOMS:
            if kind is int and not -_BIG_INT < value < _BIG_INT:
                return {"$": "int", "v": hex(value)}
            return value  # type: ignore[no-any-return]
        if kind is list:
            return [self.pack(item, f"{where}[{i}]") for i, item in enumerate(value)]
        if kind is dict:
            if "$" not in value and all(type(key) is str for key in value):
                return {key: self.pack(item, f"{where}[{key!r}]") for key, item in value.items()}
            return {"$": "dict", "v": self._sorted_pairs(value, where)}
        pack = _SCALARS.get(kind)
        if pack is not None:
            tag, spell = pack
            return {"$": tag, "v": spell(value)}
        return self._pack_other(value, kind, where)

    def _sorted_pairs(self, value: dict[Any, Any], where: str) -> list[JSON]:
        pairs = [
            (
                self.pack(key, f"a key of {where or 'the dict'}"),
                self.pack(item, f"{where}[{key!r}]"),
            )
            for key, item in value.items()
        ]
        pairs.sort(key=lambda pair: json_bytes(pair[0]))
        return [list(pair) for pair in pairs]

    def _pack_other(self, value: Any, kind: type, where: str) -> JSON:
        if kind is tuple:
            return {"$": "tuple", "v": [self.pack(v, f"{where}[{i}]") for i, v in enumerate(value)]}
        if kind is set or kind is frozenset:
            items = [self.pack(item, f"an item of {where or 'the set'}") for item in value]
            return {"$": kind.__name__, "v": sorted(items, key=json_bytes)}
        if kind is OrderedDict:
            pairs: list[JSON] = [
                [self.pack(k, "a key"), self.pack(v, f"{where}[{k!r}]")] for k, v in value.items()
            ]
            return {"$": "ordered", "v": pairs}
        if kind is Counter:
            return {"$": "counter", "v": self._sorted_pairs(value, where)}
        if kind is dt.datetime or kind is dt.time:
            return {"$": kind.__name__, "v": self._clock(value, where)}
        if issubclass(kind, enum.Enum):
            return {"$": "enum", "v": [self._refer(kind), value.name]}
        if issubclass(kind, tuple) and hasattr(kind, "_fields"):
            items = [self.pack(v, f"{where}.{f}") for f, v in zip(kind._fields, value, strict=True)]
            return {"$": "namedtuple", "v": [self._refer(kind), items]}
        top = kind.__module__.partition(".")[0]
        if top == "numpy" and any(base.__name__ == "generic" for base in kind.__mro__):
            return self._numpy_scalar(value, where)
        if top == "pandas" and kind.__name__ in _PANDAS:
            return {"$": "pandas", "v": [kind.__name__, *_PANDAS[kind.__name__](value)]}
        if "__dataclass_fields__" in vars(kind):
            return self._dataclass(value, kind, where)
        child = self.encode_child(value, self.writing, where)
        self.children[child.digest] = child
        return {"$": "artifact", "v": child.digest}

    def _refer(self, kind: type) -> str:
        text = reference(kind, self.writing.node)
        self.references.add(text)
        return text

    def _clock(self, value: dt.datetime | dt.time, where: str) -> list[JSON]:
        zone = value.tzinfo
        spelled: JSON
        if zone is None:
            spelled = None
        elif type(zone) is zoneinfo.ZoneInfo and zone.key:
            spelled = zone.key
        elif type(zone) is dt.timezone:
            shift = zone.utcoffset(None)
            named = "" if zone == dt.timezone(shift) and repr(zone).count(",") < 3 else str(zone)
            spelled = [shift.days, shift.seconds, shift.microseconds, named]
        else:
            raise UnknownType.of(self.writing.node, zone, f"the time zone of {where or 'it'}")
        return [value.replace(tzinfo=None).isoformat(), value.fold, spelled]

    def _numpy_scalar(self, value: Any, where: str) -> JSON:
        dtype = value.dtype
        if dtype.hasobject or dtype.fields is not None:
            raise UnknownType.of(self.writing.node, value, where)
        return {"$": "numpy", "v": [dtype.str, b64encode(value.tobytes()).decode("ascii")]}

    def _dataclass(self, value: Any, kind: Any, where: str) -> JSON:
        names = list(kind.__dataclass_fields__)
        extra = set(getattr(value, "__dict__", ())) - set(names)
        if extra or kind.__new__ is not object.__new__:
            why = f"it carries more than its fields ({', '.join(sorted(extra)) or '__new__'})"
            raise UnknownType.of(self.writing.node, value, where, why)
        # A field that is listed (InitVar, ClassVar) but not set on the object is no part of it.
        fields = {
            n: self.pack(getattr(value, n), f"{where}.{n}") for n in names if hasattr(value, n)
        }
        return {"$": "dataclass", "v": [self._refer(kind), fields]}


_SCALARS: dict[type, tuple[str, Callable[[Any], JSON]]] = {
    bytes: ("bytes", lambda v: b64encode(v).decode("ascii")),
    bytearray: ("bytearray", lambda v: b64encode(v).decode("ascii")),
    complex: ("complex", lambda v: [v.real, v.imag]),
    dt.date: ("date", lambda v: v.isoformat()),
    dt.timedelta: ("timedelta", lambda v: [v.days, v.seconds, v.microseconds]),
    Decimal: ("decimal", str),
    Fraction: ("fraction", lambda v: [hex(v.numerator), hex(v.denominator)]),
    UUID: ("uuid", lambda v: v.hex),
    range: ("range", lambda v: [hex(v.start), hex(v.stop), hex(v.step)]),
    zoneinfo.ZoneInfo: ("zone", lambda v: v.key),
}

_PANDAS: dict[str, Callable[[Any], list[JSON]]] = {
    "Timestamp": lambda v: [int(v.asm8.view("i8")), v.unit, None if v.tz is None else str(v.tz)],
    "Timedelta": lambda v: [int(v.asm8.view("i8")), v.unit],
    "NaTType": lambda v: [],
    "NAType": lambda v: [],
}


def _unpack(node: Any, child: Callable[[Digest], object]) -> Any:
    if isinstance(node, list):
        return [_unpack(item, child) for item in node]
    if not isinstance(node, dict):
        return node
    tag = node.get("$")
    if tag is None:
        return {key: _unpack(item, child) for key, item in node.items()}
    body = node["v"]
    if tag in _READERS:
        return _READERS[tag](body)
    if tag == "artifact":
        return child(body)
    if tag == "enum":
        return getattr(resolve(body[0]), body[1])
    if tag == "dataclass":
        return _new_dataclass(body, child)
    if tag == "namedtuple":
        kind: Any = resolve(body[0])
        return kind._make(_unpack(body[1], child))
    items = _unpack(body, child)
    return _CONTAINERS[tag](items)


def _new_dataclass(body: Any, child: Callable[[Digest], object]) -> object:
    kind: Any = resolve(body[0])
    made = object.__new__(kind)
    for name, item in body[1].items():
        # Past __init__ and __post_init__: the value is given back, not computed again.
        object.__setattr__(made, name, _unpack(item, child))
    return made


def _read_clock(kind: Any) -> Callable[[Any], object]:
    def read(body: Any) -> object:
        text, fold, zone = body
        tz: dt.tzinfo | None = None
        if isinstance(zone, str):
            tz = zoneinfo.ZoneInfo(zone)
        elif zone is not None:
            days, seconds, microseconds, name = zone
            shift = dt.timedelta(days, seconds, microseconds)
            tz = dt.timezone(shift, name) if name else dt.timezone(shift)
        return kind.fromisoformat(text).replace(tzinfo=tz, fold=fold)

    return read


def _read_numpy(body: Any) -> object:
    import numpy as np

    dtype = np.dtype(body[0])
    return np.ndarray((), dtype, b64decode(body[1]) or b"\0")[()]


def _read_pandas(body: Any) -> object:
    import pandas as pd

    name, *rest = body
    if name == "NaTType":
        return pd.NaT
    if name == "NAType":
        return pd.NA
    if name == "Timedelta":
        return pd.Timedelta(rest[0], unit=rest[1]).as_unit(rest[1])
    stamp = pd.Timestamp(rest[0], unit=rest[1]).as_unit(rest[1])
    return stamp if rest[2] is None else stamp.tz_localize("UTC").tz_convert(rest[2])


_READERS: dict[str, Callable[[Any], object]] = {
    "int": lambda v: int(v, 16),
    "bytes": b64decode,
    "bytearray": lambda v: bytearray(b64decode(v)),
    "complex": lambda v: complex(*v),
    "date": dt.date.fromisoformat,
    "datetime": _read_clock(dt.datetime),
    "time": _read_clock(dt.time),
    "timedelta": lambda v: dt.timedelta(*v),
    "decimal": Decimal,
    "fraction": lambda v: Fraction(int(v[0], 16), int(v[1], 16)),
    "uuid": lambda v: UUID(hex=v),
    "range": lambda v: range(*(int(part, 16) for part in v)),
    "zone": zoneinfo.ZoneInfo,
    "numpy": _read_numpy,
    "pandas": _read_pandas,
}

_CONTAINERS: dict[str, Callable[[Any], object]] = {
    "dict": dict,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "ordered": OrderedDict,
    "counter": lambda pairs: Counter(dict(pairs)),
}

#: Types that a tree spells itself, beside containers, enums, dataclasses and NumPy scalars.
OWN_TYPES = frozenset({*_SCALARS, OrderedDict, Counter, dt.datetime, dt.time}) - {bytes}
PANDAS_TYPES = frozenset(_PANDAS)
