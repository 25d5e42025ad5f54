"""What a task reads without declaring it is seen, named for the project, and digested."""

from __future__ import annotations

import importlib
import os
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from whence.engine.observe import Observation, ObserveContext, Recorder, Seen, current_digest
from whence.engine.stats import StatCache

SALT = "store"


class Lab:
    """A project with one module, and a recorder that watches what its functions do."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.recorder = Recorder(root, salt=SALT, secrets=("TOKEN",), ignored=(root / ".whence",))
        self._n = 0

    def write(self, path: str, text: str | bytes) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def module(self, text: str) -> Any:
        self._n += 1
        name = f"zlab{self._n}"
        self.write(f"{name}.py", textwrap.dedent(text))
        importlib.invalidate_caches()
        return importlib.import_module(name)

    def watch(self, body: str, head: str = "") -> Seen:
        lines = textwrap.indent(textwrap.dedent(body), "    ")
        module = self.module(f"{textwrap.dedent(head)}\ndef node():\n{lines}\n")
        with self.recorder.task("node") as seen:
            module.node()
        return seen

    def names(self, body: str, head: str = "") -> list[tuple[str, str]]:
        """(kind, name) of what the body was seen to depend on, distributions left out."""
        seen = self.watch(body, head)
        return [(o.kind, o.name) for o in seen.observations if o.kind != "distribution"]

    @property
    def context(self) -> ObserveContext:
        return ObserveContext(self.root, SALT, StatCache(), secrets=("TOKEN",))

    def holds(self, seen: Seen) -> bool:
        kept = [o for o in seen.observations if o.kind != "distribution"]
        return all(current_digest(o.kind, o.name, self.context) == o.digest for o in kept)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.syspath_prepend(str(root))
    made = Lab(root)
    made.recorder.install()
    yield made
    made.recorder.uninstall()
    for name in [n for n in sys.modules if n.startswith("zlab")]:
        del sys.modules[name]


# -- files ------------------------------------------------------------------------------------

READS = {
    "open": "open('in.txt').close()",
    "absolute": "open(os.path.abspath('in.txt')).close()",
    "pathlib": "Path('in.txt').read_text()",
    "os.open": "os.close(os.open('in.txt', os.O_RDONLY))",
    "bytes": "open(b'in.txt').close()",
    "stat": "os.stat('in.txt')",
    "exists": "os.path.exists('in.txt')",
    "isfile": "os.path.isfile('in.txt')",
    "getsize": "os.path.getsize('in.txt')",
    "Path.exists": "Path('in.txt').exists()",
    "Path.is_file": "Path('in.txt').is_file()",
    "access": "os.access('in.txt', os.R_OK)",
    "early stat": "early('in.txt')",
    "thread": "t = threading.Thread(target=lambda: open('in.txt').close()); t.start(); t.join()",
}
HEAD = "import os, threading\nfrom pathlib import Path\nfrom os.path import exists as early\n"


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("how", READS)
def test_a_read_or_a_probe_counts_by_content(lab: Lab, how: str) -> None:
    lab.write("in.txt", "one")
    seen = lab.watch(READS[how], HEAD)
    assert [(o.kind, o.name) for o in seen.observations] == [("file", "in.txt")]
    assert lab.holds(seen)
    assert not seen.unstable
    lab.write("in.txt", "two")  # same size, perhaps the same time stamp
    assert not lab.holds(seen)


@pytest.mark.parametrize("probe", ["Path('in.txt').exists()", "os.path.exists('in.txt')"])
def test_an_absent_file_counts(lab: Lab, probe: str) -> None:
    seen = lab.watch(probe, HEAD)
    assert seen.observations == [Observation("exists", "in.txt", "absent")]
    lab.write("in.txt", "")
    assert not lab.holds(seen)


def test_a_failed_open_counts(lab: Lab) -> None:
    seen = lab.watch("try:\n    open('in.txt')\nexcept OSError:\n    pass")
    assert seen.observations == [Observation("file", "in.txt", "absent")]


LISTINGS = {
    "listdir": "os.listdir('d')",
    "scandir": "list(os.scandir('d'))",
    "iterdir": "list(Path('d').iterdir())",
    "glob": "import glob; glob.glob('d/*.txt')",
    "Path.glob": "list(Path('d').glob('*.txt'))",
    "rglob": "list(Path('d').rglob('*.txt'))",
    "walk": "list(os.walk('d'))",
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("how", LISTINGS)
def test_a_listing_counts_by_its_names(lab: Lab, how: str) -> None:
    lab.write("d/a.txt", "one")
    seen = lab.watch(LISTINGS[how], HEAD)
    assert ("listing", "d") in [(o.kind, o.name) for o in seen.observations]
    assert lab.holds(seen)
    lab.write("d/b.txt", "")
    assert not lab.holds(seen)


def test_what_the_task_writes_is_its_own(lab: Lab) -> None:
    assert lab.names(
        """
        os.mkdir('out'); open('out/x', 'w').close(); open('out/x').close(); os.listdir('out')
        open('y.tmp', 'w').close(); os.rename('y.tmp', 'y'); open('y').close(); os.stat('y')
        import tempfile
        with tempfile.TemporaryDirectory() as d:
            p = Path(d, 'z'); p.write_text('a'); p.read_text(); p.exists()
        with tempfile.NamedTemporaryFile() as f:
            open(f.name).close()
        """,
        HEAD,
    ) == []  # fmt: skip


def test_a_file_read_then_written_counts_as_it_was(lab: Lab) -> None:
    lab.write("state.txt", "before")
    seen = lab.watch("Path('state.txt').read_text(); Path('state.txt').write_text('after')", HEAD)
    assert [o.name for o in seen.observations] == ["state.txt"]
    assert not seen.unstable
    assert not lab.holds(seen)


def test_a_file_that_another_changes_makes_the_task_unstable(lab: Lab) -> None:
    lab.write("in.txt", "one")
    lab.write("ready.txt", "")

    def other() -> None:
        while not (lab.root / "go").exists():
            time.sleep(0.001)
        os.write(handle, b"two")

    handle = os.open(lab.root / "in.txt", os.O_WRONLY)
    thread = threading.Thread(target=other)
    thread.start()
    seen = lab.watch(
        "Path('in.txt').read_text(); Path('go').touch()\n"
        "while Path('in.txt').read_text() == 'one': pass",
        HEAD,
    )
    thread.join()
    os.close(handle)
    assert seen.unstable
    assert "in.txt changed while the task was running" in seen.warnings


def test_the_machine_and_packages_are_ignored(lab: Lab) -> None:
    assert lab.names(
        """
        open(os.__file__).close(); open('/proc/self/status').close(); os.listdir('/sys')
        os.stat(sys.prefix); open(os.devnull).close()
        import whence.errors as e; open(e.__file__).close()
        """,
        HEAD + "import sys",
    ) in ([], [("file", str(Path(sys.modules["whence.errors"].__file__ or "")))])


def test_a_library_reading_while_it_is_imported_is_ignored(lab: Lab, tmp_path: Path) -> None:
    lib = tmp_path / "lib" / "zlab_lib.py"
    lib.parent.mkdir()
    lib.write_text(
        "import os\nopen(__file__).close()\nos.environ.get('ZLIB_SETTING')\n"
        "def read(path):\n    with open(path) as f: return f.read()\n"
    )
    sys.path.append(str(lib.parent))
    lab.write("in.txt", "one")
    try:
        seen = lab.watch("import zlab_lib; zlab_lib.read('in.txt')")
    finally:
        sys.path.remove(str(lib.parent))
    assert [(o.kind, o.name) for o in seen.observations] == [
        ("distribution", "zlab_lib"), ("file", "in.txt"),
    ]  # fmt: skip


def test_tracebacks_read_sources_unseen(lab: Lab) -> None:
    assert lab.names(
        "import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    traceback.format_exc()"
    ) == []  # fmt: skip


# -- environment variables ----------------------------------------------------------------------

ENV_READS = {
    "getitem": "os.environ['ZVAR']",
    "get": "os.environ.get('ZVAR')",
    "getenv": "os.getenv('ZVAR')",
    "contains": "'ZVAR' in os.environ",
    "from": "environ.get('ZVAR')",
    "bytes": "os.environb.get(b'ZVAR')",
    "setdefault": "os.environ.setdefault('ZVAR', 'x')",
}


@pytest.mark.parametrize("how", ENV_READS)
def test_a_variable_counts_by_a_salted_digest(
    lab: Lab, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZVAR", "value")
    seen = lab.watch(ENV_READS[how], "import os\nfrom os import environ")
    (only,) = seen.observations
    assert (only.kind, only.name) == ("env", "ZVAR")
    assert "value" not in only.digest
    assert lab.holds(seen)
    monkeypatch.setenv("ZVAR", "other")
    assert not lab.holds(seen)
    monkeypatch.delenv("ZVAR")
    assert not lab.holds(seen)


def test_an_absent_variable_counts(lab: Lab) -> None:
    seen = lab.watch("os.environ.get('ZABSENT')", HEAD)
    assert seen.observations == [Observation("env", "ZABSENT", "absent")]


@pytest.mark.parametrize(
    "how", ["dict(os.environ)", "os.environ.copy()", "[*os.environ.items()]", "{**os.environ}"]
)
def test_iterating_counts_for_all(lab: Lab, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZVAR", "value")
    seen = lab.watch(how, HEAD)
    assert ("env", "*") in [(o.kind, o.name) for o in seen.observations]
    assert lab.holds(seen)
    monkeypatch.setenv("TOKEN", "secret")
    monkeypatch.setenv("SHLVL", "7")
    whole = Observation("env", "*", current_digest("env", "*", lab.context))
    assert whole in seen.observations
    monkeypatch.setenv("ZVAR", "other")
    assert not lab.holds(seen)


def test_secrets_and_what_the_task_sets_do_not_count(lab: Lab) -> None:
    assert (
        lab.names("os.environ.get('TOKEN'); os.environ['ZSET'] = '1'; os.environ['ZSET']", HEAD)
        == []
    )
    assert "ZSET" not in os.environ  # one task's setting is no input of the next


def test_housekeeping_counts_only_for_the_project(lab: Lab) -> None:
    assert lab.names("Path.home(); os.path.expanduser('~')", HEAD) == []
    assert lab.names("os.environ.get('HOME')", HEAD) == [("env", "HOME")]


# -- imports --------------------------------------------------------------------------------------


def test_reads_of_a_module_at_import_belong_to_it(lab: Lab) -> None:
    lab.write("words.txt", "a b")
    module = lab.module(
        "import os\nfrom pathlib import Path\n"
        "def load():\n    return Path('words.txt').read_text()\n"
        "WORDS = load()\nMODE = os.environ.get('ZMODE')\n"
    )
    seen = lab.recorder.imports[module.__name__]
    assert [(o.kind, o.name) for o in seen] == [("env", "ZMODE"), ("file", "words.txt")]


def test_loaded_libraries_are_named(lab: Lab) -> None:
    seen = lab.watch(
        "import importlib\nimportlib.import_module('pack' + 'aging.version')\n"
        "__import__('iniconfig')\nimport json"
    )
    names = {o.name for o in seen.observations if o.kind == "distribution"}
    assert {"packaging", "iniconfig"} <= names
    assert "json" not in names


def test_project_modules_are_no_libraries(lab: Lab) -> None:
    lab.write("zlab_inner.py", "import json\n")
    importlib.invalidate_caches()
    assert lab.watch("import zlab_inner").observations == []


# -- what is only reported ----------------------------------------------------------------------


def test_commands_are_named_without_arguments(lab: Lab) -> None:
    seen = lab.watch("import subprocess\nsubprocess.run(['true', '--password=x'], check=True)")
    assert seen.warnings == ["ran the command 'true', whose inputs are not seen"]


def test_os_system_is_named(lab: Lab) -> None:
    seen = lab.watch("os.system('true --token x')", HEAD)
    assert seen.warnings == ["ran the command 'true', whose inputs are not seen"]


def test_connections_are_named(lab: Lab) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        seen = lab.watch(f"import socket\nsocket.create_connection(('localhost', {port})).close()")
    assert seen.warnings == [f"connected to localhost:{port}"]


def test_sqlite_files_count(lab: Lab) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect("in.db")) as db:
        db.execute("create table t (x)")
    found = lab.names(
        "from contextlib import closing\nimport sqlite3\n"
        "with closing(sqlite3.connect('in.db')) as db: list(db.execute('select * from t'))"
    )
    assert found == [("file", "in.db")]


# -- cost -----------------------------------------------------------------------------------------


def test_a_task_that_reads_nothing_costs_next_to_nothing(lab: Lab) -> None:
    def best(block: Callable[[], None]) -> float:
        times = []
        for _ in range(200):
            start = time.perf_counter()
            block()
            times.append(time.perf_counter() - start)
        return min(times)

    def empty() -> None:
        with lab.recorder.task("node"):
            pass

    assert best(empty) < 15e-6


def test_nothing_is_seen_after_uninstalling(lab: Lab) -> None:
    lab.write("in.txt", "one")
    lab.recorder.uninstall()
    assert lab.names("open('in.txt').close(); os.stat('in.txt'); os.environ.get('A')", HEAD) == []
    assert os.stat.__module__ == "posix"
