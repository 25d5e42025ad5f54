"""Two sides of a module, and the modules in between."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from whence.graph.code import CodeTree, ModuleSource, ModuleSummary, summarise
from whence.why.statements import Entry, Statement, merge, pair, split

OLD = '''"""Preparing."""
import os
import numpy as np
from lib import scale

CAP = 10


def clean(x):
    """Clip."""
    return np.clip(x, 0, CAP)


def gone(x):
    return scale(x)


print("loaded")
'''
NEW = '''"""Preparing, better."""
import os.path
import numpy as np
from other import scale
from lib import extra

CAP = 20


def helper(x):
    return extra(x)


def clean(x):
    return helper(np.clip(x, 0, CAP))


print("loaded twice")
'''


def summary_of(text: str, name: str = "prep") -> ModuleSummary:
    return summarise(ModuleSource(name, f"{name}.py", text, False))


def sides(old: str, new: str) -> tuple[list[Statement], list[Statement], dict[str, Entry]]:
    before, after = split(old, summary_of(old)), split(new, summary_of(new))
    return before, after, {entry.key: entry for entry in pair("prep", before, after)}


def test_what_changed_is_told_by_name() -> None:
    _, _, entries = sides(OLD, NEW)
    assert {k for k, e in entries.items() if e.changed} == {
        "prep.CAP",
        "prep.clean",
        "prep.scale",  # imported from elsewhere
        "prep:statements",
    }
    assert {k for k, e in entries.items() if e.one_sided} == {
        "prep.gone",
        "prep.helper",
        "prep.extra",
    }


def test_a_mix_has_one_text_for_each_change_and_everything_else() -> None:
    before, after, entries = sides(OLD, NEW)
    flips = {"prep.CAP": True, "prep.clean": False, "prep.scale": False, "prep:statements": False}
    text = merge(before, after, entries.values(), flips)
    assert "CAP = 20" in text
    assert "return np.clip(x, 0, CAP)" in text and "def helper" in text and "def gone" in text
    assert "from lib import scale" in text and "from other import scale" not in text
    assert "import os\n" in text and "import os.path" in text
    assert 'print("loaded")' in text and "twice" not in text
    compile(text, "prep.py", "exec")


def test_comments_docstrings_and_order_are_no_change() -> None:
    new = OLD.replace('"""Clip."""', '"""Clip it."""  # so').replace("CAP = 10", "# cap\nCAP = 10")
    _, _, entries = sides(OLD, new)
    changed = {k for k, e in entries.items() if e.changed}
    assert not changed
    documented = [split(text, summary_of(text), documented=True) for text in (OLD, new)]
    assert {e.key for e in pair("prep", *documented) if e.changed} == {"prep.clean"}
    moved = OLD.replace("CAP = 10\n", "").replace('print("loaded")', 'CAP = 10\nprint("loaded")')
    _, _, entries = sides(OLD, moved)
    assert not any(e.changed for e in entries.values())


def test_what_is_needed_while_importing_comes_first() -> None:
    old = "def f(x=1):\n    return x\n\n\nLIMIT = 3\n"
    new = "LIMIT = 3\n\n\ndef g():\n    return 2\n\n\ndef f(x=LIMIT):\n    return x + g()\n"
    before, after, entries = sides(old, new)
    text = merge(before, after, entries.values(), {"prep.f": True})
    scope: dict[str, object] = {}
    exec(compile(text, "prep.py", "exec"), scope)
    assert scope["f"]() == 5  # type: ignore[operator]


def test_a_text_of_neither_side() -> None:
    before, after, entries = sides(OLD, NEW)
    text = merge(before, after, entries.values(), {}, {"prep.CAP": "CAP = 15"})
    assert "CAP = 15" in text and "CAP = 20" not in text


NAMES = "abcdef"


@st.composite
def modules(draw: st.DrawFn) -> tuple[str, str]:
    """Two versions of a module of functions; each may call the ones after it."""
    texts: list[list[str]] = [[], []]
    for place, name in enumerate(NAMES):
        calls = draw(st.lists(st.sampled_from(NAMES[place:]), max_size=2, unique=True))
        calls = [c for c in calls if c != name]
        bodies = [draw(st.integers(0, 2)), draw(st.integers(0, 2))]
        for side, body in enumerate(bodies):
            called = "".join(f" + {c}()" for c in calls)
            texts[side].append(f"def {name}():\n    return {body}{called}\n")
        if draw(st.booleans()):
            texts[draw(st.integers(0, 1))].insert(0, f"K{name} = 1\n")
    orders = [draw(st.permutations(t)) for t in texts]
    return "\n\n".join(orders[0]), "\n\n".join(orders[1])


@given(modules(), st.sets(st.sampled_from(NAMES)))
def test_untouched_code_keeps_its_side_s_digest(pair_: tuple[str, str], flipped: set[str]) -> None:
    old, new = pair_
    before, after, entries = sides(old, new)
    side_of = {f"prep.{name}": name in flipped for name in NAMES}
    text = merge(before, after, entries.values(), side_of)
    trees = [CodeTree([summary_of(t)]) for t in (old, new, text)]
    changed = {name for name in NAMES if entries[f"prep.{name}"].changed}
    for name in NAMES:
        closures = [tree.closure("prep", name) for tree in trees]
        reached = {n.rpartition(".")[2] for n in closures[2].definitions} | {name}
        if not reached & changed & flipped:
            assert closures[2].digest == closures[0].digest
        if not (reached & changed) - flipped:
            assert closures[2].digest == closures[1].digest
