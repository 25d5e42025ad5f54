"""A scenario: a base project and atomic changes that lead from A to B."""

from __future__ import annotations

import ast
import json
import re
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

PROJECTS = Path(__file__).resolve().parent / "projects"


class Edit(Protocol):
    """One edit of a project's folder."""

    def apply(self, root: Path) -> None: ...


class NoMatch(Exception):
    """The text to replace is not there exactly once: another edit has changed it."""


@dataclass(frozen=True)
class Text:
    """Replaces `old` by `new`: inside a top-level definition, or, without a name, in the file."""

    path: str
    name: str
    old: str
    new: str

    def apply(self, root: Path) -> None:
        path = root / self.path
        text = path.read_text()
        first, last = span(text, self.name) if self.name else (0, len(text))
        inside = text[first:last]
        if inside.count(self.old) != 1:
            raise NoMatch(f"{self.path}: {self.name}: {self.old!r} ({inside.count(self.old)})")
        path.write_text(text[:first] + inside.replace(self.old, self.new) + text[last:])

    def inverse(self) -> Text:
        return Text(self.path, self.name, self.new, self.old)


@dataclass(frozen=True)
class Param:
    """Sets a param in pyproject.toml."""

    name: str  # "node.param", or the bare name of a project-wide one
    value: Any
    before: Any = None

    def apply(self, root: Path) -> None:
        path = root / "pyproject.toml"
        node, _, key = self.name.rpartition(".")
        table = f"[tool.whence.params.{node}]" if node else "[tool.whence.params]"
        head, found, tail = path.read_text().partition(table + "\n")
        section, gap, rest = tail.partition("\n\n")
        pattern = rf"(?m)^{key} = .*$"
        if not found or len(re.findall(pattern, section)) != 1:
            raise NoMatch(f"pyproject.toml: {self.name}")
        section = re.sub(pattern, f"{key} = {json.dumps(self.value)}", section)
        path.write_text(head + found + section + gap + rest)

    def inverse(self) -> Param:
        return Param(self.name, self.before, self.value)


@dataclass(frozen=True)
class WorldSeed:
    """Sets the world's seed in pyproject.toml."""

    value: int

    def apply(self, root: Path) -> None:
        path = root / "pyproject.toml"
        text = path.read_text()
        path.write_text(text.replace("[tool.whence]\n", f"[tool.whence]\nseed = {self.value}\n", 1))


@dataclass(frozen=True)
class Table:
    """Rewrites parquet files, each by its path and table."""

    paths: tuple[str, ...]
    rewrite: Callable[[str, pd.DataFrame], pd.DataFrame]

    def apply(self, root: Path) -> None:
        for path in self.paths:
            table = pd.read_parquet(root / path)
            self.rewrite(path, table).to_parquet(root / path, index=False)


@dataclass(frozen=True)
class Original:
    """Puts the base project's own tables back."""

    tables: Any
    paths: tuple[str, ...]

    def apply(self, root: Path) -> None:
        for path in self.paths:
            self.tables[path.removeprefix("data/")].to_parquet(root / path, index=False)


def span(text: str, name: str) -> tuple[int, int]:
    """Where a top-level definition begins and ends, decorators included."""
    lines = text.splitlines(keepends=True)
    for node in ast.parse(text).body:
        names = {getattr(node, "name", "")}
        if isinstance(node, ast.Assign):
            for target in node.targets:
                names |= {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
        if name in names:
            decorators = getattr(node, "decorator_list", [])
            first = min([node.lineno, *(d.lineno for d in decorators)]) - 1
            return sum(map(len, lines[:first])), sum(map(len, lines[: node.end_lineno]))
    raise NoMatch(f"no definition {name}")


@dataclass(frozen=True)
class Change:
    """One atomic change: what a person would call "the change of …".

    Attributes
    ----------
    ids : frozenset of str
        Ids of whence that name this change.
    columns : tuple of str
        Of a change of data, the columns that are guilty.
    partitions : tuple of str
        Where a partition is guilty: every text that names it is among these.
    """

    label: str
    kind: str
    ids: frozenset[str]
    edits: tuple[Edit, ...]
    guilty: bool = False
    columns: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()
    changed_columns: tuple[str, ...] = ()

    def apply(self, root: Path) -> None:
        for edit in self.edits:
            edit.apply(root)


@dataclass
class Scenario:
    """A and B. `expected` is the family that the generator aimed at: positions of changes."""

    domain: str
    metric: str
    cls: str
    seed: int
    tables: dict[str, pd.DataFrame]
    changes: list[Change]
    expected: list[frozenset[int]]
    base: list[Edit] = field(default_factory=list)
    seeds_only: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        return f"{self.cls}-{self.domain}-{self.seed}"

    @property
    def suspects(self) -> list[int]:
        return [i for i, change in enumerate(self.changes) if change.guilty]

    def write_base(self, root: Path) -> None:
        """The project as it was at A."""
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(
            PROJECTS / self.domain, root, ignore=shutil.ignore_patterns("__pycache__", ".whence")
        )
        for name, table in self.tables.items():
            path = root / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            table.to_parquet(path, index=False)
        for edit in self.base:
            edit.apply(root)

    def apply(self, root: Path, chosen: Collection[int]) -> None:
        for i, change in enumerate(self.changes):
            if i in chosen:
                change.apply(root)

    def check(self) -> None:
        """Ids of changes are disjoint, so that a reported id names one change."""
        seen: set[str] = set()
        for change in self.changes:
            if seen & change.ids:
                raise NoMatch(f"two changes of {sorted(seen & change.ids)}")
            seen |= change.ids


def code(path: str, name: str) -> str:
    """The id of a definition: flow/cleaning.py, clock -> code:flow.cleaning.clock."""
    return f"code:{path.removesuffix('.py').replace('/', '.')}.{name}"


def edit_code(
    label: str, path: str, name: str, *swaps: tuple[str, str], guilty: bool = True
) -> Change:
    """Text replaced inside one definition."""
    edits = tuple(Text(path, name, old, new) for old, new in swaps)
    return Change(label, "code", frozenset({code(path, name)}), edits, guilty)


def set_param(label: str, name: str, before: Any, value: Any, guilty: bool = True) -> Change:
    """A param set to another value."""
    ids = frozenset({f"param:{name}", f"param:{name.rpartition('.')[2]}"})
    return Change(label, "param", ids, (Param(name, value, before),), guilty)


def bump(
    label: str, package: str, file: str, *swaps: tuple[str, str, str], guilty: bool = True
) -> Change:
    """A vendored package replaced by another version; swaps are (definition, old, new)."""
    folder = f"vendor/{package}"
    edits = tuple(Text(f"{folder}/{file}", name, old, new) for name, old, new in swaps)
    version = Text(f"{folder}/__init__.py", "__version__", '"\n', '.post1"\n')
    ids = frozenset({f"distribution:{package}", f"distribution:vendor.{package}"})
    return Change(label, "dependency", ids, (*edits, version), guilty)


def rewrite(
    label: str,
    source: str,
    paths: Sequence[str],
    function: Callable[[str, pd.DataFrame], pd.DataFrame],
    *,
    columns: Sequence[str] = (),
    partitions: Sequence[str] = (),
    guilty: bool = True,
) -> Change:
    """The content of a source changed."""
    edit = Table(tuple(paths), function)
    return Change(
        label,
        "data",
        frozenset({f"source:{source}"}),
        (edit,),
        guilty,
        tuple(columns),
        tuple(partitions),
        tuple(columns),
    )
