"""Bringing an older catalog forward, one schema version at a time, after a backup.

A migration for version n is a function that changes a catalog of version n into one of n + 1,
in SQL; it is listed in `STEPS` and stays there for good. All steps run in one transaction: a
catalog is either wholly old or wholly new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from whence.errors import StoreError

T = TypeVar("T")


class Database(Protocol):
    """What a migration may use of a database."""

    url: str

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...
    def write(self, sql: str, values: Sequence[Any] = ()) -> int: ...
    def write_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None: ...
    def transact(
        self, work: Callable[[], T], *, exclusive: bool = False, rollback: bool = False
    ) -> T: ...
    def backup(self, label: str) -> str: ...


Step = Callable[[Database], None]
Steps = Mapping[int, Step]

#: Version -> what makes the next version of it. Version 1 is the first that was released.
STEPS: Steps = {}


def migrate(db: Database, found: int, wanted: int, steps: Steps = STEPS) -> str:
    """Bring a catalog from version `found` to `wanted`; say where its backup is.

    Raises
    ------
    StoreError
        If there is no way from `found`; nothing was changed.
    """
    missing = [version for version in range(found, wanted) if version not in steps]
    if missing:
        raise StoreError(
            f"The catalog {db.url} has schema version {found}, which cannot be brought to "
            f"{wanted}: no migration starts at {missing[0]}.",
            "open it once with the whence release before this one, or start a new store.",
        )
    backup = db.backup(f"v{found}")

    def work() -> None:
        # Another process may have migrated it while this one made the backup.
        ((now,),) = db.query("SELECT value FROM meta WHERE key = 'schema_version'")
        for version in range(int(now), wanted):
            steps[version](db)
            db.write("UPDATE meta SET value = ? WHERE key = 'schema_version'", (str(version + 1),))

    db.transact(work, exclusive=True)
    return backup


__all__ = ["STEPS", "Database", "Step", "Steps", "migrate"]
