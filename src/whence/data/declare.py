"""What a user writes: `files` declares a source, `table` marks a function that makes a table."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, overload

from whence.errors import ConfigError, did_you_mean
from whence.graph.nodes import Source, mark

F = TypeVar("F", bound=Callable[..., Any])

TABLE_FORMATS = ("csv", "tsv", "jsonl", "parquet", "arrow")
FORMATS = (*TABLE_FORMATS, "json", "text", "bytes", "path")


def files(
    pattern: str | os.PathLike[str],
    *,
    partition_by: str | Sequence[str] | None = None,
    format: str | None = None,  # noqa: A002 (the word users expect)
    key: str | Sequence[str] = (),
    columns: Sequence[str] | None = None,
    null_values: Sequence[str] | None = None,
    types: Mapping[str, str] | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    allow_empty: bool = False,
) -> Source:
    """Declare a source read from files: one file, or all that match a pattern.

    Tables (csv, tsv, jsonl, parquet, arrow) give the rows of all files, in natural order of their
    paths. Of the other formats (json, text, bytes, path) one file gives its value and a pattern
    gives a dict by file name.

    Parameters
    ----------
    pattern : str or path
        Relative to the project's root: a file, or a pattern with ``*``, ``?``, ``[…]`` and ``**``.
        Hidden files do not match.
    partition_by : "file", "folder", column name or sequence of column names, optional
        Make one partition per file (its name without suffix), folder (``year=2013/month=1``, or
        its name) or value of the columns. Nodes with ``partitioned=True`` then run per partition.
    format : str, optional
        One of csv, tsv, jsonl, parquet, arrow, json, text, bytes, path; by default what the file's
        suffix says. csv, tsv and jsonl may be compressed (.gz, .bz2, .zst, .lz4, or a .zip that
        holds one file).
    key : str or sequence of str
        Columns that identify a row; then the order of the rows does not count.
    columns : sequence of str, optional
        Columns to read, in this order; all by default.
    null_values : sequence of str, optional
        Texts in a CSV that mean "no value", in columns of every type. By default an empty field
        does, and in columns that hold no text also "NA", "NULL", "NaN" and their usual variants.
    types : mapping of str to str, optional
        Types of columns of a CSV where the inferred one is not wanted: ``{"zip": "string"}``. Any
        name of an Arrow type: "int64", "double", "string", "bool", "date32", "timestamp[s]" ….
    delimiter, encoding : str, optional
        Of a CSV: "," (a tab for tsv) and "utf-8" by default.
    allow_empty : bool
        Accept a pattern that matches nothing but a table's header; else no rows is an error.

    Returns
    -------
    Source
        To be bound to a name at the top level of a module of the pipeline; the name is the node's.

    Raises
    ------
    ConfigError
        If an option is not one of the above, or does not fit the format.
    """
    if format is not None and format not in FORMATS:
        near = did_you_mean(format, FORMATS)
        fix = f"did you mean '{near}'?" if near else f"use one of: {', '.join(FORMATS)}."
        raise ConfigError(f"files({os.fspath(pattern)!r}) has the unknown format {format!r}.", fix)
    if isinstance(partition_by, str) and partition_by not in ("file", "folder"):
        partition_by = [partition_by]
    if format in FORMATS[len(TABLE_FORMATS) :] and not isinstance(partition_by, str | None):
        raise ConfigError(
            f"files({os.fspath(pattern)!r}) is partitioned by column, but format '{format}' has "
            "no columns.",
            'partition by "file" or "folder", or use a format of tables.',
        )
    options: dict[str, Any] = {
        "pattern": os.fspath(pattern),
        "partition_by": list(partition_by)
        if isinstance(partition_by, Sequence) and not isinstance(partition_by, str)
        else partition_by,
        "format": format,
        "columns": list(columns) if columns is not None else None,
        "null_values": list(null_values) if null_values is not None else None,
        "types": dict(types) if types is not None else None,
        "delimiter": delimiter,
        "encoding": encoding,
        "allow_empty": allow_empty,
    }
    return Source(
        "whence.data.reader:FilesReader",
        {name: value for name, value in options.items() if value not in (None, False)},
        key=key,
        partitioned=partition_by is not None,
    )


@overload
def table(function: F) -> F: ...
@overload
def table(
    *,
    name: str | None = ...,
    partitioned: bool = ...,
    key: str | Sequence[str] = ...,
    deterministic: bool = ...,
    max_age: str | None = ...,
) -> Callable[[F], F]: ...
def table(function: Any = None, **options: Any) -> Any:
    """Mark a function as a node that returns a table.

    Any of pandas, Polars, Arrow, a DuckDB relation or an Ibis expression will do; what else comes
    out is an error that names its type. A consumer's annotation says which of these it wants.

    Parameters
    ----------
    name : str, optional
        Name of the node; by default the function's.
    partitioned : bool
        Run once per partition of the partitioned inputs.
    key : str or sequence of str
        Columns that identify a row; then the order of the rows does not count.
    deterministic, max_age
        See `whence.node`.
    """
    finish = "whence.data.tabular:check_table"
    if function is not None:
        return mark(function, "table", finish=finish)
    return lambda f: mark(f, "table", finish=finish, **options)


__all__ = ["FORMATS", "TABLE_FORMATS", "files", "table"]
