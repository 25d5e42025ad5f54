"""The top-level statements of a module on two sides, and the text of a module in between.

A mixed module holds, for each definition that differs, the text of one side. Definitions and
imports that only one side has are always there: nothing refers to them but what differs too.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from whence.graph.code import Definition, FunctionForm, ModuleSummary
from whence.graph.digest import digest_text

#: Of what a module does while it is imported and no definition holds.
LOOSE = ":statements"


@dataclass(frozen=True, slots=True)
class Statement:
    """One top-level statement, imports split by what they bind."""

    names: tuple[str, ...]
    kind: str  # "import", "plain import", "star", "future", or as in `Definition`
    digest: str
    text: str
    first: int
    last: int
    now: frozenset[str] = frozenset()  # global names that it needs while it is imported
    uses: frozenset[str] = frozenset()  # all global names that it refers to
    function: FunctionForm | None = None

    @property
    def is_import(self) -> bool:
        return self.kind in ("import", "plain import", "star", "future")


@dataclass(frozen=True, slots=True)
class Entry:
    """What two sides of a module say about one name, or some names that one statement binds."""

    module: str
    names: tuple[str, ...]
    before: tuple[Statement, ...]
    after: tuple[Statement, ...]

    @property
    def key(self) -> str:
        """ "prep.clean", or "prep:statements"."""
        return f"{self.module}.{self.names[0]}" if self.names else self.module + LOOSE

    @property
    def changed(self) -> bool:
        """Whether the sides differ in a way that one of them must be chosen."""
        if not self.names:
            return _digests(self.before) != _digests(self.after)
        if not self.before or not self.after:
            return False
        if self.goes_together:
            return False
        return _digests(self.before) != _digests(self.after)

    @property
    def goes_together(self) -> bool:
        """Whether both sides' statements are wanted: `import os` and `import os.path`."""
        return all(s.kind == "plain import" for s in (*self.before, *self.after))

    @property
    def one_sided(self) -> bool:
        """Whether only one side has it, so that it may always be there."""
        return bool(self.names) and (not self.before or not self.after)

    @property
    def hides_builtin(self) -> bool:
        return any(hasattr(builtins, name) for name in self.names)


def _digests(statements: Sequence[Statement]) -> list[str]:
    return [s.digest for s in statements]


def split(text: str, summary: ModuleSummary, documented: bool = False) -> list[Statement]:
    """The top-level statements of a module's text.

    Parameters
    ----------
    documented : bool
        Whether docstrings count, because some code reads them.
    """
    lines = text.splitlines(keepends=True)
    known = iter(summary.definitions)
    upcoming = next(known, None)
    out: list[Statement] = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            out += _imports(node)
            continue
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
        last = node.end_lineno or node.lineno
        if upcoming is None or (upcoming.first, upcoming.last) != (first, last):
            continue  # a docstring, or nothing that counts
        out.append(_statement(upcoming, _text_of(node, first, last, lines), documented))
        upcoming = next(known, None)
    assert upcoming is None, f"{summary.path}: line {upcoming.first} was not found"
    return out


def _statement(definition: Definition, text: str, documented: bool) -> Statement:
    return Statement(
        definition.names,
        definition.kind,
        definition.digest + (definition.docs if documented else ""),
        text,
        definition.first,
        definition.last,
        frozenset(ref.base for ref in definition.refs if ref.now and ref.base[:1] != "@"),
        frozenset(ref.base for ref in definition.refs),
        definition.function,
    )


def _text_of(node: ast.stmt, first: int, last: int, lines: Sequence[str]) -> str:
    if first < node.lineno:  # decorators begin a line of their own
        return "".join(lines[first - 1 : last]).rstrip()
    found = ast.get_source_segment("".join(lines), node)
    assert found is not None
    return found


def _imports(node: ast.Import | ast.ImportFrom) -> Iterator[Statement]:
    place = (node.lineno, node.end_lineno or node.lineno)
    for alias in node.names:
        renamed = f" as {alias.asname}" if alias.asname else ""
        if isinstance(node, ast.Import):
            text = f"import {alias.name}{renamed}"
            name = alias.asname or alias.name.partition(".")[0]
            kind = "import" if alias.asname else "plain import"
        else:
            origin = "." * node.level + (node.module or "")
            text = f"from {origin} import {alias.name}{renamed}"
            name = alias.asname or alias.name
            kind = "import"
            if origin == "__future__":
                kind = "future"
            elif alias.name == "*":
                kind, name = "star", ""
        names = (name,) if name and kind != "future" else ()
        yield Statement(names, kind, digest_text("import", text), text, *place)


def pair(module: str, before: Sequence[Statement], after: Sequence[Statement]) -> list[Entry]:
    """What two sides of a module say, name by name."""
    group: dict[str, str] = {}

    def root(name: str) -> str:
        while group.setdefault(name, name) != name:
            name = group[name]
        return name

    for statement in (*before, *after):
        for name in statement.names[1:]:
            group[root(name)] = root(statement.names[0])
    names: dict[str, set[str]] = {}
    sides: dict[str, tuple[list[Statement], list[Statement]]] = {}
    for place, statements in enumerate((before, after)):
        for statement in statements:
            if statement.kind in ("star", "future"):
                continue  # always there, on both sides
            key = root(statement.names[0]) if statement.names else ""
            names.setdefault(key, set()).update(statement.names)
            sides.setdefault(key, ([], []))[place].append(statement)
    return [
        Entry(module, tuple(sorted(names[key])), tuple(old), tuple(new))
        for key, (old, new) in sides.items()
    ]


def merge(
    before: Sequence[Statement],
    after: Sequence[Statement],
    entries: Iterable[Entry],
    side_of: Mapping[str, bool],
    texts: Mapping[str, str] | None = None,
) -> str:
    """The text of a module with each changed entry from one side.

    Parameters
    ----------
    before, after : sequence of Statement
        All statements of the module on the two sides.
    side_of : mapping
        Key of an entry -> True for the `after` side; entries that are not listed take it too,
        unless only the `before` side has them.
    texts : mapping, optional
        Key of an entry -> text that it has instead.
    """
    entry_of = {id(s): entry for entry in entries for s in (*entry.before, *entry.after)}
    seen: set[str] = set()
    chosen: list[Statement] = []
    for from_after, statement in _interleaved(before, after, entry_of):
        entry = entry_of.get(id(statement))
        if entry is None or entry.goes_together:
            wanted = statement.digest not in seen
        else:
            wanted = from_after == side_of.get(entry.key, bool(entry.after) or not entry.names)
        if wanted and entry is not None and texts and entry.key in texts:
            wanted = entry.key not in seen
            statement = replace(statement, digest=entry.key, text=texts[entry.key])
        if wanted:
            seen.add(statement.digest)
            chosen.append(statement)
    return "\n\n\n".join(s.text for s in _in_order(chosen)) + "\n"


def _interleaved(
    before: Sequence[Statement], after: Sequence[Statement], entry_of: Mapping[int, Entry]
) -> Iterator[tuple[bool, Statement]]:
    """Both sides' statements in an order that agrees with both where they agree."""

    def token(statement: Statement) -> str:
        entry = entry_of.get(id(statement))
        return entry.key if entry else statement.digest

    old, new = ([token(s) for s in side] for side in (before, after))
    for _, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        yield from ((False, s) for s in before[i1:i2])
        yield from ((True, s) for s in after[j1:j2])


def _in_order(statements: Sequence[Statement]) -> list[Statement]:
    """The statements, each after those that bind what it needs while it is imported."""
    binders: dict[str, int] = {}
    for place, statement in enumerate(statements):
        for name in statement.names:
            binders.setdefault(name, place)
    out: list[Statement] = []
    done: set[int] = set()

    def put(place: int) -> None:
        if place in done:
            return
        done.add(place)
        for name in sorted(statements[place].now):
            if binders.get(name, -1) > place:
                put(binders[name])
        out.append(statements[place])

    for place in sorted(range(len(statements)), key=lambda i: statements[i].kind != "future"):
        put(place)
    return out
