"""The command line over a small real project: called in this process, its output as text."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from whence.cli import main
from whence.engine import receipts

SMALL = Path(__file__).parent.parent / "pipelines" / "small"
GOLDEN = Path(__file__).parent / "golden"
SCHEMAS = Path(__file__).parent.parent.parent / "docs" / "schemas"


@dataclass(frozen=True)
class Outcome:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Shell:
    """Runs `whence` in a project's folder."""

    def __init__(self, root: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.root, self._capfd = root, capfd

    def __call__(self, *args: str) -> Outcome:
        self._capfd.readouterr()
        code = main([*args, "--project", str(self.root)] if "--" not in args else list(args))
        out, err = self._capfd.readouterr()
        return Outcome(code, out, err)

    def json(self, *args: str, code: int = 0) -> Any:
        """The document of a verb, checked against its schema."""
        done = self(*args, "--json")
        assert done.code == code, done.out + done.err
        document = done.json
        validate(args[0] if "error" not in document else "error", document)
        return document


def schema(verb: str) -> Any:
    """A verb's schema, tightened: keys that the schema does not name are faults."""
    return _closed(json.loads((SCHEMAS / f"{verb}.schema.json").read_text()))


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _closed(value) for key, value in node.items()}
    if isinstance(made.get("properties"), dict):
        made.setdefault("additionalProperties", False)
    return made


def validate(verb: str, document: Any) -> None:
    from jsonschema import Draft202012Validator

    Draft202012Validator(schema(verb)).validate(document)


#: What is not the same in two runs -> what golden files have in its place.
_VARYING = (
    (r"/\S*/project\b", "PROJECT"),
    (r"\b[0-9a-f]{12}\b", "DIGEST"),
    (r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "WHEN"),
    (r"\b\d+(\.\d+)? (ms|s|min)\b", "TIME"),
    (r"\b\d+(\.\d+)? (B|kB|MB|GB)(?=\W|$)", "SIZE"),
    (r"(python +)3\.\d+", r"\1PYTHON"),
    (r"(platform +)[\w-]+", r"\1PLATFORM"),
    (r"(?<=\S) {2,}", "  "),
    (r"(?m) +$", ""),
)


def steady(text: str) -> str:
    """`text` without what differs from run to run: times, sizes, digests, paths, padding."""
    for pattern, instead in _VARYING:
        text = re.sub(pattern, instead, text)
    return text


def check_golden(name: str, text: str) -> None:
    """Compare with a golden file; with UPDATE_GOLDEN=1 in the environment, write it."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(steady(text), encoding="utf-8")
    assert steady(text) == path.read_text(encoding="utf-8")


def copy_small(target: Path) -> Path:
    return Path(
        shutil.copytree(SMALL, target, ignore=shutil.ignore_patterns(".whence", "__pycache__"))
    )


@pytest.fixture
def small(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shell]:
    """A fresh copy of the small project."""
    monkeypatch.setattr(receipts, "GRANULARITY_NS", 0)  # tests cannot wait until files are old
    monkeypatch.delenv("COLUMNS", raising=False)
    yield Shell(copy_small(tmp_path / "project"), capfd)


@pytest.fixture(scope="module")
def _built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small project, built twice: as it is, then with an edit, a new file and a new param."""
    root = copy_small(tmp_path_factory.mktemp("cli") / "project")
    assert main(["build", "--quiet", "--project", str(root)]) == 0
    words = root / "small" / "words.py"
    words.write_text(
        words.read_text().replace('".,;"', '".,;:"').replace("at_least=2", "at_least=3")
    )
    (root / "data" / "d.txt").write_text("The mouse: a cat.\n")
    assert main(["build", "--quiet", "--project", str(root)]) == 0
    return root


@pytest.fixture
def built(
    _built: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    """Shared by the tests of a module, which may only read."""
    monkeypatch.delenv("COLUMNS", raising=False)
    return Shell(_built, capfd)
