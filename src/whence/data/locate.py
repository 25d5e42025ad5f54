"""Which files a pattern means, which partition each belongs to, and what to watch.

Light on purpose: it runs on every build that is not a plain no-op, so no table library here.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath

from whence.errors import SourceError, did_you_mean
from whence.graph.partitions import order_partitions

_COMPRESSED = {".gz", ".bz2", ".zst", ".lz4", ".zip"}
_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".json": "json",
    ".txt": "text",
    ".md": "text",
}


@dataclass(frozen=True, slots=True)
class Found:
    """The files of a source: paths relative to the root (or absolute), in natural order."""

    paths: tuple[str, ...]
    watch: tuple[str, ...]
    is_single: bool


def format_of(path: str) -> str | None:
    """The format that a file's suffix says, None where it says nothing.

    Examples
    --------
    >>> format_of("data/flights.csv.zip")
    'csv'
    """
    suffixes = [suffix.lower() for suffix in PurePosixPath(path).suffixes]
    if suffixes and suffixes[-1] in _COMPRESSED:
        if suffixes[-1] == ".zip" and (len(suffixes) == 1 or suffixes[-2] not in _SUFFIXES):
            return "csv"
        suffixes.pop()
    return _SUFFIXES.get(suffixes[-1]) if suffixes else None


def find_files(root: Path, pattern: str) -> Found:
    """The files that `pattern` means now.

    Raises
    ------
    SourceError
        If there is none; it names what is near.
    """
    if not glob.has_magic(pattern):
        path = root / pattern
        if path.is_file():
            return Found((pattern,), (pattern,), True)
        if path.is_dir():
            raise SourceError(
                f"Source '{pattern}' is a folder, not a file.",
                f"say which files in it: '{pattern.rstrip('/')}/*'.",
            )
        raise _missing(root, pattern)
    matches = glob.glob(pattern, root_dir=root, recursive=True)  # noqa: PTH207 (skips hidden)
    paths = [match for match in matches if (root / match).is_file()]
    if not paths:
        raise _no_match(root, pattern)
    posix = [path.replace(os.sep, "/") for path in paths]
    return Found(order_partitions(posix), _scanned(root, pattern), False)


def _scanned(root: Path, pattern: str) -> tuple[str, ...]:
    """The folders in which a new file could match."""
    parts = PurePosixPath(pattern).parts
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    base = str(PurePosixPath(*parts[:fixed])) if fixed else "."
    depth = None if "**" in parts else len(parts) - fixed - 1
    folders: list[str] = []
    for folder, below, _ in os.walk(root / base):
        relative = os.path.relpath(folder, root / base)
        level = 0 if relative == "." else relative.count(os.sep) + 1
        below[:] = sorted(name for name in below if not name.startswith("."))
        if depth is not None and level >= depth:
            below.clear()
        folders.append(base if level == 0 else f"{base}/{relative.replace(os.sep, '/')}")
    return tuple(folders)


def _missing(root: Path, pattern: str) -> SourceError:
    path = root / pattern
    folder = path.parent
    while not folder.is_dir():
        path, folder = folder, folder.parent
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    shown = folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)
    where = "the project's root" if shown == "." else f"'{shown}'"
    cause = f"Source file '{pattern}' does not exist: {where} has no '{path.name}'."
    if near := did_you_mean(path.name, names):
        return SourceError(cause, f"did you mean '{near}'? If it was renamed, change the pattern.")
    holds = f"it holds {', '.join(names[:8])}{' …' if len(names) > 8 else ''}" if names else "empty"
    return SourceError(cause, f"put the file there or change the pattern ({where}: {holds}).")


def _no_match(root: Path, pattern: str) -> SourceError:
    parts = PurePosixPath(pattern).parts
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    base = str(PurePosixPath(*parts[:fixed])) if fixed else "."
    if not (root / base).is_dir():
        return _missing(root, base)
    names = sorted(entry.name for entry in (root / base).iterdir())
    holds = f"{', '.join(names[:8])}{' …' if len(names) > 8 else ''}" if names else "nothing"
    return SourceError(
        f"Source '{pattern}' is empty: no file matches the pattern.",
        f"put files there or change the pattern ('{base}' holds {holds}).",
    )


def hive_parts(path: str) -> tuple[str, ...]:
    """The named values in a path's folders: ("year=2013", "month=1")."""
    folders = PurePosixPath(path).parts[:-1]
    return tuple(part for part in folders if "=" in part and not part.startswith("="))


def partition_files(pattern: str, paths: Sequence[str], by: str) -> dict[str, list[str]]:
    """The paths by partition key, for `by` "file" or "folder".

    Raises
    ------
    SourceError
        If two files would make the same partition.
    """
    if by == "folder":
        return _by_folder(paths)
    keys = {path: PurePosixPath(path).name.split(".")[0] for path in paths}
    if len(set(keys.values())) < len(paths):
        keys = _longer_names(paths)
    out: dict[str, list[str]] = {}
    for path, key in keys.items():
        if key in out:
            raise SourceError(
                f"Source '{pattern}' is partitioned by file, but '{out[key][0]}' and '{path}' "
                f"both make partition '{key}'.",
                "rename one, or narrow the pattern to one suffix.",
            )
        out[key] = [path]
    return {key: out[key] for key in order_partitions(out)}


def _longer_names(paths: Sequence[str]) -> dict[str, str]:
    """Names without suffixes, relative to the deepest folder common to all."""
    folders = [PurePosixPath(path).parent.parts for path in paths]
    levels = zip(*folders, strict=False)
    common = len(list(takewhile(lambda level: len(set(level)) == 1, levels)))
    return {
        path: "/".join([*folder[common:], PurePosixPath(path).name.split(".")[0]])
        for path, folder in zip(paths, folders, strict=True)
    }


def _by_folder(paths: Sequence[str]) -> dict[str, list[str]]:
    folders = {path: PurePosixPath(path).parent for path in paths}
    names = {folder: folder.name or "." for folder in folders.values()}
    unique = len(set(names.values())) == len(names)
    out: dict[str, list[str]] = {}
    for path, folder in folders.items():
        key = "/".join(hive_parts(path)) or (names[folder] if unique else str(folder))
        out.setdefault(key, []).append(path)
    return {key: out[key] for key in order_partitions(out)}


__all__ = ["Found", "find_files", "format_of", "hive_parts", "partition_files"]
