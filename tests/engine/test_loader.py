"""Modules run from the snapshot, look as if they ran in place, and never run from in place."""

from __future__ import annotations

import importlib
import importlib.resources
import inspect
import linecache
import pkgutil
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from whence.engine import loader
from whence.engine.snapshot import link_data

BODY = """\
def word():
    return '{0}'

def fail():
    raise ValueError('{0}')
"""


@pytest.fixture
def trees(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """(project, snapshot): the working tree has moved on since the snapshot was made."""
    project, snapshot = tmp_path / "project", tmp_path / "state" / "snap"
    for root, word in ((project, "moved"), (snapshot, "snapped")):
        for path, text in {
            "zpack/__init__.py": f"WORD = {word!r}\n",
            "zpack/body.py": BODY.format(word),
            "zpack/note.txt": word,
            "zspace/part.py": f"WORD = {word!r}\n",
            "ztools/tool.py": f"WORD = {word!r}\n",
        }.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    (project / "zpack/extra.py").write_text("WORD = 'moved'\n")
    (project / "zdata").mkdir()
    (project / "zdata/hidden.py").write_text("")
    modules, path = set(sys.modules), list(sys.path)
    yield project, snapshot
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.fixture
def installed(trees: tuple[Path, Path]) -> Iterator[loader.Installed]:
    project, snapshot = trees
    sys.path.insert(0, str(project))
    done = loader.install(snapshot, project, ["."])
    yield done
    done.uninstall()


def test_code_comes_from_the_snapshot_under_the_users_path(
    trees: tuple[Path, Path], installed: loader.Installed
) -> None:
    project, snapshot = trees
    body = importlib.import_module("zpack.body")
    assert body.word() == "snapped"
    assert body.word.__code__.co_filename == str(project / "zpack/body.py")
    assert body.__file__ == body.__spec__.origin == str(snapshot / "zpack/body.py")
    assert "snapped" in inspect.getsource(body.word)
    assert "snapped" in inspect.getsource(body)
    assert not list(snapshot.rglob("__pycache__"))


def test_tracebacks_show_the_text_that_ran(
    trees: tuple[Path, Path], installed: loader.Installed
) -> None:
    body = importlib.import_module("zpack.body")
    linecache.clearcache()
    with pytest.raises(ValueError) as caught:
        body.fail()
    text = "".join(traceback.format_exception(caught.value))
    assert f'File "{trees[0] / "zpack/body.py"}", line 5, in fail' in text
    assert "raise ValueError('snapped')" in text
    linecache.checkcache()
    assert "snapped" in linecache.getline(str(trees[0] / "zpack/body.py"), 5)


def test_packages_resources_and_walks(
    trees: tuple[Path, Path], installed: loader.Installed
) -> None:
    package = importlib.import_module("zpack")
    assert importlib.resources.files("zpack").joinpath("note.txt").read_text() == "snapped"
    assert [m.name for m in pkgutil.walk_packages(package.__path__, "zpack.")] == ["zpack.body"]
    assert importlib.import_module("zspace.part").WORD == "snapped"


@pytest.mark.parametrize("entry", ["", "ztools"])
def test_the_working_tree_cannot_be_imported(
    trees: tuple[Path, Path],
    installed: loader.Installed,
    monkeypatch: pytest.MonkeyPatch,
    entry: str,
) -> None:
    project, _ = trees
    monkeypatch.chdir(project)
    sys.path.insert(0, str(project / entry) if entry else "")
    with pytest.raises(ImportError):
        importlib.import_module("zpack.extra")
    if entry:
        assert importlib.import_module("tool").WORD == "snapped"
        sys.modules.pop("tool")


def test_no_module_is_found_through_a_link(
    trees: tuple[Path, Path], installed: loader.Installed
) -> None:
    link_data(trees[1], trees[0])
    assert (trees[1] / "zdata").is_symlink()
    importlib.invalidate_caches()
    with pytest.raises(ImportError):
        importlib.import_module("zdata.hidden")


def test_breakpoints_by_the_users_path_are_hit(trees: tuple[Path, Path]) -> None:
    project, snapshot = trees
    script = (
        "import bdb, sys\n"
        "from whence.engine import loader\n"
        f"loader.install({str(snapshot)!r}, {str(project)!r}, ['.'])\n"
        "class Stop(bdb.Bdb):\n"
        "    hits = []\n"
        "    def user_line(self, frame):\n"
        "        if self.break_here(frame): self.hits.append(frame.f_lineno)\n"
        "        self.set_continue()\n"
        "import zpack.body\n"
        "stop = Stop()\n"
        f"assert stop.set_break({str(project / 'zpack/body.py')!r}, 2) is None\n"
        "stop.runcall(zpack.body.word)\n"
        "print(stop.hits)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": str(Path(loader.__file__).parents[2])},
    )  # fmt: skip
    assert done.stdout.strip() == "[2]"


def test_uninstall_puts_everything_back(trees: tuple[Path, Path]) -> None:
    before = (list(sys.path), list(sys.path_hooks), linecache.updatecache)
    done = loader.install(trees[1], trees[0], ["."])
    assert sys.path[0] == str(trees[1])
    done.uninstall()
    assert (list(sys.path), list(sys.path_hooks), linecache.updatecache) == before
