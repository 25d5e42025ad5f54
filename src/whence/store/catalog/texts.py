"""Texts and file contents under their digests, and the store's own few values."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from whence.errors import UnknownId
from whence.store.catalog.database import Database, chunks, marks

#: A row that is put again counts as new for `gc` from this age on.
TOUCH_AFTER_S = 600.0

_PUT = """
INSERT INTO texts (digest, created, data) VALUES (?, ?, ?)
ON CONFLICT (digest) DO UPDATE SET created = excluded.created
WHERE texts.created < excluded.created - 600.0
"""


def put(db: Database, many: Mapping[str, bytes]) -> None:
    """Keep texts in one transaction."""
    if many:
        db.transact(lambda: insert(db, many))


def insert(db: Database, many: Mapping[str, bytes]) -> None:
    """Keep texts, in the caller's transaction."""
    now = time.time()
    # In one order everywhere, so that two writers never wait for each other in a circle.
    db.write_many(_PUT, [(digest, now, many[digest]) for digest in sorted(many)])


def insert_texts(db: Database, many: Mapping[str, str]) -> None:
    """`insert` for str."""
    insert(db, {key: text.encode("utf-8", "surrogatepass") for key, text in many.items()})


def get(db: Database, digest: str) -> bytes:
    """One text; `UnknownId` where there is none."""
    for (data,) in db.query("SELECT data FROM texts WHERE digest = ?", (digest,)):
        return bytes(data)
    raise UnknownId(
        f"The catalog {db.url} holds no text {digest}.",
        "it was collected by `whence gc`, or belongs to another store.",
    )


def get_many(db: Database, digests: Iterable[str]) -> dict[str, bytes]:
    """Those that are there."""
    found: dict[str, bytes] = {}
    for chunk in chunks(digests):
        sql = f"SELECT digest, data FROM texts WHERE digest IN ({marks(chunk)})"
        found.update((digest, bytes(data)) for digest, data in db.query(sql, chunk))
    return found


def present(db: Database, digests: Iterable[str]) -> set[str]:
    """Those that are there, by digest alone."""
    found: set[str] = set()
    for chunk in chunks(digests):
        sql = f"SELECT digest FROM texts WHERE digest IN ({marks(chunk)})"
        found.update(digest for (digest,) in db.query(sql, chunk))
    return found


def get_meta(db: Database, key: str) -> str | None:
    """One of the store's own values."""
    for (value,) in db.query("SELECT value FROM meta WHERE key = ?", (key,)):
        return str(value)
    return None


def set_meta(db: Database, key: str, value: str) -> None:
    """Write one of the store's own values."""
    db.write(
        "INSERT INTO meta (key, value) VALUES (?, ?) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )


def next_generation(db: Database) -> None:
    """Void what was planned from the rows that this transaction deletes."""
    db.write(
        "UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE key = 'generation'"
    )
