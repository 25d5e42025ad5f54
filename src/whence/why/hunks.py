"""Inside a guilty definition: which of its statements.

Two versions of a definition are aligned statement by statement, also inside compound statements
and classes; a mix takes some of the differing stretches back and is written out as new text.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff

from whence.why.narrow import Narrowing
from whence.why.verdict import Refinement


@dataclass(frozen=True, slots=True)
class Hunk:
    """One stretch of statements that differs; either side may have none.

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
    old: list[ast.stmt]
    new: list[ast.stmt]


@dataclass(slots=True)
class _Nested:
    node: ast.stmt
    fields: dict[str, list[_Part]]


_Part = ast.stmt | _Stretch | _Nested
#: Fields of compound statements that hold statements.
_BODIES = ("body", "orelse", "finalbody")


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

    @property
    def hunks(self) -> list[Hunk]:
        return list(self._found)

    def mix(self, reverted: Collection[int]) -> str:
        """The new text with these hunks as they were; comments are lost."""
        body = _built(self._parts, set(reverted))
        return ast.unparse(ast.fix_missing_locations(ast.Module(body, [])))

    # -- alignment ----------------------------------------------------------------------------

    def _align(self, old: list[ast.stmt], new: list[ast.stmt], after: int) -> list[_Part]:
        old, new = _without_docstring(old), _without_docstring(new)
        texts = [[ast.dump(node) for node in side] for side in (old, new)]
        matcher = SequenceMatcher(None, texts[0], texts[1], autojunk=False)
        out: list[_Part] = []
        last = after
        for tag, i1, i2, j1, j2 in matcher.get_opcodes():
            if tag == "equal":
                out += new[j1:j2]
            elif i2 - i1 == j2 - j1:
                for one, other in zip(old[i1:i2], new[j1:j2], strict=True):
                    out.append(self._pair(one, other))
            elif tag == "insert":
                out += [self._stretch([], [node], last) for node in new[j1:j2]]
            elif tag == "delete":
                out += [self._stretch([node], [], last) for node in old[i1:i2]]
            else:
                out.append(self._stretch(old[i1:i2], new[j1:j2], last))
            if j2 > j1:
                last = new[j2 - 1].end_lineno or last
        return out

    def _pair(self, old: ast.stmt, new: ast.stmt) -> _Part:
        """Two statements in one place: looked into where only what they hold differs."""
        if type(old) is type(new) and _head(old) == _head(new) and hasattr(new, "body"):
            fields = {
                name: self._align(getattr(old, name), getattr(new, name), new.lineno)
                for name in _BODIES
                if hasattr(new, name)
            }
            return _Nested(new, fields)
        return self._stretch([old], [new], new.lineno)

    def _stretch(self, old: list[ast.stmt], new: list[ast.stmt], line: int) -> _Stretch:
        number = len(self._found)
        was, now = ("\n".join(map(ast.unparse, side)) for side in (old, new))
        first = new[0].lineno if new else line
        last = (new[-1].end_lineno or first) if new else line
        self._found.append(Hunk(number, was, now, first, last))
        return _Stretch(number, old, new)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    return [
        node
        for node in body
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]


def _head(node: ast.stmt) -> str:
    """A compound statement without what it holds."""
    parts = [type(node).__name__]
    for name, value in ast.iter_fields(node):
        if name in _BODIES:
            continue
        values = value if isinstance(value, list) else [value]
        parts += [ast.dump(v) if isinstance(v, ast.AST) else repr(v) for v in values]
    return "|".join(parts)


def _built(parts: Sequence[_Part], reverted: Collection[int]) -> list[ast.stmt]:
    out: list[ast.stmt] = []
    for part in parts:
        if isinstance(part, _Stretch):
            out += part.old if part.number in reverted else part.new
        elif isinstance(part, _Nested):
            out.append(_rebuilt(part, reverted))
        else:
            out.append(part)
    return out


def _rebuilt(nested: _Nested, reverted: Collection[int]) -> ast.stmt:
    fields = dict(ast.iter_fields(nested.node))
    for name, parts in nested.fields.items():
        body = _built(parts, reverted)
        fields[name] = body or ([ast.Pass()] if name == "body" else [])
    return ast.copy_location(type(nested.node)(**fields), nested.node)


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
    numbers = [hunk.number for hunk in found.hunks]
    if not numbers:
        return None

    def ask(sets: Sequence[frozenset[int]]) -> list[float | None]:
        return evaluate([found.mix(s) for s in sets])

    guilty, verified = Narrowing(numbers, ask, target, reverted, noise).guilty()
    if not guilty:
        guilty, verified = numbers, False
    hunks = [hunk for hunk in found.hunks if hunk.number in guilty]
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
