"""Files to Arrow tables, tables to partitions, and the check that a value is a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whence.data.csvfile import open_file, read_csv, unknown_column
from whence.errors import SourceError, ValueFault
from whence.graph.nodes import NodeSpec
from whence.graph.partitions import order_partitions

if TYPE_CHECKING:
    import pyarrow as pa

_READ_AS = {"parquet": "Parquet", "arrow": "an Arrow file", "jsonl": "lines of JSON"}


def read_table(
    path: Path, shown: str, kind: str, options: Mapping[str, Any], hive: Sequence[str] = ()
) -> pa.Table:
    """One file as a table; named values of its folders become columns where it has none such.

    Raises
    ------
    SourceError
        If it cannot be read, or lacks a column that `options` name.
    """
    import pyarrow as pa

    try:
        if kind in ("csv", "tsv"):
            table = read_csv(path, shown, kind, options)
        elif kind == "jsonl":
            table = _read_jsonl(path, shown)
        elif kind == "parquet":
            import pyarrow.parquet as pq

            table = pq.ParquetFile(path).read()
        else:
            table = _read_arrow(path)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(
            f"Source file '{shown}' cannot be read as {_READ_AS.get(kind, kind)}: "
            f"{str(error).rstrip('.')} ({path.stat().st_size:,} bytes, the first are "
            f"{_first_bytes(path)!r}).",
            "fetch or write it again; where it is of another format, say files(…, format=…).",
        ) from error
    table = _add_hive(table, hive)
    wanted = options.get("columns")
    if wanted is None:
        return table
    for name in wanted:
        if name not in table.column_names:
            raise unknown_column(shown, name, table.column_names)
    return table.select(wanted)


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)


def _read_arrow(path: Path) -> pa.Table:
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        if _first_bytes(path)[:6] == b"ARROW1":
            return pa.ipc.open_file(source).read_all()
        return pa.ipc.open_stream(source).read_all()


def _read_jsonl(path: Path, shown: str) -> pa.Table:
    import json as text_json

    import pyarrow as pa
    from pyarrow import json

    with open_file(path, shown) as stream:
        data = stream.read()
    try:
        # One block for the whole file, so that types do not depend on where a block ends.
        return json.read_json(pa.BufferReader(data), json.ReadOptions(block_size=max(len(data), 1)))
    except pa.ArrowInvalid as error:
        for number, line in enumerate(data.splitlines(), start=1):
            if not line.strip():
                continue
            try:
                is_row = isinstance(text_json.loads(line), dict)
            except ValueError:
                is_row = False
            if not is_row:
                raise SourceError(
                    f"Source file '{shown}' has a broken row {number}: {line[:160]!r} is no JSON "
                    "object.",
                    "correct the line: each must hold one object, {…}.",
                ) from error
        raise SourceError(
            f"Source file '{shown}' cannot be read as a table: {error}.",
            "give each field one type in all rows, or read it with format='text'.",
        ) from error


def _add_hive(table: pa.Table, hive: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    for part in hive:
        name, _, value = part.partition("=")
        if name not in table.column_names:
            whole = value.isdecimal() and (value == "0" or value[0] != "0")
            scalar = pa.scalar(int(value) if whole else value)
            table = table.append_column(name, pa.repeat(scalar, table.num_rows))
    return table


def concat(pattern: str, paths: Sequence[str], tables: Sequence[pa.Table]) -> pa.Table:
    """The rows of all tables, in order; a column without any value takes the others' type.

    Raises
    ------
    SourceError
        If the columns or their types differ; it names the file and the column.
    """
    import pyarrow as pa

    if len(tables) == 1:
        return tables[0]
    first = tables[0]
    types: dict[str, tuple[pa.DataType, str]] = {}
    for path, table in zip(paths, tables, strict=True):
        if table.column_names != first.column_names:
            raise _other_columns(pattern, (paths[0], first), (path, table))
        for column in table.schema:
            if column.name not in types or pa.types.is_null(types[column.name][0]):
                types[column.name] = (column.type, path)
    schema = pa.schema([(name, kind) for name, (kind, _) in types.items()])
    cast = []
    for path, table in zip(paths, tables, strict=True):
        for column in table.schema:
            kind, where = types[column.name]
            if column.type != kind and not pa.types.is_null(column.type):
                raise SourceError(
                    f"Source '{pattern}' holds column '{column.name}' as {kind} in '{where}' and "
                    f"as {column.type} in '{path}'.",
                    "write both alike"
                    + (
                        f', or say the type: files(…, types={{"{column.name}": "double"}}).'
                        if path.split(".")[-1] not in ("parquet", "arrow", "feather")
                        else "."
                    ),
                )
        cast.append(table.replace_schema_metadata(None).cast(schema))
    return pa.concat_tables(cast)


def _other_columns(
    pattern: str, first: tuple[str, pa.Table], other: tuple[str, pa.Table]
) -> SourceError:
    have, had = other[1].column_names, first[1].column_names
    missing = [name for name in had if name not in have]
    added = [name for name in have if name not in had]
    said = [f"lacks {', '.join(map(repr, missing))}"] if missing else []
    said += [f"adds {', '.join(map(repr, added))}"] if added else []
    what = " and ".join(said) or "has the columns in another order"
    return SourceError(
        f"The files of source '{pattern}' differ: '{other[0]}' {what}, compared to '{first[0]}'.",
        "write both alike, read common ones with files(…, columns=[…]), or declare two sources.",
    )


def split(pattern: str, table: pa.Table, columns: Sequence[str]) -> dict[str, pa.Table]:
    """The table by the values of `columns`: partition key -> rows, in natural order of the keys.

    The key is the value's text for one column, ``year=2013/month=1`` for several. Rows keep their
    order.

    Raises
    ------
    SourceError
        If a column does not exist or has rows without a value.
    """
    import numpy as np
    import pyarrow as pa

    for name in columns:
        if name not in table.column_names:
            raise unknown_column(pattern, name, table.column_names)
        if missing := table[name].null_count:
            raise SourceError(
                f"Source '{pattern}' is partitioned by '{name}', but {missing:,} of "
                f"{table.num_rows:,} rows have no value there.",
                "fill them in, or partition by another column.",
            )
    places = table.select(columns).append_column(
        pa.field("place", pa.int64()), pa.array(np.arange(table.num_rows))
    )
    groups = places.group_by(columns, use_threads=False).aggregate([("place", "list")])
    out: dict[str, pa.Table] = {}
    for row in range(groups.num_rows):
        values = [_text(groups[name][row].as_py()) for name in columns]
        named = [f"{name}={value}" for name, value in zip(columns, values, strict=True)]
        key = values[0] if len(columns) == 1 else "/".join(named)
        out[key] = table.take(groups["place_list"][row].values)
    return {key: out[key] for key in order_partitions(out)}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    iso = getattr(value, "isoformat", None)
    text = iso() if iso is not None else str(value)
    return text.replace("%", "%25").replace("/", "%2F")


_TABLES = {
    "pandas": {"DataFrame"},
    "polars": {"DataFrame", "LazyFrame"},
    "pyarrow": {"Table", "RecordBatch", "RecordBatchReader"},
    "_duckdb": {"DuckDBPyRelation"},
    "duckdb": {"DuckDBPyRelation"},
    "ibis": {"Table", "CachedTable"},
}


def is_table(value: object) -> bool:
    """Whether a value is a table of a library that whence stores; imports none of them."""
    return any(
        base.__name__ in _TABLES.get(base.__module__.split(".")[0], ())
        for base in type(value).__mro__
    )


def check_table(value: object, spec: NodeSpec) -> object:
    """The value, if it is a table: what `@whence.table` promises.

    Raises
    ------
    ValueFault
        If it is something else; it names the type.
    """
    if value is None or is_table(value):
        return value  # None is an error of every node, told by the engine
    kind = type(value)
    shown = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    hint = ""
    if shown == "pandas.Series" or shown.endswith(".Series"):
        hint = "call .to_frame(), or "
    elif isinstance(value, list | dict):
        hint = "make a table of it (pandas.DataFrame(…)), or "
    raise ValueFault(
        f"Table '{spec.name}' returned a {shown}, which is no table.",
        f"{hint}return a pandas, Polars, Arrow, DuckDB or Ibis table, or declare it with @wh.node.",
    )


__all__ = ["check_table", "concat", "is_table", "read_table", "split"]
