"""An older catalog is backed up and brought forward; one that cannot be is left as it is."""

import sqlite3
from pathlib import Path

import pytest
from tests.store.catalog.parts import small, start, task

from whence.errors import StoreError
from whence.store.catalog import Catalog, Owner, open_catalog
from whence.store.catalog.opening import connect, prepare
from whence.store.catalog.schema import SCHEMA_VERSION, TABLES
from whence.store.migrations import STEPS, Database, migrate


def add_latency(db: Database) -> None:
    """What would bring version 0, which had no latencies, to version 1."""
    db.write("ALTER TABLE predictions ADD COLUMN latency_ms REAL NOT NULL DEFAULT 0")


def add_colour(db: Database) -> None:
    db.write("ALTER TABLE builds ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey'")


def version_0(url: str) -> None:
    """A store as a whence before the first release might have left it."""
    with open_catalog(url) as catalog:
        build = start(catalog, Owner.current())
        value = small("value")
        catalog.commit_task(build, task("auc", value), [value])
        catalog.finish_build(build, "ok")
        db = catalog.database
        db.write("ALTER TABLE predictions DROP COLUMN latency_ms")
        db.write(
            "INSERT INTO predictions (id, service, build_id, time, request, answer) "
            "VALUES ('4f', 'delay', ?, 1.0, '{}', '{}')",
            (build,),
        )
        catalog.set_meta("schema_version", "0")


def test_an_older_store_is_backed_up_and_migrated(url: str) -> None:
    version_0(url)
    db = connect(url)
    prepare(db, 2, {0: add_latency, 1: add_colour})
    with Catalog(db) as catalog:
        assert catalog.get_meta("schema_version") == "2"
        assert catalog.get_prediction("4f").latency_ms == 0
        assert catalog.latest_build() is not None
        assert db.query("SELECT colour FROM builds") == [("grey",)]
        assert catalog.last_task("auc") is not None


def test_the_backup_is_the_old_store(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    version_0(str(path))
    db = connect(str(path))
    backup = Path(migrate(db, 0, 1, {0: add_latency}))
    db.close()
    assert backup.name.startswith("catalog.db.backup-v0-")
    old = sqlite3.connect(backup)
    assert old.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone() == ("0",)
    assert len(old.execute("SELECT * FROM predictions").fetchone()) == 6
    old.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["catalog.db", backup.name]


@pytest.mark.system
def test_the_backup_on_a_server_is_a_schema(postgres_url: str) -> None:
    version_0(postgres_url)
    db = connect(postgres_url)
    schema = migrate(db, 0, 1, {0: add_latency}).split()[1]
    assert db.query(f"SELECT value FROM {schema}.meta WHERE key = 'schema_version'") == [("0",)]
    db.close()


def test_a_migration_that_fails_changes_nothing(url: str) -> None:
    version_0(url)

    def stumble(db: Database) -> None:
        add_colour(db)
        raise StoreError("a row is in the way", "remove it")

    db = connect(url)
    with pytest.raises(StoreError, match="in the way"):
        prepare(db, 2, {0: add_latency, 1: stumble})
    assert db.query("SELECT value FROM meta WHERE key = 'schema_version'") == [("0",)]
    prepare(db, 2, {0: add_latency, 1: add_colour})
    db.close()


def test_no_way_forward_is_said(url: str) -> None:
    version_0(url)
    with pytest.raises(StoreError, match=r"version 0(.|\n)*no migration starts at 0"):
        open_catalog(url)


def test_a_migration_is_run_once(url: str) -> None:
    version_0(url)
    one, two = connect(url), connect(url)
    migrate(one, 0, 1, {0: add_latency})
    migrate(two, 0, 1, {0: add_latency})  # it had looked before the other was done
    assert two.query("SELECT value FROM meta WHERE key = 'schema_version'") == [("1",)]
    one.close()
    two.close()


def test_every_released_version_has_its_step() -> None:
    assert set(STEPS) == set(range(1, SCHEMA_VERSION))


def test_a_new_store_has_all_tables(catalog: Catalog) -> None:
    assert catalog.database.tables() == set(TABLES)
