"""Small real projects for the tests of the engine: write files, build, edit, build again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import whence
from whence.engine import noop, receipts
from whence.engine.project import Build, Project

#: What every module of a pipeline starts with.
HEAD = "import whence as wh\n\n"

#: A module with a node that no edit of a test concerns: it may never run again.
ASIDE = HEAD + "@wh.node\ndef bystander():\n    return 'aside'\n"

SOURCE = str(Path(next(iter(whence.__path__))).parent)


@dataclass(frozen=True)
class Made:
    """What one build did, by label of task."""

    build: Build
    status: str
    by_status: Mapping[str, frozenset[str]]
    errors: Mapping[str, str]
    digests: Mapping[str, str]
    runs: Counter[str] = field(default_factory=Counter)  # "start" events by label

    @property
    def ran(self) -> set[str]:
        return set(self.by_status.get("ran", ()))

    @property
    def hit(self) -> set[str]:
        return set(self.by_status.get("hit", ()))

    @property
    def failed(self) -> set[str]:
        return set(self.by_status.get("failed", ()))

    @property
    def skipped(self) -> set[str]:
        return set(self.by_status.get("skipped", ()))

    def __getitem__(self, node: str) -> Any:
        return self.build[node]


class Sandbox:
    """A project in a folder of its own."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.monkeypatch = root, monkeypatch
        root.mkdir(parents=True, exist_ok=True)

    # -- files ---------------------------------------------------------------------------------

    def path(self, name: str) -> Path:
        return self.root / name

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write files; a module that is named `pipe.py` gets its imports of whence."""
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(text, bytes):
                path.write_bytes(text)
            else:
                body = dedent(text).lstrip("\n")
                path.write_text(HEAD + body if name.endswith("pipe.py") else body)

    def configure(self, pipeline: Sequence[str] = ("pipe", "aside"), extra: str = "") -> None:
        (self.root / "pyproject.toml").write_text(
            f"[tool.whence]\npipeline = {json.dumps(list(pipeline))}\n{dedent(extra)}"
        )

    def replace(self, name: str, old: str, new: str) -> None:
        path = self.root / name
        text = path.read_text()
        assert old in text, f"{old!r} is not in {name}:\n{text}"
        path.write_text(text.replace(old, new))

    def setenv(self, name: str, value: str | None) -> None:
        if value is None:
            self.monkeypatch.delenv(name, raising=False)
        else:
            self.monkeypatch.setenv(name, value)

    # -- building ------------------------------------------------------------------------------

    def build(self, targets: str | Sequence[str] = (), **options: Any) -> Made:
        """Build in this process, with one real worker process unless `jobs` says otherwise."""
        project = Project.open(self.root, options.pop("profile", None))
        runs: Counter[str] = Counter()
        try:
            made = project.build(
                targets,
                jobs=options.pop("jobs", 1),
                progress=lambda e: runs.update([e.text] if e.kind == "start" else []),
                **options,
            )
        except BaseException:
            project.close()
            raise
        _opened.append(project)
        return summary_of(made, runs)

    def has_receipt(self, *argv: str) -> bool:
        """Whether `whence build` would say that there is nothing to do."""
        return noop.find_receipt(["--project", str(self.root), *argv]) is not None

    def drive(self, *argv: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Build in a process of its own, to the end; what it did as JSON."""
        done = subprocess.run(
            driver_command(self.root, *argv),
            env=driver_env(env),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


#: Open projects of the running test: values are loaded lazily, so they close at its end.
_opened: list[Project] = []


def close_all() -> None:
    while _opened:
        _opened.pop().close()


def summary_of(made: Build, runs: Counter[str] | None = None) -> Made:
    by_status: dict[str, set[str]] = {}
    for task in made.tasks:
        by_status.setdefault(task.status, set()).add(task.label)
    return Made(
        made,
        made.status,
        {status: frozenset(labels) for status, labels in by_status.items()},
        {t.label: f"{t.error}\n{t.fix}" for t in made.tasks if t.error},
        {t.label: t.digest for t in made.tasks if t.digest},
        runs or Counter(),
    )


# -- processes of their own ------------------------------------------------------------------

#: Builds, and prints what it did as JSON. Its own process group, so that a kill takes all of it.
DRIVER = """\
import json, sys
from whence.engine.project import Project
root, jobs = sys.argv[1], int(sys.argv[2])
targets = [word for word in sys.argv[3:] if not word.startswith('-')]
refresh = [word[10:] for word in sys.argv[3:] if word.startswith('--refresh=')]
with Project.open(root) as project:
    try:
        build = project.build(targets, jobs=jobs, refresh=refresh)
    except KeyboardInterrupt:
        sys.exit(130)
    out = build.to_json()
    made = [t for t in build.tasks if t.status in ('ran', 'hit')]
    if '--values' in sys.argv:
        out['values'] = {t.node: build[t.node] for t in made if not t.partition}
    print(json.dumps(out, default=str))
sys.exit(0 if build.ok else 1)
"""


def driver_command(root: Path, *argv: str, jobs: int = 2) -> list[str]:
    return [sys.executable, "-P", "-c", DRIVER, str(root), str(jobs), *argv]


def driver_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    before = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([SOURCE, before] if before else [SOURCE])
    return {**os.environ, "PYTHONPATH": path, **(extra or {})}


def start_driver(
    root: Path, *argv: str, jobs: int = 2, env: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        driver_command(root, *argv, jobs=jobs),
        env=driver_env(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


# -- edits, as values ------------------------------------------------------------------------

Edit = Callable[[Sandbox], None]


def swap(name: str, old: str, new: str) -> Edit:
    """Replace text in a file."""
    return lambda sandbox: sandbox.replace(name, old, new)


def put(name: str, text: str | bytes) -> Edit:
    """Write a file."""
    return lambda sandbox: sandbox.write({name: text})


def drop(name: str) -> Edit:
    """Delete a file."""
    return lambda sandbox: (sandbox.root / name).unlink()


def env(name: str, value: str | None) -> Edit:
    """Set an environment variable, or unset it."""
    return lambda sandbox: sandbox.setenv(name, value)


def every(edits: Iterable[Edit]) -> Edit:
    """Several edits as one."""

    def edit(sandbox: Sandbox) -> None:
        for one in edits:
            one(sandbox)

    return edit


def same_stat(name: str, content: bytes) -> Edit:
    """Overwrite a file in place, keeping its size and modification time."""

    def edit(sandbox: Sandbox) -> None:
        path = sandbox.root / name
        before = path.stat()
        assert before.st_size == len(content)
        with path.open("r+b") as file:
            file.write(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert path.stat().st_mtime_ns == before.st_mtime_ns

    return edit


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterable[Sandbox]:
    """An empty project. Receipts are kept however young the files are: see `settle`."""
    # Tests cannot wait for two seconds after each edit. Builds take far longer than the clock of
    # the file system is coarse, so a receipt still never covers an edit made after it.
    monkeypatch.setattr(receipts, "GRANULARITY_NS", 0)
    made = Sandbox(tmp_path / "project", monkeypatch)
    made.configure()
    made.write({"aside.py": ASIDE})
    yield made
    close_all()
