"""Tables in the forms that people use: pandas, Polars, Arrow, DuckDB, Ibis, NumPy.

Every form becomes one Arrow table and a `Layout` on the way in, and is made of these two alone on
the way out: which library wrote a table makes no difference to whoever reads it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from whence.errors import ValueFault
from whence.store.formats.faults import UnknownType, WrongForm
from whence.store.sorting import sort_by_everything, sort_by_key
from whence.store.tables import (
    BATCH_ROWS,
    Category,
    Layout,
    concat_tables,
    logical_table,
    read_table,
    write_table,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pyarrow as pa

    from whence.store.artifact import Artifact
    from whence.store.formats.codec import Reading, Writing


class TableCodec:
    """Tables and series."""

    name = "table"

    def encode(self, value: object, writing: Writing) -> Artifact:
        batches, schema, layout, ordered = to_arrow(value, writing.node)
        if writing.key or not ordered:
            import pyarrow as pa

            table = pa.Table.from_batches(list(batches), schema)
            if writing.key:
                table = sort_by_key(table, writing.key, writing.node)
            else:
                table = sort_by_everything(table)
            batches = table.to_batches(BATCH_ROWS)
        return write_table(batches, schema, layout, writing.blobs, node=writing.node)

    def decode(self, artifact: Artifact, reading: Reading, form: str | None) -> object:
        return from_arrow(*read_table(artifact, reading.blobs), form)

    def decode_union(
        self, parts: Sequence[tuple[str, Artifact]], reading: Reading, form: str | None
    ) -> object:
        """Partitions as one table, in the order given."""
        tables = [(key, *read_table(artifact, reading.blobs)) for key, artifact in parts]
        return from_arrow(*concat_tables(tables), form)


def to_arrow(value: Any, node: str) -> tuple[Iterable[pa.RecordBatch], pa.Schema, Layout, bool]:
    """Batches, their schema, what else the table means, and whether its row order counts."""
    import pyarrow as pa

    kind = type(value)
    top, name = kind.__module__.partition(".")[0], kind.__name__
    if top == "pandas":
        table, layout = _from_pandas(value, node)
    elif top == "polars":
        table, layout = _from_polars(value, node)
    elif isinstance(value, pa.RecordBatchReader):
        return value, value.schema, Layout(), True
    elif isinstance(value, pa.RecordBatch):
        table, layout = pa.Table.from_batches([value]), Layout()
    elif isinstance(value, pa.Table):
        table, layout = value, Layout()
    elif name == "generator":
        return _from_generator(value, node)
    elif name == "DuckDBPyRelation":
        reader = value.to_arrow_reader(BATCH_ROWS)
        # DuckDB gives no order unless the last thing asked of it was one.
        return reader, reader.schema, Layout(), str(value.type) == "ORDER_RELATION"
    elif top == "ibis":
        # Not to_pyarrow_batches: Ibis 12 asks DuckDB 2 for a method that is gone.
        table = value.to_pyarrow()
        ordered = type(value.op()).__name__ == "Sort"
        return table.to_batches(BATCH_ROWS), table.schema, Layout(), ordered
    else:
        raise UnknownType.of(node, value)
    return table.to_batches(BATCH_ROWS), table.schema, layout, True


def _from_generator(
    value: Any, node: str
) -> tuple[Iterable[pa.RecordBatch], pa.Schema, Layout, bool]:
    import pyarrow as pa

    def batches_of(item: object) -> list[pa.RecordBatch]:
        if isinstance(item, pa.RecordBatch):
            return [item]
        if isinstance(item, pa.Table):
            return item.to_batches(BATCH_ROWS)  # type: ignore[no-any-return]
        why = f"it yielded a {type(item).__name__}, not an Arrow RecordBatch or Table"
        raise UnknownType.of(node, value, why=why)

    try:
        first = next(value)
    except StopIteration:
        raise ValueFault(
            f"Node '{node}' returned a generator that yields nothing, so its columns are unknown.",
            "yield at least one (possibly empty) Arrow batch.",
        ) from None
    batches_of(first)

    def stream() -> Iterable[pa.RecordBatch]:
        yield from batches_of(first)
        for item in value:
            yield from batches_of(item)

    return stream(), first.schema, Layout(), True


def _check_names(names: Sequence[object], node: str) -> None:
    odd = [repr(name) for name in names if type(name) is not str]
    if odd:
        raise ValueFault(
            f"The table of node '{node}' has column names that are not text: {', '.join(odd)}.",
            "rename them, for instance with df.columns = [str(c) for c in df.columns].",
        )


def _from_pandas(value: Any, node: str) -> tuple[pa.Table, Layout]:
    import pandas as pd
    import pyarrow as pa

    series: tuple[Any] | None = None
    if isinstance(value, pd.Series):
        if value.name is not None and type(value.name) is not str:
            _check_names([value.name], node)
        series = (value.name,)
        value = value.to_frame(value.name if value.name is not None else "value")
    if not isinstance(value, pd.DataFrame):
        raise UnknownType.of(node, value)
    names: list[Any] = list(value.columns)
    _check_names(names, node)
    columns: list[tuple[str, Any]] = [(names[at], value.iloc[:, at]) for at in range(len(names))]
    index: list[tuple[str, str | None]] = []
    plain = type(value.index) is pd.RangeIndex and value.index.name is None
    # The default index says nothing, except how many rows a table without columns has.
    if not (plain and value.index.equals(pd.RangeIndex(len(value)))) or (not names and len(value)):
        levels: list[Any] = list(value.index.names)
        for at, name in enumerate(levels):
            if name is not None and type(name) is not str:
                _check_names([name], node)
            column = name if name is not None and name not in names else f"__index_level_{at}__"
            index.append((column, name))
            columns.append((column, value.index.get_level_values(at)))
    categories: dict[str, Category] = {}
    arrays = []
    for name, column in columns:
        try:
            arrays.append(_pandas_column(name, column, categories))
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise ValueFault(
                f"Column '{name}' ({column.dtype}) of node '{node}' cannot be stored: {error}.",
                "give the column one type, for instance with astype().",
            ) from error
    made = [name for name, _ in columns]
    if len(set(made)) < len(made):
        # Reported here, since a table with equal names cannot be built.
        from whence.store.tables import canonical_schema

        canonical_schema(pa.schema([(name, pa.null()) for name in made]), node)
    table = pa.table(dict(zip(made, arrays, strict=True)))
    return table, Layout(tuple(index), series, categories)


def _pandas_column(name: str, column: Any, categories: dict[str, Category]) -> Any:
    import pandas as pd
    import pyarrow as pa

    if isinstance(column.dtype, pd.CategoricalDtype):
        values = column.array
        codes = values.codes.astype("int32")
        known = _one_array(pa.array(values.categories, from_pandas=True))
        categories[name] = Category(_canonical_values(known), bool(values.ordered))
        return pa.array(codes, pa.int32(), mask=codes < 0)
    return pa.array(column, from_pandas=True)


def _one_array(array: Any) -> pa.Array:
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        return pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    return array


def _canonical_values(array: pa.Array) -> pa.Array:
    from whence.store.tabletypes import canonical_type

    return array.cast(canonical_type(array.type, "the categories", "?"))


def _from_polars(value: Any, node: str) -> tuple[pa.Table, Layout]:
    import polars as pl
    import pyarrow as pa

    series = None
    if isinstance(value, pl.LazyFrame):
        value = value.collect()
    if isinstance(value, pl.Series):
        series = (value.name or None,)
        value = value.to_frame(value.name or "value")
    categories: dict[str, Category] = {}
    for name, kind in value.schema.items():
        if isinstance(kind, pl.Enum):
            categories[name] = Category(pa.array(kind.categories.to_list(), pa.string()), True)
            value = value.with_columns(pl.col(name).to_physical().cast(pl.Int32))
        elif isinstance(kind, pl.Object):
            raise ValueFault(
                f"Column '{name}' of node '{node}' has the Polars type Object.",
                "convert it to a type of its own.",
            )
    return value.to_arrow(), Layout((), series, categories)


def from_arrow(table: pa.Table, layout: Layout, form: str | None) -> object:
    """The table in the form asked for; without one, pandas if installed, else Arrow."""
    if form is None:
        form = "pandas.DataFrame" if _has_pandas() else "pyarrow.Table"
        if layout.series is not None and form == "pandas.DataFrame":
            form = "pandas.Series"
    make = _FORMS.get(form)
    if make is None:
        raise WrongForm.of("table", form)
    return make(table, layout)


def _has_pandas() -> bool:
    from importlib.util import find_spec

    return "pandas" in sys.modules or find_spec("pandas") is not None


def _to_pandas(table: pa.Table, layout: Layout) -> Any:
    import pandas as pd
    import pyarrow as pa

    special: dict[str, Any] = {}
    for at, field in enumerate(table.schema):
        if field.name in layout.categories:
            category = layout.categories[field.name]
            codes = table.column(at).fill_null(-1).to_numpy()
            known = pd.Index(category.values.to_pandas())
            special[field.name] = pd.Categorical.from_codes(codes, known, category.ordered)
        elif table.column(at).null_count and pa.types.is_integer(field.type):
            # to_pandas() would make floats of them, and lose digits.
            dtype: Any = pd.api.types.pandas_dtype(_NULLABLE[str(field.type)])
            special[field.name] = dtype.__from_arrow__(table.column(at))
        elif table.column(at).null_count and pa.types.is_boolean(field.type):
            dtype = pd.BooleanDtype()
            special[field.name] = dtype.__from_arrow__(table.column(at))
    names = table.schema.names
    ordinary = table.select([name for name in names if name not in special])
    if ordinary.num_columns:
        frame = ordinary.to_pandas(ignore_metadata=True)
    else:
        frame = pd.DataFrame(index=pd.RangeIndex(table.num_rows))
        frame.columns = pd.Index([], dtype="str")
    for at, name in enumerate(names):
        if name in special:
            frame.insert(at, name, special[name])
    if layout.index:
        frame = frame.set_index([column for column, _ in layout.index])
        frame.index.names = [name for _, name in layout.index]
    return frame


_NULLABLE = {f"{u}int{n}": f"{'U' if u else ''}Int{n}" for u in ("", "u") for n in (8, 16, 32, 64)}


def _to_pandas_series(table: pa.Table, layout: Layout) -> Any:
    frame = _to_pandas(table, layout)
    if frame.shape[1] != 1:
        raise WrongForm.of(f"table with {frame.shape[1]} columns", "pandas.Series")
    series = frame.iloc[:, 0]
    return series if layout.series is None else series.rename(layout.series[0])


def _to_polars(table: pa.Table, layout: Layout) -> Any:
    import polars as pl

    frame: Any = pl.from_arrow(logical_table(table, layout, plain=True), rechunk=False)
    # An Enum has text categories only; others become plain values.
    kinds = {
        name: pl.Enum(category.values.to_pylist())
        for name, category in layout.categories.items()
        if str(category.values.type) == "string"
    }
    return frame.cast(kinds) if kinds else frame


def _to_lazy(table: pa.Table, layout: Layout) -> Any:
    return _to_polars(table, layout).lazy()


def _to_polars_series(table: pa.Table, layout: Layout) -> Any:
    if table.num_columns != 1:
        raise WrongForm.of(f"table with {table.num_columns} columns", "polars.Series")
    return _to_polars(table, layout).to_series(0)


def _to_duckdb(table: pa.Table, layout: Layout) -> Any:
    import duckdb

    # On the default connection, so that a node can join its inputs.
    return duckdb.from_arrow(logical_table(table, layout))


def _to_ibis(table: pa.Table, layout: Layout) -> Any:
    import ibis

    return ibis.memtable(logical_table(table, layout, plain=True))


def _to_numpy(table: pa.Table, layout: Layout) -> Any:
    values = _to_pandas(table, layout)
    return (values if layout.series is None else values.iloc[:, 0]).to_numpy()


_FORMS: dict[str, Callable[[Any, Layout], object]] = {
    "pandas.DataFrame": _to_pandas,
    "pandas.Series": _to_pandas_series,
    "polars.DataFrame": _to_polars,
    "polars.LazyFrame": _to_lazy,
    "polars.Series": _to_polars_series,
    "pyarrow.Table": logical_table,
    "pyarrow.RecordBatchReader": lambda table, layout: logical_table(table, layout).to_reader(),
    "duckdb.DuckDBPyRelation": _to_duckdb,
    "ibis.Table": _to_ibis,
    "numpy.ndarray": _to_numpy,
}
