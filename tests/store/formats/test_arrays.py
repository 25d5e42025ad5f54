"""Arrays share a digest when dtype, shape and elements are equal, however they lie in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from whence.errors import ValueFault
from whence.store.blobs import LocalBlobs
from whence.store.formats import decode, encode

RECORD = np.dtype([("a", "i1"), ("b", "f8")], align=True)
ARRAYS = {
    "floats": np.linspace(0, 1, 7),
    "shape": np.arange(6).reshape(2, 3),
    "scalar": np.array(3.5),
    "empty": np.zeros((0, 3), "f4"),
    "text": np.array(["a", "bcd"]),
    "dates": np.array(["2020-01-01"], "M8[s]"),
    "bool": np.array([True, False]),
    "big endian": np.arange(3, dtype=">i4"),
    "records": np.array([(1, 2.0)], RECORD),
    "big": np.arange(30_000.0),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays_come_back(case: str, tmp_path: Path) -> None:
    blobs, array = LocalBlobs(tmp_path), ARRAYS[case]
    artifact, _ = encode(array, blobs, node="n")
    again: Any = decode(artifact, blobs, "numpy.ndarray")
    assert type(again) is np.ndarray and again.dtype == array.dtype
    np.testing.assert_array_equal(again, array)
    with pytest.raises(ValueError, match="read-only"):
        again[...] = again
    assert encode(again, blobs, node="n")[0].digest == artifact.digest


def test_memory_order_does_not_count_but_dtype_and_shape_do() -> None:
    blobs = LocalBlobs("never-made")
    array = np.arange(6).reshape(2, 3)
    strided = np.arange(12).reshape(2, 6)[:, ::2] // 2
    spellings = [array, np.asfortranarray(array), array[::-1][::-1], strided]
    assert len({encode(a, blobs, node="n")[0].digest for a in spellings}) == 1
    others = [array, array.reshape(3, 2), array.astype("i4"), array.astype(">i8"), array + 1]
    assert len({encode(a, blobs, node="n")[0].digest for a in others}) == 5


def test_what_lies_between_the_fields_of_records_does_not_count() -> None:
    blobs = LocalBlobs("never-made")
    one, two = (np.frombuffer(bytes([fill]) * 16, RECORD).copy() for fill in (1, 2))
    for array in (one, two):
        array["a"], array["b"] = 5, 6.0
    assert encode(one, blobs, node="n")[0].digest == encode(two, blobs, node="n")[0].digest


def test_big_arrays_are_mapped(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    artifact, _ = encode(np.zeros(100_000), blobs, node="n")
    again: Any = decode(artifact, blobs)
    assert isinstance(again.base, np.memmap)


def test_string_dtype_is_refused() -> None:
    with pytest.raises(ValueFault, match="Python objects"):
        encode(np.array(["a"], np.dtypes.StringDType()), LocalBlobs("x"), node="n")
