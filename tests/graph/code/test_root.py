# ruff: noqa: E501 - tables of programs, one to a line
"""What of the node's function itself counts: not its name, nor the order of its parameters."""

from __future__ import annotations

import ast

import pytest
from tests.graph.code.support import closure, tree

from whence.errors import GraphError
from whence.graph.code import Closure, CodeTree, ModuleSource, SyntaxFault, locate, summarise

HEAD = "import whence as wh\nimport functools\n"


def of(text: str, parameters: str = "", name: str = "node", **files: str) -> Closure:
    others = {f"prep/{key}.py": value for key, value in files.items()}
    return closure({"prep/nodes.py": HEAD + text, **others}, name, parameters.split())


SAME = {
    "another name": (
        "@wh.node\ndef node(a):\n    return a",
        "@wh.node\ndef other(a):\n    return a",
    ),
    "recursion": ("def node(a):\n    return node(a)", "def other(a):\n    return other(a)"),
    "renamed parameters": (
        "def node(a, b):\n    return a - b",
        "def node(c, d):\n    return c - d",
    ),
    "swapped parameters": (
        "def node(a, b):\n    return a - b",
        "def node(b, a):\n    return a - b",
    ),
    "swapped and unused": ("def node(a, b):\n    return 1", "def node(b, a):\n    return 1"),
    "keyword only": ("def node(a, b):\n    return a - b", "def node(*, b, a):\n    return a - b"),
    "default of a param": (
        "def node(a, b=1):\n    return a - b",
        "def node(a, b=2):\n    return a - b",
    ),
    "annotation": ("def node(a: int):\n    return a", "def node(a: 'float') -> int:\n    return a"),
    "in an inner function": (
        "def node(a, b):\n    def inner(x):\n        return x + b\n    return inner(a)",
        "def node(c, d):\n    def inner(x):\n        return x + d\n    return inner(c)",
    ),
    "rebound by an inner function": (
        "def node(a):\n    return [q for q in a], (lambda a: a)(1)",
        "def node(z):\n    return [q for q in z], (lambda a: a)(1)",
    ),
    "options of the decorator": (
        "@wh.node\ndef node(a):\n    return a",
        "@wh.table(partitioned=True, key='x')\ndef node(a):\n    return a",
    ),
    "unrelated strings": (
        "def node(a):\n    return a['alpha b']",
        "def node(b2):\n    return b2['alpha b']",
    ),
}
DIFFERENT = {
    "other parameter used": (
        "def node(a, b):\n    return a - b",
        "def node(a, b):\n    return b - b",
    ),
    "spoken in a string": (
        "def node(a):\n    return f(a, 'a')",
        "def node(b):\n    return f(b, 'a')",
    ),
    "f-string with a name": (
        "def node(a):\n    return f'{a=}'",
        "def node(b):\n    return f'{b=}'",
    ),
    "SQL that sees locals": (
        "def node(a):\n    return wh.db.sql(Q, a)\nQ = ''",
        "def node(b):\n    return wh.db.sql(Q, b)\nQ = ''",
    ),
    "locals()": ("def node(a):\n    return locals(), a", "def node(b):\n    return locals(), b"),
    "frames in a helper": (
        "import sys\ndef g():\n    return sys._getframe(1).f_locals\ndef node(a):\n    return g(), a",
        "import sys\ndef g():\n    return sys._getframe(1).f_locals\ndef node(b):\n    return g(), b",
    ),
    "another decorator": (
        "@functools.cache\ndef node(a):\n    return a",
        "@functools.cache\ndef node(b):\n    return b",
    ),
    "async": ("def node(a):\n    return a", "async def node(a):\n    return a"),
    "unused parameter": ("def node(a):\n    return 1", "def node(b):\n    return 1"),
    "own name asked for": (
        "def node(a):\n    return node.__name__",
        "def other(a):\n    return other.__name__",
    ),
    "rebound after": ("def node(a):\n    return a", "def node(a):\n    return a\nnode = len"),
    "attribute set after": ("def node(a):\n    return a", "def node(a):\n    return a\nnode.k = 1"),
}


def _parameters(text: str) -> tuple[str, str]:
    """Names of the node and of its parameters, from the text."""
    for item in ast.parse(text).body:
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) and item.name != "g":
            args = [*item.args.args, *item.args.kwonlyargs]
            return item.name, " ".join(arg.arg for arg in args)
    raise AssertionError(text)


@pytest.mark.parametrize(("one", "two"), SAME.values(), ids=SAME)
def test_same_root(one: str, two: str) -> None:
    (name, params), (name2, params2) = _parameters(one), _parameters(two)
    first, second = of(one, params, name), of(two, params2, name2)
    assert first.root == second.root
    assert first.digest == second.digest


@pytest.mark.parametrize(("one", "two"), DIFFERENT.values(), ids=DIFFERENT)
def test_different_root(one: str, two: str) -> None:
    (name, params), (name2, params2) = _parameters(one), _parameters(two)
    assert of(one, params, name).digest != of(two, params2, name2).digest


def test_slots_say_which_parameter_is_which() -> None:
    text = "def node(left, right, spare, said):\n    return right - left, said, 'said'"
    assert of(text, "left right spare said").slots == {
        "left": "$1", "right": "$0", "spare": "spare", "said": "said",
    }  # fmt: skip


def test_default_of_a_parameter_that_the_engine_does_not_fill_counts() -> None:
    one = of("def node(a, k=1):\n    return a, k", "a")
    assert one.digest != of("def node(a, k=2):\n    return a, k", "a").digest


def test_a_class_in_an_annotation_is_followed() -> None:
    text = "from .forms import Form\ndef node(a: Form):\n    return a"
    assert "prep.forms.Form" in of(text, "a", forms="class Form: x = 1").definitions


def test_externals_are_those_that_the_closure_uses() -> None:
    text = (
        "import numpy as np\nimport pandas as pd\nimport sklearn.linear_model as lm\n"
        "from xgboost.core import Booster\nimport unused\n"
        "def node(a):\n    import torch.nn\n    return np.log(a), lm.X, Booster, torch.nn.Y, g()\n"
        "def g():\n    return pd.DataFrame\n"
    )
    wanted = {"numpy", "pandas", "sklearn.linear_model", "xgboost.core", "torch", "torch.nn"}
    assert of(text, "a").externals == wanted


def test_modules_and_definitions_reached() -> None:
    found = of(
        "from .more import f\ndef node(a):\n    return f(a)", "a", more="def f(x): return K\nK=1"
    )
    assert found.modules == {"prep.nodes", "prep.more"}
    assert list(found.definitions) == ["prep.more.K", "prep.more.f"]
    assert found.fallbacks == ()


def test_native_and_vendored_modules() -> None:
    text = "from . import fast\nfrom vend.lib import x\nimport whence\ndef node(a):\n    return fast.f(a), x"
    sources = [
        summarise(ModuleSource("prep.nodes", "prep/nodes.py", text, False)),
        summarise(ModuleSource("prep", "prep/__init__.py", "", True)),
        summarise(ModuleSource("vend.lib", "vend/lib.py", "x = 1", False)),
    ]
    from whence.graph.digest import digest_text

    native = {"prep.fast": digest_text("so", "1")}
    found = CodeTree(sources, native, ["vend"]).closure("prep.nodes", "node", parameters=["a"])
    assert list(found.definitions) == ["prep.fast:<native>"]
    assert found.externals == {"vend.lib"}
    native = {"prep.fast": digest_text("so", "2")}
    other = CodeTree(sources, native, ["vend"]).closure("prep.nodes", "node", parameters=["a"])
    assert other.digest != found.digest


@pytest.mark.parametrize(
    "line",
    [
        "from prep.vend import lib\ndef node(a):\n    return lib.f(a)",
        "from prep import vend\ndef node(a):\n    return vend.lib.f(a)",
        "from .vend.lib import f\ndef node(a):\n    return f(a)",
        "import prep.vend.lib\ndef node(a):\n    return prep.vend.lib.f(a)",
        "from prep import vend\ndef node(a):\n    return getattr(vend, a).f(a)",
    ],
)
@pytest.mark.parametrize("package", [True, False])
def test_a_vendored_package_inside_a_package_of_the_project(line: str, package: bool) -> None:
    sources = [
        summarise(ModuleSource("prep.nodes", "prep/nodes.py", line, False)),
        summarise(ModuleSource("prep", "prep/__init__.py", "", True)),
        *[summarise(ModuleSource("prep.vend", "prep/vend/__init__.py", "", True))] * package,
        summarise(
            ModuleSource("prep.vend.lib", "prep/vend/lib/__init__.py", "def f(x): ...", True)
        ),
    ]
    found = CodeTree(sources, {}, ["prep.vend.lib"]).closure("prep.nodes", "node", parameters=["a"])
    assert found.externals == {"prep.vend.lib"}


FACTORY = "def make(k):\n    def inner(a):\n        return a * k\n    return inner\nK = 1\n"


def test_node_of_a_factory_counts_its_module_and_what_it_captured() -> None:
    one = tree({"prep/nodes.py": FACTORY})
    found = one.closure("prep.nodes", "make.<locals>.inner", parameters=["a"], captured={"k": "1"})
    again = one.closure("prep.nodes", "make.<locals>.inner", parameters=["a"], captured={"k": "2"})
    assert found.digest != again.digest
    assert "prep.nodes:<module>" in found.definitions
    assert [f.scope for f in found.fallbacks] == ["module"]
    edited = tree({"prep/nodes.py": FACTORY.replace("K = 1", "K = 2")})
    other = edited.closure("prep.nodes", "make.<locals>.inner", captured={"k": "1"})
    assert other.digest != found.digest


@pytest.mark.parametrize(
    ("text", "name", "cause"),
    [
        (FACTORY, "make.<locals>.inner", "captures k"),
        ("n = lambda a: a", "<lambda>", "is a lambda"),
        ("def nod(): pass", "node", "'node' is not defined in module 'prep.nodes'"),
        (
            "def m(x):\n    if x:\n        def i(): pass\n    else:\n        def i(): return 1\n"
            "    return i",
            "m.<locals>.i",
            "2 functions in module 'prep.nodes' are called 'm.<locals>.i'",
        ),
    ],
)
def test_what_cannot_be_told_is_an_error(text: str, name: str, cause: str) -> None:
    with pytest.raises(GraphError, match="top level") as caught:
        tree({"prep/nodes.py": text}).closure("prep.nodes", name)
    assert cause in caught.value.cause


def test_unknown_module_is_an_error() -> None:
    with pytest.raises(GraphError, match=r"did you mean 'prep\.nodes'"):
        tree({"prep/nodes.py": ""}).closure("prep.node", "x")


@pytest.mark.parametrize("text", ["def f(:\n    pass", "x = 'a\n", "\0", "x = 1\n  y = 2"])
def test_syntax_error_says_where(text: str) -> None:
    with pytest.raises(SyntaxFault, match=r"prep/m\.py:\d+: module 'prep\.m' is not valid Python"):
        summarise(ModuleSource("prep.m", "prep/m.py", text, False))


def test_long_sums_do_not_exhaust_the_stack() -> None:
    text = "K = 1\ndef node(a):\n    return a" + " + K" * 700
    assert list(of(text, "a").definitions) == ["prep.nodes.K"]


def test_reachable_modules_follow_imports_and_parents() -> None:
    files = {
        "a/__init__.py": "", "a/b.py": "def f():\n    from c import d", "c/__init__.py": "",
        "c/d.py": "from e import *", "e.py": "", "g.py": "import a.b",
        "h.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import g",
    }  # fmt: skip
    assert tree(files, None).reachable_modules(["a.b"]) == {"a", "a.b", "c", "c.d", "e"}
    assert tree(files, None).reachable_modules(["h"]) == {"h"}


def test_locate_names_lines() -> None:
    text = "import x\n\n@x.y\ndef f():\n    pass\nK = 1\nK += 2\nx.go()\n"
    found = locate(tree({"prep/nodes.py": text}))
    assert found["prep.nodes.f"] == ("prep/nodes.py", 3, 5)
    assert found["prep.nodes.K"] == ("prep/nodes.py", 6, 7)
    assert found["prep.nodes:<effects>"] == ("prep/nodes.py", 8, 8)


def test_fallbacks_say_where_and_why() -> None:
    text = "from . import more\ndef node(a):\n    return f(a)\ndef f(a):\n    return getattr(more, a)\n"
    (fallback,) = of(text, "a", more="K = 1").fallbacks
    assert fallback.where == "prep.nodes.f"
    assert fallback.line == 7
    assert fallback.cause == "computed attributes of module prep.more"
    assert fallback.scope == "module"


def test_digests_are_stable_across_releases() -> None:
    # A changed digest here makes every user's nodes run again: say so in the changelog.
    text = (
        "K = {'a': 1.5}\n@wh.node\ndef node(a, b):\n    return [x + K['a'] for x in a if not b]\n"
    )
    found = of(text, "a b")
    assert found.slots == {"a": "a", "b": "$0"}
    assert found.digest == GOLDEN


GOLDEN = "sha256:a2be3c0d0af42476139e42310681cd25c155a812d4616a6c6065fd5bce4436c8"
