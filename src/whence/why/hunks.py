"""Inside a guilty definition: which of its statements.

Two versions of a definition are aligned statement by statement, also inside compound statements,
classes and literals; a mix takes some of the differing stretches back and is written out as text.
"""

from __future__ import annotations

import ast
import itertools
import re
import symtable
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from typing import Any

from whence.why.narrow import Narrowing
from whence.why.verdict import Refinement


@dataclass(frozen=True, slots=True)
class Hunk:
    """One stretch of statements, or of a literal's entries, that differs; one side may have none.

    Attributes
    ----------
    first, last : int
        Lines in the new text, from 1; of a stretch that is gone, the line where it was.
    """

    number: int
    before: str
    after: str
    first: int
    last: int


@dataclass(slots=True)
class _Stretch:
    number: int
    old: list[ast.AST]
    new: list[ast.AST]


@dataclass(slots=True)
class _Nested:
    node: ast.AST
    fields: dict[str, list[_Part]]  # of a field that is no list, one part


_Part = ast.AST | _Stretch | _Nested
_NAME = re.compile(r"\w+")
#: Fields whose parts make no sense without the others: only looked into where as many remain.
_ONE_FOR_ONE = ("handlers", "cases", "decorator_list", "items")
#: What is looked into besides statements, and where.
_LOOKED_INTO: dict[type[ast.AST], tuple[str, ...]] = {
    ast.Assign: ("value",),
    ast.AnnAssign: ("value",),
    ast.AugAssign: ("value",),
    ast.Return: ("value",),
    ast.Expr: ("value",),
    ast.Await: ("value",),
    ast.Attribute: ("value",),
    ast.keyword: ("value",),
    ast.Call: ("func", "args", "keywords"),
    ast.List: ("elts",),
    ast.Tuple: ("elts",),
    ast.Set: ("elts",),
    ast.Dict: ("entries",),
}


class _Entry(ast.AST):
    """A key of a dict with its value; a starred dict has no key."""

    _fields = ("key", "value")
    key: ast.expr | None
    value: ast.expr

    @classmethod
    def of(cls, node: ast.Dict) -> list[ast.AST]:
        return [cls._of(key, value) for key, value in zip(node.keys, node.values)]

    @classmethod
    def _of(cls, key: ast.expr | None, value: ast.expr) -> _Entry:
        entry = cls()
        entry.key, entry.value = key, value
        return entry


_LOOKED_INTO[_Entry] = ("value",)


class Hunks:
    """The differences between two versions of one definition.

    Raises
    ------
    SyntaxError
        If a text is not Python.
    """

    def __init__(self, before: str, after: str) -> None:
        self._found: list[Hunk] = []
        old, new = ast.parse(before).body, ast.parse(after).body
        self._parts = self._align(old, new, after=1)
        self._known = _global_names(before) | _global_names(after)

    @property
    def hunks(self) -> list[Hunk]:
        return list(self._found)

    def mix(self, reverted: Collection[int]) -> str | None:
        """The new text with these hunks as they were; comments are lost.

        None where that is no Python, or uses a name that no longer has a value in it.
        """
        text = self._mixed(reverted)
        return None if text is None or self._missing(text) else text

    def groups(self) -> list[tuple[int, ...]]:
        """Numbers of hunks, those together that make no sense without each other."""
        group = {hunk.number: {hunk.number} for hunk in self._found}
        for hunk in self._found:
            for others in (set[int](), set(group) - {hunk.number}):  # as before alone, new alone
                for partner in self._needed(hunk.number, others):
                    joined = group[hunk.number] | group[partner]
                    group.update(dict.fromkeys(joined, joined))
        return sorted({tuple(sorted(numbers)) for numbers in group.values()})

    def _needed(self, number: int, others: set[int]) -> list[int]:
        """The hunks without which this one cannot flip."""
        text = self._mixed(others ^ {number})
        rest = [hunk for hunk in self._found if hunk.number != number]
        if text is None:  # no Python: with which other it is some
            near = sorted(rest, key=lambda hunk: abs(hunk.number - number))
            return [h.number for h in near if self._mixed(others ^ {number, h.number})][:1]
        missing = self._missing(text)
        return [h.number for h in rest if missing & set(_NAME.findall(f"{h.before} {h.after}"))]

    def _missing(self, text: str) -> set[str]:
        return _global_names(text) - self._known

    def _mixed(self, reverted: Collection[int]) -> str | None:
        body = [node for node in _built(self._parts, set(reverted)) if isinstance(node, ast.stmt)]
        try:
            text = ast.unparse(ast.fix_missing_locations(ast.Module(body, [])))
            compile(text, "<mix>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            return None
        return text

    # -- alignment ----------------------------------------------------------------------------

    def _align(self, old: Sequence[ast.AST], new: Sequence[ast.AST], after: int) -> list[_Part]:
        """Two sequences of statements, or of entries: what is the same, and what differs."""
        old, new = _without_docstring(old), _without_docstring(new)
        out: list[_Part] = []
        last = after
        for i, j in _cut(old, new):
            one, other = old[i.start : i.stop], new[j.start : j.stop]
            if len(one) == len(other):
                out += [self._pair(a, b, last) for a, b in zip(one, other, strict=True)]
            elif one and other:
                out.append(self._stretch(one, other, last))
            else:
                out += [self._stretch([a], [], last) for a in one]
                out += [self._stretch([], [b], last) for b in other]
            if other:
                last = _lines(other[-1], last)[1]
        return out

    def _pair(self, old: ast.AST, new: ast.AST, line: int) -> _Part:
        """Two nodes in one place: looked into where only what they hold differs."""
        if ast.dump(old) == ast.dump(new):
            return new
        start = len(self._found)
        looked = self._look_into(old, new, line) if type(old) is type(new) else None
        first, last = _lines(new, line)
        is_short = first == last and not _is_compound(new)
        if looked is None or (is_short and len(self._found) - start < 2):
            del self._found[start:]
            return self._stretch([old], [new], line)
        return looked

    def _look_into(self, old: ast.AST, new: ast.AST, line: int) -> _Nested | None:
        """What differs inside of two nodes of one type; None where that is not told apart."""
        line = _lines(new, line)[0]
        names = _LOOKED_INTO.get(type(new), ())
        if _is_compound(new):
            if _token(old) != _token(new) and not _share_statements(old, new):
                return None
            names = tuple(name for name in new._fields if name not in ("name", "type_comment"))
        if any(_dumped(old, name) != _dumped(new, name) for name in _rest(new, names)):
            return None
        fields: dict[str, list[_Part]] = {}
        for name in names:
            one, other = _field(old, name), _field(new, name)
            if isinstance(other, list) and isinstance(one, list):
                if name in _ONE_FOR_ONE and len(one) != len(other):
                    return None
                fields[name] = self._align(one, other, line)
            elif isinstance(one, ast.AST) and isinstance(other, ast.AST):
                fields[name] = [self._pair(one, other, line)]
            elif one != other:
                return None
        return _Nested(new, fields)

    def _stretch(self, old: Sequence[ast.AST], new: Sequence[ast.AST], line: int) -> _Stretch:
        number = len(self._found)
        was, now = ("\n".join(map(_text, side)) for side in (old, new))
        first, last = (_lines(new[0], line)[0], _lines(new[-1], line)[1]) if new else (line, line)
        self._found.append(Hunk(number, was, now, first, last))
        return _Stretch(number, list(old), list(new))


def _cut(old: Sequence[ast.AST], new: Sequence[ast.AST]) -> Iterator[tuple[range, range]]:
    """Stretches of both sides that belong together; equal ones, and what stands for the same."""
    for tag, i1, i2, j1, j2 in _opcodes(ast.dump, old, new):
        if tag != "replace" or (i2 - i1 == 1 and j2 - j1 == 1):
            yield range(i1, i2), range(j1, j2)
            continue
        for _, a1, a2, b1, b2 in _opcodes(_token, old[i1:i2], new[j1:j2]):
            yield range(i1 + a1, i1 + a2), range(j1 + b1, j1 + b2)


def _opcodes(
    spell: Callable[[ast.AST], str], old: Sequence[ast.AST], new: Sequence[ast.AST]
) -> Sequence[tuple[str, int, int, int, int]]:
    matcher = SequenceMatcher(None, list(map(spell, old)), list(map(spell, new)), autojunk=False)
    return matcher.get_opcodes()


def _token(node: ast.AST) -> str:
    """What a statement, or an entry, is for: what it binds, what it asks, its key."""
    kind = type(node).__name__
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return f"{kind} {node.name}"
    if isinstance(node, ast.Assign):
        return f"{kind} {' '.join(map(ast.dump, node.targets))}"
    if isinstance(node, ast.AnnAssign | ast.AugAssign | ast.For | ast.AsyncFor):
        return f"{kind} {ast.dump(node.target)}"
    if isinstance(node, _Entry):
        return f"{kind} {ast.dump(node.key) if node.key else ''}"
    if isinstance(node, ast.keyword):
        return f"{kind} {node.arg}"
    if isinstance(node, ast.Return):
        return kind
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return f"{kind} {ast.dump(node.value.func)}"
    if isinstance(node, ast.If | ast.While):
        return f"{kind} {ast.dump(node.test)}"
    return f"{kind} {ast.dump(node)}" if isinstance(node, ast.expr) else kind


def _is_compound(node: ast.AST) -> bool:
    return isinstance(getattr(node, "body", None), list) or isinstance(node, ast.Match)


def _share_statements(old: ast.AST, new: ast.AST) -> bool:
    mine, other = ({ast.dump(n) for n in getattr(side, "body", ())} for side in (old, new))
    return bool(mine & other)


def _field(node: ast.AST, name: str) -> Any:
    if name == "entries" and isinstance(node, ast.Dict):
        return _Entry.of(node)
    return getattr(node, name, None)


def _dumped(node: ast.AST, name: str) -> list[str]:
    value = getattr(node, name, None)
    values = value if isinstance(value, list) else [value]
    return [ast.dump(each) if isinstance(each, ast.AST) else repr(each) for each in values]


def _rest(node: ast.AST, names: Collection[str]) -> list[str]:
    """The fields that are not looked into."""
    hidden = ("keys", "values", "ctx") if "entries" in names else ("ctx",)
    return [name for name in node._fields if name not in names and name not in hidden]


def _text(node: ast.AST) -> str:
    if isinstance(node, _Entry):
        value = ast.unparse(node.value)
        return f"{ast.unparse(node.key)}: {value}" if node.key else f"**{value}"
    return ast.unparse(node).strip("\n")


def _lines(node: ast.AST, line: int) -> tuple[int, int]:
    """First and last line of a node; `line` where it has none itself and holds nothing."""
    places = [
        (first, getattr(each, "end_lineno", None) or first)
        for each in ast.walk(node)
        if (first := getattr(each, "lineno", None))
    ]
    if not places:
        return line, line
    return min(first for first, _ in places), max(last for _, last in places)


def _without_docstring(body: Sequence[ast.AST]) -> list[ast.AST]:
    return [
        node
        for node in body
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]


def _global_names(text: str) -> set[str]:
    """Names that a text reads and does not bind, which must come from elsewhere."""

    def within(table: symtable.SymbolTable) -> Iterator[str]:
        is_top = table.get_type() == "module"
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (symbol.is_global() or (is_top and not _binds(symbol))):
                yield symbol.get_name()
        yield from itertools.chain.from_iterable(map(within, table.get_children()))

    top = symtable.symtable(text, "<mix>", "exec")
    return set(within(top)) - {s.get_name() for s in top.get_symbols() if _binds(s)}


def _binds(symbol: symtable.Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()


def _built(parts: Sequence[_Part], reverted: Collection[int]) -> list[ast.AST]:
    out: list[ast.AST] = []
    for part in parts:
        if isinstance(part, _Stretch):
            out += part.old if part.number in reverted else part.new
        elif isinstance(part, _Nested):
            out.append(_rebuilt(part, reverted))
        else:
            out.append(part)
    return out


def _rebuilt(nested: _Nested, reverted: Collection[int]) -> ast.AST:
    node = nested.node
    fields = dict(ast.iter_fields(node))
    for name, parts in nested.fields.items():
        built = _built(parts, reverted)
        if name == "entries":
            entries = [entry for entry in built if isinstance(entry, _Entry)]
            fields["keys"] = [entry.key for entry in entries]
            fields["values"] = [entry.value for entry in entries]
        elif isinstance(fields[name], list):
            fields[name] = built or ([ast.Pass()] if name == "body" else [])
        else:
            (fields[name],) = built
    return ast.copy_location(type(node)(**fields), node)


def refine_code(
    change: str,
    before: str,
    after: str,
    evaluate: Callable[[Sequence[str]], list[float | None]],
    *,
    path: str,
    first: int,
    target: float,
    reverted: float,
    noise: float = 0.0,
) -> Refinement | None:
    """The guilty statements of a definition; None where there is nothing smaller than all of it.

    Parameters
    ----------
    evaluate : callable
        The metric of the candidate with each of these texts as the definition.
    path, first : str, int
        The candidate's file and the line where the definition begins.
    target, reverted : float
        The metric of the candidate, and with the whole definition taken back.
    """
    found = Hunks(before, after)
    numbers = found.hunks
    if not numbers:
        return None

    def ask(sets: Sequence[frozenset[tuple[int, ...]]]) -> list[float | None]:
        texts = [found.mix([n for group in s for n in group]) for s in sets]
        values = iter(evaluate([text for text in texts if text is not None]))
        return [None if text is None else next(values) for text in texts]

    groups = found.groups()
    guilty, verified = Narrowing(groups, ask, target, reverted, noise).guilty()
    if not guilty:
        guilty, verified = groups, False
    hunks = [hunk for hunk in found.hunks if any(hunk.number in group for group in guilty)]
    return Refinement(
        change,
        lines=tuple(_span(path, first, hunk) for hunk in hunks),
        text="\n".join(_diff(hunk, path, first) for hunk in hunks),
        verified=verified,
        note=f"{len(hunks)} of {len(numbers)} changed stretches" if len(numbers) > 1 else "",
    )


def _span(path: str, first: int, hunk: Hunk) -> str:
    start, end = (first - 1 + line for line in (hunk.first, hunk.last))
    return f"{path}:{start}" if start == end else f"{path}:{start}-{end}"


def _diff(hunk: Hunk, path: str, first: int) -> str:
    lines = unified_diff(hunk.before.splitlines(), hunk.after.splitlines(), lineterm="", n=1)
    body = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    return "\n".join([f"@@ {_span(path, first, hunk)} @@", *body])
