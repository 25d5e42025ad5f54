"""One sequence of random edits: after each, a build, compared with what must come out."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from tests.engine.random_project import ENVIRONMENT, Key, Maker, Model

from whence.engine import noop
from whence.engine.project import Project
from whence.store.blobs import LocalBlobs
from whence.store.formats import encode


class Mismatch(AssertionError):
    """The engine and the oracle do not agree."""


class Sequence:
    """A project on disk that follows a `Model` through its edits."""

    def __init__(self, maker: Maker, folder: Path | None = None) -> None:
        self.maker = maker
        self.folder = Path(tempfile.mkdtemp(prefix="whence-edits-", dir=folder))
        self.root = self.folder / "project"
        self.root.mkdir()
        self.scratch = LocalBlobs(self.folder / "scratch")
        self.written: dict[str, str] = {}
        self.seen: set[Key] = set()
        self.history: list[Model] = []
        self.edits: list[str] = []
        self.builds = self.ran = self.receipts = 0
        maker.project()
        self.step("made")

    @property
    def model(self) -> Model:
        return self.maker.model

    def edit(self, name: str) -> None:
        """Apply one edit and build."""
        if getattr(self.maker, name)():
            self.step(name)

    def revert(self) -> None:
        """Go back to what the project was at some earlier time, in all respects."""
        self.maker.model = self.maker.pick(self.history).copy()
        self.step("revert")

    # -- one step ------------------------------------------------------------------------------

    def step(self, name: str) -> None:
        self.edits.append(name)
        self.history.append(self.model.copy())
        self._write()
        promised = noop.find_receipt(["--project", str(self.root)])
        wanted = self.model.evaluate()
        self._build(wanted, promised)
        if self.builds % 4 == 0:
            again = self._build(wanted, None)
            if again:
                raise Mismatch(f"{again} ran though nothing changed; {self.tale}")
            if noop.find_receipt(["--project", str(self.root)]) is None:
                raise Mismatch(f"no receipt though nothing changed; {self.tale}")
            self.receipts += 1

    def _build(self, wanted: dict[tuple[str, str], tuple[Any, Key]], promised: Any) -> set[str]:
        new = {key for _, key in wanted.values()} - self.seen
        with Project.open(self.root) as project:
            made = project.build(jobs=1)
            if made.status not in ("ok", "current"):
                errors = [f"{t.label}: {t.error}" for t in made.tasks if t.error]
                raise Mismatch(f"{errors}; {self.tale}")
            tasks = {(t.node, t.partition): t for t in made.tasks}
        self.builds += 1
        if tasks.keys() != wanted.keys():
            raise Mismatch(f"tasks {sorted(tasks)} instead of {sorted(wanted)}; {self.tale}")
        for task, (value, _) in wanted.items():
            digest = encode(value, self.scratch, node=task[0])[0].digest
            if tasks[task].digest != digest:
                raise Mismatch(f"{task} is stale, it must be {value!r}; {self.tale}")
        ran = {task for task, found in tasks.items() if found.status == "ran"}
        needless = {task for task in ran if wanted[task][1] not in new}
        if needless:
            raise Mismatch(f"{sorted(needless)} ran without need; {self.tale}")
        twice = [key for key, n in Counter(wanted[task][1] for task in ran).items() if n > 1]
        if twice:
            raise Mismatch(f"equal tasks ran more than once: {twice}; {self.tale}")
        if promised is not None and ran:
            raise Mismatch(f"the fast path said that nothing is to do, but {ran}; {self.tale}")
        self.seen |= new
        self.ran += len(ran)
        return {f"{node}[{part}]" for node, part in ran}

    @property
    def tale(self) -> str:
        return f"after {', '.join(self.edits)} in {self.root}"

    def _write(self) -> None:
        files = self.model.files()
        for name in self.written.keys() - files.keys():
            (self.root / name).unlink()
        for name, text in files.items():
            if self.written.get(name) != text:
                path = self.root / name
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
        self.written = files
        for name in ENVIRONMENT:
            if name in self.model.env:
                os.environ[name] = str(self.model.env[name])
            else:
                os.environ.pop(name, None)

    # -- the end -------------------------------------------------------------------------------

    def compare_with_clean_build(self) -> None:
        """Build the same files in an empty store: every digest must be the same."""
        with Project.open(self.root) as project:
            kept = {t.label: t.digest for t in project.build(jobs=1).tasks}
        clean_root = self.folder / "clean"
        shutil.copytree(self.root, clean_root, ignore=shutil.ignore_patterns(".whence"))
        with Project.open(clean_root) as project:
            made = project.build(jobs=1)
            clean = {t.label: t.digest for t in made.tasks}
            assert made.counts["failed"] == 0
        if clean != kept:
            differing = {n for n in clean.keys() | kept.keys() if clean.get(n) != kept.get(n)}
            raise Mismatch(f"{sorted(differing)} differ from a clean build; {self.tale}")

    def close(self, keep: bool = False) -> None:
        for name in ENVIRONMENT:
            os.environ.pop(name, None)
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
