"""Plain values come back equal, with equal types; equal values have equal digests."""

from __future__ import annotations

import datetime as dt
import enum
import subprocess
import sys
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from tests.store.strategies import plain_values, rich_values

from whence.errors import ValueFault
from whence.store.artifact import Artifact
from whence.store.blobs import LocalBlobs
from whence.store.formats import NoneReturned, UnknownType, WrongForm, decode, encode

NOWHERE = LocalBlobs("never-made")


class Colour(enum.Enum):
    RED = 1


class Point(NamedTuple):
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Split:
    train: list[int]
    share: float = 0.5
    name: str = field(default="x", init=False)


def back(value: object, blobs: LocalBlobs = NOWHERE, form: str | None = None) -> Any:
    artifact, children = encode(value, blobs, node="n", is_project=lambda m: "test_values" in m)
    known = {child.digest: child for child in children}
    assert Artifact.from_json(artifact.to_json()) == artifact
    return decode(artifact, blobs, form, known.__getitem__)


def digest(value: object) -> str:
    return encode(value, NOWHERE, node="n")[0].digest


def spelled(value: object) -> object:
    """`value` with its types, so that 1, 1.0 and True differ, and NaN equals itself."""
    kind = type(value)
    if kind is dict:
        items = value.items()  # type: ignore[attr-defined]
        return kind, sorted((repr(spelled(k)), repr(spelled(v))) for k, v in items)
    if kind in (list, tuple):
        return kind, [spelled(item) for item in value]  # type: ignore[attr-defined]
    if kind is dt.datetime or kind is dt.time:
        return kind, value.isoformat(), value.fold, repr(value.tzinfo)  # type: ignore[attr-defined]
    return kind, repr(value)


@given(plain_values.filter(lambda v: v is not None))
def test_json_like_values_come_back_exactly(value: object) -> None:
    artifact, children = encode(value, NOWHERE, node="n")
    assert artifact.format in ("json", "text") and children == []
    assert spelled(decode(artifact, NOWHERE)) == spelled(value)


@given(rich_values.filter(lambda v: v is not None))
def test_other_values_come_back_exactly(value: object) -> None:
    assert spelled(back(value)) == spelled(value)


@given(rich_values, rich_values)
def test_only_equal_values_share_a_digest(one: object, two: object) -> None:
    assert (digest([one]) == digest([two])) == (spelled([one]) == spelled([two]))


EXACT = {
    "set": {1, "a", (2, 3)},
    "frozenset": frozenset({b"x"}),
    "nested": {"a": ({1: {2}}, [b"x", 1j])},
    "dollar": {"$": "tuple", "v": [({"$": 1},)]},
    "ordered": OrderedDict([("b", 1), ("a", (2,))]),
    "counter": Counter("aab"),
    "range": range(1, 10, 2),
    "fraction": Fraction(1, 3),
    "big int": [10**5000, -(2**70)],
    "decimal": [Decimal("1.10"), Decimal("-0"), Decimal("1E+5")],
    "zone": dt.datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
    "named zone": dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1), "X")),
    "enum": Colour.RED,
    "named tuple": Point(1, 2),
    "dataclass": Split([1, 2]),
    "dataclasses": {"a": [Split([1]), Split([], 0.1)]},
    "float64": np.float64(0.1),
    "float32": np.float32(0.1),
    "int8": np.int8(-3),
    "bool": np.bool_(True),
    "datetime64": np.datetime64("2020-01-01", "D"),
    "str_": np.str_("é"),
    "empty str_": np.str_(""),
    "timestamp": pd.Timestamp("2024-06-01 12:00", tz="Europe/Berlin"),
    "timestamp ns": pd.Timestamp(2**60 + 1, unit="ns"),
    "timedelta": pd.Timedelta(1, unit="s"),
    "missing": [pd.NaT, pd.NA],
    "surrogates": ["\ud800\udc00", "\U00010000"],
    "bytearray": bytearray(b"x"),
}


@pytest.mark.parametrize("case", EXACT)
def test_these_come_back_exactly(case: str) -> None:
    value = EXACT[case]
    again = back(value)
    assert type(again) is type(value)
    if case == "missing":
        assert again[0] is pd.NaT and again[1] is pd.NA
    else:
        assert again == value


def test_arrays_and_tables_inside_a_dict(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    value = {"x": np.arange(9_000), "t": pd.DataFrame({"a": [1]}), "n": (np.zeros(2),)}
    artifact, children = encode(value, blobs, node="n")
    assert artifact.format == "tree" and len(children) == 3
    assert set(artifact.children) == {child.digest for child in children}
    again = back(value, blobs)
    np.testing.assert_array_equal(again["x"], value["x"])
    pd.testing.assert_frame_equal(again["t"], value["t"])
    assert type(again["n"]) is tuple


def test_kinds_are_kept_apart() -> None:
    values: list[object] = ["1", b"1", 1, 1.0, True, (1,), [1], {1}, np.int64(1), np.array(1)]
    assert len({digest(value) for value in values}) == len(values)


def test_the_order_of_a_dict_does_not_count() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({1: "a", (2,): "b"}) == digest({(2,): "b", 1: "a"})
    assert list(back({"b": 2, "a": 1})) == ["a", "b"]
    one, two = OrderedDict(a=1, b=2), OrderedDict(b=2, a=1)
    assert digest(one) != digest(two)


def test_project_classes_are_noted() -> None:
    value = {"s": (Split([1]), Colour.RED)}
    name = Split.__module__
    artifact, _ = encode(value, NOWHERE, node="n", is_project=lambda m: m == name)
    assert artifact.code_refs == (f"{name}:Colour", f"{name}:Split")
    assert artifact.distributions == ()


def test_big_values_are_blobs(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    for value in ("x" * 20_000, b"x" * 20_000, list(range(20_000)), (b"x" * 20_000,)):
        artifact, _ = encode(value, blobs, node="n")
        assert artifact.inline is None and artifact.blob is not None
        assert back(value, blobs) == value


def test_text_and_bytes_in_other_forms(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    assert back("é", blobs, "bytes") == "é".encode()
    assert back("é".encode(), blobs, "str") == "é"
    path = back("é", blobs, "pathlib.Path")
    assert path.read_text(encoding="utf-8") == "é" and path.suffix == ".txt"
    with pytest.raises(WrongForm, match=r"'json' cannot be given as pathlib\.Path"):
        back(1, blobs, "pathlib.Path")


class Odd:
    """A type that no format takes."""


class Listed(list):  # type: ignore[type-arg]
    """A subclass, whose type JSON would lose."""


def cycle() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


def local_dataclass() -> object:
    @dataclass
    class Local:
        x: int = 1

    return Local()


REFUSED = {
    "none": (lambda: None, NoneReturned, "Node 'n' returned None"),
    "unknown": (Odd, UnknownType, r"type .*test_values\.Odd, .*no format"),
    "inside": (lambda: {"a": [Odd()]}, UnknownType, r"Odd at \['a'\]\[0\]"),
    "subclass": (lambda: Listed([1]), UnknownType, "Listed"),
    "cycle": (cycle, ValueFault, "contains itself"),
    "local class": (local_dataclass, ValueFault, "cannot be imported"),
    "objects": (lambda: np.array([{}], dtype=object), ValueFault, "Python objects"),
    "masked": (lambda: np.ma.array([1], mask=[True]), UnknownType, "subclass of ndarray"),
    "function": (lambda: len, UnknownType, "builtin_function_or_method"),
    "module": (lambda: sys, UnknownType, "type module"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    make, kind, text = REFUSED[case]
    with pytest.raises(kind, match=text) as caught:
        encode(make(), NOWHERE, node="n")
    if kind is UnknownType:
        assert "register_format" in caught.value.fix and "allow_pickle=True" in caught.value.fix


def test_small_values_import_nothing_heavy() -> None:
    code = """
import sys
from whence.store.blobs import LocalBlobs
from whence.store.formats import decode, encode
artifact, _ = encode({"a": [1, 2.5, "x"]}, LocalBlobs("x"), node="n")
decode(artifact, LocalBlobs("x"))
heavy = {"numpy", "pandas", "pyarrow", "polars", "sklearn", "torch", "duckdb"} & set(sys.modules)
sys.exit(", ".join(heavy) or 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
