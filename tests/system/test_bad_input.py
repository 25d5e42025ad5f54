"""Whatever is wrong with a project: a cause, a fix, an exit code, and nothing stored is lost.

A table of faults. Each is done to a project that was built before; then `whence` must say what is
wrong and how to put it right (and show no traceback of its own), what was stored must still be
there, and the repaired project must build.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from whence.cli import main

PYPROJECT = '[tool.whence]\npipeline = "pipe"\n'

PIPE = """
    import whence as wh

    notes = wh.files("data/notes.txt")
    limit = wh.param(3, doc="words at most")


    @wh.node
    def words(notes, limit):
        return notes.split()[:limit]


    @wh.node
    def big(size=60_000):
        return "0123456789" * (size // 10)


    @wh.node
    def total(words, big):
        return len(words) + len(big)
    """

TABLES = """
    import whence as wh

    rows = wh.files("data/rows.csv")
    more = wh.files("data/more.parquet")


    @wh.node
    def both(rows, more):
        return len(rows) + len(more)


    @wh.node
    def aside():
        return "x" * 60_000
    """

Spoil = Callable[[Path], object]


@dataclass(frozen=True)
class Fault:
    """What is done to a project, and what whence must say of it (regular expressions)."""

    spoil: Spoil
    cause: str
    fix: str
    code: int = 2
    args: tuple[str, ...] = ("build",)


def edit(old: str, new: str, file: str = "pipe.py") -> Spoil:
    def spoil(root: Path) -> None:
        text = (root / file).read_text()
        assert old in text
        (root / file).write_text(text.replace(old, new))

    return spoil


def add(text: str, file: str = "pipe.py") -> Spoil:
    return lambda root: (root / file).write_text((root / file).read_text() + dedent(text))


def put(file: str, data: bytes) -> Spoil:
    return lambda root: (root / file).write_bytes(data)


def rename(old: str, new: str) -> Spoil:
    return lambda root: (root / old).rename(root / new)


def drop(file: str) -> Spoil:
    return lambda root: (root / file).unlink()


def nothing(_: Path) -> None:
    """The command itself is wrong."""


# -- the table ---------------------------------------------------------------------------------

NODE = "\n\n@wh.node\ndef {}({}):\n    return {}\n"

PROJECT_FAULTS = {
    # Sources: what does not need them goes on, so that the exit code is 1.
    "missing source": Fault(drop("data/notes.txt"), r"data/notes\.txt", r"path|file", 1),
    "renamed source": Fault(
        rename("data/notes.txt", "data/note.txt"), r"data/notes\.txt", r"note\.txt", 1
    ),
    "empty source": Fault(
        put("data/notes.txt", b""), r"data/notes\.txt.*(empty|no bytes)", r".", 1
    ),
    "source that is no text": Fault(
        put("data/notes.txt", b"\xff\xfe\x00bad"), r"data/notes\.txt", r"encoding|UTF-8|bytes", 1
    ),
    "source that is a folder": Fault(
        lambda root: (drop("data/notes.txt")(root), (root / "data/notes.txt").mkdir()),
        r"data/notes\.txt",
        r".",
        1,
    ),
    # Values.
    "None": Fault(add(NODE.format("out", "words", "None")), r"'out' returned None", r"return", 1),
    "unknown type": Fault(
        add("\n\nclass Thing:\n    pass\n" + NODE.format("out", "words", "Thing()")),
        r"'out'.*Thing",
        r"register_format",
        1,
    ),
    "a generator": Fault(
        add(NODE.format("out", "words", "(w for w in words)")), r"'out'.*generator", r".", 1
    ),
    # Modules.
    "syntax error": Fault(
        edit("def words(", "def words(("), r"pipe\.py:8: ", r"line 8 of pipe\.py"
    ),
    "broken indentation": Fault(add("\n\ndef f():\nreturn 1\n"), r"pipe\.py:23: ", r"line 23"),
    "missing import": Fault(
        add("\nimport no_such_package\n"), r"no_such_package", r"install .*no_such_package"
    ),
    "error at import": Fault(
        add("\nRATE = 1 / 0\n"), r"ZeroDivisionError.*\n(.*\n)*.*pipe\.py", r"correct"
    ),
    "module that is not there": Fault(
        edit('"pipe"', '"piping"', "pyproject.toml"), r"'piping' does not exist", r"pipeline"
    ),
    "module without nodes": Fault(
        edit('"pipe"', '"json"', "pyproject.toml"), r"json.*no node", r"pipeline"
    ),
    "source file that is no text": Fault(put("pipe.py", b"x = '\xff'\n"), r"pipe\.py", r"."),
    # The graph.
    "unknown input": Fault(
        add(NODE.format("out", "wrods", "1")), r"'out'.*asks for 'wrods'", r"'words'"
    ),
    "cycle": Fault(
        add(NODE.format("a", "b", "b") + NODE.format("b", "a", "a")), r"a.*b.*a|b.*a.*b", r"."
    ),
    "duplicate name": Fault(
        add("\n\n@wh.node(name='words')\ndef other():\n    return 1\n"), r"'words'", r"rename|name"
    ),
    "param without value": Fault(
        add(NODE.format("out", "words, rate", "rate")), r"'rate'.*no value", r"default|param"
    ),
    # The configuration.
    "unknown key": Fault(
        add('sotre = "elsewhere"\n', "pyproject.toml"), r"unknown key 'sotre'", r"'store'"
    ),
    "value of the wrong type": Fault(add('jobs = "two"\n', "pyproject.toml"), r"jobs", r"correct"),
    "broken TOML": Fault(add("store = \n", "pyproject.toml"), r"not valid TOML", r"line"),
    "unknown param": Fault(
        add("[tool.whence.params]\nlimt = 4\n", "pyproject.toml"), r"limt", r"limit"
    ),
    "unknown node of a param": Fault(
        add("[tool.whence.params.bgi]\nsize = 4\n", "pyproject.toml"), r"bgi", r"big"
    ),
    # The command.
    "unknown target": Fault(nothing, r"'wrds'", r"words", args=("build", "wrds")),
    "unknown build": Fault(nothing, r"99", r"whence runs", args=("rebuild", "b99")),
    "unknown profile": Fault(nothing, r"quick", r"profile", args=("build", "--profile", "quick")),
    "bad --set": Fault(nothing, r"no value", r"name=value", args=("build", "--set", "limit")),
    "--set of nothing": Fault(nothing, r"limt", r"limit", args=("build", "--set", "limt=3")),
}

TABLE_FAULTS = {
    "row with too many fields": Fault(
        add("5,6,7\n", "data/rows.csv"), r"rows\.csv.*(\n.*)*(row|line) 4", r".", 1
    ),
    "another encoding": Fault(
        put("data/rows.csv", b"a,b\n\xff\xfe,2\n"), r"rows\.csv", r"encoding", 1
    ),
    "header alone": Fault(put("data/rows.csv", b"a,b\n"), r"rows\.csv", r"allow_empty", 1),
    "no bytes": Fault(put("data/rows.csv", b""), r"rows\.csv", r".", 1),
    "unreadable Parquet": Fault(put("data/more.parquet", b"PAR1 no"), r"more\.parquet", r".", 1),
    "Parquet cut short": Fault(
        lambda root: os.truncate(root / "data/more.parquet", 60), r"more\.parquet", r".", 1
    ),
}


# -- the projects ------------------------------------------------------------------------------


def write_project(root: Path, pipe: str) -> None:
    (root / "data").mkdir(parents=True)
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "pipe.py").write_text(dedent(pipe).lstrip())
    (root / "data/notes.txt").write_text("some words that were noted\n")
    if pipe is TABLES:
        import pyarrow as pa
        from pyarrow import parquet

        (root / "data/rows.csv").write_text("a,b\n1,2\n3,4\n")
        parquet.write_table(pa.table({"a": [1, 2, 3]}), root / "data/more.parquet")


def made(tmp_path_factory: pytest.TempPathFactory, pipe: str) -> Path:
    root = tmp_path_factory.mktemp("bad") / "project"
    write_project(root, pipe)
    assert main(["build", "--quiet", "--project", str(root)]) == 0
    return root


@pytest.fixture(scope="module")
def _light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory, PIPE)


@pytest.fixture(scope="module")
def _tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory, TABLES)


class Patient:
    """A built project that a test spoils and repairs."""

    def __init__(self, model: Path, root: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.model, self.root, self._capfd = model, root, capfd
        shutil.copytree(model, root, dirs_exist_ok=True)

    def whence(self, *args: str) -> tuple[int, str]:
        """Exit code, and all that is printed."""
        self._capfd.readouterr()
        code = main([*args, "--project", str(self.root)])
        out, err = self._capfd.readouterr()
        return code, out + err

    def values(self, build: str = "b1") -> dict[str, str]:
        """What a build stored: label -> digest."""
        code, text = self.whence("log", build, "--json")
        assert code == 0, text
        tasks = json.loads(text)["log"]["tasks"]
        assert tasks and all(task["digest"] for task in tasks)
        return {f"{task['node']}[{task['partition']}]": task["digest"] for task in tasks}

    def check(self, fault: Fault) -> None:
        """The fault is told as it should be."""
        code, said = self.whence(*fault.args)
        assert code == fault.code, said
        assert "Traceback (most recent call last)" not in said and "site-packages" not in said, said
        cause, found, fix = said.partition("fix: ")
        assert found and fix.strip(), said
        assert re.search(fault.cause, cause, re.DOTALL), said
        assert re.search(fault.fix, fix), said

    def repair(self) -> None:
        """The files of the project as they were; the store is left alone."""
        for path in self.root.iterdir():
            if path.name != ".whence":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        ignored = shutil.ignore_patterns(".whence")
        shutil.copytree(self.model, self.root, ignore=ignored, dirs_exist_ok=True)

    def check_healthy(self, before: dict[str, str]) -> None:
        """All that was stored is there and whole; a build makes the same values."""
        assert self.values() == before
        code, said = self.whence("check", "--store")
        assert code == 0, said
        code, said = self.whence("build", "--json")
        assert code == 0, said
        build = json.loads(said)["build"]
        assert (build["ran"], build["failed"], build["hit"]) == (0, 0, len(before)), said


@pytest.fixture
def light(_light: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Patient:
    return Patient(_light, tmp_path / "project", capfd)


@pytest.fixture
def tables(_tables: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Patient:
    return Patient(_tables, tmp_path / "project", capfd)


def go_through(patient: Patient, fault: Fault) -> None:
    before = patient.values()
    fault.spoil(patient.root)
    patient.check(fault)
    patient.repair()
    patient.check_healthy(before)


@pytest.mark.parametrize("name", PROJECT_FAULTS)
def test_a_fault_of_the_project(light: Patient, name: str) -> None:
    go_through(light, PROJECT_FAULTS[name])


@pytest.mark.system
@pytest.mark.parametrize("name", TABLE_FAULTS)
def test_a_fault_of_a_table(tables: Patient, name: str) -> None:
    go_through(tables, TABLE_FAULTS[name])


# -- the store ---------------------------------------------------------------------------------


def catalog_of(root: Path) -> Path:
    return root / ".whence" / "catalog.db"


def settle_catalog(root: Path) -> bytes:
    """All of the catalog in its one file; its bytes."""
    db = sqlite3.connect(catalog_of(root))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    for name in ("catalog.db-wal", "catalog.db-shm"):
        (root / ".whence" / name).unlink(missing_ok=True)
    return catalog_of(root).read_bytes()


def set_version(root: Path) -> None:
    db = sqlite3.connect(catalog_of(root))
    with db:
        changed = db.execute("UPDATE meta SET value = '999' WHERE key = 'schema_version'")
        assert changed.rowcount == 1
    db.close()


def overwrite_header(root: Path) -> None:
    with catalog_of(root).open("r+b") as file:
        file.write(b"no database at all " * 6)


def overwrite_pages(root: Path) -> None:
    size = catalog_of(root).stat().st_size
    with catalog_of(root).open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))


def cut_in_half(root: Path) -> None:
    os.truncate(catalog_of(root), catalog_of(root).stat().st_size // 2 // 4096 * 4096)


STORE_FAULTS = {
    "newer version": Fault(set_version, r"999", r"[Uu]pgrade|newer|[Ii]nstall|update", 3),
    "overwritten header": Fault(overwrite_header, r"catalog\.db", r"backup|move|delete", 3),
    "overwritten pages": Fault(overwrite_pages, r"catalog\.db", r"backup|move|delete", 3),
    "cut short": Fault(cut_in_half, r"catalog\.db", r"backup|move|delete", 3),
}


@pytest.mark.parametrize("verb", ["build", "status", "runs"])
@pytest.mark.parametrize("name", STORE_FAULTS)
def test_a_fault_of_the_catalog(light: Patient, name: str, verb: str) -> None:
    """Told by every verb, and the file is left for whoever repairs it."""
    before = light.values()
    good = settle_catalog(light.root)
    fault = STORE_FAULTS[name]
    fault.spoil(light.root)
    spoilt = settle_catalog(light.root) if name == "newer version" else None
    light.check(Fault(fault.spoil, fault.cause, fault.fix, fault.code, (verb,)))
    if spoilt is not None:
        assert settle_catalog(light.root) == spoilt, "nothing may be written to a newer store"
    for name in ("catalog.db-wal", "catalog.db-shm"):
        (light.root / ".whence" / name).unlink(missing_ok=True)
    catalog_of(light.root).write_bytes(good)
    light.check_healthy(before)


@pytest.mark.parametrize("damage", ["cut", "altered", "gone"])
def test_a_damaged_blob_is_found_and_made_again(light: Patient, damage: str) -> None:
    before = light.values()
    (blob,) = (p for p in (light.root / ".whence/store").rglob("*") if p.stat().st_size == 60_000)
    blob.chmod(0o644)
    if damage == "cut":
        os.truncate(blob, 100)
    elif damage == "altered":
        blob.write_bytes(b"9" + blob.read_bytes()[1:])
    else:
        blob.unlink()
    if damage != "gone":
        code, said = light.whence("check", "--store")
        assert code == 1 and "✗" in said and "Traceback" not in said, said
    code, said = light.whence("build")
    assert code == 0, said
    light.check_healthy(before)


# -- the disk ----------------------------------------------------------------------------------


def mount(*args: str) -> None:
    """Mount, or skip the test aloud."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("NOT TESTED: this fault of the disk needs root, to mount")
    done = subprocess.run(["mount", *args], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"NOT TESTED: `mount` is refused here: {done.stderr.strip()}")


@pytest.fixture
def read_only(light: Patient) -> Iterator[Patient]:
    """The project's own folder of state, mounted so that nothing can be written."""
    place = str(light.root / ".whence")
    before = light.values()
    mount("--bind", place, place)
    try:
        mount("-o", "remount,ro,bind", place)
        yield light
    finally:
        subprocess.run(["umount", "-l", place], check=True)
    light.check_healthy(before)


def test_a_folder_that_cannot_be_written(read_only: Patient) -> None:
    edit("[:limit]", "[: limit + 1]")(read_only.root)
    read_only.check(Fault(nothing, r"\.whence", r"permission|writ", 3))
    read_only.repair()


def test_a_project_folder_that_cannot_be_written(
    light: Patient, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = light.values()
    shutil.rmtree(light.root / ".whence")
    place = str(light.root)
    mount("--bind", place, place)
    try:
        mount("-o", "remount,ro,bind", place)
        light.check(Fault(nothing, r"\.whence", r"permission|writ", 3))
    finally:
        subprocess.run(["umount", "-l", place], check=True)
    code, said = light.whence("build", "--quiet")
    assert code == 0, said
    assert light.values() == before


@pytest.fixture
def tiny(_light: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Patient]:
    """The project on a file system of 2 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place))
    try:
        yield Patient(_light, place / "project", capfd)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk(tiny: Patient) -> None:
    before = tiny.values()
    code, said = tiny.whence("build", "--set", "size=4000000")
    assert code in (1, 3), said
    assert re.search(r"full|space", said) and "fix: " in said and "Traceback" not in said, said
    tiny.check_healthy(before)
