"""Which statements of a definition."""

from __future__ import annotations

import ast
import inspect
import json.decoder
import json.encoder
import random
import shlex
import statistics
import textwrap
from collections.abc import Sequence

import pytest

from whence.why.hunks import Hunks, refine_code

OLD = '''def clean(rows):
    """Clean."""
    out = []
    for row in rows:
        if row["x"] is None:
            continue
        out.append(row["x"] * 2)
    total = sum(out)
    return out, total
'''
NEW = '''def clean(rows):
    """Clean well."""
    out = []
    for row in rows:  # each
        if row["x"] is None:
            row = {"x": 0}
        out.append(row["x"] * 3)
    total = sum(out)
    total = total + 1
    return out, total
'''
ROWS = [{"x": 1}, {"x": None}, {"x": 5}]


def value_of(text: str) -> float:
    scope: dict[str, object] = {}
    exec(compile(text, "prep.py", "exec"), scope)
    clean = scope["clean"]
    assert callable(clean)
    return float(clean(ROWS)[1])


def mixed(found: Hunks, reverted: Sequence[int]) -> str:
    text = found.mix(reverted)
    assert text is not None
    return text


def test_each_stretch_is_a_hunk_and_comments_are_none() -> None:
    found = Hunks(OLD, NEW)
    assert [(h.first, h.last) for h in found.hunks] == [(6, 6), (7, 7), (9, 9)]
    assert value_of(mixed(found, [0, 1, 2])) == value_of(OLD)
    assert value_of(mixed(found, [])) == value_of(NEW)
    assert value_of(mixed(found, [1])) == 2 * 6 + 1
    assert Hunks(OLD, OLD.replace("Clean.", "Tidy.")).hunks == []


def test_the_guilty_statement_is_named() -> None:
    asked: list[str] = []

    def evaluate(texts: Sequence[str]) -> list[float | None]:
        asked.extend(texts)
        return [value_of(text) for text in texts]

    found = refine_code(
        "code:prep.clean",
        OLD,
        NEW,
        evaluate,
        path="prep.py",
        first=11,
        target=value_of(NEW),
        reverted=value_of(OLD),
    )
    assert found is not None
    assert found.lines == ("prep.py:17",)
    assert found.verified
    assert "-out.append(row['x'] * 2)" in found.text
    assert "+out.append(row['x'] * 3)" in found.text
    assert found.note == "1 of 3 changed stretches"
    assert len(asked) <= 6


def test_a_mix_that_crashes_is_not_taken_for_innocent() -> None:
    old = "def clean(rows):\n    return rows, 1.0\n"
    new = "def clean(rows):\n    y = 5.0\n    z = y\n    return rows, z\n"

    def evaluate(texts: Sequence[str]) -> list[float | None]:
        out: list[float | None] = []
        for text in texts:
            try:
                out.append(value_of(text))
            except NameError:
                out.append(None)
        return out

    found = refine_code(
        "code:p.clean", old, new, evaluate, path="p.py", first=1, target=5.0, reverted=1.0
    )
    assert found is not None
    assert found.lines


def test_headers_and_classes() -> None:
    old = (
        "class A:\n    def f(self):\n        return 1\n\n    def g(self, x=1):\n        return x\n"
    )
    new = (
        "class A:\n    def f(self):\n        return 2\n\n    def g(self, x=3):\n        return x\n"
    )
    found = Hunks(old, new)
    assert [(h.first, h.last) for h in found.hunks] == [(3, 3), (5, 5)]
    scope: dict[str, type] = {}
    exec(compile(mixed(found, [0]), "a.py", "exec"), scope)
    assert scope["A"]().f() == 1
    assert scope["A"]().g() == 3


def test_constants_are_one_hunk() -> None:
    found = Hunks("LIMIT = 3\n", "LIMIT = 4\n")
    assert len(found.hunks) == 1
    with pytest.raises(SyntaxError):
        Hunks("LIMIT =", "LIMIT = 4")


def sides(found: Hunks) -> list[tuple[str, str]]:
    return [(hunk.before, hunk.after) for hunk in found.hunks]


def test_entries_and_keywords_are_hunks_where_several_differ() -> None:
    found = Hunks("M = {'a': 1, 'b': 2, 'c': 3}\n", "M = {'a': 1, 'b': 5, 'd': 9, 'c': 4}\n")
    assert sides(found) == [("'b': 2", "'b': 5"), ("", "'d': 9"), ("'c': 3", "'c': 4")]
    assert mixed(found, [0, 1]) == "M = {'a': 1, 'b': 2, 'c': 4}"
    call = Hunks("m = fit(x, a=1, b=2, c=3)\n", "m = fit(x, a=1, b=5, c=4)\n")
    assert mixed(call, [1]) == "m = fit(x, a=1, b=5, c=3)"
    one = Hunks("m = fit(x, a=1)\n", "m = fit(x, a=2)\n")
    assert sides(one) == [("m = fit(x, a=1)", "m = fit(x, a=2)")]  # the statement says more
    entry = Hunks("M = {\n 'a': 1,\n 'b': 2,\n}\n", "M = {\n 'a': 1,\n 'b': 3,\n}\n")
    assert [(h.first, h.last, h.after) for h in entry.hunks] == [(3, 3, "'b': 3")]


def test_methods_handlers_and_cases_are_looked_into() -> None:
    old = "class A:\n    def f(self):\n        return 1\n"
    new = old.replace("1", "2") + "    def g(self):\n        return 3\n"
    assert sides(Hunks(old, new)) == [
        ("return 1", "return 2"),
        ("", "def g(self):\n    return 3"),
    ]
    old = "try:\n    y = g()\nexcept ValueError:\n    y = 0\nexcept KeyError:\n    y = 3\n"
    assert sides(Hunks(old, old.replace("0", "1"))) == [("y = 0", "y = 1")]
    old = "match x:\n    case 1:\n        y = 4\n    case _:\n        y = 5\n"
    assert sides(Hunks(old, old.replace("5", "6"))) == [("y = 5", "y = 6")]


def test_a_changed_condition_is_apart_from_what_it_guards() -> None:
    old = "def f(x):\n    if x > 1:\n        a(x)\n        b(x)\n"
    found = Hunks(old, old.replace("> 1", "> 2").replace("b(x)", "c(x)"))
    assert sides(found) == [("x > 1", "x > 2"), ("b(x)", "c(x)")]


def test_a_name_and_its_uses_are_one() -> None:
    old = "def f(x):\n    a = x + 1\n    z = 1\n    y = a * 2\n    return y + z\n"
    new = "def f(x):\n    b = x + 1\n    z = 2\n    y = b * 2\n    return y + z\n"
    found = Hunks(old, new)
    assert len(found.hunks) == 3
    assert found.mix([0]) is None
    assert found.mix([2]) is None
    assert found.groups() == [(0, 2), (1,)]
    assert "b = x + 1" in mixed(found, [1])


def test_mixes_that_make_no_sense_are_not_run() -> None:
    old = "def f(x):\n    a = x + 1\n    z = 1\n    y = a * 2\n    return y + z\n"
    new = "def f(x):\n    b = x + 3\n    z = 2\n    y = b * 2\n    return y + z\n"

    def evaluate(texts: Sequence[str]) -> list[float | None]:
        out: list[float | None] = []
        for text in texts:
            scope: dict[str, object] = {}
            exec(compile(text, "p.py", "exec"), scope)  # would raise NameError
            f = scope["f"]
            assert callable(f)
            out.append(float(f(0)))
        return out

    found = refine_code(
        "code:p.f", old, new, evaluate, path="p.py", first=1, target=8.0, reverted=3.0
    )
    assert found is not None
    assert found.lines[0] == "p.py:2"
    assert found.verified


class _Edits(ast.NodeTransformer):
    """Some random edits of statements and constants."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if type(node.value) is int and self.rng.random() < 0.3:
            return ast.Constant(node.value + 1)
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for name in ("body", "orelse"):
            body = getattr(node, name, None)
            if isinstance(body, list) and len(body) > 1 and self.rng.random() < 0.3:
                place = self.rng.randrange(len(body))
                edit = self.rng.choice(["drop", "double", "swap", "add"])
                if edit == "drop":
                    del body[place]
                elif edit == "double":
                    body.insert(place, body[place])
                elif edit == "swap":
                    body[place - 1], body[place] = body[place], body[place - 1]
                else:
                    body.insert(place, ast.parse(f"extra_{place} = {place}").body[0])
        return node


REAL = [
    shlex.shlex,
    textwrap.TextWrapper,
    json.encoder.JSONEncoder,
    json.decoder.JSONDecoder,
    statistics.NormalDist,
    textwrap.dedent,
    statistics.median_grouped,
]


class _Bare(ast.NodeTransformer):
    """No docstrings, nor other constants that stand alone."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(body := getattr(node, "body", None), list):
            kept = [
                each
                for each in body
                if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
            ]
            node.body = kept or [ast.Pass()]  # type: ignore[attr-defined]
        return node


def bare(text: str) -> str:
    return ast.dump(_Bare().visit(ast.parse(text)))


@pytest.mark.parametrize("real", REAL, ids=lambda each: each.__name__)
def test_mixes_of_real_code_lie_between_the_two_sides(real: object) -> None:
    old = textwrap.dedent(inspect.getsource(real))  # type: ignore[arg-type]
    for seed in range(2):
        rng = random.Random(seed)
        new = ast.unparse(ast.fix_missing_locations(_Edits(rng).visit(ast.parse(old))))
        try:
            compile(new, "new.py", "exec")
        except SyntaxError:
            continue  # an edit too many
        found = Hunks(old, new)
        numbers = [hunk.number for hunk in found.hunks]
        assert bare(mixed(found, [])) == bare(new)
        assert bare(mixed(found, numbers)) == bare(old)
        assert bool(numbers) == (bare(old) != bare(new))
        assert sorted(n for group in found.groups() for n in group) == numbers
        for hunk in found.hunks:
            assert 1 <= hunk.first <= hunk.last <= len(new.splitlines())
