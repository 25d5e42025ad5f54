"""Two versions of a table, matched row by row, and the tables in between.

What `whence why` looks inside a source with: which columns and rows differ, and the candidate's
table with some of its cells taken back to the baseline's. pyarrow and pandas are imported when a
function is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from whence.store.flipkeys import by_columns, match, shared_columns

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Rows = NDArray[np.intp]
    Mask = NDArray[np.bool_]

#: Of rows that exist on one side only; flipped like columns.
ADDED, REMOVED = "(rows added)", "(rows removed)"
#: Of what both sides have; flipped like columns.
ROW_ORDER, COLUMN_ORDER = "(row order)", "(column order)"
#: What `changed_cells` names beside columns.
WHOLE = (ADDED, REMOVED, ROW_ORDER, COLUMN_ORDER)


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

    By `key`; without one, by what identifies rows on both sides or by position, whichever leaves
    the fewest cells different; else by whole rows.
    """
    import numpy as np

    left, right, how = match(before, after, key)
    gone, new = np.ones(before.num_rows, bool), np.ones(after.num_rows, bool)
    gone[left], new[right] = False, False
    return Alignment(before, after, left, right, np.flatnonzero(gone), np.flatnonzero(new), how)


def shared_rows(before: pa.Table, after: pa.Table, key: Sequence[str] = ()) -> float | None:
    """The part of the smaller table's rows that the other has too, by what identifies them.

    By `key`, else by a column called id or ending so; None where nothing identifies rows.
    """
    chosen = [tuple(key)] if key else [
        (name,) for name in shared_columns(before, after) if name.lower().endswith("id")
    ]  # fmt: skip
    for columns in chosen:
        found = by_columns(before, after, columns)
        if found is not None:
            return float(len(found[0]) / max(1, min(before.num_rows, after.num_rows)))
    return None


def type_changes(aligned: Alignment) -> dict[str, str]:
    """Column -> "int64 → double", of columns of both sides whose types differ."""
    return {
        new.name: f"{old.type} → {new.type}"
        for new in aligned.after.schema
        if new.name in aligned.before.column_names
        and not _same_type((old := aligned.before.schema.field(new.name)).type, new.type)
    }


def _same_type(one: Any, other: Any) -> bool:
    """Whether types are two spellings of one; strings of any width are."""
    import pyarrow as pa

    def spelling(kind: Any) -> Any:
        if pa.types.is_large_string(kind) or str(kind) == "string_view":
            return pa.string()
        if pa.types.is_large_binary(kind) or str(kind) == "binary_view":
            return pa.binary()
        return kind

    return bool(spelling(one) == spelling(other))


def changed_cells(aligned: Alignment) -> dict[str, Mask]:
    """Column -> which matched rows differ in it; columns without a difference are left out.

    Null differs from NaN and from every value; NaN equals NaN. A column that only one side has
    differs everywhere, as does one of which only the type changed. `ADDED` and `REMOVED` stand for
    rows of one side, `ROW_ORDER` and `COLUMN_ORDER` for the order of what both sides have.
    """
    import numpy as np

    out: dict[str, Mask] = {}
    n = len(aligned.right)
    old_names, new_names = aligned.before.column_names, aligned.after.column_names
    retyped = type_changes(aligned)
    left, right = _positions(aligned.left), _positions(aligned.right)
    for name in new_names:
        if name not in old_names:
            out[name] = np.ones(n, bool)
            continue
        differs = _differs(
            aligned.before.column(name).take(left), aligned.after.column(name).take(right)
        )
        if differs.any():
            out[name] = differs
        elif name in retyped:
            out[name] = np.ones(n, bool)
    out.update({name: np.ones(n, bool) for name in old_names if name not in new_names})
    if len(aligned.new):
        out[ADDED] = np.ones(len(aligned.new), bool)
    if len(aligned.gone):
        out[REMOVED] = np.ones(len(aligned.gone), bool)
    if (np.diff(aligned.left) < 0).any():
        out[ROW_ORDER] = np.ones(n, bool)
    if [c for c in new_names if c in old_names] != [c for c in old_names if c in new_names]:
        out[COLUMN_ORDER] = np.ones(n, bool)
    return out


def _positions(rows: Any) -> Any:
    import pyarrow as pa

    return pa.array(rows)


def _differs(old: Any, new: Any) -> Mask:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    old, new = (
        c.cast(c.type.value_type) if pa.types.is_dictionary(c.type) else c for c in (old, new)
    )
    if old.type != new.type:
        cast = _cast(old, new.type)
        if cast is None:
            return np.ones(len(new), bool)
        old = cast
    if pa.types.is_null(new.type):
        return np.zeros(len(new), bool)
    if pa.types.is_nested(new.type):
        pairs = zip(old.to_pylist(), new.to_pylist(), strict=True)
        return np.array([a != b and repr(a) != repr(b) for a, b in pairs], dtype=bool)
    equal = pc.fill_null(pc.equal(old, new), False)
    if pa.types.is_floating(new.type):
        both = pc.and_(pc.fill_null(pc.is_nan(old), False), pc.fill_null(pc.is_nan(new), False))
        equal = pc.or_(equal, both)
    equal = pc.or_(equal, pc.and_(pc.is_null(old), pc.is_null(new)))
    return ~np.asarray(equal.to_numpy(zero_copy_only=False), dtype=bool)  # type: ignore[call-arg, unused-ignore]


def _cast(column: Any, kind: Any) -> Any:
    """The column with another type, or None where a value would be lost."""
    import pyarrow as pa

    try:
        return column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _cast_or_null(column: Any, kind: Any) -> Any:
    import pyarrow as pa

    cast = _cast(column, kind)
    return pa.chunked_array([pa.nulls(len(column), kind)]) if cast is None else cast


def revert(aligned: Alignment, cells: Mapping[str, Mask | None]) -> pa.Table:
    """The `after` table with some cells as they were `before`.

    Everything that `changed_cells` names taken back is `before`, with its order and its types.

    Parameters
    ----------
    cells : mapping
        Column -> which matched rows to take back (None: all of them). `ADDED` -> which new rows
        to drop, `REMOVED` -> which gone rows to put back, behind the row that they followed.
        A column whose old and new values no type holds together, or that one side lacks, goes back
        as a whole.
    """
    import numpy as np

    table = aligned.after
    rows = np.full(table.num_rows, -1)  # of `before`, that the rows of `table` were
    rows[aligned.right] = aligned.left
    for name, mask in cells.items():
        if name in WHOLE:
            continue
        if name not in table.column_names:
            place = min(aligned.before.column_names.index(name), table.num_columns)
            field = aligned.before.schema.field(name)
            taken = aligned.before.column(name).take(_nullable(rows))
            table = table.add_column(place, field, taken)
        elif name not in aligned.before.column_names:
            table = table.drop_columns([name])
        else:
            place = table.column_names.index(name)
            column = _mixed(aligned, name, mask)
            table = table.set_column(place, table.schema.field(name).with_type(column.type), column)
    if REMOVED in cells:
        gone = _chosen(aligned.gone, cells[REMOVED])
        table = _with_rows(table, aligned.before.take(_positions(gone)))
        rows = np.concatenate([rows, gone])
    keep = _order(aligned, rows, ROW_ORDER in cells)
    if ADDED in cells:
        keep = keep[~np.isin(keep, _chosen(aligned.new, cells[ADDED]))]
    if not np.array_equal(keep, np.arange(table.num_rows)):
        table = table.take(_positions(keep))
    if COLUMN_ORDER in cells:
        known = [name for name in aligned.before.column_names if name in table.column_names]
        table = table.select([*known, *(c for c in table.column_names if c not in known)])
    return table


def _order(aligned: Alignment, rows: Rows, as_before: bool) -> Rows:
    """The order of a table's rows, the last of which were put back; these go where they were.

    Parameters
    ----------
    rows : array of int
        Positions in `before`; -1 for rows that only `after` has.
    as_before : bool
        Whether all go where they were; rows that only `after` has go last.
    """
    import numpy as np

    if as_before:
        return np.argsort(np.where(rows < 0, aligned.before.num_rows, rows), kind="stable")
    n = aligned.after.num_rows
    last = np.full(aligned.before.num_rows, -1)  # of the matched rows up to a row of `before`
    last[aligned.left] = aligned.left
    last = np.maximum.accumulate(last)[rows[n:]]
    place = np.full(aligned.before.num_rows, -1)
    place[aligned.left] = aligned.right
    behind = np.where(last < 0, -1, place[last])
    second = np.concatenate([np.full(n, -1), rows[n:]])
    return np.lexsort((second, np.concatenate([np.arange(n), behind])))


def _chosen(rows: Rows, mask: Mask | None) -> Rows:
    return rows if mask is None else rows[mask]


def _nullable(rows: Rows) -> Any:
    """Positions for `take`, where -1 gives null."""
    import pyarrow as pa

    return pa.array(rows, mask=rows < 0)


def _mixed(aligned: Alignment, name: str, mask: Mask | None) -> Any:
    """A column of `after` with the cells of some matched rows from `before`."""
    import numpy as np
    import pyarrow as pa

    old = aligned.before.column(name)
    new = aligned.after.column(name)
    if mask is not None and mask.all():
        mask = None
    if mask is not None and old.type != new.type:
        if (cast := _cast(old, new.type)) is not None:
            old = cast
        elif (cast := _cast(new, old.type)) is not None:
            new = cast
        else:
            mask = None
    if mask is None and old.type != new.type:
        new = _cast_or_null(new, old.type)  # seen only in rows that `before` lacks
    rows = np.arange(aligned.after.num_rows)
    rows[_chosen(aligned.right, mask)] = len(new) + _chosen(aligned.left, mask)
    return pa.chunked_array([*new.chunks, *old.chunks], type=new.type).take(pa.array(rows))


def _with_rows(table: pa.Table, extra: pa.Table) -> pa.Table:
    """`table` and further rows of it; what they have no value for is null."""
    import pyarrow as pa

    columns = [
        _cast_or_null(extra.column(field.name), field.type)
        if field.name in extra.column_names
        else pa.nulls(extra.num_rows, field.type)
        for field in table.schema
    ]
    return pa.concat_tables([table, pa.table(columns, schema=table.schema)])
