"""Row order of tables whose order is not part of their value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whence.errors import ValueFault, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

_SHOWN = 5


def sort_by_key(table: pa.Table, key: Sequence[str], node: str) -> pa.Table:
    """Rows sorted by `key`, nulls last.

    Raises
    ------
    ValueFault
        If a key column is missing or two rows have the same key; the rows are named.
    """
    import pyarrow as pa

    for name in key:
        if name not in table.schema.names:
            near = did_you_mean(name, table.schema.names)
            raise ValueFault(
                f"Node '{node}' declares key='{name}', but its table has no such column; it has "
                f"{', '.join(table.schema.names)}.",
                f"did you mean '{near}'?" if near else "name one of its columns.",
            )
        if pa.types.is_nested(table.schema.field(name).type):
            raise ValueFault(
                f"The key column '{name}' of node '{node}' is a {table.schema.field(name).type}.",
                "use a column of plain values as the key.",
            )
    plain = _without_dictionaries(table.select(list(key)))
    counts = plain.group_by(list(key)).aggregate([([], "count_all")])
    if counts.num_rows < table.num_rows:
        raise _duplicates(plain, counts, key, node)
    return table.take(_order(plain, list(key)))


def sort_by_everything(table: pa.Table) -> pa.Table:
    """Rows sorted by all columns, from left to right: one order for one set of rows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    plain = _without_dictionaries(table)
    keys: dict[str, Any] = {}
    signs: dict[str, Any] = {}
    for at, column in enumerate(plain.columns):
        if pa.types.is_nested(column.type) or isinstance(column.type, pa.BaseExtensionType):
            column = pa.array([repr(item) for item in column.to_pylist()], pa.string())
        elif pa.types.is_null(column.type):
            continue
        elif pa.types.is_floating(column.type):
            values = column.cast(pa.float64())
            if pc.any(pc.and_(pc.equal(values, 0.0), pc.less(pc.divide(1.0, values), 0.0))).as_py():
                # 0.0 and -0.0 sort as equal, but are not the same value.
                signs[f"s{at}"] = pc.less(pc.divide(1.0, values), 0.0)
        keys[f"k{at}"] = column
    if not keys:
        return table
    columns = pa.table({**keys, **signs})
    return table.take(_order(columns, columns.schema.names))


def _order(table: pa.Table, names: Sequence[str]) -> pa.Array:
    import pyarrow.compute as pc

    return pc.sort_indices(table, sort_keys=[(name, "ascending") for name in names])


def _without_dictionaries(table: pa.Table) -> pa.Table:
    import pyarrow as pa

    from whence.store.tables import canonical_schema

    kinds = canonical_schema(table.schema, "?")
    for at, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type) or pa.types.is_run_end_encoded(field.type):
            table = table.set_column(at, field.name, table.column(at).cast(kinds.field(at).type))
    return table


def _duplicates(plain: pa.Table, counts: pa.Table, key: Sequence[str], node: str) -> ValueFault:
    rows: dict[str, list[int]] = {}
    for number, values in enumerate(zip(*(c.to_pylist() for c in plain.columns), strict=True)):
        rows.setdefault(", ".join(map(repr, values)), []).append(number)
    twice = {values: numbers for values, numbers in rows.items() if len(numbers) > 1}
    shown = "; ".join(
        f"({values}) in rows {', '.join(map(str, numbers[:_SHOWN]))}"
        for values, numbers in list(twice.items())[:_SHOWN]
    )
    return ValueFault(
        f"The key ({', '.join(key)}) of node '{node}' is not unique: {len(twice)} of "
        f"{counts.num_rows} values occur more than once: {shown}.",
        "remove the duplicate rows, or add columns to key=.",
    )
