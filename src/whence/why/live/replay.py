"""Served features against the same features made again: exact, without statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from whence.why.live.frame import numbers_of
from whence.why.live.metrics import LiveError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from whence.why.live.frame import Bools
    from whence.why.live.metrics import Floats

    Ints = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

#: Floats that differ by less, relatively, are the same number in another precision.
PRECISION = 1e-6
#: Longest constant lag, in rows, that is looked for.
LONGEST_LAG = 60


@dataclass(frozen=True, slots=True)
class Skew:
    """A feature that was served otherwise than the pipeline makes it from the logged inputs."""

    feature: str
    rows: int
    share: float
    how: str


def compare(served: pa.Table, replayed: pa.Table, features: Sequence[str]) -> list[Skew]:
    """Features that differ, the most rows first.

    Raises
    ------
    LiveError
        If both tables are not the same rows.
    """
    import pyarrow as pa

    if served.num_rows != replayed.num_rows:
        raise LiveError(
            f"{replayed.num_rows:,} rows were replayed, but {served.num_rows:,} were served.",
            "replay the logged raw inputs of the current window, row by row, in its order.",
        )
    found = []
    for name in features:
        if name not in replayed.column_names:
            continue
        one, other = served.column(name), replayed.column(name)
        numeric = numbers_of(one), numbers_of(other)
        if numeric[0] is not None and numeric[1] is not None:
            a, b = numeric[0], numeric[1]
        else:
            a, b = _codes(one.cast(pa.string()), other.cast(pa.string()))
        differ = ~_equal(a, b)
        if differ.any():
            text = numeric[0] is None
            how = _how(a, b, differ, one, text=text, groups=_groups(served, features))
            found.append(Skew(name, int(differ.sum()), float(differ.mean()), how))
    return sorted(found, key=lambda skew: -skew.rows)


def _equal(a: Floats, b: Floats) -> Bools:
    import numpy as np

    return np.asarray(np.isclose(a, b, rtol=PRECISION, atol=1e-12, equal_nan=True))


def _codes(one: pa.ChunkedArray, other: pa.ChunkedArray) -> tuple[Floats, Floats]:
    """Texts as numbers, equal where the texts are."""
    import numpy as np
    import pyarrow as pa

    both = pa.chunked_array([*one.chunks, *other.chunks], pa.string()).combine_chunks()
    indices = both.dictionary_encode().indices.cast(pa.float64())
    codes = np.asarray(indices.to_numpy(zero_copy_only=False), dtype=np.float64)
    return codes[: len(one)], codes[len(one) :]


def _groups(table: pa.Table, features: Sequence[str]) -> list[tuple[str, Ints]]:
    """Columns that may name an entity: keys with several rows each, as codes."""
    import numpy as np
    import pyarrow as pa

    found = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_floating(column.type) or pa.types.is_temporal(column.type):
            continue
        if not (pa.types.is_integer(column.type) or pa.types.is_string(column.type)):
            continue
        codes = column.combine_chunks().dictionary_encode().indices
        if codes.null_count or not 1 < len(np.unique(codes)) <= len(column) / 2:
            continue
        found.append((name, np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)))
    found.sort(key=lambda group: group[0] in features)  # a key is rarely a feature
    return found


def _how(
    a: Floats, b: Floats, differ: Bools, served: pa.ChunkedArray, *, text: bool,
    groups: list[tuple[str, Ints]],
) -> str:  # fmt: skip
    """What was done to the true values `b` that `a` came of it."""
    import numpy as np

    part = "" if differ.all() or differ.mean() > 0.9 else f" in {differ.mean():.0%} of the rows"
    values = a[differ]
    if np.isnan(values).all():
        return f"null{part}"
    if len(np.unique(values)) == 1 and differ.sum() > 1 and len(np.unique(b[differ])) > 1:
        shown = served.filter(_mask(differ))[0].as_py()
        return f"filled with {shown!r}{part}"
    if lag := _lag(a, b):
        return f"stale by {lag} row{'s' if lag > 1 else ''}"
    for name, codes in groups:
        order = np.argsort(codes, kind="stable")
        if lag := _lag(a[order], b[order], codes[order]):
            return f"stale by {lag} row{'s' if lag > 1 else ''} of its {name}"
    if not text and (affine := _affine(values, b[differ])):
        return affine + part
    if np.array_equal(np.sort(a[differ]), np.sort(b[differ]), equal_nan=True):
        return "shuffled: the same values, in other rows"
    for name, codes in groups:
        if _earlier(a, b, differ, codes):
            return f"stale: an earlier value of its {name}{part}"
    return f"other values{part}"


def _mask(rows: Bools) -> pa.Array:
    import pyarrow as pa

    return pa.array(rows)


def _lag(a: Floats, b: Floats, group: Ints | None = None) -> int:
    """The number of rows by which `a` is behind `b` (within groups), or 0."""
    import numpy as np

    for lag in range(1, min(LONGEST_LAG, len(a) // 2) + 1):
        same = np.ones(len(a) - lag, dtype=bool) if group is None else group[lag:] == group[:-lag]
        if same.sum() < max(20, 0.2 * len(a)):
            return 0
        now, then = a[lag:][same], b[:-lag][same]
        if len(np.unique(then)) > 1 and _equal(now, then).mean() > 0.98:
            # Values that hardly change are equal to any lag; it has to explain the difference.
            changed = ~_equal(b[lag:][same], then)
            if changed.any() and _equal(now[changed], then[changed]).mean() > 0.95:
                return lag
    return 0


def _affine(a: Floats, b: Floats) -> str:
    import numpy as np

    known = np.isfinite(a) & np.isfinite(b)
    a, b = a[known], b[known]
    if len(a) < 3 or len(np.unique(b)) < 3:
        return ""
    slope, shift = np.polyfit(b, a, 1)
    if slope == 0 or not np.allclose(slope * b + shift, a, rtol=1e-4, atol=1e-4 * np.std(a)):
        return ""
    size = float(np.std(a)) or 1.0
    if abs(shift) < 1e-3 * size:
        return "turned in sign" if abs(slope + 1) < 1e-4 else f"scaled by {slope:.6g}"
    if abs(slope - 1) < 1e-4:
        return f"shifted by {shift:.6g}"
    return f"scaled by {slope:.6g} and shifted by {shift:.6g}"


def _earlier(a: Floats, b: Floats, differ: Bools, codes: Ints) -> bool:
    """Whether what was served is nearly always a value that the entity had before."""
    import numpy as np

    had: dict[int, set[float]] = {}
    found = total = 0
    for code, served, true, off in zip(codes.tolist(), a.tolist(), b.tolist(), differ, strict=True):
        before = had.setdefault(code, set())
        if off and before:
            total += 1
            found += served in before
        before.add(true)
    # With few distinct values, any value is one that the entity had before.
    distinct = len(np.unique(b[np.isfinite(b)]))
    mean_rows = len(a) / max(1, len(had))
    return total >= 20 and found > 0.95 * total and mean_rows < 0.2 * distinct
