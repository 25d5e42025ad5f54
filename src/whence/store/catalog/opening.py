"""From an address to a catalog that is ready: made, checked, migrated."""

from __future__ import annotations

from pathlib import Path

from whence.errors import ConfigError, CorruptCatalog, StoreError, StoreTooNew
from whence.store.catalog.catalog import Catalog
from whence.store.catalog.database import Database
from whence.store.catalog.schema import SCHEMA_VERSION, TABLES, create
from whence.store.catalog.sqlite import SQLite
from whence.store.migrations import STEPS, Steps, migrate


def open_catalog(url: str | Path) -> Catalog:
    """Open a catalog, making it where there is none and migrating it where it is older.

    Parameters
    ----------
    url : str or Path
        A file ("/srv/store/catalog.db", "sqlite:///srv/store/catalog.db") or a PostgreSQL
        database ("postgresql://user@host/name"; "?schema=NAME" for a schema other than
        "whence").

    Raises
    ------
    StoreTooNew
        If a newer whence wrote it.
    CorruptCatalog
        If the file is damaged or no database.
    StoreUnwritable
        If it cannot be written.
    ConfigError
        If the address is of neither kind.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, open_catalog(f"{folder}/catalog.db") as catalog:
    ...     catalog.list_builds()
    []
    """
    db = connect(str(url))
    try:
        prepare(db, SCHEMA_VERSION, STEPS)
    except BaseException:
        db.close()
        raise
    return Catalog(db)


def connect(url: str) -> Database:
    """A connection to the database at `url`, whatever is in it."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return SQLite(Path(url).expanduser().absolute())
    if scheme == "sqlite":
        return SQLite(Path("/" + rest.lstrip("/")))
    if scheme in ("postgresql", "postgres"):
        from whence.store.catalog.postgres import Postgres

        return Postgres(url)
    raise ConfigError(
        f"The catalog's address {url!r} starts with {scheme!r}.",
        'use a path, "sqlite:///path" or "postgresql://user@host/database".',
    )


def prepare(db: Database, version: int, steps: Steps) -> None:
    """Bring `db` to schema `version`: make the tables, or migrate those that are there."""
    if "meta" not in db.tables():
        db.transact(lambda: _create(db), exclusive=True)
    found = _version(db)
    if found > version:
        raise StoreTooNew(
            f"The catalog {db.url} has schema version {found}; this whence knows up to {version}.",
            "upgrade whence (pip install --upgrade whence), or use another store.",
        )
    if found < version:
        migrate(db, found, version, steps)


def _create(db: Database) -> None:
    tables = db.tables()
    if "meta" in tables:
        return  # another process was quicker
    if strangers := sorted(tables - set(TABLES)):
        raise StoreError(
            f"{db.url} is a database of something else: it has a table {strangers[0]!r}.",
            "set `catalog` in [tool.whence] to a file of its own.",
        )
    create(db)


def _version(db: Database) -> int:
    rows = db.query("SELECT value FROM meta WHERE key = 'schema_version'")
    try:
        return int(rows[0][0])
    except (IndexError, ValueError):
        raise CorruptCatalog(
            f"The catalog {db.url} does not say which schema version it has.",
            "restore its newest backup (a file beside it named *.backup-*), or start a new store.",
        ) from None
