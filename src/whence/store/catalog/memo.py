"""What is remembered: a static key and a set of observations gave an output.

A hit needs a row whose observations all have the digests that they have now.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache

from whence.graph.digest import Digest, digest_text
from whence.graph.observation import Observation
from whence.store.catalog import artifacts
from whence.store.catalog.database import Database, chunks, from_json, marks, to_json
from whence.store.catalog.records import MemoRow, TaskRecord
from whence.store.catalog.texts import next_generation

_FIND = """
SELECT static_key, observed_key, output, run_id, observed FROM memo WHERE static_key IN ({})
ORDER BY created DESC, run_id DESC
"""
_FIND_ONE = _FIND.format("?")
_PUT = """
INSERT INTO memo (static_key, observed_key, output, run_id, created, observed)
VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (static_key, observed_key) DO NOTHING
"""
_ROW = "WHERE static_key = ? AND observed_key = ?"


@lru_cache(maxsize=4096)
def spell(observed: tuple[Observation, ...]) -> tuple[str, str]:
    """The text that `observed` is kept as, and its key; the order does not count."""
    if not observed:
        return "[]", "none"
    rows = sorted({(seen.kind, seen.name, seen.digest) for seen in observed})
    text = to_json(rows)
    return text, digest_text("observed", text)


def find(db: Database, static_keys: Sequence[str]) -> dict[str, list[MemoRow]]:
    """Rows by static key, newest first; keys without rows are left out."""
    found: dict[str, list[MemoRow]] = {}
    for chunk in chunks(static_keys):
        sql = _FIND_ONE if len(chunk) == 1 else _FIND.format(marks(chunk))
        for static_key, observed_key, output, run_id, observed in db.query(sql, chunk):
            seen: tuple[Observation, ...] = ()
            if observed != "[]":
                seen = tuple(Observation(*item) for item in from_json(db, observed))
            row = MemoRow(static_key, observed_key, seen, Digest(output), run_id)
            found.setdefault(static_key, []).append(row)
    return found


def remember(
    db: Database,
    task: TaskRecord,
    output: Digest,
    run_id: int | None,
    blob_exists: Callable[[Digest], bool] | None,
) -> Digest:
    """Keep the task's output in the caller's transaction; the output that counts from now on.

    The first commit wins: others may already have used what it gave. Except where this one is
    meant to replace it, or where what it gave is no longer whole.
    """
    text, observed_key = spell(task.observed)
    key = (task.static_key, observed_key)
    values = (*key, output, run_id, time.time(), text)
    if task.replace:
        gone = db.query("SELECT output FROM memo WHERE static_key = ?", (task.static_key,))
        if any(old != output for (old,) in gone):
            next_generation(db)
        # Rows with other observations stay: they may hold again, and until then this is newer.
        db.write(f"DELETE FROM memo {_ROW}", key)
    if db.write(_PUT, values):
        return output
    ((first,),) = db.query(f"SELECT output FROM memo {_ROW}", key)
    if first == output:
        return output
    if not artifacts.broken(db, [first], blob_exists):
        return Digest(first)
    db.write(f"DELETE FROM memo {_ROW}", key)
    db.write(_PUT, values)
    next_generation(db)
    return output


def forget(db: Database, static_key: str, observed_key: str) -> None:
    """Drop one row, and void plans that were made from it."""

    def work() -> None:
        if db.write(f"DELETE FROM memo {_ROW}", (static_key, observed_key)):
            next_generation(db)

    db.transact(work)
