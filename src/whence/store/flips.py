"""Two versions of a table, matched row by row, and the tables in between.

What `whence why` looks inside a source with: which columns and rows differ, and the candidate's
table with some of its cells taken back to the baseline's. pyarrow and pandas are imported when a
function is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Rows = NDArray[np.intp]
    Mask = NDArray[np.bool_]

#: Of rows that exist on one side only; flipped like columns.
ADDED, REMOVED = "(rows added)", "(rows removed)"
#: A column identifies rows when it does so on both sides and this part of them is shared.
SHARED = 0.5


@dataclass(frozen=True, slots=True)
class Alignment:
    """Two tables whose rows are matched.

    Attributes
    ----------
    left, right : array of int
        Positions of matched rows in `before` and in `after`, the latter in order.
    gone, new : array of int
        Positions of the rows that only `before`, only `after` has.
    how : str
        By what rows were matched, for people.
    """

    before: pa.Table
    after: pa.Table
    left: Rows
    right: Rows
    gone: Rows
    new: Rows
    how: str


def align(before: pa.Table, after: pa.Table, key: Sequence[str] = ()) -> Alignment:
    """Match the rows of two tables.

    By `key`; without one, by a column that identifies rows on both sides, else by position where
    there are equally many, else by whole rows.
    """
    import numpy as np

    chosen = [tuple(key)] if key else [(name,) for name in _shared_columns(before, after)]
    for columns in chosen:
        if any(name not in before.column_names or name not in after.column_names
               for name in columns):  # fmt: skip
            continue
        found = _match(before, after, columns)
        if found is not None and (key or len(found[0]) >= SHARED * max(after.num_rows, 1)):
            return _alignment(before, after, *found, f"by {', '.join(columns)}")
    if before.num_rows == after.num_rows:
        rows = np.arange(after.num_rows)
        return _alignment(before, after, rows, rows, "by position")
    found = _match_whole_rows(before, after)
    return _alignment(before, after, *found, "by whole rows")


def shared_rows(before: pa.Table, after: pa.Table, key: Sequence[str] = ()) -> float | None:
    """The part of the smaller table's rows that the other has too, by what identifies them.

    By `key`, else by a column called id or ending so; None where nothing identifies rows.
    """
    chosen = [tuple(key)] if key else [
        (name,) for name in _shared_columns(before, after) if name.lower().endswith("id")
    ]  # fmt: skip
    for columns in chosen:
        if all(name in before.column_names and name in after.column_names for name in columns):
            found = _match(before, after, columns)
            if found is not None:
                return float(len(found[0]) / max(1, min(before.num_rows, after.num_rows)))
    return None


def _alignment(before: pa.Table, after: pa.Table, left: Rows, right: Rows, how: str) -> Alignment:
    import numpy as np

    gone = np.setdiff1d(np.arange(before.num_rows), left)
    new = np.setdiff1d(np.arange(after.num_rows), right)
    return Alignment(before, after, left, right, gone, new, how)


def _shared_columns(before: pa.Table, after: pa.Table) -> list[str]:
    """Columns of both sides that may identify rows, the likely ones first."""
    import pyarrow as pa

    names = [
        name
        for name in after.column_names
        if name in before.column_names
        and not pa.types.is_floating(after.schema.field(name).type)
        and not pa.types.is_nested(after.schema.field(name).type)
    ]
    return sorted(names, key=lambda name: not (name == "id" or name.endswith("id")))


def _match(before: pa.Table, after: pa.Table, columns: Sequence[str]) -> tuple[Rows, Rows] | None:
    """Positions of rows with equal keys; None where a key occurs twice."""
    import numpy as np
    import pandas as pd

    sides = []
    for table in (before, after):
        frame = table.select(list(columns)).to_pandas()
        index = pd.MultiIndex.from_frame(frame) if len(columns) > 1 else pd.Index(frame.iloc[:, 0])
        if not index.is_unique:
            return None
        sides.append(index)
    found = np.asarray(sides[0].get_indexer(sides[1]))
    right = np.flatnonzero(found >= 0)
    return found[right], right


def _match_whole_rows(before: pa.Table, after: pa.Table) -> tuple[Rows, Rows]:
    import numpy as np
    import pandas as pd

    names = [name for name in after.column_names if name in before.column_names]
    sides = []
    for table in (before, after):
        hashes = pd.util.hash_pandas_object(table.select(names).to_pandas(), index=False)
        frame = pd.DataFrame({"hash": hashes.to_numpy(), "row": np.arange(table.num_rows)})
        frame["copy"] = frame.groupby("hash").cumcount()
        sides.append(frame)
    both = sides[0].merge(sides[1], on=["hash", "copy"], suffixes=("_old", "_new"))
    both = both.sort_values("row_new")
    return both["row_old"].to_numpy(), both["row_new"].to_numpy()


def changed_cells(aligned: Alignment) -> dict[str, Mask]:
    """Column -> which matched rows differ in it; columns without a difference are left out.

    Null differs from NaN and from every value; NaN equals NaN. A column that only one side has
    differs everywhere. `ADDED` and `REMOVED` stand for rows of one side, with all their rows.
    """
    import numpy as np

    out: dict[str, Mask] = {}
    n = len(aligned.right)
    for name in aligned.after.column_names:
        if name not in aligned.before.column_names:
            out[name] = np.ones(n, bool)
            continue
        old = aligned.before.column(name).combine_chunks().take(_array(aligned.left))
        new = aligned.after.column(name).combine_chunks().take(_array(aligned.right))
        differs = _differs(old, new)
        if differs.any():
            out[name] = differs
    for name in aligned.before.column_names:
        if name not in aligned.after.column_names:
            out[name] = np.ones(n, bool)
    if len(aligned.new):
        out[ADDED] = np.ones(len(aligned.new), bool)
    if len(aligned.gone):
        out[REMOVED] = np.ones(len(aligned.gone), bool)
    return out


def _array(rows: Rows) -> Any:
    import pyarrow as pa

    return pa.array(rows)


def _differs(old: Any, new: Any) -> Mask:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if old.type != new.type:
        try:
            old = old.cast(new.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return np.ones(len(new), bool)
    if pa.types.is_nested(new.type):
        return np.array([a != b for a, b in zip(old.to_pylist(), new.to_pylist(), strict=True)],
                        dtype=bool)  # fmt: skip
    equal = pc.fill_null(pc.equal(old, new), False)
    if pa.types.is_floating(new.type):
        both = pc.and_(pc.fill_null(pc.is_nan(old), False), pc.fill_null(pc.is_nan(new), False))
        equal = pc.or_(equal, both)
    equal = pc.or_(equal, pc.and_(pc.is_null(old), pc.is_null(new)))
    return ~np.asarray(equal.to_numpy(zero_copy_only=False), dtype=bool)


def revert(aligned: Alignment, cells: Mapping[str, Mask | None]) -> pa.Table:
    """The `after` table with some cells as they were `before`.

    Parameters
    ----------
    cells : mapping
        Column -> which matched rows to take back (None: all of them). `ADDED` -> which new rows
        to drop, `REMOVED` -> which gone rows to put back, at the end.
    """
    import numpy as np
    import pyarrow as pa

    table = aligned.after
    for name, mask in cells.items():
        if name in (ADDED, REMOVED):
            continue
        if name not in table.column_names:
            table = table.append_column(name, _widened(aligned, name))
        elif name not in aligned.before.column_names:
            table = table.drop_columns([name])
        else:
            place = table.column_names.index(name)
            field = table.schema.field(name)
            column = _mixed(aligned, name, mask)
            table = table.set_column(place, field.with_type(column.type), column)
    if REMOVED in cells:
        rows = _chosen(aligned.gone, cells[REMOVED])
        extra = aligned.before.take(pa.array(rows))
        table = pa.concat_tables([table, extra], promote_options="permissive")
    if ADDED in cells:
        keep = np.ones(table.num_rows, bool)
        keep[_chosen(aligned.new, cells[ADDED])] = False
        table = table.filter(pa.array(keep))
    return table


def _chosen(rows: Rows, mask: Mask | None) -> Rows:
    return rows if mask is None else rows[mask]


def _mixed(aligned: Alignment, name: str, mask: Mask | None) -> Any:
    """A column of `after` with the cells of some matched rows from `before`."""
    import numpy as np
    import pyarrow as pa

    old = aligned.before.column(name)
    new = aligned.after.column(name)
    left, right = _chosen(aligned.left, mask), _chosen(aligned.right, mask)
    if old.type != new.type:
        if len(left) == aligned.after.num_rows:
            return old.take(pa.array(left))
        old = old.cast(new.type)
    rows = np.arange(aligned.after.num_rows)
    rows[right] = len(new) + left
    return pa.chunked_array([*new.chunks, *old.chunks], type=new.type).take(pa.array(rows))


def _widened(aligned: Alignment, name: str) -> Any:
    """A column that `after` lost, on its matched rows."""
    import numpy as np
    import pyarrow as pa

    rows = np.full(aligned.after.num_rows, -1)
    rows[aligned.right] = aligned.left
    taken = pa.array(rows, mask=rows < 0)
    return aligned.before.column(name).take(taken)
