"""The fast path may say "nothing to do" only where a full check would say the same."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.engine.project_fixture import (
    Edit,
    Sandbox,
    close_all,
    driver_env,
    drop,
    env,
    put,
    same_stat,
    sandbox,
    swap,
)

from whence.engine import receipts
from whence.engine.project import Project
from whence.store.gc import collect

__all__ = ["sandbox"]

PIPE = """
import os
import lib

notes = wh.files("notes.json")
days = wh.files("days/*.json", partition_by="file")

@wh.node
def big(notes):
    return "x" * 100_000

@wh.node
def read():
    return open("loose.txt").read() + os.environ.get("STAGE", "") + str(os.listdir("folder"))

@wh.node
def code():
    return lib.VALUE, os.path.exists("later.txt")
"""
FILES: dict[str, str | bytes] = {
    "pipe.py": PIPE,
    "lib.py": "VALUE = 1\n",
    "notes.json": b'{"a": 1}',
    "days/a.json": b"1",
    "loose.txt": "one",
    "folder/a.txt": "a",
}


@pytest.fixture
def built(sandbox: Sandbox) -> Sandbox:
    """A project that is built, with a receipt."""
    sandbox.write(FILES)
    assert sandbox.build().status == "ok"
    if not sandbox.has_receipt():  # the first build may have made folders
        sandbox.build()
    assert sandbox.has_receipt()
    return sandbox


def _blob(sandbox: Sandbox) -> Path:
    found = [p for p in (sandbox.root / ".whence/store").rglob("*") if p.is_file()]
    return next(p for p in found if p.stat().st_size >= 100_000)


def _alter_blob(sandbox: Sandbox) -> None:
    path = _blob(sandbox)
    before = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(b"?")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _damage(sandbox: Sandbox) -> None:
    close_all()  # an open one has its pages in the log, and is read from there
    sandbox.path(".whence/catalog.db").write_bytes(b"?" * 9000)


def _collect(sandbox: Sandbox) -> None:
    with Project.open(sandbox.root) as project:
        catalog, blobs = project.stores.catalog, project.stores.blobs
        collect(catalog, blobs, keep_builds=0, keep_days=0.0, grace_s=0.0)


CHANGES: dict[str, Edit] = {
    "code": swap("lib.py", "1", "2"),
    "code with the same stat": same_stat("lib.py", b"VALUE = 2\n"),
    "a comment": swap("lib.py", "VALUE = 1", "VALUE = 1  # one"),
    "a new module": put("new.py", "X = 1\n"),
    "a module that shadows another": put("lib/__init__.py", "VALUE = 3\n"),
    "a module that is gone": drop("aside.py"),
    "a renamed folder": lambda s: s.path("folder").rename(s.path("other")),
    "a source's content": put("notes.json", b'{"a": 2}'),
    "a source's content with the same stat": same_stat("notes.json", b'{"a": 2}'),
    "a source that is gone": drop("notes.json"),
    "one more file of a source": put("days/b.json", b"2"),
    "one file of a source less": drop("days/a.json"),
    "an undeclared file": put("loose.txt", "two"),
    "an undeclared file with the same stat": same_stat("loose.txt", b"two"),
    "a listed folder": put("folder/b.txt", "b"),
    "a file that was absent": put("later.txt", ""),
    "a variable": env("STAGE", "two"),
    "the configuration": lambda s: s.configure(extra="seed = 3\n"),
    "a blob that is gone": lambda s: _blob(s).unlink(),
    "a blob that was altered": _alter_blob,
    "the store that is gone": lambda s: shutil.rmtree(s.path(".whence/store")),
    "the catalog that is gone": lambda s: s.path(".whence/catalog.db").unlink(),
    "the catalog that is damaged": lambda s: _damage(s),
    "everything that is gone": lambda s: shutil.rmtree(s.path(".whence")),
    "values that were collected": _collect,
    "where Python looks": env("PYTHONPATH", "/nowhere"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_any_change_ends_the_receipt(built: Sandbox, change: Edit) -> None:
    change(built)
    assert not built.has_receipt()


QUIET: dict[str, Edit] = {
    "a variable that nothing read": env("OTHER", "1"),
    "a file in a folder that nothing lists": lambda s: put("../elsewhere/x", "1")(s),
    "the time that a file was read": lambda s: s.path("loose.txt").read_text() and None,
}


@pytest.mark.parametrize("change", QUIET.values(), ids=QUIET)
def test_what_does_not_count_keeps_the_receipt(built: Sandbox, change: Edit) -> None:
    change(built)
    assert built.has_receipt()


def test_a_receipt_is_for_its_own_targets_and_options(built: Sandbox) -> None:
    assert not built.has_receipt("code")
    assert not built.has_receipt("--set", "x=1")
    assert not built.has_receipt("--refresh", "code")
    assert built.has_receipt("--json") and built.has_receipt("-q")
    built.build("code")
    assert built.has_receipt("code") and built.has_receipt()


def test_a_receipt_comes_back_with_what_it_was_for(built: Sandbox) -> None:
    """Undone in content, but not in time stamps: one full check, then it holds again."""
    built.replace("lib.py", "1", "2")
    built.replace("lib.py", "2", "1")
    assert not built.has_receipt()
    assert built.build().status == "current"
    assert built.has_receipt()


def test_files_too_young_to_be_sure_of_leave_no_receipt(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "GRANULARITY_NS", 2_000_000_000)
    sandbox.write({"pipe.py": "@wh.node\ndef out():\n    return 1\n"})
    sandbox.build()
    assert not sandbox.has_receipt()
    time.sleep(2.1)
    assert sandbox.build().status == "current"
    assert sandbox.has_receipt()


def test_a_file_written_while_the_build_runs_leaves_no_receipt(sandbox: Sandbox) -> None:
    sandbox.write(
        {
            "pipe.py": """
                import pathlib

                @wh.node
                def out():
                    pathlib.Path("lib.py").write_text("VALUE = 2")
                    return 1
                """,
            "lib.py": "VALUE = 1\n",
        }
    )
    sandbox.build()
    assert not sandbox.has_receipt()


def test_a_failed_build_leaves_no_receipt(sandbox: Sandbox) -> None:
    sandbox.write({"pipe.py": "@wh.node\ndef out():\n    return 1 / 0\n"})
    assert sandbox.build().failed == {"out"}
    assert not sandbox.has_receipt()


def test_a_busy_or_damaged_cache_gives_way(built: Sandbox) -> None:
    path = built.path(".whence/state.db")
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    built.has_receipt()
    assert time.monotonic() - began < 10
    db.execute("ROLLBACK")
    db.close()
    for name in ("state.db-wal", "state.db-shm"):
        built.path(f".whence/{name}").unlink(missing_ok=True)
    path.write_bytes(b"this is no database, but it is long enough to be looked at" * 100)
    assert not built.has_receipt()


def test_a_place_from_the_environment_leaves_no_receipt(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACE", str(tmp_path / "one"))
    sandbox.configure(extra='store = "$PLACE/store"\n')
    sandbox.write({"pipe.py": "@wh.node\ndef out():\n    return 'x' * 100_000\n"})
    sandbox.build()
    assert not sandbox.has_receipt()


# -- through the command line ------------------------------------------------------------------

#: The command line with receipts for young files, as the other tests have them.
_MAIN = (
    "import sys\nfrom whence.cli import main\n"
    "from whence.engine.noop import try_noop\n"
    "done = try_noop(sys.argv[2:]) if sys.argv[1] == 'build' else None\n"
    "if done is None:\n"
    "    from whence.engine import receipts\n"
    "    receipts.GRANULARITY_NS = 0\n"
    "    done = main(sys.argv[1:])\n"
    "sys.exit(done)\n"
)


def command(sandbox: Sandbox, *argv: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-c", _MAIN, *argv],
        cwd=sandbox.root,
        env=driver_env(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.mark.system
@pytest.mark.parametrize(
    ("change", "value"),
    [
        (swap("lib.py", "1", "2"), [2, False]),
        (same_stat("lib.py", b"VALUE = 2\n"), [2, False]),
        (put("later.txt", ""), [1, True]),
        (swap("pipe.py", "lib.VALUE,", "lib.VALUE + 5,"), [6, False]),
    ],
)
def test_the_command_line_sees_each_edit(sandbox: Sandbox, change: Edit, value: object) -> None:
    sandbox.write(FILES)
    command(sandbox, "build")
    command(sandbox, "build")
    assert "Nothing to do" in command(sandbox, "build")
    change(sandbox)
    assert "Nothing to do" not in command(sandbox, "build")
    with Project.open(sandbox.root) as project:
        assert list(project.load("latest", "code")) == value
    assert "Nothing to do" in command(sandbox, "build")
    assert json.loads(command(sandbox, "build", "--json"))


def test_the_fast_path_imports_nothing_heavy(built: Sandbox) -> None:
    script = (
        "import sys\nfrom whence.engine.noop import find_receipt\n"
        f"assert find_receipt(['--project', {str(built.root)!r}])\n"
        "print(*sorted(sys.modules))\n"
    )
    command(built, "build")  # a receipt is for one PYTHONPATH: here for that of the processes
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], env=driver_env(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    heavy = {"click", "rich", "inspect", "importlib.metadata", "pyarrow", "numpy", "dataclasses"}
    assert not heavy & loaded
