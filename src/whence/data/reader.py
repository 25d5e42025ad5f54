"""The reader of declared files: what is there now, and the value of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from whence.data.declare import TABLE_FORMATS
from whence.data.locate import find_files, format_of, hive_parts, partition_files
from whence.engine.source import Context, Probe, Unit
from whence.errors import SourceError
from whence.graph.digest import digest_text

if TYPE_CHECKING:
    import pyarrow as pa


class FilesReader:
    """Reads what `whence.data.files` declares.

    Parameters
    ----------
    options : mapping
        The arguments of `files`, those left at their default absent.
    """

    version = "1"

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = dict(options)
        self.pattern: str = self.options["pattern"]
        self.partition_by: str | list[str] | None = self.options.get("partition_by")
        self.format: str | None = self.options.get("format") or format_of(self.pattern)

    @property
    def libraries(self) -> tuple[str, ...]:
        """Modules whose version counts; unknown suffixes may turn out to be tables."""
        return ("pyarrow",) if self.format is None or self.format in TABLE_FORMATS else ()

    def probe(self, context: Context) -> Probe:
        """What is there now, by partition.

        Raises
        ------
        SourceError
            If nothing is there, a file has no bytes or cannot be opened, or its format is unknown.
        """
        found = find_files(context.root, self.pattern)
        units = {
            key: self._unit(context, paths) for key, paths in self._groups(found.paths).items()
        }
        watch = tuple(dict.fromkeys((*found.watch, *found.paths)))
        return Probe(units, watch, splits=isinstance(self.partition_by, list))

    def read(self, unit: str, context: Context) -> Any:
        """The value of one unit: a table, or what the format says.

        Raises
        ------
        SourceError
            If a file cannot be read as its format; it names the file, the row and the text.
        """
        found = find_files(context.root, self.pattern)
        paths = self._groups(found.paths).get(unit)
        if paths is None:
            raise SourceError(
                f"Source '{self.pattern}' has no partition '{unit}' any more.",
                "build again: its files changed since this build looked at them.",
            )
        kind = self._format(paths)
        if kind in TABLE_FORMATS:
            return self._read_table(paths, kind, context)
        values = {path: _read_value(context.root / path, path, kind) for path in paths}
        if len(paths) == 1 and (found.is_single or self.partition_by == "file"):
            return values[paths[0]]
        names = [PurePosixPath(path).name for path in paths]
        shown = names if len(set(names)) == len(names) else list(paths)
        return dict(zip(shown, values.values(), strict=True))

    def _groups(self, paths: Sequence[str]) -> dict[str, list[str]]:
        if isinstance(self.partition_by, str):
            return partition_files(self.pattern, paths, self.partition_by)
        return {"": list(paths)}

    def _unit(self, context: Context, paths: Sequence[str]) -> Unit:
        self._format(paths)
        parts: list[str] = []
        size = 0
        for path in paths:
            try:
                length = (context.root / path).stat().st_size
                digest = context.digest_file(context.root / path)
            except OSError as error:
                raise SourceError(
                    f"Source file '{path}' cannot be opened: {error.strerror}.",
                    "check that it exists and that you may read it.",
                ) from error
            if length == 0 and not self.options.get("allow_empty"):
                raise SourceError(
                    f"Source file '{path}' is empty (0 bytes).",
                    "fetch or write it again, or remove it from the pattern.",
                )
            size += length
            parts += [path, digest]  # names count: suffixes and folders say how to read
        return Unit(digest_text("files", *parts), tuple(paths), size)

    def _format(self, paths: Sequence[str]) -> str:
        if self.options.get("format"):
            return str(self.options["format"])
        formats = {format_of(path): path for path in paths}
        if None in formats:
            raise SourceError(
                f"The suffix of source file '{formats[None]}' says no format.",
                'say it: files(…, format="csv"), or "json", "text", "bytes", "path" ….',
            )
        if len(formats) > 1:
            (one, first), (two, second) = list(formats.items())[:2]
            raise SourceError(
                f"Source '{self.pattern}' mixes formats: '{first}' is {one}, '{second}' is {two}.",
                "narrow the pattern to one suffix, or declare two sources.",
            )
        return str(next(iter(formats)))

    def _read_table(self, paths: Sequence[str], kind: str, context: Context) -> Any:
        from whence.data.tabular import concat, read_table, split

        tables: list[pa.Table] = [
            read_table(context.root / path, path, kind, self.options, hive_parts(path))
            for path in paths
        ]
        whole = concat(self.pattern, list(paths), tables)
        if whole.num_rows == 0 and not self.options.get("allow_empty"):
            raise SourceError(
                f"Source '{self.pattern}' is empty: its columns have no rows.",
                "fetch or write it again, or declare files(…, allow_empty=True).",
            )
        if isinstance(self.partition_by, list):
            return split(self.pattern, whole, self.partition_by)
        return whole


def _read_value(path: Path, shown: str, kind: str) -> Any:
    if kind == "path":
        return path
    data = path.read_bytes()
    if kind == "bytes":
        return data
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise SourceError(
            f"Source file '{shown}' is not UTF-8: byte {error.start} is 0x{data[error.start]:02x}.",
            'convert it to UTF-8, or read it with files(…, format="bytes").',
        ) from error
    if kind == "text":
        return text
    import json

    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = text.splitlines()[error.lineno - 1] if text.strip() else ""
        raise SourceError(
            f"Source file '{shown}' is not JSON: {error.msg} in line {error.lineno}, column "
            f"{error.colno}: {line[:120]!r}.",
            'correct the file; one JSON value per line is format="jsonl".',
        ) from error


__all__ = ["FilesReader"]
