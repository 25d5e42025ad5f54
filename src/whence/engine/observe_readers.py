"""Readers that open files outside Python: where the audit hook sees nothing, these wrappers do.

Each wrapper notes what is about to be read and calls the original. Modules are wrapped when they
are imported, by `observe_hooks`.
"""

from __future__ import annotations

import functools
import glob
import os
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from whence.engine.observe_hooks import after_import

if TYPE_CHECKING:
    from types import FrameType

    from whence.engine.observe import Recorder

_GLOB = re.compile(r"[*?\[]")
_LITERAL = re.compile(r"'((?:[^']|'')*)'|\"((?:[^\"]|\"\")*)\"|\$\$(.*?)\$\$", re.DOTALL)
_WRITTEN = re.compile(r"\b(?:TO|EXPORT\s+DATABASE)\s*$", re.IGNORECASE)
_DATA = re.compile(
    r"\.(parquet|pq|csv|tsv|txt|json|jsonl|ndjson|arrow|ipc|feather|orc|avro|xlsx|duckdb|ddb|db"
    r"|sqlite|sqlite3|geojson|gpkg|shp|gz|zst|bz2|xz)$",
    re.IGNORECASE,
)
_URL = re.compile(r"^([a-z][a-z0-9+.-]+)://([^/?#]*)", re.IGNORECASE)

#: Functions of a module whose first argument (or one of these keywords) is what they read.
READERS: dict[str, tuple[str, ...]] = {
    "pyarrow": ("memory_map", "input_stream"),
    "pyarrow.parquet.core": (
        "read_table", "read_pandas", "read_metadata", "read_schema", "ParquetFile.__init__",
        "ParquetDataset.__init__",
    ),
    # Holds the same functions; those of `core` where it was imported before the recorder came.
    "pyarrow.parquet": ("read_table", "read_pandas", "read_metadata", "read_schema"),
    "pyarrow.csv": ("read_csv", "open_csv"),
    "pyarrow.json": ("read_json", "open_json"),
    "pyarrow.feather": ("read_table", "read_feather", "FeatherDataset.__init__"),
    "pyarrow.orc": ("read_table", "ORCFile.__init__"),
    "pyarrow.dataset": ("dataset", "parquet_dataset"),
    "pandas": (
        "read_csv", "read_table", "read_fwf", "read_json", "read_parquet", "read_feather",
        "read_orc", "read_hdf", "read_excel", "read_pickle", "read_xml", "read_html", "read_sas",
        "read_spss", "read_stata",
    ),
    "polars": (
        "read_avro", "read_csv", "read_csv_batched", "read_delta", "read_excel", "read_ipc",
        "read_ipc_schema", "read_ipc_stream", "read_json", "read_lines", "read_ndjson",
        "read_ods", "read_parquet", "read_parquet_metadata", "read_parquet_schema", "scan_csv",
        "scan_delta", "scan_iceberg", "scan_ipc", "scan_lance", "scan_lines", "scan_ndjson",
        "scan_parquet",
    ),
    "duckdb": ("read_csv", "read_csv_auto", "read_parquet", "read_json", "from_parquet",
               "from_csv_auto"),
    "safetensors": ("safe_open",),
    "safetensors.torch": ("load_file",),
    "safetensors.numpy": ("load_file",),
}  # fmt: skip

_SOURCE_WORDS = (
    "source", "path", "filepath_or_buffer", "io", "filename", "where", "path_or_paths",
    "path_or_buf", "path_or_buffer", "input_file", "path_or_file_like", "file_glob", "name",
    "metadata_path", "filepath", "file", "files", "path_or_file",
)  # fmt: skip

#: Functions that write the file named by their argument at this place.
WRITERS: dict[str, dict[str, int]] = {
    "pyarrow.parquet.core": {"write_table": 1, "ParquetWriter.__init__": 0, "write_metadata": 1},
    "pyarrow.parquet": {"write_table": 1, "write_metadata": 1},
    "pyarrow.csv": {"write_csv": 1},
    "pyarrow.feather": {"write_feather": 1},
    "pyarrow.orc": {"write_table": 1},
    "polars": {
        "DataFrame.write_parquet": 1, "DataFrame.write_csv": 1, "DataFrame.write_ipc": 1,
        "DataFrame.write_ndjson": 1, "DataFrame.write_json": 1, "DataFrame.write_avro": 1,
        "LazyFrame.sink_parquet": 1, "LazyFrame.sink_csv": 1, "LazyFrame.sink_ipc": 1,
    },
    "safetensors.torch": {"save_file": 1},
    "safetensors.numpy": {"save_file": 1},
}  # fmt: skip

_WRITE_WORDS = ("where", "dest", "file", "path", "output_file", "filename", "metadata_path")
_MARK = "__whence_reader__"
_SQL = ("sql", "query", "execute", "executemany", "from_query", "begin_query", "query_progress")


class Current:
    """Which recorder the wrappers of this process speak to; None: they only pass on."""

    def __init__(self) -> None:
        self.recorder: Recorder | None = None
        self.wrapped = False


current = Current()


def install(recorder: Recorder) -> None:
    """Wrap the readers that are loaded, and the others once they are imported; once a process."""
    current.recorder = recorder
    if current.wrapped:
        return
    current.wrapped = True
    for name in sorted({*READERS, *WRITERS}):
        after_import(name, functools.partial(_wrap_module, name))


def _wrap_module(name: str, module: Any) -> None:
    for reader in READERS.get(name, ()):
        _wrap(module, reader, _note_first)
    for writer, place in WRITERS.get(name, {}).items():
        _wrap(module, writer, functools.partial(_note_target, place))
    if name == "duckdb":
        _wrap_duckdb(module)
    elif name == "pyarrow":
        _wrap_os_file(module)


def _wrap(module: Any, name: str, before: Callable[..., None], skip: int = 0) -> None:
    """Replace `module.name` by a function that calls `before` with what it is given, first.

    `skip` leading arguments (`self`) are not handed to `before`.
    """
    holder, _, method = name.rpartition(".")
    place = getattr(module, holder, None) if holder else module
    original = getattr(place, method, None)
    if place is None or original is None or hasattr(original, _MARK):
        return
    if holder and method == "__init__":
        skip = 1

    @functools.wraps(original)
    def reader(*args: Any, **kwargs: Any) -> Any:
        if current.recorder is not None:
            before(current.recorder, args[skip:], kwargs, sys._getframe(1))
        return original(*args, **kwargs)

    setattr(reader, _MARK, True)
    setattr(place, method, reader)


def _note_first(
    recorder: Recorder, args: tuple[Any, ...], kwargs: dict[str, Any], frame: FrameType
) -> None:
    source = args[0] if args else next((kwargs[w] for w in _SOURCE_WORDS if w in kwargs), None)
    note_source(recorder, source, frame)


def _note_target(
    place: int, recorder: Recorder, args: tuple[Any, ...], kwargs: dict[str, Any], frame: FrameType
) -> None:
    # `__init__` is handed over without self, so its target comes first.
    at = place if len(args) > place else 0
    target = args[at] if args else None
    target = next((kwargs[w] for w in _WRITE_WORDS if w in kwargs), target)
    if isinstance(target, (str, os.PathLike)):
        recorder.note_written(os.path.abspath(os.fsdecode(target)))


def note_source(recorder: Recorder, source: Any, frame: FrameType | None) -> None:
    """Note what a reader is given: a path, a pattern, a folder, a list of these, an address."""
    if isinstance(source, (list, tuple, set)):
        for one in source:
            note_source(recorder, one, frame)
        return
    if not isinstance(source, (str, os.PathLike)):
        return  # bytes, an open file, a dataset: seen where it was made
    text = os.fsdecode(source)
    if not text or len(text) > 4096 or "\n" in text:
        return
    if found := _URL.match(text):
        if found[1].lower() != "file":
            recorder.warn(f"read from {found[1]}://{found[2].rpartition('@')[2]}", frame)
            return
        text = text[len(found[0]) :]
    with recorder.looking():
        note_path(recorder, os.path.abspath(os.path.expanduser(text)), frame)


def note_path(recorder: Recorder, path: str, frame: FrameType | None) -> None:
    """Note a file; or a folder and all below it; or what a pattern looks in and finds."""
    if os.path.isdir(path):
        for folder, folders, names in os.walk(path):
            folders.sort()
            recorder.note_listing(folder, frame)
            for name in sorted(names):
                recorder.note_file(os.path.join(folder, name), frame)
    elif _GLOB.search(path) and not os.path.exists(path):
        for folder in _searched(path):
            recorder.note_listing(folder, frame)
        for hit in sorted(glob.glob(path, recursive=True, include_hidden=True)):
            if os.path.isfile(hit):
                recorder.note_file(hit, frame)
    else:
        recorder.note_file(path, frame)


def _searched(pattern: str) -> list[str]:
    """Folders whose names decide what matches the pattern."""
    parts = pattern.split(os.sep)
    first = next(i for i, part in enumerate(parts) if _GLOB.search(part))
    level = [os.sep.join(parts[:first]) or os.sep]
    searched: list[str] = []
    for part in parts[first:]:
        if part == "**":
            below: list[str] = []
            for folder in level:
                below.extend(inner for inner, _, _ in os.walk(folder))
            searched.extend(below)
            level = below
        else:
            searched.extend(level)
            if _GLOB.search(part):
                level = [d for at in level for d in glob.glob(os.path.join(glob.escape(at), part))]
            else:
                level = [os.path.join(at, part) for at in level]
            level = [folder for folder in level if os.path.isdir(folder)]
    return list(dict.fromkeys(searched))


def _wrap_os_file(module: Any) -> None:
    original = module.OSFile

    class OSFile(original):  # type: ignore[misc, valid-type]
        __doc__ = original.__doc__

        def __init__(self, path: Any, mode: str = "r", *args: Any, **kwargs: Any) -> None:
            # The file is open by now, but not read.
            recorder = current.recorder
            if recorder is None:
                return
            if mode.startswith("r"):
                note_source(recorder, path, sys._getframe(1))
            else:
                recorder.note_written(os.path.abspath(os.fsdecode(path)))

    OSFile.__module__, OSFile.__qualname__ = original.__module__, original.__qualname__
    module.OSFile = OSFile


def _wrap_duckdb(module: Any) -> None:
    def on_sql(
        recorder: Recorder, args: tuple[Any, ...], kwargs: dict[str, Any], frame: FrameType
    ) -> None:
        note_sql(recorder, args[0] if args else kwargs.get("query"), frame)
        parameters = args[1] if len(args) > 1 else kwargs.get("parameters", kwargs.get("params"))
        values = parameters.values() if isinstance(parameters, dict) else parameters
        for value in values if isinstance(values, (list, tuple, type({}.values()))) else ():
            for one in value if isinstance(value, (list, tuple)) else (value,):
                if isinstance(one, str) and _looks_like_a_file(one):
                    note_source(recorder, one, frame)

    def on_connect(
        recorder: Recorder, args: tuple[Any, ...], kwargs: dict[str, Any], frame: FrameType
    ) -> None:
        database = os.fsdecode(args[0] if args else kwargs.get("database", ":memory:"))
        if database and not database.startswith(":") and not _URL.match(database):
            recorder.note_database(os.path.abspath(database), frame)

    for name in _SQL:
        _wrap(module, name, on_sql)
        _wrap(module, f"DuckDBPyConnection.{name}", on_sql, 1)
    for name in READERS["duckdb"]:
        _wrap(module, f"DuckDBPyConnection.{name}", _note_first, 1)
    _wrap(module, "connect", on_connect)
    for name in ("write_parquet", "to_parquet", "write_csv", "to_csv"):
        _wrap(module, f"DuckDBPyRelation.{name}", functools.partial(_note_target, 1))


def _looks_like_a_file(text: str) -> bool:
    if not text or len(text) > 4096 or "\n" in text:
        return False
    if _DATA.search(text) or _URL.match(text):
        return True
    return bool(_GLOB.search(text) and "/" in text) or ("/" in text and os.path.exists(text))


def note_sql(recorder: Recorder, query: Any, frame: FrameType | None) -> None:
    """Note the files that the literals and quoted names of an SQL text name."""
    text = query if isinstance(query, str) else getattr(query, "query", None)
    if not isinstance(text, str):
        return
    for found in _LITERAL.finditer(text):
        quoted = found[1] if found[1] is not None else found[2]
        if quoted is None:
            note_sql(recorder, found[3], frame)
            continue
        name = quoted.replace("''", "'").replace('""', '"')
        if not _looks_like_a_file(name):
            continue
        if _WRITTEN.search(text[: found.start()]):
            recorder.note_written(os.path.abspath(name))
        else:
            note_source(recorder, name, frame)
