"""Leases in the catalog: who may run which static key.

Times are the database's own, so that machines need not agree on the hour.
"""

from __future__ import annotations

from collections.abc import Sequence

from whence.store.catalog import memo
from whence.store.catalog.database import Database, marks
from whence.store.catalog.records import LeaseResult
from whence.store.leases import MISSED_HEARTBEATS, Owner, heartbeat_s, is_alive

_TAKE = "INSERT INTO leases (key, token) VALUES (?, ?) ON CONFLICT (key) DO NOTHING"
_HOLDER = """
SELECT leases.token, owners.host, owners.pid, owners.process_start, {now} - owners.heartbeat
FROM leases LEFT JOIN owners ON owners.token = leases.token WHERE leases.key = ?
"""


def acquire(db: Database, keys: Sequence[str], owner: Owner) -> dict[str, LeaseResult]:
    """Ask for leases in one transaction."""
    if not keys:
        return {}
    answer = db.transact(lambda: take(db, keys, owner))
    db.known_owners.add(owner.token)
    return answer


def take(db: Database, keys: Sequence[str], owner: Owner) -> dict[str, LeaseResult]:
    """`acquire` in the caller's transaction."""
    if owner.token not in db.known_owners:
        beat(db, owner)
    gone: dict[str, bool] = {}
    answer: dict[str, LeaseResult] = {}
    for key in sorted(keys):
        held = db.write(_TAKE, (key, owner.token)) == 1
        holder = ""
        if not held:
            held, holder = _take_over(db, key, owner, gone)
        rows = memo.find(db, [key]).get(key, []) if held else []
        answer[key] = LeaseResult(held, holder, tuple(rows))
    return answer


def _take_over(db: Database, key: str, owner: Owner, gone: dict[str, bool]) -> tuple[bool, str]:
    """Whether `owner` has the taken lease `key` after all, and who has it otherwise."""
    for token, host, pid, start, silence_s in db.query(_HOLDER.format(now=db.dialect.now), (key,)):
        if token == owner.token:
            return True, ""
        if token not in gone:
            gone[token] = host is None or _is_gone(Owner(host, pid, start, token), silence_s)
        if gone[token]:
            sql = "UPDATE leases SET token = ? WHERE key = ? AND token = ?"
            if db.write(sql, (owner.token, key, token)) == 1:
                beat(db, owner)  # who judges others by their silence speaks up
                return True, ""
        return False, f"{host}:{pid}"
    return False, ""  # given back this very moment: ask again


def _is_gone(holder: Owner, silence_s: float) -> bool:
    return is_alive(holder) is False or silence_s > MISSED_HEARTBEATS * heartbeat_s()


def release(db: Database, keys: Sequence[str], owner: Owner) -> None:
    """Give leases back."""
    if keys:
        db.transact(lambda: drop(db, keys, owner))


def drop(db: Database, keys: Sequence[str], owner: Owner) -> None:
    """`release` in the caller's transaction."""
    sql = "DELETE FROM leases WHERE key = ? AND token = ?"
    if len(keys) == 1:
        db.write(sql, (keys[0], owner.token))
    else:
        db.write_many(sql, [(key, owner.token) for key in sorted(keys)])


def heartbeat(db: Database, owner: Owner) -> None:
    """Say that `owner` is alive."""
    db.transact(lambda: beat(db, owner))
    db.known_owners.add(owner.token)


def beat(db: Database, owner: Owner) -> None:
    db.write(
        f"""
        INSERT INTO owners (token, host, pid, process_start, heartbeat)
        VALUES (?, ?, ?, ?, {db.dialect.now})
        ON CONFLICT (token) DO UPDATE SET heartbeat = excluded.heartbeat
        """,
        (owner.token, owner.host, owner.pid, owner.process_start),
    )


def leave(db: Database, owner: Owner) -> None:
    """Give all leases back and forget the owner."""

    def work() -> None:
        db.write("DELETE FROM leases WHERE token = ?", (owner.token,))
        db.write("DELETE FROM owners WHERE token = ?", (owner.token,))

    db.transact(work)
    db.known_owners.discard(owner.token)


def held_keys(db: Database, owner: Owner) -> set[str]:
    """The keys that `owner` holds."""
    rows = db.query("SELECT key FROM leases WHERE token = ?", (owner.token,))
    return {key for (key,) in rows}


def silences(db: Database, tokens: Sequence[str]) -> dict[str, tuple[Owner, float]]:
    """Owners by token, each with the seconds since its last heartbeat; unknown ones left out."""
    if not tokens:
        return {}
    rows = db.query(
        f"SELECT token, host, pid, process_start, {db.dialect.now} - heartbeat FROM owners "
        f"WHERE token IN ({marks(tokens)})",
        tokens,
    )
    return {token: (Owner(host, pid, start, token), age) for token, host, pid, start, age in rows}
