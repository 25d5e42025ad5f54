"""The catalog on SQLite: one file, write-ahead log, no server.

The log makes readers and the one writer independent; `synchronous=NORMAL` may lose the last
commits when the power fails, but never the consistency of the file.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from weakref import finalize

from whence.errors import CorruptCatalog, StoreError, StoreFull, StoreUnwritable, WhenceError
from whence.store.catalog.database import Dialect, Row
from whence.store.catalog.records import CatalogBusy

T = TypeVar("T")

DIALECT = Dialect(
    name="sqlite",
    serial="INTEGER PRIMARY KEY AUTOINCREMENT",
    counter="INTEGER PRIMARY KEY",
    key="TEXT",
    integer="INTEGER",
    real="REAL",
    blob="BLOB",
    packed="WITHOUT ROWID",
    now="((julianday('now') - 2440587.5) * 86400.0)",
)

#: How long SQLite itself waits for a lock, and how long we go on asking.
_BUSY_TIMEOUT_S = 10.0
_PATIENCE_S = 120.0
#: Pages in the log before it is copied back into the file.
_CHECKPOINT_PAGES = 2000


class SQLite:
    """One connection to a catalog file, made where it does not exist."""

    dialect = DIALECT

    def __init__(self, path: Path, *, patience_s: float = _PATIENCE_S) -> None:
        self.path = path
        self.url = str(path)
        self.known_owners: set[str] = set()
        self.patience_s = patience_s
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnwritable(
                f"The store's directory {path.parent} cannot be made: {error.strerror}.",
                "make it writable, or set `store` in [tool.whence] to another directory.",
            ) from error
        try:
            self._connection = sqlite3.connect(
                path,
                timeout=min(_BUSY_TIMEOUT_S, patience_s),
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
        except sqlite3.Error as error:
            raise fault(error, path) from error
        try:
            self._patiently(self._configure)
        except WhenceError:
            self._connection.close()
            raise
        # A catalog left open is closed when it goes, but not when the process does: then another
        # thread may be in the middle of a statement, which closing would pull away from under it.
        finalize(self, self._connection.close).atexit = False

    def _configure(self) -> None:
        run = self._connection.execute
        if run("PRAGMA page_count").fetchone()[0] == 0:
            run("PRAGMA auto_vacuum=INCREMENTAL")  # only an empty file can still choose
        if run("PRAGMA journal_mode").fetchone()[0] != "wal":
            run("PRAGMA journal_mode=WAL")
        run("PRAGMA synchronous=NORMAL")
        run(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        # Deleting a page that is shared by two tables is how damage spreads: notice it early.
        run("PRAGMA cell_size_check=ON")

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        with self._lock:
            if self._connection.in_transaction:
                return self._connection.execute(sql, values).fetchall()
            return self._patiently(lambda: self._connection.execute(sql, values).fetchall())

    def write(self, sql: str, values: Sequence[Any] = ()) -> int:
        with self._lock:
            if self._connection.in_transaction:
                return self._connection.execute(sql, values).rowcount
            return self._patiently(lambda: self._connection.execute(sql, values).rowcount)

    def write_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        with self._lock:
            assert self._connection.in_transaction  # else each row would be a transaction
            self._connection.executemany(sql, rows)

    def transact(
        self, work: Callable[[], T], *, exclusive: bool = False, rollback: bool = False
    ) -> T:
        # There is one writer at a time here: every transaction is exclusive.
        with self._lock:
            assert not self._connection.in_transaction
            return self._patiently(lambda: self._once(work, rollback))

    def _once(self, work: Callable[[], T], rollback: bool) -> T:
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        try:
            result = work()
            run("ROLLBACK" if rollback else "COMMIT")
        except BaseException:
            # A full disk has SQLite roll back by itself.
            if self._connection.in_transaction:
                run("ROLLBACK")
            raise
        return result

    def _patiently(self, attempt: Callable[[], T]) -> T:
        """`attempt`, again as long as another process holds the lock, with faults translated."""
        deadline = time.monotonic() + self.patience_s
        while True:
            try:
                return attempt()
            except (sqlite3.Error, UnicodeDecodeError) as error:
                if _code(error) not in _BUSY or time.monotonic() > deadline:
                    raise fault(error, self.path) from error
                time.sleep(0.02)  # SQLite has waited already, except where it must not

    def tables(self) -> set[str]:
        rows = self.query("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in rows if not name.startswith("sqlite_")}

    def backup(self, label: str) -> str:
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        target = self.path.with_name(f"{self.path.name}.backup-{label}-{stamp}")
        number = 1
        while target.exists():
            number += 1
            target = self.path.with_name(f"{self.path.name}.backup-{label}-{stamp}-{number}")
        temporary = target.with_name(f"{target.name}.tmp-{os.getpid()}")
        try:
            copy = sqlite3.connect(temporary)
            try:
                with self._lock:
                    self._connection.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it
            finally:
                copy.close()
            os.replace(temporary, target)
        except sqlite3.Error as error:
            raise fault(error, self.path) from error
        finally:
            temporary.unlink(missing_ok=True)
        return str(target)

    def check(self) -> list[str]:
        try:
            rows = self.query("PRAGMA integrity_check(20)")
        except CorruptCatalog as error:
            return [error.cause]
        return [str(text) for (text,) in rows if text != "ok"]

    def compact(self) -> None:
        self.query("PRAGMA incremental_vacuum")
        self.query("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        with self._lock:
            self._connection.close()


_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_UNWRITABLE = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
_SHORT_READ = 522  # SQLITE_IOERR_SHORT_READ: the file ends before its header says


def _code(error: Exception) -> int:
    """SQLite's primary result code, 0 where there is none."""
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def fault(error: Exception, path: Path) -> Exception:
    """What `error` means to the user of the catalog at `path`; itself where it is our own bug."""
    code = _code(error)
    text = str(error)
    if (
        code in _CORRUPT
        or getattr(error, "sqlite_errorcode", 0) == _SHORT_READ
        or text.startswith(("Could not decode", "no such table", "no such column"))
        or isinstance(error, UnicodeDecodeError)
    ):
        return corrupt(path, text)
    if code in _BUSY:
        return CatalogBusy(
            f"The catalog {path} is locked by another process for over a minute.",
            "see whether a whence process hangs (`whence log` names its process id), then retry.",
        )
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path)):
        return StoreFull(
            f"The catalog {path} cannot grow: no space is left where it lives.",
            "free some space (`whence gc --dry-run` says what it would free), then build again.",
        )
    barred = code == sqlite3.SQLITE_IOERR and not os.access(path.parent, os.W_OK)
    if code in _UNWRITABLE or barred:
        return StoreUnwritable(
            f"The catalog {path} cannot be opened for writing: {text}.",
            f"make {path} and {path.parent} writable for you, or set `catalog` in [tool.whence].",
        )
    if code == sqlite3.SQLITE_IOERR:
        return StoreError(
            f"Reading or writing the catalog {path} failed: {text}.",
            "check the disk and that it is a local one; then run `whence check`.",
        )
    return error


def corrupt(path: Path, detail: str) -> CorruptCatalog:
    """The error for a damaged file; it names the newest backup where there is one."""
    backups = sorted(
        path.parent.glob(f"{path.name}.backup-*"), key=lambda file: file.stat().st_mtime
    )
    if backups:
        fix = f"copy its newest backup, {backups[-1]}, over it."
    else:
        fix = (
            f"move {path} away (and {path.name}-wal beside it) and build again: "
            "artifacts are stored anew under the same digests. No backup of it was found."
        )
    return CorruptCatalog(f"The catalog {path} is damaged: {detail}.", fix)


def _is_full(path: Path) -> bool:
    try:
        room = os.statvfs(path.parent)
    except OSError:
        return False
    return room.f_bavail * room.f_frsize < 1 << 20
