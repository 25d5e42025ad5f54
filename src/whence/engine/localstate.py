"""The project's local cache file: stat cache, discovery, code summaries, receipts.

Everything here can be deleted at any time and is made again; nothing in it is a result. It is kept
apart from the catalog because the catalog may be shared, and because the no-op path must read it
with nothing imported but `sqlite3`.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import finalize

from whence.errors import StoreUnwritable

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS cache (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
)


#: How long to go on asking while another process makes the file.
_PATIENCE_S = 30.0


class LocalState:
    """A small table of JSON values in `.whence/state.db`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state.db"
        self._writing = Lock()  # threads share one connection, which has one transaction
        try:
            folder.mkdir(parents=True, exist_ok=True)
            ignore = folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
            self._open_patiently()
        except (OSError, sqlite3.OperationalError) as error:
            raise StoreUnwritable(
                f"The folder {folder} cannot be written: {error}.",
                "give this user write permission there, or set `store` and `catalog` elsewhere.",
            ) from None
        except sqlite3.DatabaseError:
            # A damaged cache is no loss: begin a new one.
            self.path.unlink(missing_ok=True)
            self._open_patiently()

    def _open_patiently(self) -> None:
        # Two processes that switch a new file to its write-ahead log at once: SQLite refuses one of
        # them without waiting, since to wait could be to wait for each other.
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return self._open()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or (
                    time.monotonic() > deadline
                ):
                    raise
                time.sleep(0.02)

    def _open(self) -> None:
        self._db = sqlite3.connect(
            self.path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False
        )
        # A project left open is closed when it goes; the collector may run in any thread.
        finalize(self, self._db.close).atexit = False
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(_SCHEMA)

    def get(self, key: str) -> Any:
        """The value kept under `key`, or None."""
        row = self._db.execute("SELECT value FROM cache WHERE key = ?", (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    def get_many(self, prefix: str, names: Iterable[str]) -> dict[str, Any]:
        """The values kept under `prefix + name`, by name, of those that are there."""
        found: dict[str, Any] = {}
        for name in names:
            value = self.get(prefix + name)
            if value is not None:
                found[name] = value
        return found

    def put(self, values: Mapping[str, Any]) -> None:
        """Keep each value under its key, in one transaction."""
        rows = [(k, json.dumps(v, separators=(",", ":"))) for k, v in values.items()]
        with self._writing:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR REPLACE INTO cache VALUES (?, ?)", rows)
            self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()
