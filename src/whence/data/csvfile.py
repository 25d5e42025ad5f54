"""CSV to Arrow: read in parallel, types inferred over the whole file, errors that name the row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from whence.errors import ConfigError, SourceError, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

_IN_COLUMN = re.compile(
    r"In CSV column #(\d+): (?:Row #(\d+): )?CSV conversion error to (.+?): (.*)"
)


def open_file(path: Path, shown: str) -> pa.NativeFile:
    """The file's bytes, decompressed; a .zip must hold one file.

    Raises
    ------
    SourceError
        If the archive cannot be read or holds several files.
    """
    import zipfile

    import pyarrow as pa

    if path.suffix.lower() != ".zip":
        return pa.input_stream(str(path), compression="detect")
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            names = [name for name in names if not name.startswith("__MACOSX/")]
            if len(names) == 1:
                return pa.BufferReader(archive.read(names[0]))
    except (zipfile.BadZipFile, EOFError) as error:
        raise SourceError(
            f"Source file '{shown}' cannot be read as a zip archive: {error}.", "fetch it again."
        ) from error
    raise SourceError(
        f"Source file '{shown}' holds {len(names)} files, not one: {', '.join(names[:5])}.",
        "unpack it and declare the files inside.",
    )


def read_csv(path: Path, shown: str, kind: str, options: Mapping[str, Any]) -> pa.Table:
    """A CSV or TSV as a table.

    Parameters
    ----------
    path : Path
    shown : str
        How errors name the file.
    kind : str
        "csv" or "tsv".
    options : mapping
        Of `files`: columns, null_values, types, delimiter, encoding.

    Raises
    ------
    SourceError
        A row with too many or too few values, a value that does not fit a declared type, bytes
        that are not of the encoding, a quote left open, two columns of one name.
    """
    import pyarrow as pa
    from pyarrow import csv

    reading: dict[str, Any] = {"encoding": options.get("encoding") or "utf8"}
    parsing: dict[str, Any] = {
        "delimiter": options.get("delimiter") or ("\t" if kind == "tsv" else ","),
        "newlines_in_values": True,
    }
    nulls = options.get("null_values")
    converting: dict[str, Any] = {"column_types": _types(options.get("types") or {})}
    if nulls is not None:
        converting |= {"null_values": nulls, "strings_can_be_null": True}

    def attempt(**more: Any) -> pa.Table:
        with open_file(path, shown) as stream:
            return csv.read_csv(
                stream,
                csv.ReadOptions(**reading, use_threads="invalid_row_handler" not in more),
                csv.ParseOptions(**parsing, **more),
                csv.ConvertOptions(**converting),
            )

    try:
        table = attempt()
        names = table.column_names  # decoded only now
    except pa.ArrowInvalid as error:
        _explain(error, shown, attempt)
    except (UnicodeDecodeError, OSError) as error:
        raise SourceError(
            f"Source file '{shown}' cannot be read as CSV: {error}.",
            'check the file, and files(…, encoding="…") where it is not UTF-8.',
        ) from error
    _check(table, path, shown)
    for name in options.get("types") or {}:
        if name not in names:
            raise unknown_column(shown, name, names)
    return table if nulls is not None else _blank_is_null(table)


def unknown_column(shown: str, name: str, known: list[str]) -> SourceError:
    """The error for a column that a file does not have."""
    near = did_you_mean(name, known)
    columns = ", ".join(known[:12]) + (" …" if len(known) > 12 else "")
    fix = f"did you mean '{near}'? It has {columns}." if near else f"it has {columns}."
    return SourceError(f"Source file '{shown}' has no column '{name}'.", fix)


def _types(names: Mapping[str, str]) -> dict[str, pa.DataType]:
    import pyarrow as pa

    out = {}
    for column, name in names.items():
        zoned = re.fullmatch(r"timestamp\[(s|ms|us|ns), *(?:tz=)?(.+)\]", name)
        try:
            out[column] = pa.timestamp(zoned[1], zoned[2]) if zoned else pa.type_for_alias(name)
        except ValueError:
            raise ConfigError(
                f"'{name}' (of column '{column}') is no type.",
                'use a name of Arrow: "int64", "double", "string", "bool", "date32" ….',
            ) from None
    return out


def _blank_is_null(table: pa.Table) -> pa.Table:
    """Texts: an empty field is no value, "NA" stays a text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for index, column in enumerate(table.columns):
        if pa.types.is_string(column.type):
            blank = pc.equal(pc.binary_length(column), 0)
            if pc.any(blank).as_py():
                column = pc.if_else(blank, pa.scalar(None, pa.string()), column)
                table = table.set_column(index, table.field(index).name, column)
    return table


def _check(table: pa.Table, path: Path, shown: str) -> None:
    import pyarrow as pa

    names = table.column_names
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SourceError(
            f"Source file '{shown}' has two columns called '{twice}'.", "rename one in its header."
        )
    binary = [field.name for field in table.schema if pa.types.is_binary(field.type)]
    broken = [name for name in names if "�" in name or "\x00" in name]
    if binary or broken:
        column = (binary or broken)[0]
        example = ""
        if binary:
            example = next(f": {v!r}" for v in table[column].to_pylist() if _is_foreign(v))
        raise SourceError(
            f"Source file '{shown}' is not UTF-8 in column {column!r}{example}.",
            'say its encoding: files(…, encoding="latin-1"), or convert the file to UTF-8.',
        )
    # A quote left open swallows the rest of the file into one value, which is no error for CSV.
    if table.num_rows:
        for name, column in zip(names, table.columns, strict=True):
            last = column[-1].as_py()
            if isinstance(last, str) and "\n" in last and _quotes(path, shown) % 2:
                line = last.splitlines()[0]
                raise SourceError(
                    f"Source file '{shown}' opens a quote in column '{name}' that nothing closes: "
                    f"the value that starts with {line[:80]!r} runs to the end of the file "
                    f"(row {table.num_rows + 1} on).",
                    "close the quote there, or double it where it is part of the text.",
                )


def _quotes(path: Path, shown: str) -> int:
    with open_file(path, shown) as stream:
        count = 0
        while chunk := stream.read(1 << 20):
            count += chunk.count(b'"')
        return count


def _is_foreign(value: bytes | None) -> bool:
    try:
        (value or b"").decode()
    except UnicodeDecodeError:
        return True
    return False


def _explain(error: Exception, shown: str, attempt: Any) -> NoReturn:
    """Read once more, on one thread, to learn which row is broken."""
    import pyarrow as pa

    broken: list[Any] = []

    def keep(row: Any) -> str:
        broken.append(row)
        return "skip" if len(broken) < 1000 else "error"

    text = str(error)
    names: list[str] = []
    try:
        names = attempt(invalid_row_handler=keep).column_names
    except pa.ArrowInvalid as again:
        text = str(again)
    if broken:
        row = broken[0]
        more = "" if len(broken) == 1 else f" ({len(broken)} rows are broken like this)"
        raise SourceError(
            f"Source file '{shown}' has a broken row {row.number}: {row.actual_columns} values "
            f"where the header has {row.expected_columns} columns: {row.text[:160]!r}{more}.",
            "correct the row: quote values that hold the delimiter, complete a cut line.",
        ) from error
    if found := _IN_COLUMN.search(text):
        at = f"row {found[2]}, " if found[2] else ""
        number = int(found[1])
        column = f"'{names[number]}'" if names else f"number {number + 1}"
        raise SourceError(
            f"Source file '{shown}', {at}column {column} is not of type {found[3]}: {found[4]}.",
            "correct the value, or change `types` or `null_values` of files(…).",
        ) from error
    if "Empty CSV" in text:
        raise SourceError(f"Source file '{shown}' is empty.", "fetch or write it again.") from error
    raise SourceError(
        f"Source file '{shown}' cannot be read as CSV: {text}.",
        "check its delimiter, its quotes and its encoding.",
    ) from error


__all__ = ["open_file", "read_csv", "unknown_column"]
