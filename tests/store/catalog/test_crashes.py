"""Whatever happens to a process, a disk or a file, the catalog is whole or says what is wrong."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.store.catalog.parts import big, key, small, start, task
from tests.store.catalog.test_leases import wait_ready

from whence.errors import (
    ConfigError,
    CorruptCatalog,
    StoreError,
    StoreFull,
    StoreTooNew,
    StoreUnwritable,
    WhenceError,
)
from whence.store.blobs import LocalBlobs
from whence.store.catalog import CatalogBusy, Owner, open_catalog
from whence.store.catalog.peek import peek
from whence.store.catalog.sqlite import SQLite

Act = Callable[..., subprocess.Popen[str]]


def filled(path: Path, tasks: int = 300) -> None:
    """A catalog with some rows, in one file."""
    with open_catalog(path) as catalog:
        owner = Owner.current()
        build = start(catalog, owner)
        for number in range(tasks):
            value = small(f"value {number} " * 20)
            catalog.commit_task(build, task(f"n{number}", value), [value])
        catalog.finish_build(build, "ok")
        catalog.database.compact()


def read_all(path: Path) -> None:
    with open_catalog(path) as catalog:
        rows = catalog.last_tasks()
        catalog.find_memos([row.static_key for row in rows.values()])
        catalog.get_artifacts(row.output for row in rows.values() if row.output)
        catalog.runs(row.run_id for row in rows.values() if row.run_id)
        build = start(catalog, Owner.current())
        value = small("one more")
        catalog.commit_task(build, task("one more", value), [value])


@pytest.mark.system
def test_kill_9_while_committing_leaves_whole_rows(url: str, act: Act, tmp_path: Path) -> None:
    for _ in range(4):
        builder = act("commit_for_ever", url, tmp_path / "blobs")
        wait_ready(builder)
        builder.kill()
        builder.wait()
    blobs = LocalBlobs(tmp_path / "blobs")
    with open_catalog(url) as catalog:
        assert catalog.check() == []
        for build in catalog.list_builds():
            rows = catalog.tasks_of(build.build_id)
            assert len(rows) > 20
            for row in rows:
                (memo,) = catalog.find_memo(row.static_key)
                assert memo.output == row.output
                blob = catalog.get_artifact(memo.output).blob
                assert blob is not None
                blobs.get_bytes(blob)
        start(catalog, Owner.current())  # which notices that those are gone
        assert {build.status for build in catalog.list_builds()} == {"running", "interrupted"}
        assert [build.status for build in catalog.list_builds()].count("running") == 1


@pytest.mark.parametrize("damage", ["header", "other file", "truncated", "garbage"])
def test_a_damaged_file_is_named_with_a_way_out(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "catalog.db"
    filled(path)
    data = bytearray(path.read_bytes())
    if damage == "header":
        data[:16] = b"\x00" * 16
    elif damage == "other file":
        data = bytearray(b"%PDF-1.7 " * 5000)
    elif damage == "truncated":
        del data[len(data) // 3 :]
    else:
        for page in range(2, len(data) // 4096):
            data[page * 4096 : page * 4096 + 600] = b"\x5a" * 600
    path.write_bytes(data)
    with pytest.raises(CorruptCatalog) as caught:
        read_all(path)
    assert str(path) in caught.value.cause
    assert "build again" in caught.value.fix or "backup" in caught.value.fix
    assert "No backup of it was found" in caught.value.fix


def test_a_backup_is_offered_and_works(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    filled(path, 3)
    with open_catalog(path) as catalog:
        backup = Path(catalog.backup())
        assert Path(catalog.backup()) != backup
    path.write_bytes(b"not a database at all " * 300)
    with pytest.raises(CorruptCatalog, match="copy its newest backup"):
        open_catalog(path)
    path.write_bytes(backup.read_bytes())
    read_all(path)


def test_check_lists_the_damage(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    filled(path)
    with open_catalog(path) as catalog:
        assert catalog.check() == []
    data = bytearray(path.read_bytes())
    data[10 * 4096 : 10 * 4096 + 2000] = b"\x5a" * 2000
    path.write_bytes(data)
    with open_catalog(path) as catalog:
        assert catalog.check()


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    with open_catalog(path) as catalog:
        build = start(catalog, Owner.current())
        kept = small("kept")
        catalog.commit_task(build, task("kept", kept), [kept])
        ((pages,),) = catalog.database.query("PRAGMA page_count")
        catalog.database.query(f"PRAGMA max_page_count = {pages + 2}")
        large = small("large " * 20_000)
        with pytest.raises(StoreFull, match=r"no space is left(.|\n)*free some space"):
            catalog.commit_task(build, task("large", large), [large])
        assert catalog.find_memo(key("large")) == []
        catalog.database.query(f"PRAGMA max_page_count = {pages + 200}")
        catalog.commit_task(build, task("large", large), [large])
        assert catalog.get_artifact(kept.digest) == kept


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnwritable, match="cannot be made"):
        open_catalog(tmp_path / "file" / "store" / "catalog.db")
    (tmp_path / "catalog.db").mkdir()
    with pytest.raises(StoreUnwritable, match=r"cannot be opened for writing"):
        open_catalog(tmp_path / "catalog.db")


def test_a_foreign_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE songs (name)")
    connection.close()
    with pytest.raises(StoreError, match="has a table 'songs'"):
        open_catalog(path)


def test_an_address_of_another_kind() -> None:
    with pytest.raises(ConfigError, match=r"'mysql'(.|\n)*postgresql://"):
        open_catalog("mysql://somewhere/db")


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be reached") as caught:
        open_catalog(f"postgresql://ann:secret@/db?host={tmp_path}")
    assert "secret" not in str(caught.value)


def test_waiting_for_a_lock_ends_in_words(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    open_catalog(path).close()
    blocker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    blocker.execute("BEGIN IMMEDIATE")
    hasty = SQLite(path, patience_s=0.2)
    with pytest.raises(CatalogBusy, match="locked by another process"):
        hasty.transact(lambda: None)
    hasty.close()
    # Patience is rewarded as soon as the other one is done.
    patient = SQLite(path)
    done = threading.Timer(0.3, lambda: blocker.execute("ROLLBACK"))
    done.start()
    assert patient.transact(lambda: 5) == 5
    done.join()
    patient.close()
    blocker.close()


def test_threads_may_share_a_catalog(url: str) -> None:
    with open_catalog(url) as catalog:
        owner = Owner.current()
        build = start(catalog, owner)
        faults: list[WhenceError] = []

        def work(letter: str) -> None:
            try:
                for number in range(30):
                    value = small(f"{letter}{number}")
                    catalog.commit_task(build, task(f"{letter}{number}", value), [value])
                    catalog.heartbeat(owner)
            except WhenceError as fault:
                faults.append(fault)

        threads = [threading.Thread(target=work, args=(letter,)) for letter in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert faults == []
        assert len(catalog.tasks_of(build)) == 90


def test_peeking(tmp_path: Path) -> None:
    path = tmp_path / "a ?#%41" / "catalog.db"
    assert peek(str(path)) is None
    with open_catalog(path) as catalog:
        assert peek(str(path)) == (1, 1)
        catalog.database.transact(lambda: None)
        value = small("v")
        build = start(catalog, Owner.current())
        catalog.commit_task(build, task("a", value), [value])
        catalog.forget_memo(key("a"), "none")
        assert peek(str(path)) == (1, 2)
    assert peek(str(path)) == (1, 2)
    path.write_bytes(b"garbage" * 1000)
    assert peek(str(path)) is None


def test_a_newer_store_is_refused(url: str) -> None:
    with open_catalog(url) as catalog:
        catalog.set_meta("schema_version", "999")
    with pytest.raises(StoreTooNew, match=r"version 999(.|\n)*up to 1(.|\n)*upgrade whence"):
        open_catalog(url)


def test_blobs_are_needed_only_where_asked_for(tmp_path: Path) -> None:
    with open_catalog(tmp_path / "catalog.db") as catalog:
        value = big("value", LocalBlobs(tmp_path / "blobs"))
        catalog.put_artifacts([value])
        assert catalog.get_artifact(value.digest).distributions == ("sklearn",)


EXIT = """
import sys, threading
from whence.store.catalog import Owner, open_catalog

catalog, owner = open_catalog(sys.argv[1]), Owner.current()
beating = threading.Event()

def beat():
    while True:
        catalog.heartbeat(owner)
        beating.set()

threading.Thread(target=beat, daemon=True).start()
beating.wait()
"""


def test_a_process_may_end_while_a_thread_uses_the_catalog(tmp_path: Path) -> None:
    for _ in range(12):
        done = subprocess.run(
            [sys.executable, "-c", EXIT, str(tmp_path / "catalog.db")],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
