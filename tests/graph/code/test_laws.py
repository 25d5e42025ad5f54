"""Layout never counts; every order of parameters is the same; summaries survive JSON."""

from __future__ import annotations

import ast
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.graph.code.support import closure
from tests.graph.code.test_edits import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_layout_does_not_count(case: Case) -> None:
    if "getsource" in case.name:
        return  # the one case that reads its own text
    plain = {path: ast.unparse(ast.parse(text)) for path, text in case.files.items()}
    assert closure(plain) == _without_lines(closure(case.files), closure(plain))


def _without_lines(found: object, other: object) -> object:
    """`found` with the lines of `other`'s fallbacks, which only people read."""
    assert isinstance(found, type(other))
    assert [f.cause for f in found.fallbacks] == [f.cause for f in other.fallbacks]
    return found._replace(fallbacks=other.fallbacks)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(CASES), st.integers(0, 2**16))
def test_comments_and_blank_lines_do_not_count(case: Case, seed: int) -> None:
    if "getsource" in case.name:
        return
    rng = random.Random(seed)
    noisy = {}
    for path, text in case.files.items():
        lines = []
        for line in text.splitlines():
            indent = line[: len(line) - len(line.lstrip())]
            if rng.random() < 0.3:
                lines.append(f"{indent}# note {rng.random()}")
            if rng.random() < 0.2:
                lines.append("")
            lines.append(line)
        noisy[path] = "\n".join(lines)
    assert closure(noisy).digest == closure(case.files).digest


NAMES = ["ants", "bees", "cats", "dogs"]


@given(st.permutations(NAMES), st.permutations(NAMES), st.lists(st.sampled_from(NAMES), max_size=6))
def test_order_of_parameters_does_not_count(
    one: list[str], two: list[str], used: list[str]
) -> None:
    body = "    return (" + "".join(f"{name}, " for name in used) + "1)"
    first = closure({"prep/nodes.py": f"def node({', '.join(one)}):\n{body}"}, parameters=one)
    second = closure({"prep/nodes.py": f"def node({', '.join(two)}):\n{body}"}, parameters=two)
    assert first == second


@given(st.permutations(NAMES), st.lists(st.sampled_from(NAMES), min_size=4, unique=True))
def test_names_of_parameters_do_not_count(other: list[str], used: list[str]) -> None:
    body = "    return " + " - ".join(used)
    renamed = dict(zip(NAMES, other, strict=True))
    body2 = "    return " + " - ".join(renamed[name] for name in used)
    first = closure({"prep/nodes.py": f"def node({', '.join(NAMES)}):\n{body}"}, parameters=NAMES)
    second = closure({"prep/nodes.py": f"def node({', '.join(NAMES)}):\n{body2}"}, parameters=NAMES)
    assert first.digest == second.digest
    assert {renamed[name]: slot for name, slot in first.slots.items()} == dict(second.slots)


@given(st.permutations(range(5)))
def test_order_of_definitions_does_not_count(order: list[int]) -> None:
    blocks = [
        "def node(data):\n    return f(data) + K",
        "def f(x):\n    return g(x)",
        "def g(x):\n    return f(x) if x else C",
        "K = 1",
        "class C:\n    k = 1",
    ]
    text = "\n".join(blocks[index] for index in order)
    assert (
        closure({"prep/nodes.py": text}).digest
        == closure({"prep/nodes.py": "\n".join(blocks)}).digest
    )
