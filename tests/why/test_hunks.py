"""Which statements of a definition."""

from __future__ import annotations

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


def test_each_stretch_is_a_hunk_and_comments_are_none() -> None:
    found = Hunks(OLD, NEW)
    assert [(h.first, h.last) for h in found.hunks] == [(6, 6), (7, 7), (9, 9)]
    assert value_of(found.mix([0, 1, 2])) == value_of(OLD)
    assert value_of(found.mix([])) == value_of(NEW)
    assert value_of(found.mix([1])) == 2 * 6 + 1
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
    assert [(h.first, h.last) for h in found.hunks] == [(3, 3), (5, 6)]
    scope: dict[str, type] = {}
    exec(compile(found.mix([0]), "a.py", "exec"), scope)
    assert scope["A"]().f() == 1
    assert scope["A"]().g() == 3


def test_constants_are_one_hunk() -> None:
    found = Hunks("LIMIT = 3\n", "LIMIT = 4\n")
    assert len(found.hunks) == 1
    with pytest.raises(SyntaxError):
        Hunks("LIMIT =", "LIMIT = 4")
