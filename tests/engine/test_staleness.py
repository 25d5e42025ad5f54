"""A stale result is the worst defect: each edit reruns what it must, and only that.

Every case is a real small project, built, edited and built again. `runs` is exact: a node that
does not run is stale, one that runs without need is a wasted run. The fast path of the command
line (`noop.find_receipt`) is asked before and after each edit.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.engine.project_fixture import (
    Edit,
    Sandbox,
    drop,
    env,
    every,
    put,
    same_stat,
    sandbox,
    swap,
)

__all__ = ["sandbox"]

SAME = object()


@dataclass(frozen=True)
class Case:
    """One edit: the project before it, what must run after it, and what the nodes are then."""

    id: str
    files: Mapping[str, str | bytes]
    edit: Edit
    runs: set[str]
    before: Mapping[str, Any]
    after: Mapping[str, Any] = field(default_factory=dict)  # where it differs from `before`
    extra: str = ""  # more of [tool.whence]
    environ: Mapping[str, str] = field(default_factory=dict)
    nodes: tuple[str, ...] = ("pipe", "aside")  # the pipeline
    receipt: bool = True  # whether a build of it leaves a receipt


def code(id: str, pipe: str, edit: Edit, before: Any, after: Any = SAME, **more: Any) -> Case:
    """A case whose node `out` reruns if its value changes; `also` names other files."""
    files = {"pipe.py": pipe, **more.pop("also", {})}
    runs = more.pop("runs", {"out"} if after is not SAME else set())
    changed = {} if after is SAME else {"out": after}
    return Case(id, files, edit, runs, {"out": before}, changed, **more)


# -- code ------------------------------------------------------------------------------------

CODE = [
    code(
        "own body",
        """
        @wh.node
        def out():
            return 1
        """,
        swap("pipe.py", "return 1", "return 2"),
        1,
        2,
    ),
    code(
        "helper two calls deep",
        """
        def low(x):
            return x + 1

        def middle(x):
            return low(x) * 10

        @wh.node
        def out():
            return middle(1)
        """,
        swap("pipe.py", "x + 1", "x + 2"),
        20,
        30,
    ),
    code(
        "helper in another module",
        """
        import lib

        @wh.node
        def out():
            return lib.scale(2)
        """,
        swap("lib.py", "x * 3", "x * 4"),
        6,
        8,
        also={"lib.py": "def scale(x):\n    return x * 3\n\ndef unused():\n    return 0\n"},
    ),
    code(
        "a function nothing uses",
        """
        import lib

        @wh.node
        def out():
            return lib.scale(2)
        """,
        swap("lib.py", "return 0", "return 1"),
        6,
        also={"lib.py": "def scale(x):\n    return x * 3\n\ndef unused():\n    return 0\n"},
    ),
    code(
        "helper three modules away",
        """
        from a import top

        @wh.node
        def out():
            return top()
        """,
        swap("c.py", "1", "5"),
        1,
        5,
        also={
            "a.py": "import b\ndef top(): return b.middle()\n",
            "b.py": "from c import low as renamed\ndef middle(): return renamed()\n",
            "c.py": "def low(): return 1\n",
        },
    ),
    code(
        "module constant",
        """
        LIMIT = 3

        @wh.node
        def out():
            return LIMIT
        """,
        swap("pipe.py", "LIMIT = 3", "LIMIT = 4"),
        3,
        4,
    ),
    code(
        "constant made of another constant",
        """
        BASE = 3
        LIMITS = {"low": BASE, "high": BASE * 2}

        @wh.node
        def out():
            return LIMITS["high"]
        """,
        swap("pipe.py", "BASE = 3", "BASE = 4"),
        6,
        8,
    ),
    code(
        "constant rebound later",
        """
        LIMIT = 3

        def unused():
            return 0

        LIMIT += 4

        @wh.node
        def out():
            return LIMIT
        """,
        swap("pipe.py", "+= 4", "+= 5"),
        7,
        8,
    ),
    code(
        "list filled by appends",
        """
        STEPS = []
        STEPS.append(1)

        @wh.node
        def out():
            return STEPS
        """,
        swap("pipe.py", "append(1)", "append(2)"),
        [1],
        [2],
    ),
    code(
        "dict filled in a loop",
        """
        TABLE = {}
        for key in ("a", "b"):
            TABLE[key] = 1

        @wh.node
        def out():
            return TABLE
        """,
        swap("pipe.py", '("a", "b")', '("a", "c")'),
        {"a": 1, "b": 1},
        {"a": 1, "c": 1},
    ),
    code(
        "imported constant",
        """
        from lib import LIMIT

        @wh.node
        def out():
            return LIMIT
        """,
        swap("lib.py", "3", "4"),
        3,
        4,
        also={"lib.py": "LIMIT = 3\n"},
    ),
    code(
        "method of an imported class",
        """
        from lib import Scaler

        @wh.node
        def out():
            return Scaler(2).apply(3)
        """,
        swap("lib.py", "self.k * x", "self.k + x"),
        6,
        5,
        also={
            "lib.py": """
                class Scaler:
                    def __init__(self, k):
                        self.k = k

                    def apply(self, x):
                        return self.k * x
                """
        },
    ),
    code(
        "base class",
        """
        from lib import Child

        @wh.node
        def out():
            return Child().value()
        """,
        swap("lib.py", "return 1", "return 2"),
        1,
        2,
        also={
            "lib.py": """
                class Base:
                    def value(self):
                        return 1

                class Child(Base):
                    pass
                """
        },
    ),
    code(
        "method order of two bases",
        """
        class A:
            def value(self):
                return "A"

        class B:
            def value(self):
                return "B"

        class Both(A, B):
            pass

        @wh.node
        def out():
            return Both().value()
        """,
        swap("pipe.py", "Both(A, B)", "Both(B, A)"),
        "A",
        "B",
    ),
    code(
        "closure's captured value",
        """
        def make(k):
            def inner(x):
                return x * k
            return inner

        triple = make(3)

        @wh.node
        def out():
            return triple(2)
        """,
        swap("pipe.py", "make(3)", "make(4)"),
        6,
        8,
    ),
    code(
        "node made by a factory: captured value",
        """
        def make(k):
            @wh.node(name="out")
            def made():
                return k
            return made

        made = make(3)
        """,
        swap("pipe.py", "make(3)", "make(4)"),
        3,
        4,
    ),
    code(
        "node made by a factory: body",
        """
        def make(k):
            @wh.node(name="out")
            def made():
                return k + 0
            return made

        made = make(3)
        """,
        swap("pipe.py", "k + 0", "k + 1"),
        3,
        4,
    ),
    code(
        "node made by a factory: captured function",
        """
        def low():
            return 1

        def make(f):
            @wh.node(name="out")
            def made():
                return f()
            return made

        made = make(low)
        """,
        swap("pipe.py", "return 1", "return 2"),
        1,
        2,
    ),
    code(
        "default bound to a variable",
        """
        K = 3

        def helper(x=K):
            return x

        @wh.node
        def out():
            return helper()
        """,
        swap("pipe.py", "K = 3", "K = 4"),
        3,
        4,
    ),
    code(
        "node's own default bound to a variable",
        """
        K = 3

        @wh.node
        def out(size=K):
            return size
        """,
        swap("pipe.py", "K = 3", "K = 4"),
        3,
        4,
    ),
    code(
        "default that is no param",
        """
        def low():
            return 1

        @wh.node
        def out(f=low):
            return f()
        """,
        swap("pipe.py", "return 1", "return 2"),
        1,
        2,
    ),
    code(
        "keyword-only default of a helper",
        """
        def helper(*, x=3):
            return x

        @wh.node
        def out():
            return helper()
        """,
        swap("pipe.py", "x=3", "x=4"),
        3,
        4,
    ),
    code(
        "decorator",
        """
        import functools

        def plus(f):
            @functools.wraps(f)
            def inner():
                return f() + 1
            return inner

        @plus
        def helper():
            return 1

        @wh.node
        def out():
            return helper()
        """,
        swap("pipe.py", "f() + 1", "f() + 2"),
        2,
        3,
    ),
    code(
        "decorator of the node itself",
        """
        import functools

        def plus(f):
            @functools.wraps(f)
            def inner(*args, **kwargs):
                return f(*args, **kwargs) + 1
            return inner

        @wh.node
        @plus
        def out():
            return 1
        """,
        swap("pipe.py", "**kwargs) + 1", "**kwargs) + 2"),
        2,
        3,
    ),
    code(
        "decorator with arguments, in another module",
        """
        from lib import plus

        STEP = 1

        @wh.node
        @plus(STEP)
        def out():
            return 1
        """,
        swap("pipe.py", "STEP = 1", "STEP = 2"),
        2,
        3,
        also={
            "lib.py": """
                import functools

                def plus(step):
                    def decorate(f):
                        @functools.wraps(f)
                        def inner(*args, **kwargs):
                            return f(*args, **kwargs) + step
                        return inner
                    return decorate
                """
        },
    ),
    code(
        "lambda in a dict",
        """
        OPS = {"a": lambda x: x + 1}

        @wh.node
        def out():
            return OPS["a"](1)
        """,
        swap("pipe.py", "x + 1", "x + 2"),
        2,
        3,
    ),
    code(
        "function in a dict",
        """
        def one():
            return 1

        OPS = {"a": one}

        @wh.node
        def out():
            return OPS["a"]()
        """,
        swap("pipe.py", "return 1", "return 2"),
        1,
        2,
    ),
    code(
        "dataclass field default",
        """
        from dataclasses import dataclass

        @dataclass
        class Options:
            depth: int = 3

        @wh.node
        def out():
            return Options().depth
        """,
        swap("pipe.py", "depth: int = 3", "depth: int = 4"),
        3,
        4,
    ),
    code(
        "dataclass default_factory",
        """
        from dataclasses import dataclass, field

        def fresh():
            return [1]

        @dataclass
        class Options:
            depth: list = field(default_factory=fresh)

        @wh.node
        def out():
            return Options().depth
        """,
        swap("pipe.py", "[1]", "[2]"),
        [1],
        [2],
    ),
    code(
        "dataclass field order",
        """
        from dataclasses import astuple, dataclass

        @dataclass
        class Options:
            a: int = 1
            b: int = 2

        @wh.node
        def out():
            return list(astuple(Options()))
        """,
        swap("pipe.py", "    a: int = 1\n    b: int = 2\n", "    b: int = 2\n    a: int = 1\n"),
        [1, 2],
        [2, 1],
    ),
    code(
        "annotation of a named tuple",
        """
        from typing import NamedTuple

        class Point(NamedTuple):
            x: int
            y: int = 5

        @wh.node
        def out():
            return list(Point(1))
        """,
        swap("pipe.py", "y: int = 5", "y: int = 6"),
        [1, 5],
        [1, 6],
    ),
    code(
        "enum member",
        """
        import enum

        class Level(enum.Enum):
            LOW = 1

        @wh.node
        def out():
            return Level.LOW.value
        """,
        swap("pipe.py", "LOW = 1", "LOW = 2"),
        1,
        2,
    ),
    code(
        "partial's argument",
        """
        from functools import partial

        def add(a, b):
            return a + b

        plus = partial(add, 2)

        @wh.node
        def out():
            return plus(1)
        """,
        swap("pipe.py", "partial(add, 2)", "partial(add, 3)"),
        3,
        4,
    ),
    code(
        "partial's function",
        """
        from functools import partial

        def add(a, b):
            return a + b

        plus = partial(add, 2)

        @wh.node
        def out():
            return plus(1)
        """,
        swap("pipe.py", "a + b", "a - b"),
        3,
        1,
    ),
    code(
        "star import",
        """
        from lib import *

        @wh.node
        def out():
            return helper()
        """,
        swap("lib.py", "1", "2"),
        1,
        2,
        also={"lib.py": "def helper():\n    return 1\n"},
    ),
    code(
        "star import: a new name shadows another",
        """
        from first import *
        from second import *

        @wh.node
        def out():
            return helper()
        """,
        put("second.py", "def other():\n    return 0\n\ndef helper():\n    return 2\n"),
        1,
        2,
        also={
            "first.py": "def helper():\n    return 1\n",
            "second.py": "def other():\n    return 0\n",
        },
    ),
    code(
        "star import: __all__ no longer has the name",
        """
        from first import *
        from second import *

        @wh.node
        def out():
            return helper()
        """,
        swap("second.py", "['helper']", "[]"),
        2,
        1,
        also={
            "first.py": "def helper():\n    return 1\n",
            "second.py": "__all__ = ['helper']\ndef helper():\n    return 2\n",
        },
    ),
    code(
        "re-export through __init__",
        """
        from package import helper

        @wh.node
        def out():
            return helper()
        """,
        swap("package/impl.py", "1", "2"),
        1,
        2,
        also={
            "package/__init__.py": "from .impl import helper\n",
            "package/impl.py": "def helper():\n    return 1\n",
        },
    ),
    code(
        "re-export through __init__ comes from elsewhere",
        """
        import package

        @wh.node
        def out():
            return package.helper()
        """,
        swap("package/__init__.py", ".one", ".two"),
        1,
        2,
        also={
            "package/__init__.py": "from .one import helper\n",
            "package/one.py": "def helper():\n    return 1\n",
            "package/two.py": "def helper():\n    return 2\n",
        },
    ),
    code(
        "module __getattr__",
        """
        import lib

        @wh.node
        def out():
            return lib.missing
        """,
        swap("lib.py", "return 1", "return 2"),
        1,
        2,
        also={"lib.py": "def __getattr__(name):\n    return 1\n"},
    ),
    code(
        "conditional import",
        """
        try:
            from a_fast_thing_nobody_has import helper
        except ImportError:
            from slow import helper

        @wh.node
        def out():
            return helper()
        """,
        swap("slow.py", "1", "2"),
        1,
        2,
        also={"slow.py": "def helper():\n    return 1\n"},
    ),
    code(
        "conditional import: the module now exists",
        """
        try:
            from quick import helper
        except ImportError:
            from slow import helper

        @wh.node
        def out():
            return helper()
        """,
        put("quick.py", "def helper():\n    return 2\n"),
        1,
        2,
        also={"slow.py": "def helper():\n    return 1\n"},
    ),
    code(
        "conditional import: the module is gone",
        """
        try:
            from quick import helper
        except ImportError:
            from slow import helper

        @wh.node
        def out():
            return helper()
        """,
        drop("quick.py"),
        2,
        1,
        also={
            "quick.py": "def helper():\n    return 2\n",
            "slow.py": "def helper():\n    return 1\n",
        },
    ),
    code(
        "conditional definition",
        """
        NEW = False

        if NEW:
            def helper():
                return 2
        else:
            def helper():
                return 1

        @wh.node
        def out():
            return helper()
        """,
        swap("pipe.py", "NEW = False", "NEW = True"),
        1,
        2,
    ),
    code(
        "import inside the function",
        """
        @wh.node
        def out():
            from lib import helper
            return helper()
        """,
        swap("lib.py", "1", "2"),
        1,
        2,
        also={"lib.py": "def helper():\n    return 1\n"},
    ),
    code(
        "monkey-patched module attribute at import",
        """
        import lib
        import patch

        @wh.node
        def out():
            return lib.value()
        """,
        swap("patch.py", "LIMIT = 5", "LIMIT = 6"),
        5,
        6,
        also={
            "lib.py": "LIMIT = 3\ndef value():\n    return LIMIT\n",
            "patch.py": "import lib\nlib.LIMIT = 5\n",
        },
    ),
    code(
        "monkey-patched function at import, by setattr",
        """
        import lib
        import patch

        @wh.node
        def out():
            return lib.value()
        """,
        swap("patch.py", "return 5", "return 6"),
        5,
        6,
        also={
            "lib.py": "def value():\n    return 3\n",
            "patch.py": "import lib\ndef new():\n    return 5\nsetattr(lib, 'value', new)\n",
        },
    ),
    code(
        "monkey-patched method",
        """
        import patch
        from lib import Thing

        @wh.node
        def out():
            return Thing().value()
        """,
        swap("patch.py", "return 5", "return 6"),
        5,
        6,
        also={
            "lib.py": "class Thing:\n    def value(self):\n        return 3\n",
            "patch.py": (
                "from lib import Thing\ndef new(self):\n    return 5\nThing.value = new\n"
            ),
        },
    ),
    code(
        "registry filled by a decorator in another module",
        """
        import plugins
        from registry import HANDLERS

        @wh.node
        def out():
            return HANDLERS["double"](4)
        """,
        swap("plugins.py", "x * 2", "x * 3"),
        8,
        12,
        also={
            "registry.py": """
                HANDLERS = {}

                def register(name):
                    def decorate(f):
                        HANDLERS[name] = f
                        return f
                    return decorate
                """,
            "plugins.py": """
                from registry import register

                @register("double")
                def double(x):
                    return x * 2
                """,
        },
    ),
    code(
        "registry: a new module registers",
        """
        import plugins
        from registry import HANDLERS

        @wh.node
        def out():
            return sorted(HANDLERS)
        """,
        every(
            [
                put("more.py", "from registry import HANDLERS\nHANDLERS['b'] = 1\n"),
                swap("plugins.py", "HANDLERS['a'] = 1\n", "HANDLERS['a'] = 1\nimport more\n"),
            ]
        ),
        ["a"],
        ["a", "b"],
        also={
            "registry.py": "HANDLERS = {}\n",
            "plugins.py": "from registry import HANDLERS\nHANDLERS['a'] = 1\n",
        },
    ),
    code(
        "__init_subclass__",
        """
        import children
        from base import Base

        @wh.node
        def out():
            return [c.__name__ for c in Base.known]
        """,
        put("children.py", "from base import Base\nclass A(Base): pass\nclass B(Base): pass\n"),
        ["A"],
        ["A", "B"],
        also={
            "base.py": """
                class Base:
                    known = []

                    def __init_subclass__(cls):
                        Base.known.append(cls)
                """,
            "children.py": "from base import Base\nclass A(Base): pass\n",
        },
    ),
    code(
        "__subclasses__",
        """
        import children
        from base import Base

        @wh.node
        def out():
            return [c().value() for c in Base.__subclasses__()]
        """,
        swap("children.py", "return 1", "return 2"),
        [1],
        [2],
        also={
            "base.py": "class Base:\n    pass\n",
            "children.py": (
                "from base import Base\nclass A(Base):\n    def value(self):\n        return 1\n"
            ),
        },
    ),
    code(
        "metaclass",
        """
        class Meta(type):
            def __call__(cls):
                made = super().__call__()
                made.value = 1
                return made

        class Thing(metaclass=Meta):
            pass

        @wh.node
        def out():
            return Thing().value
        """,
        swap("pipe.py", "value = 1", "value = 2"),
        1,
        2,
    ),
    code(
        "property",
        """
        class Thing:
            @property
            def size(self):
                return 1

        @wh.node
        def out():
            return Thing().size
        """,
        swap("pipe.py", "return 1", "return 2"),
        1,
        2,
    ),
    code(
        "class attribute",
        """
        class Thing:
            size = 1

        @wh.node
        def out():
            return Thing.size
        """,
        swap("pipe.py", "size = 1", "size = 2"),
        1,
        2,
    ),
    code(
        "class attribute set from outside",
        """
        class Thing:
            size = 1

        Thing.size = 3

        @wh.node
        def out():
            return Thing.size
        """,
        swap("pipe.py", "size = 3", "size = 4"),
        3,
        4,
    ),
    code(
        "descriptor",
        """
        class Always:
            def __get__(self, instance, owner):
                return 1

        class Thing:
            size = Always()

        @wh.node
        def out():
            return Thing().size
        """,
        swap("pipe.py", "return 1", "return 2"),
        1,
        2,
    ),
    code(
        "operator method",
        """
        from lib import Money

        @wh.node
        def out():
            return (Money(1) + Money(2)).cents
        """,
        swap("lib.py", "self.cents + other.cents", "self.cents - other.cents"),
        3,
        -1,
        also={
            "lib.py": """
                class Money:
                    def __init__(self, cents):
                        self.cents = cents

                    def __add__(self, other):
                        return Money(self.cents + other.cents)
                """
        },
    ),
    code(
        "context manager and generator",
        """
        from contextlib import contextmanager

        @contextmanager
        def opened():
            yield 1

        def numbers():
            with opened() as one:
                yield one

        @wh.node
        def out():
            return list(numbers())
        """,
        swap("pipe.py", "yield 1", "yield 2"),
        [1],
        [2],
    ),
    code(
        "nested function",
        """
        @wh.node
        def out():
            def inner():
                return 1
            return inner()
        """,
        swap("pipe.py", "return 1", "return 2"),
        1,
        2,
    ),
    code(
        "helper named only in a comprehension",
        """
        def helper(x):
            return x + 1

        @wh.node
        def out():
            return [helper(x) for x in range(2)]
        """,
        swap("pipe.py", "x + 1", "x + 2"),
        [1, 2],
        [2, 3],
    ),
    code(
        "helper passed as an argument",
        """
        def helper(x):
            return -x

        @wh.node
        def out():
            return sorted([1, 2], key=helper)
        """,
        swap("pipe.py", "-x", "x"),
        [2, 1],
        [1, 2],
    ),
    code(
        "global rebound by a call",
        """
        VALUE = 1

        def change():
            global VALUE
            VALUE = 2

        change()

        @wh.node
        def out():
            return VALUE
        """,
        swap("pipe.py", "VALUE = 2", "VALUE = 3"),
        2,
        3,
    ),
    code(
        "getattr by a computed name",
        """
        import lib

        @wh.node
        def out():
            return getattr(lib, "hel" + "per")()
        """,
        swap("lib.py", "1", "2"),
        1,
        2,
        also={"lib.py": "def helper():\n    return 1\n"},
    ),
    code(
        "getattr by a literal name",
        """
        import lib

        @wh.node
        def out():
            return getattr(lib, "helper")()
        """,
        swap("lib.py", "1", "2"),
        1,
        2,
        also={"lib.py": "def helper():\n    return 1\n"},
    ),
    code(
        "globals() by a computed name",
        """
        def helper():
            return 1

        @wh.node
        def out():
            return globals()["hel" + "per"]()
        """,
        swap("pipe.py", "return 1", "return 2"),
        1,
        2,
    ),
    code(
        "eval of a text",
        """
        def helper():
            return 1

        @wh.node
        def out():
            return eval("helper" + "()")
        """,
        swap("pipe.py", "return 1", "return 2"),
        1,
        2,
    ),
    code(
        "importlib with a computed name",
        """
        import importlib

        @wh.node
        def out():
            return importlib.import_module("plug" + "in").helper()
        """,
        swap("plugin.py", "1", "2"),
        1,
        2,
        also={"plugin.py": "def helper():\n    return 1\n"},
    ),
    code(
        "importlib with a literal name",
        """
        import importlib

        @wh.node
        def out():
            return importlib.import_module("plugin").helper()
        """,
        swap("plugin.py", "1", "2"),
        1,
        2,
        also={"plugin.py": "def helper():\n    return 1\n"},
    ),
    code(
        "module name read from a file",
        """
        import importlib
        from pathlib import Path

        @wh.node
        def out():
            return importlib.import_module(Path("which.txt").read_text()).helper()
        """,
        put("which.txt", "two"),
        1,
        2,
        also={
            "which.txt": "one",
            "one.py": "def helper():\n    return 1\n",
            "two.py": "def helper():\n    return 2\n",
        },
    ),
    code(
        "function's attribute",
        """
        def helper():
            return helper.size

        helper.size = 1

        @wh.node
        def out():
            return helper()
        """,
        swap("pipe.py", "size = 1", "size = 2"),
        1,
        2,
    ),
    code(
        "cached function",
        """
        from functools import lru_cache

        @lru_cache
        def helper():
            return 1

        @wh.node
        def out():
            return helper()
        """,
        swap("pipe.py", "return 1", "return 2"),
        1,
        2,
    ),
    code(
        "singledispatch implementation",
        """
        import implementations
        from dispatch import describe

        @wh.node
        def out():
            return describe(1)
        """,
        swap("implementations.py", "'int'", "'number'"),
        "int",
        "number",
        also={
            "dispatch.py": """
                from functools import singledispatch

                @singledispatch
                def describe(x):
                    return 'any'
                """,
            "implementations.py": """
                from dispatch import describe

                @describe.register
                def _(x: int):
                    return 'int'
                """,
        },
    ),
    code(
        "docstring that is read",
        '''
        def helper():
            """One."""

        @wh.node
        def out():
            return helper.__doc__
        ''',
        swap("pipe.py", "One.", "Two."),
        "One.",
        "Two.",
    ),
    code(
        "text of a match statement and f-string",
        """
        PREFIX = "a"

        def helper(x):
            match x:
                case 1:
                    return f"{PREFIX}!"
                case _:
                    return ""

        @wh.node
        def out():
            return helper(1)
        """,
        swap("pipe.py", 'PREFIX = "a"', 'PREFIX = "b"'),
        "a!",
        "b!",
    ),
    code(
        "a module in the project shadows another one",
        """
        import thing

        @wh.node
        def out():
            return thing.VALUE
        """,
        put("thing/__init__.py", "VALUE = 2\n"),
        1,
        2,
        also={"thing.py": "VALUE = 1\n"},
    ),
    code(
        "name shadowed by a later definition",
        """
        def helper():
            return 1

        @wh.node
        def out():
            return helper()
        """,
        swap("pipe.py", "@wh.node", "def helper():\n    return 2\n\n@wh.node"),
        1,
        2,
    ),
    code(
        "builtin shadowed at module level",
        """
        @wh.node
        def out():
            return len([1, 2])
        """,
        swap("pipe.py", "@wh.node", "def len(x):\n    return 7\n\n@wh.node"),
        2,
        7,
    ),
    code(
        "helper returns another type, equal value",
        """
        def helper():
            return 1

        @wh.node
        def out():
            return helper()
        """,
        swap("pipe.py", "return 1", "return True"),
        1,
        True,
    ),
]

# -- edits that may not run anything ---------------------------------------------------------

QUIET = '''
        import lib

        LIMIT = 3

        # How it is scaled.
        def scale(x):
            """Scale x."""
            return x * LIMIT

        def shift(x):
            return x + 1

        @wh.node
        def out():
            """The result."""
            return shift(scale(1)) + lib.one()

        @wh.node
        def after(out):
            return out
        '''
LIB = {"lib.py": "def one():\n    return 1\n"}


def quiet(id: str, edit: Edit, **more: Any) -> Case:
    return code(id, QUIET, edit, 5, also=LIB, **more)


NEEDLESS = [
    quiet("comment", swap("pipe.py", "# How it is scaled.", "# Scaled how?")),
    quiet("comment at the end of a line", swap("pipe.py", "LIMIT = 3", "LIMIT = 3  # mm")),
    quiet("docstring of a helper", swap("pipe.py", "Scale x.", "Multiply by the limit.")),
    quiet("docstring of a node", swap("pipe.py", "The result.", "It.")),
    quiet("docstring added to a module", swap("lib.py", "def one", '"""Library."""\ndef one')),
    quiet("blank lines", swap("pipe.py", "def shift", "\n\n\ndef shift")),
    quiet("formatting", swap("pipe.py", "return x * LIMIT", "return (\n        x*LIMIT\n    )")),
    quiet("quotes and numbers spelled otherwise", swap("pipe.py", "LIMIT = 3", "LIMIT = 0x3")),
    quiet(
        "reordering of definitions",
        every(
            [
                swap("pipe.py", "def shift(x):\n    return x + 1\n", ""),
                swap("pipe.py", "LIMIT = 3", "LIMIT = 3\n\ndef shift(x):\n    return x + 1\n"),
            ]
        ),
    ),
    quiet("a helper that nothing uses", swap("lib.py", "def one", "def two(): pass\ndef one")),
    quiet("an unused import", swap("pipe.py", "import lib", "import json\nimport lib")),
    quiet("touched files", lambda sandbox: os.utime(sandbox.path("pipe.py"))),
    quiet("a file that nothing reads", put("notes.txt", "hello")),
    quiet("an unrelated new module", put("unrelated.py", "X = 1\n")),
    quiet("an environment variable that nothing reads", env("WHATEVER", "1")),
    quiet("a folder that nothing lists", put("folder/file.txt", "1")),
    code(
        "swapped parameter order",
        """
        @wh.node
        def a():
            return 1

        @wh.node
        def b():
            return 2

        @wh.node
        def out(a, b):
            return a - b
        """,
        swap("pipe.py", "def out(a, b)", "def out(b, a)"),
        -1,
    ),
    code(
        "swapped names of parameters, and so of values",
        """
        @wh.node
        def a():
            return 1

        @wh.node
        def b():
            return 2

        @wh.node
        def out(a, b):
            return a - b
        """,
        swap("pipe.py", "a - b", "b - a"),
        -1,
        1,
    ),
    code(
        "a value that did not change stops the wave",
        """
        @wh.node
        def base():
            return 1

        @wh.node
        def out(base):
            return base + 1
        """,
        swap("pipe.py", "return 1", "return 2 - 1"),
        2,
        runs={"base"},
    ),
    code(
        "an order of keys that changed is no other value",
        """
        @wh.node
        def base():
            return {"a": 1}

        @wh.node
        def out(base):
            return base
        """,
        swap("pipe.py", '{"a": 1}', "dict(a=1)"),
        {"a": 1},
        runs={"base"},
    ),
    Case(
        "renamed node whose consumers follow",
        {
            "pipe.py": """
                @wh.node
                def first():
                    return 1

                @wh.node
                def out(first):
                    return first + 1
                """
        },
        swap("pipe.py", "first", "start"),
        set(),
        {"out": 2},
    ),
    Case(
        "renamed node that draws random numbers",
        {
            "pipe.py": """
                import random

                @wh.node
                def first():
                    return random.random()

                @wh.node
                def out(first):
                    return first > -1
                """
        },
        swap("pipe.py", "first", "start"),
        {"start", "out"},
        {"out": True},
    ),
    Case(
        "an edit undone",
        {"pipe.py": "@wh.node\ndef out():\n    return 1\n"},
        every([swap("pipe.py", "1", "2"), lambda s: s.build() and None, swap("pipe.py", "2", "1")]),
        set(),
        {"out": 1},
    ),
    Case(
        "a node moved to another module",
        {"pipe.py": "@wh.node\ndef out():\n    return 1\n"},
        every(
            [
                swap("pipe.py", "@wh.node\ndef out():\n    return 1\n", ""),
                put("more_pipe.py", "@wh.node\ndef out():\n    return 1\n"),
                lambda s: s.configure(("pipe", "aside", "more_pipe")),
            ]
        ),
        set(),
        {"out": 1},
    ),
]

# -- what the code reads ---------------------------------------------------------------------

READS = [
    code(
        "undeclared file read",
        """
        @wh.node
        def out():
            with open("notes.txt") as file:
                return file.read()
        """,
        put("notes.txt", "two"),
        "one",
        "two",
        also={"notes.txt": "one"},
    ),
    code(
        "undeclared file read by a helper through pathlib",
        """
        from pathlib import Path

        def load():
            return Path("data/notes.txt").read_text()

        @wh.node
        def out():
            return load()
        """,
        put("data/notes.txt", "two"),
        "one",
        "two",
        also={"data/notes.txt": "one"},
    ),
    code(
        "undeclared file next to the module",
        """
        from pathlib import Path

        @wh.node
        def out():
            return (Path(__file__).parent / "notes.txt").read_text()
        """,
        put("notes.txt", "two"),
        "one",
        "two",
        also={"notes.txt": "one", "__init__.py": ""},
    ),
    code(
        "package data by importlib.resources",
        """
        from importlib import resources

        @wh.node
        def out():
            return resources.files("package").joinpath("notes.txt").read_text()
        """,
        put("package/notes.txt", "two"),
        "one",
        "two",
        also={"package/__init__.py": "", "package/notes.txt": "one"},
    ),
    code(
        "file read through os.open",
        """
        import os

        @wh.node
        def out():
            handle = os.open("notes.txt", os.O_RDONLY)
            try:
                return os.read(handle, 10).decode()
            finally:
                os.close(handle)
        """,
        put("notes.txt", "two"),
        "one",
        "two",
        also={"notes.txt": "one"},
    ),
    code(
        "file copied by shutil, then read",
        """
        import shutil, tempfile, os

        @wh.node
        def out():
            with tempfile.TemporaryDirectory() as folder:
                shutil.copy("notes.txt", folder)
                with open(os.path.join(folder, "notes.txt")) as file:
                    return file.read()
        """,
        put("notes.txt", "two"),
        "one",
        "two",
        also={"notes.txt": "one"},
    ),
    code(
        "SQLite database read",
        """
        import sqlite3

        @wh.node
        def out():
            with sqlite3.connect("facts.db") as db:
                return db.execute("SELECT x FROM t").fetchone()[0]
        """,
        lambda s: _database(s, 2),
        1,
        2,
        also={"facts.db": b""},
    ),
    code(
        "same size and modification time, undeclared",
        """
        @wh.node
        def out():
            return open("notes.txt").read()
        """,
        same_stat("notes.txt", b"two"),
        "one",
        "two",
        also={"notes.txt": "one"},
    ),
    code(
        "same size and modification time, declared",
        """
        notes = wh.files("notes.json")

        @wh.node
        def out(notes):
            return notes["a"]
        """,
        same_stat("notes.json", b'{"a": 2}'),
        1,
        2,
        runs={"notes", "out"},
        also={"notes.json": b'{"a": 1}'},
    ),
    code(
        "same size and modification time, code",
        """
        import lib

        @wh.node
        def out():
            return lib.VALUE
        """,
        same_stat("lib.py", b"VALUE = 2\n"),
        1,
        2,
        also={"lib.py": "VALUE = 1\n"},
    ),
    code(
        "declared file whose bytes changed and whose value did not",
        """
        notes = wh.files("notes.json")

        @wh.node
        def out(notes):
            return notes["a"]
        """,
        put("notes.json", b'{"a":   1}'),
        1,
        runs={"notes"},
        also={"notes.json": b'{"a": 1}'},
    ),
    code(
        "declared pattern: one more file",
        """
        notes = wh.files("data/*.json")

        @wh.node
        def out(notes):
            return len(notes)
        """,
        put("data/b.json", b"2"),
        1,
        2,
        runs={"notes", "out"},
        also={"data/a.json": b"1"},
    ),
    code(
        "absent file that now exists: exists()",
        """
        from pathlib import Path

        @wh.node
        def out():
            return Path("notes.txt").exists()
        """,
        put("notes.txt", "one"),
        False,
        True,
    ),
    code(
        "absent file that now exists: tried to open",
        """
        @wh.node
        def out():
            try:
                return open("notes.txt").read()
            except FileNotFoundError:
                return ""
        """,
        put("notes.txt", "one"),
        "",
        "one",
    ),
    code(
        "absent file that now exists: os.path",
        """
        import os

        @wh.node
        def out():
            return os.path.isfile("deep/down/notes.txt")
        """,
        put("deep/down/notes.txt", "one"),
        False,
        True,
    ),
    code(
        "absent file that now exists: os.access",
        """
        import os

        @wh.node
        def out():
            return os.access("notes.txt", os.R_OK)
        """,
        put("notes.txt", "one"),
        False,
        True,
    ),
    code(
        "file that existed and is gone",
        """
        from pathlib import Path

        @wh.node
        def out():
            return Path("notes.txt").exists()
        """,
        drop("notes.txt"),
        True,
        False,
        also={"notes.txt": "one"},
    ),
    code(
        "size of a file",
        """
        import os

        @wh.node
        def out():
            return os.path.getsize("notes.txt")
        """,
        put("notes.txt", "four"),
        3,
        4,
        also={"notes.txt": "one"},
    ),
    code(
        "directory listing: glob of pathlib",
        """
        from pathlib import Path

        @wh.node
        def out():
            return sorted(p.name for p in Path("data").glob("*.txt"))
        """,
        put("data/b.txt", ""),
        ["a.txt"],
        ["a.txt", "b.txt"],
        also={"data/a.txt": ""},
    ),
    code(
        "directory listing: recursive glob",
        """
        from pathlib import Path

        @wh.node
        def out():
            return sorted(p.name for p in Path("data").rglob("*.txt"))
        """,
        put("data/deep/b.txt", ""),
        ["a.txt"],
        ["a.txt", "b.txt"],
        also={"data/a.txt": "", "data/deep/c.csv": ""},
    ),
    code(
        "directory listing: os.listdir",
        """
        import os

        @wh.node
        def out():
            return sorted(os.listdir("data"))
        """,
        drop("data/b.txt"),
        ["a.txt", "b.txt"],
        ["a.txt"],
        also={"data/a.txt": "", "data/b.txt": ""},
    ),
    code(
        "directory listing: glob module",
        """
        import glob

        @wh.node
        def out():
            return sorted(glob.glob("data/*"))
        """,
        put("data/b.txt", ""),
        ["data/a.txt"],
        ["data/a.txt", "data/b.txt"],
        also={"data/a.txt": ""},
    ),
    code(
        "directory listing: os.walk",
        """
        import os

        @wh.node
        def out():
            return sorted(name for _, _, names in os.walk("data") for name in names)
        """,
        put("data/deep/b.txt", ""),
        ["a.txt"],
        ["a.txt", "b.txt"],
        also={"data/deep/a.txt": ""},
    ),
    code(
        "directory listing: the directory itself appears",
        """
        from pathlib import Path

        @wh.node
        def out():
            return [p.name for p in Path("data").glob("*")]
        """,
        put("data/a.txt", ""),
        [],
        ["a.txt"],
    ),
    code(
        "listing unchanged though contents changed",
        """
        import os

        @wh.node
        def out():
            return sorted(os.listdir("data"))
        """,
        put("data/a.txt", "other"),
        ["a.txt"],
        also={"data/a.txt": "one"},
    ),
    code(
        "environment: os.environ[]",
        """
        import os

        @wh.node
        def out():
            return os.environ["STAGE"]
        """,
        env("STAGE", "two"),
        "one",
        "two",
        environ={"STAGE": "one"},
    ),
    code(
        "environment: os.getenv of an unset name",
        """
        import os

        @wh.node
        def out():
            return os.getenv("STAGE", "none")
        """,
        env("STAGE", "two"),
        "none",
        "two",
    ),
    code(
        "environment: unset again",
        """
        import os

        @wh.node
        def out():
            return os.environ.get("STAGE", "none")
        """,
        env("STAGE", None),
        "one",
        "none",
        environ={"STAGE": "one"},
    ),
    code(
        "environment: in",
        """
        import os

        @wh.node
        def out():
            return "STAGE" in os.environ
        """,
        env("STAGE", "two"),
        False,
        True,
    ),
    code(
        "environment: expandvars and a helper module",
        """
        import lib

        @wh.node
        def out():
            return lib.stage()
        """,
        env("STAGE", "two"),
        "one!",
        "two!",
        environ={"STAGE": "one"},
        also={"lib.py": "import os\ndef stage():\n    return os.path.expandvars('$STAGE!')\n"},
    ),
    code(
        "environment: read while a module is imported",
        """
        import os

        STAGE = os.environ.get("STAGE", "none")

        @wh.node
        def out():
            return STAGE
        """,
        env("STAGE", "two"),
        "one",
        "two",
        environ={"STAGE": "one"},
    ),
    code(
        "environment: a secret does not count",
        """
        import os

        @wh.node
        def out():
            return len(os.environ["TOKEN"])
        """,
        env("TOKEN", "5678"),
        4,
        environ={"TOKEN": "1234"},
        extra='secrets = ["TOKEN"]\n',
    ),
    code(
        "file read while a module is imported",
        """
        import json

        with open("settings.json") as file:
            SETTINGS = json.load(file)

        @wh.node
        def out():
            return SETTINGS["a"]
        """,
        put("settings.json", '{"a": 2}'),
        1,
        2,
        also={"settings.json": '{"a": 1}'},
    ),
    code(
        "file read while another module is imported",
        """
        from settings import SETTINGS

        @wh.node
        def out():
            return SETTINGS
        """,
        put("settings.txt", "two"),
        "one",
        "two",
        also={
            "settings.py": (
                "from pathlib import Path\nSETTINGS = Path('settings.txt').read_text()\n"
            ),
            "settings.txt": "one",
        },
    ),
    code(
        "file read on the first call only, and kept in a module",
        """
        from functools import lru_cache

        @lru_cache
        def settings():
            return open("settings.txt").read()

        @wh.node
        def out():
            return settings()

        @wh.node
        def second():
            return settings() + "!"
        """,
        put("settings.txt", "two"),
        "one",
        "two",
        runs={"out", "second"},
        also={"settings.txt": "one"},
    ),
    code(
        "file read on the first call only, kept in a global",
        """
        _settings = None

        def settings():
            global _settings
            if _settings is None:
                _settings = open("settings.txt").read()
            return _settings

        @wh.node
        def out():
            return settings()

        @wh.node
        def second():
            return settings() + "!"
        """,
        put("settings.txt", "two"),
        "one",
        "two",
        runs={"out", "second"},
        also={"settings.txt": "one"},
    ),
    code(
        "variable read on the first call only, kept in a dict of a class",
        """
        import os

        class Settings:
            known = {}

            def get(self, name):
                if name not in self.known:
                    self.known[name] = os.environ.get(name, "none")
                return self.known[name]

        SETTINGS = Settings()

        @wh.node
        def out():
            return SETTINGS.get("STAGE")

        @wh.node
        def second():
            return SETTINGS.get("STAGE") + "!"
        """,
        env("STAGE", "two"),
        "none",
        "two",
        runs={"out", "second"},
    ),
    code(
        "file read on the first call only, kept by a property",
        """
        from functools import cached_property

        class Settings:
            @cached_property
            def text(self):
                return open("settings.txt").read()

        SETTINGS = Settings()

        @wh.node
        def out():
            return SETTINGS.text

        @wh.node
        def second():
            return SETTINGS.text + "!"
        """,
        put("settings.txt", "two"),
        "one",
        "two",
        runs={"out", "second"},
        also={"settings.txt": "one"},
    ),
    code(
        "file read on the first call only, kept in a closure",
        """
        def once(f):
            kept = []
            def inner():
                if not kept:
                    kept.append(f())
                return kept[0]
            return inner

        @once
        def settings():
            return open("settings.txt").read()

        @wh.node
        def out():
            return settings()

        @wh.node
        def second():
            return settings() + "!"
        """,
        put("settings.txt", "two"),
        "one",
        "two",
        runs={"out", "second"},
        also={"settings.txt": "one"},
    ),
    code(
        "random number drawn on the first call only",
        """
        from functools import cache
        import random

        @cache
        def draw():
            return random.random()

        @wh.node
        def out():
            return draw() < 2

        @wh.node
        def second():
            return draw() < 3
        """,
        lambda s: s.configure(extra="seed = 2\n"),
        True,
        runs={"out", "second"},
    ),
    code(
        "file that changes again and again",
        """
        @wh.node
        def out():
            return open("notes.txt").read()
        """,
        every(
            [
                put("notes.txt", "two"),
                lambda s: s.build() and None,
                put("notes.txt", "three"),
                # Ran, though other contents are remembered: its receipt must watch the file.
                lambda s: s.build() and None,
                put("notes.txt", "four"),
            ]
        ),
        "one",
        "four",
        also={"notes.txt": "one"},
    ),
    code(
        "file outside the project",
        """
        @wh.node
        def out():
            return open("../outside.txt").read()
        """,
        put("../outside.txt", "two"),
        "one",
        "two",
        also={"../outside.txt": "one"},
    ),
    code(
        "file through a symbolic link",
        """
        @wh.node
        def out():
            return open("link.txt").read()
        """,
        lambda s: _relink(s, "b.txt"),
        "one",
        "two",
        also={"a.txt": "one", "b.txt": "two", "link.txt": "one"},
    ),
    code(
        "file that the node wrote itself",
        """
        @wh.node
        def out():
            with open("scratch.txt", "w") as file:
                file.write("mine")
            return open("scratch.txt").read()
        """,
        put("scratch.txt", "other"),
        "mine",
    ),
    code(
        "file appended to as a log",
        """
        @wh.node
        def out():
            with open("log.txt", "a") as file:
                file.write("x")
            return 1
        """,
        put("log.txt", "other"),
        1,
    ),
    code(
        "file read only when another one says so",
        """
        from pathlib import Path

        @wh.node
        def out():
            if Path("switch.txt").read_text() == "on":
                return Path("value.txt").read_text()
            return "off"
        """,
        every([put("switch.txt", "on"), lambda s: s.build() and None, put("value.txt", "two")]),
        "off",
        "two",
        also={"switch.txt": "off", "value.txt": "one"},
    ),
]


def _database(sandbox: Sandbox, value: int) -> None:
    import sqlite3

    path = sandbox.path("facts.db")
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE t (x INT)")
    db.execute("INSERT INTO t VALUES (?)", (value,))
    db.commit()
    db.close()


def _relink(sandbox: Sandbox, target: str) -> None:
    sandbox.path("link.txt").unlink()
    sandbox.path("link.txt").symlink_to(target)


# -- the graph's own words -------------------------------------------------------------------

GRAPH = [
    code(
        "param's default",
        """
        @wh.node
        def out(size=1):
            return size
        """,
        swap("pipe.py", "size=1", "size=2"),
        1,
        2,
    ),
    code(
        "param in the configuration",
        """
        @wh.node
        def out(size=1):
            return size
        """,
        lambda s: s.configure(extra="[tool.whence.params]\nsize = 2\n"),
        1,
        2,
    ),
    code(
        "param that changes its type, not its value",
        """
        @wh.node
        def out(size=1):
            return repr(size)
        """,
        swap("pipe.py", "size=1", "size=1.0"),
        "1",
        "1.0",
    ),
    code(
        "project-wide param",
        """
        horizon = wh.param(14)

        @wh.node
        def out(horizon):
            return horizon
        """,
        swap("pipe.py", "14", "15"),
        14,
        15,
    ),
    code(
        "another input of the same name",
        """
        @wh.node
        def base():
            return 1

        @wh.node
        def out(base):
            return base
        """,
        swap("pipe.py", "return 1", "return 3"),
        1,
        3,
        runs={"base", "out"},
    ),
    code(
        "input that is a source",
        """
        notes = wh.files("notes.txt")

        @wh.node
        def out(notes):
            return notes
        """,
        put("notes.txt", "two"),
        "one",
        "two",
        runs={"notes", "out"},
        also={"notes.txt": "one"},
    ),
    code(
        "path of a source",
        """
        notes = wh.files("one.txt")

        @wh.node
        def out(notes):
            return notes
        """,
        swap("pipe.py", "one.txt", "two.txt"),
        "one",
        "two",
        runs={"notes", "out"},
        also={"one.txt": "one", "two.txt": "two"},
    ),
    code(
        "seed of the world, taken",
        """
        @wh.node
        def out(seed):
            return seed
        """,
        lambda s: s.configure(extra="seed = 2\n"),
        1,
        2,
        extra="seed = 1\n",
    ),
    code(
        "seed of the world, not used",
        """
        @wh.node
        def out():
            return 1
        """,
        lambda s: s.configure(extra="seed = 2\n"),
        1,
        extra="seed = 1\n",
    ),
    Case(
        "seed of the world, drawn from",
        {
            "pipe.py": """
                import random

                def draw():
                    return random.random()

                @wh.node
                def out():
                    draw()
                    return 1

                @wh.node
                def own():
                    return random.Random(3).random() < 2
                """
        },
        lambda s: s.configure(extra="seed = 2\n"),
        {"out"},
        {"out": 1, "own": True},
        extra="seed = 1\n",
    ),
    code(
        "the pickled instance's class",
        """
        from lib import Model

        @wh.node(allow_pickle=True)
        def model():
            return Model(3)

        @wh.node
        def out(model):
            return model.predict(2)
        """,
        swap("lib.py", "self.k * x", "self.k + x"),
        6,
        5,
        runs={"model", "out"},
        also={
            "lib.py": """
                class Model:
                    def __init__(self, k):
                        self.k = k

                    def predict(self, x):
                        return self.k * x
                """
        },
    ),
    code(
        "a helper of the pickled instance's base class",
        """
        from lib import Model

        @wh.node(allow_pickle=True)
        def model():
            return [Model(3)]

        @wh.node
        def out(model):
            return model[0].predict(2)
        """,
        swap("math_parts.py", "a * b", "a + b"),
        6,
        5,
        runs={"model", "out"},
        also={
            "math_parts.py": "def combine(a, b):\n    return a * b\n",
            "lib.py": """
                from math_parts import combine

                class Base:
                    def predict(self, x):
                        return combine(self.k, x)

                class Model(Base):
                    def __init__(self, k):
                        self.k = k
                """,
        },
    ),
    code(
        "a node that is new upstream",
        """
        size = wh.param(1)

        @wh.node
        def out(size):
            return size
        """,
        swap("pipe.py", "size = wh.param(1)", "@wh.node\ndef size():\n    return 7\n"),
        1,
        7,
        runs={"size", "out"},
    ),
    code(
        "kind of the node's table key",
        """
        @wh.node(allow_pickle=False)
        def out():
            return 1
        """,
        swap("pipe.py", "allow_pickle=False", "allow_pickle=True"),
        1,
    ),
]

CASES = [*CODE, *NEEDLESS, *READS, *GRAPH]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_edit(case: Case, sandbox: Sandbox) -> None:
    for name, value in case.environ.items():
        sandbox.setenv(name, value)
    sandbox.configure(case.nodes, case.extra)
    sandbox.write(case.files)
    if "facts.db" in case.files:
        _database(sandbox, 1)
    if "link.txt" in case.files:
        _relink(sandbox, "a.txt")

    first = sandbox.build()
    assert first.status == "ok", first.errors
    assert {name: first[name] for name in case.before} == dict(case.before)
    again = sandbox.build()
    assert again.ran == set(), "a build without any edit"
    if again.status != "current":
        again = sandbox.build()  # the first build itself wrote a file of the tree
    assert (again.status, again.ran) == ("current", set()), "a build without any edit"
    assert sandbox.has_receipt(), "nothing changed, and the fast path does not see it"

    case.edit(sandbox)
    expected = {**case.before, **case.after}
    if case.runs:
        assert not sandbox.has_receipt(), "the fast path says there is nothing to do"
    second = sandbox.build()
    assert second.status in ("ok", "current"), second.errors
    found = {name: second[name] for name in expected}
    assert found == expected, "stale"
    assert {n: type(v) for n, v in found.items()} == {n: type(v) for n, v in expected.items()}
    assert second.ran == case.runs

    third = sandbox.build()
    assert third.ran == set(), "a build without any edit"
    if third.status != "current":
        third = sandbox.build()
    assert (third.status, third.ran) == ("current", set()), "a build without any edit"
    assert sandbox.has_receipt()
    assert {name: third[name] for name in expected} == expected
