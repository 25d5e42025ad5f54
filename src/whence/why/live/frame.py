"""Both windows as one matrix of numbers, for the models that compare them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from whence.why.live.metrics import LiveError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from whence.why.live.metrics import Floats

    Bools = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

#: Categories beyond the most frequent ones are one ("other"); the trees take fewer than 255.
CATEGORIES = 100


@dataclass(frozen=True, slots=True)
class Feature:
    """How one column became numbers: `levels` of a category by code, else None."""

    name: str
    levels: tuple[str, ...] | None = None

    @property
    def is_category(self) -> bool:
        return self.levels is not None


@dataclass(frozen=True, slots=True)
class Frame:
    """Rows of both windows, the reference's first.

    Attributes
    ----------
    features : tuple of Feature
    X : array of float, shape (n_rows, n_features)
        Categories as codes; NaN is a missing value.
    y : array of float, shape (n_rows,)
    current : array of bool, shape (n_rows,)
        Whether a row is of the current window.
    binary : bool
        Whether the label is 0 or 1.
    """

    features: tuple[Feature, ...]
    X: Floats
    y: Floats
    current: Bools
    binary: bool

    @property
    def names(self) -> list[str]:
        return [feature.name for feature in self.features]


def numbers_of(column: pa.ChunkedArray) -> Floats | None:
    """A column as float with NaN for nulls; times as seconds; None where it holds categories."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    elif pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    elif pa.types.is_temporal(kind):
        if pa.types.is_date(kind):
            column = column.cast(pa.timestamp("ms"))
        bits = pa.int32() if kind.bit_width == 32 and pa.types.is_time(kind) else pa.int64()
        column = pc.divide(column.cast(bits).cast(pa.float64()), _per_second(column.type))
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return None
    found = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(found, dtype=np.float64)


def _per_second(kind: pa.DataType) -> float:
    return {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[getattr(kind, "unit", "ms")]


def frame_of(reference: pa.Table, current: pa.Table, label: str, features: Sequence[str]) -> Frame:
    """Both windows as numbers.

    Raises
    ------
    LiveError
        If a column is missing, cannot be a feature, or the label is not numeric or misses values.
    """
    import numpy as np

    for window, table in (("reference", reference), ("current", current)):
        if missing := [name for name in (*features, label) if name not in table.column_names]:
            raise LiveError(
                f"The {window} window has no column '{missing[0]}'"
                f" (it has {', '.join(table.column_names[:12])}).",
                "name the columns as they are in the logged rows.",
            )
    y = np.concatenate([labels_of(reference, label), labels_of(current, label)])
    encoded = [_encode(name, reference, current) for name in features]
    return Frame(
        features=tuple(feature for feature, _ in encoded),
        X=np.column_stack([values for _, values in encoded]),
        y=y,
        current=np.arange(len(y)) >= reference.num_rows,
        binary=bool(np.isin(y, (0.0, 1.0)).all()),
    )


def labels_of(table: pa.Table, label: str) -> Floats:
    """The label as numbers; every row has to have one."""
    import numpy as np

    y = numbers_of(table.column(label))
    if y is None:
        raise LiveError(
            f"The label '{label}' is of type {table.column(label).type}.",
            "give it as a number: 0 and 1 for two classes, or the target of a regression.",
        )
    if unlabelled := int(np.isnan(y).sum()):
        raise LiveError(
            f"{unlabelled:,} of {len(y):,} rows have no '{label}' yet.",
            "take only rows whose label has arrived.",
        )
    return y


def _encode(name: str, reference: pa.Table, current: pa.Table) -> tuple[Feature, Floats]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = [reference.column(name), current.column(name)]
    numeric = [numbers_of(column) for column in columns]
    if numeric[0] is not None and numeric[1] is not None:
        return Feature(name), np.concatenate([numeric[0], numeric[1]])
    try:
        texts = [column.cast(pa.string()).combine_chunks() for column in columns]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise LiveError(
            f"Feature '{name}' is of type {columns[0].type}, which is no number, time or text.",
            "leave it out of `features`, or log the parts that the model uses as columns.",
        ) from None
    both = pa.concat_arrays([part.cast(pa.string()) for part in map(_flat, texts)])
    counts = pc.value_counts(both.drop_null()).to_pylist()
    counts.sort(key=lambda found: (-found["counts"], found["values"]))
    levels = tuple(found["values"] for found in counts[:CATEGORIES])
    codes = pc.index_in(both, pa.array(levels, pa.string()))
    values = np.array(codes.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    other = np.isnan(values) & np.asarray(both.is_valid())
    values[other] = len(levels)
    return Feature(name, levels), values


def _flat(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    return pa.concat_arrays(values.chunks) if isinstance(values, pa.ChunkedArray) else values
