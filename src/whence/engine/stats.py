"""Digests of files through a cache of their stats: unchanged files are not read again."""

from __future__ import annotations

import hashlib
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

#: A file changed this shortly before it was checked may change again under the same time stamp.
RACY_NS = 2_000_000_000

_CHUNK = 1 << 20

# Bound here because the recorder replaces `os.stat` in workers: our own looks are no observations.
_stat = os.stat


def file_sha256(path: str | Path) -> str:
    """`sha256:<hex>` of the file's bytes."""
    hasher = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
    return "sha256:" + hasher.hexdigest()


def file_blake3(path: str | Path) -> str:
    """`blake3:<hex>` of the file's bytes."""
    from blake3 import blake3

    hasher = blake3()
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size >= 4 * _CHUNK:
            hasher.update_mmap(path)
        else:
            hasher.update(file.read())
    return "blake3:" + hasher.hexdigest()


def stat_of(path: str | Path) -> tuple[int, int, int, int] | None:
    """`(size, mtime_ns, ino, ctime_ns)` of what `path` leads to, None where nothing is."""
    try:
        found = _stat(path)
    except (OSError, ValueError):
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns


def is_racy(mtime_ns: int, ctime_ns: int, checked_ns: int) -> bool:
    """Whether a change after the check could have left these time stamps as they are."""
    return max(mtime_ns, ctime_ns) > checked_ns - RACY_NS


class StatCache:
    """Digests of files, kept with the stat under which they were read.

    An entry holds while size, mtime, inode and ctime stay as they were, unless the file had
    changed within two seconds before it was read: then the next check reads it again.

    Parameters
    ----------
    entries : mapping, optional
        What `to_json` gave: algorithm -> path -> [size, mtime_ns, ino, ctime_ns, digest, settled].

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     StatCache().sha256(file.name)[:14]
    'sha256:e3b0c44'
    """

    __slots__ = ("_entries", "changed")

    def __init__(self, entries: Mapping[str, Mapping[str, list[Any]]] | None = None) -> None:
        given = entries or {}
        self._entries: dict[str, dict[str, list[Any]]] = {
            "sha256": dict(given.get("sha256", {})),
            "blake3": dict(given.get("blake3", {})),
        }
        #: Whether anything was added since it was made: only then is it worth storing again.
        self.changed = False

    def sha256(self, path: str | Path) -> str:
        """`sha256:<hex>` of the file; OSError where it cannot be read."""
        return self._digest("sha256", os.fspath(path))

    def blake3(self, path: str | Path) -> str:
        """`blake3:<hex>` of the file; OSError where it cannot be read."""
        return self._digest("blake3", os.fspath(path))

    def is_settled(self, path: str | Path) -> bool:
        """Whether some digest of the file is known and its stat proves that it still holds."""
        key, now = os.fspath(path), stat_of(path)
        for entries in self._entries.values():
            entry = entries.get(key)
            if entry is not None and now is not None and entry[5] and tuple(entry[:4]) == now:
                return True
        return False

    def _digest(self, algorithm: str, path: str) -> str:
        entries = self._entries[algorithm]
        entry = entries.get(path)
        found = _stat(path)
        before = [found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns]
        if entry is not None and entry[5] and entry[:4] == before:
            return str(entry[4])
        checked_ns = time.time_ns()
        digest = file_sha256(path) if algorithm == "sha256" else file_blake3(path)
        settled = not is_racy(before[1], before[3], checked_ns)
        if settled and list(stat_of(path) or ()) != before:
            settled = False  # it changed while it was being read
        fresh = [*before, digest, settled]
        if fresh != entry:
            entries[path] = fresh
            self.changed = True
        return digest

    def keep(self, paths: set[str]) -> None:
        """Forget all files but `paths`, so that the cache does not grow for ever."""
        for entries in self._entries.values():
            for path in [known for known in entries if known not in paths]:
                del entries[path]
                self.changed = True

    def to_json(self) -> dict[str, dict[str, list[Any]]]:
        """The entries as plain JSON values."""
        return self._entries

    @classmethod
    def from_json(cls, entries: Mapping[str, Mapping[str, list[Any]]]) -> StatCache:
        """The cache that `to_json` wrote."""
        return cls(entries)
