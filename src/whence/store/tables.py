"""Tables: one canonical form, one digest by content, one uncompressed Arrow IPC file.

The digest covers the schema (names, canonical types) and, per column, streams of null positions,
lengths and values. It is independent of batches, chunks, offsets, of what lies under a null and of
who wrote the table. Files hold batches of 65,536 rows and are memory-mapped when read.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from whence.errors import ValueFault
from whence.store.artifact import INLINE_LIMIT, Artifact, content_digest
from whence.store.encoded import encoded_file
from whence.store.tabletypes import ColumnHasher, canonical_batch, canonical_type, type_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from whence.graph.digest import Digest
    from whence.store.artifact import JSON
    from whence.store.blobs import Blobs

#: Rows of one batch in a file.
BATCH_ROWS = 65_536
_METADATA = b"whence"


@dataclass(frozen=True, slots=True)
class Category:
    """The categories of a categorical column, whose stored values are int32 codes."""

    values: pa.Array
    ordered: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """What a table means beyond its columns; it counts in the digest.

    Parameters
    ----------
    index : tuple of (column, name)
        Columns that are the pandas index, outermost first, with the level's name.
    series : tuple of (name,), optional
        Set where the value is one series, not a table.
    categories : mapping
        Column -> its categories.
    """

    index: tuple[tuple[str, str | None], ...] = ()
    series: tuple[str | None] | None = None
    categories: Mapping[str, Category] = field(default_factory=dict)

    def meaning(self) -> JSON:
        """As JSON, without the categories."""
        series: JSON = None if self.series is None else list(self.series)
        return {"index": [list(level) for level in self.index], "series": series}


def canonical_schema(schema: pa.Schema, node: str) -> pa.Schema:
    """`schema` with canonical types, no metadata, everything nullable.

    Raises
    ------
    ValueFault
        For duplicate column names and types that tables cannot hold.
    """
    import pyarrow as pa

    names = schema.names
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueFault(
            f"The table of node '{node}' has duplicate column names: "
            f"{', '.join(map(repr, twice))}.",
            "give each column a name of its own.",
        )
    return pa.schema(
        [pa.field(f.name, canonical_type(f.type, f"column '{f.name}'", node)) for f in schema]
    )


def write_table(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    layout: Layout,
    blobs: Blobs,
    *,
    node: str,
) -> Artifact:
    """Write a stream of batches as one artifact, hashing on the way; memory stays bounded.

    Parameters
    ----------
    batches : iterable of RecordBatch
        Any sizes; categorical columns (see `layout`) hold int32 codes.
    schema : Schema
        Of the batches.
    """
    import pyarrow as pa

    stored = canonical_schema(schema, node)
    hashers = [ColumnHasher(column.type) for column in stored]
    n_rows = 0
    with blobs.writer(inline_limit=INLINE_LIMIT) as out:
        sink = pa.PythonFile(out, mode="w")
        with pa.ipc.new_file(sink, stored.with_metadata(_metadata(layout))) as writer:
            for batch in _rebatch(_canonical(batches, schema, stored, node), stored):
                for hasher, column in zip(hashers, batch.columns, strict=True):
                    hasher.update(column)
                writer.write_batch(batch)
                n_rows += batch.num_rows
    return Artifact(
        digest=_digest(stored, layout, hashers),
        format="table",
        version=1,
        size_bytes=out.size,
        inline=out.inline,
        blob=out.blob,
        encoding="arrow",
        summary=_summary(n_rows, stored, layout),
    )


def table_digest(table: pa.Table, layout: Layout | None = None) -> Digest:
    """Content digest of a table, without storing it.

    Examples
    --------
    >>> import pyarrow as pa
    >>> one = pa.table({"x": pa.array(["a", None], pa.large_string())})
    >>> two = pa.table({"x": pa.chunked_array([["a"], [None]], pa.string())})
    >>> table_digest(one) == table_digest(two)
    True
    """
    layout = layout or Layout()
    stored = canonical_schema(table.schema, "?")
    hashers = [ColumnHasher(column.type) for column in stored]
    for batch in _canonical(table.to_batches(BATCH_ROWS), table.schema, stored, "?"):
        for hasher, column in zip(hashers, batch.columns, strict=True):
            hasher.update(column)
    return _digest(stored, layout, hashers)


def read_table(artifact: Artifact, blobs: Blobs) -> tuple[pa.Table, Layout]:
    """The stored table: memory-mapped where it is a file, categorical columns as codes."""
    import pyarrow as pa

    where = encoded_file(artifact, blobs)
    if artifact.encoding == "parquet":
        import pyarrow.parquet as pq

        table = pq.read_table(where, memory_map=True)
    elif isinstance(where, str):
        table = pa.ipc.open_file(pa.memory_map(where)).read_all()
    else:
        table = pa.ipc.open_file(pa.BufferReader(where.read())).read_all()
    layout = _layout(table.schema.metadata)
    return table.replace_schema_metadata(None), layout


def logical_table(table: pa.Table, layout: Layout, *, plain: bool = False) -> pa.Table:
    """`table` with its categorical columns as Arrow dictionaries, or as plain values."""
    for name, category in layout.categories.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, _decategorised(table.column(at), category, plain))
    return table


def compact_table(artifact: Artifact, blobs: Blobs) -> Artifact:
    """The same artifact as Parquet (zstd), or unchanged where Parquet would lose something."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if artifact.inline is not None or artifact.encoding != "arrow":
        return artifact
    table, layout = read_table(artifact, blobs)
    schema = table.schema.with_metadata(_metadata(layout))
    try:
        with (
            blobs.writer() as out,
            pq.ParquetWriter(pa.PythonFile(out, mode="w"), schema, compression="zstd") as writer,
        ):
            writer.write_table(table.replace_schema_metadata(schema.metadata))
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return artifact  # a type that Parquet does not have
    smaller = artifact._replace(encoding="parquet", size_bytes=out.size, blob=out.blob)
    again, layout = read_table(smaller, blobs)
    if again.schema.equals(table.schema) and table_digest(again, layout) == artifact.digest:
        return smaller
    if out.blob is not None:
        blobs.delete(out.blob)
    return artifact


def concat_tables(
    parts: Sequence[tuple[str, pa.Table, Layout]],
) -> tuple[pa.Table, Layout]:
    """Partitions as one table, in order, without copying.

    A column that is entirely null in one partition takes the type that it has in the others.
    Unordered categories that differ between partitions become plain values. A pandas index
    without a name is dropped: it numbers the rows of one partition, not of them all.
    """
    import pyarrow as pa

    parts = [(key, *_without_unnamed_index(table, layout)) for key, table, layout in parts]
    first_key, first, layout = parts[0]
    for key, table, other in parts[1:]:
        if table.schema.names != first.schema.names or other.meaning() != layout.meaning():
            raise ValueFault(
                f"The partitions '{first_key}' and '{key}' have different columns: "
                f"{_differing(first.schema.names, table.schema.names)}.",
                "make the partitioned node return the same columns for every partition.",
            )
    uneven = [name for name in first.schema.names if not _same_category(name, parts)]
    flat = [(key, _flatten(table, lay, uneven)) for key, table, lay in parts]
    schema = _common_schema(flat)
    joined = pa.concat_tables([_promote(table, schema) for _, table in flat])
    kept = {name: cat for name, cat in layout.categories.items() if name not in uneven}
    return joined, Layout(layout.index, layout.series, kept)


def _without_unnamed_index(table: pa.Table, layout: Layout) -> tuple[pa.Table, Layout]:
    unnamed = [column for column, name in layout.index if name is None]
    if not unnamed:
        return table, layout
    index = tuple((column, name) for column, name in layout.index if name is not None)
    return table.drop_columns(unnamed), Layout(index, layout.series, layout.categories)


def _common_schema(parts: Sequence[tuple[str, pa.Table]]) -> pa.Schema:
    import pyarrow as pa

    found: dict[str, tuple[str, pa.DataType]] = {}
    for key, table in parts:
        for column in table.schema:
            known = found.get(column.name)
            if known is None or pa.types.is_null(known[1]):
                found[column.name] = (key, column.type)
            elif column.type != known[1] and not pa.types.is_null(column.type):
                raise ValueFault(
                    f"Column '{column.name}' is {known[1]} in partition '{known[0]}' but "
                    f"{column.type} in partition '{key}'.",
                    "make the partitioned node return one type, for instance with astype().",
                )
    return pa.schema([(name, kind) for name, (_, kind) in found.items()])


def _promote(table: pa.Table, schema: pa.Schema) -> pa.Table:
    return table if table.schema.equals(schema) else table.cast(schema)


def _same_category(name: str, parts: Sequence[tuple[str, pa.Table, Layout]]) -> bool:
    kinds = [layout.categories.get(name) for _, _, layout in parts]
    first = kinds[0]
    if all(
        kind is first
        or (
            kind is not None
            and first is not None
            and kind.ordered == first.ordered
            and kind.values.equals(first.values)
        )
        for kind in kinds
    ):
        return True
    if any(kind is not None and kind.ordered for kind in kinds):
        raise ValueFault(
            f"The ordered categories of column '{name}' differ between partitions.",
            "give every partition the same categories in the same order.",
        )
    return False


def _flatten(table: pa.Table, layout: Layout, names: Sequence[str]) -> pa.Table:
    wanted = {name: cat for name, cat in layout.categories.items() if name in names}
    return logical_table(table, Layout(categories=wanted), plain=True) if wanted else table


def _differing(one: Sequence[str], two: Sequence[str]) -> str:
    only = [f"'{name}'" for name in [*one, *two] if (name in one) != (name in two)]
    return ", ".join(only) if only else "another order or index"


def _decategorised(codes: pa.ChunkedArray, category: Category, plain: bool) -> pa.ChunkedArray:
    import pyarrow as pa

    chunks = [
        pa.DictionaryArray.from_arrays(chunk, category.values, ordered=category.ordered)
        for chunk in codes.chunks
    ]
    if plain:
        decoded = [chunk.dictionary_decode() for chunk in chunks]
        return pa.chunked_array(decoded, type=category.values.type)
    return pa.chunked_array(
        chunks, type=pa.dictionary(pa.int32(), category.values.type, category.ordered)
    )


def _canonical(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, stored: pa.Schema, node: str
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if not batch.schema.equals(schema):
            raise ValueFault(
                f"The batches of node '{node}' have different schemas: {schema.names} then "
                f"{batch.schema.names}, or other types.",
                "yield batches of one schema.",
            )
        for start in range(0, batch.num_rows, BATCH_ROWS):
            yield from canonical_batch(batch.slice(start, BATCH_ROWS), stored)


def _rebatch(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Small batches joined, so that a file does not consist of crumbs."""
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    n_waiting = 0
    for batch in batches:
        if n_waiting + batch.num_rows > BATCH_ROWS and waiting:
            yield waiting[0] if len(waiting) == 1 else pa.concat_batches(waiting)
            waiting, n_waiting = [], 0
        waiting.append(batch)
        n_waiting += batch.num_rows
    if waiting:
        yield waiting[0] if len(waiting) == 1 else pa.concat_batches(waiting)


def _digest(stored: pa.Schema, layout: Layout, hashers: Sequence[ColumnHasher]) -> Digest:
    columns: list[JSON] = []
    for column, hasher in zip(stored, hashers, strict=True):
        category = layout.categories.get(column.name)
        kind: JSON = type_text(column.type)
        if category is not None:
            inner = ColumnHasher(category.values.type)
            inner.update(category.values)
            text = type_text(category.values.type)
            kind = ["category", text, category.ordered, inner.hexdigest()]
        columns.append([column.name, kind, hasher.hexdigest()])
    spelled = json.dumps([layout.meaning(), columns], sort_keys=True, separators=(",", ":"))
    return content_digest("table", spelled)


def _metadata(layout: Layout) -> dict[bytes, bytes]:
    import pyarrow as pa

    categories = {}
    for name, category in layout.categories.items():
        sink = pa.BufferOutputStream()
        batch = pa.record_batch({"values": category.values})
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        data = b64encode(sink.getvalue().to_pybytes()).decode("ascii")
        categories[name] = [category.ordered, data]
    return {_METADATA: json.dumps({"meaning": layout.meaning(), "categories": categories}).encode()}


def _layout(metadata: Mapping[bytes, bytes] | None) -> Layout:
    import pyarrow as pa

    if not metadata or _METADATA not in metadata:
        return Layout()
    data: Any = json.loads(metadata[_METADATA])
    categories = {}
    for name, (ordered, text) in data["categories"].items():
        values = pa.ipc.open_stream(b64decode(text)).read_all().column(0).combine_chunks()
        if isinstance(values, pa.ChunkedArray):
            values = values.chunk(0) if values.num_chunks else pa.array([], values.type)
        categories[name] = Category(values, ordered)
    series = data["meaning"]["series"]
    return Layout(
        tuple((column, name) for column, name in data["meaning"]["index"]),
        None if series is None else (series[0],),
        categories,
    )


def _summary(n_rows: int, stored: pa.Schema, layout: Layout) -> dict[str, JSON]:
    columns: list[JSON] = []
    for column in stored:
        category = layout.categories.get(column.name)
        kind = str(column.type) if category is None else f"category<{category.values.type}>"
        columns.append([column.name, kind])
    shown: dict[str, JSON] = {
        "type": "table" if layout.series is None else "series",
        "rows": n_rows,
        "columns": columns,
    }
    if layout.index:
        shown["index"] = [column for column, _ in layout.index]
    return shown
