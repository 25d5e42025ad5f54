"""From what people type to what it names."""

from __future__ import annotations

import string

from whence.store.catalog.builds import number_of
from whence.store.catalog.database import Database
from whence.store.catalog.records import Match

#: Shorter pieces of a digest would match by chance.
MINIMUM = 4
LIMIT = 20
_HEX = set(string.hexdigits.lower())


def resolve(db: Database, prefix: str) -> list[Match]:
    """Everything whose id starts with `prefix`; a build only by its whole name."""
    text = prefix.strip().lower()
    found: list[Match] = []
    number = number_of(text) if text.startswith("b") else None
    if number is not None:
        sql = "SELECT build_id FROM builds WHERE build_id = ?"
        found += [Match("build", f"b{build_id}") for (build_id,) in db.query(sql, (number,))]
    algorithm, _, digits = text.rpartition(":")
    if len(digits) < MINIMUM or not set(digits) <= _HEX:
        return found
    kinds = [algorithm] if algorithm else ["blake3", "sha256"]
    for kind in kinds:
        found += _starting(db, "artifact", "artifacts", "digest", f"{kind}:{digits}")
    if not algorithm:
        found += _starting(db, "prediction", "predictions", "id", digits)
    return found[:LIMIT]


def _starting(db: Database, kind: str, table: str, column: str, prefix: str) -> list[Match]:
    # "g" sorts after every hexadecimal digit; a range can use the key, LIKE could not.
    sql = (
        f"SELECT {column} FROM {table} WHERE {column} >= ? AND {column} < ? "
        f"ORDER BY {column} LIMIT {LIMIT}"
    )
    return [Match(kind, found) for (found,) in db.query(sql, (prefix, prefix + "g"))]
