# ruff: noqa: E501 - tables of programs, one to a line
"""One edit of a project at a time: the closure of `node` changes, or it must not."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from tests.graph.code.support import closure, edited

HEAD = "import whence as wh\n"


@dataclass(frozen=True)
class Case:
    name: str
    files: dict[str, str]
    must: list[tuple[str, str, str]] = field(default_factory=list)  # path, old, new
    must_not: list[tuple[str, str, str]] = field(default_factory=list)
    fallbacks: int = 0


N, H = "prep/nodes.py", "prep/helpers.py"


def node(body: str, head: str = "", foot: str = "") -> str:
    lines = "\n".join("    " + line for line in body.splitlines())
    return f"{HEAD}{head}\n\n@wh.node\ndef node(data):\n{lines}\n\n{foot}\n"


CASES = [
    Case(
        "own body",
        {N: node("return data + 1")},
        must=[(N, "+ 1", "+ 2"), (N, "def node", "async def node")],
        must_not=[
            (N, "return", "'''Adds one.'''\n    # quickly\n    return"),
            (N, "data + 1", "(data  +\n        1)"),
            (N, "import whence as wh", "import whence as wh\nimport os"),
            (N, "@wh.node", "@wh.node(deterministic=True)"),
            (N, "import whence as wh", "UNUSED = 3\nimport whence as wh"),
            (N, "(data)", "(data: list[int]) -> int"),
        ],
    ),
    Case(
        "helper two calls deep, in another module",
        {
            N: node("return first(data)", "from prep.helpers import first, other"),
            H: "def first(x):\n    return second(x)\ndef second(x):\n    return x * 2\n"
            "def other(x):\n    return 0\n",
        },
        must=[(H, "x * 2", "x * 3"), (H, "return second(x)", "return -second(x)")],
        must_not=[
            (H, "return 0", "return 1"),
            (H, "def other", '"""doc"""\ndef other'),
            (N, "import first, other", "import other, first"),
            (
                H,
                "def first(x):\n    return second(x)\ndef second(x):\n    return x * 2\n",
                "def second(x):\n    return x * 2\ndef first(x):\n    return second(x)\n",
            ),
        ],
    ),
    Case(
        "module attribute chains",
        {
            N: node(
                "return prep.deep.helpers.f(data) + h.g(data)",
                "import prep.deep.helpers\nfrom . import helpers as h",
            ),
            "prep/deep/__init__.py": "",
            "prep/deep/helpers.py": "def f(x):\n    return 1\ndef unused():\n    return 1\n",
            H: "def g(x):\n    return 1\ndef unused():\n    return 1\n",
        },
        must=[
            ("prep/deep/helpers.py", "f(x):\n    return 1", "f(x):\n    return 2"),
            (H, "g(x):\n    return 1", "g(x):\n    return 2"),
        ],
        must_not=[
            ("prep/deep/helpers.py", "unused():\n    return 1", "unused():\n    return 2"),
            (H, "unused():\n    return 1", "unused():\n    return 2"),
        ],
    ),
    Case(
        "constants, own and imported",
        {
            N: node("return data * LOW + HIGH", "from .helpers import HIGH\nLOW: int = 1"),
            H: "HIGH = BASE + 1\nBASE = 1\nOTHER = 1\n",
        },
        must=[(N, "int = 1", "int = 2"), (H, "BASE = 1", "BASE = 2"), (H, "+ 1", "+ 2")],
        must_not=[(H, "OTHER = 1", "OTHER = 2"), (H, "BASE = 1", "BASE = 1  # one")],
    ),
    Case(
        "unpacking, walrus, for, with, augmented, several bindings",
        {
            N: node(
                "return (A, C, D, E, F, data)",
                "A, B = 1, 2\n(C := 3)\nfor D in range(3):\n    pass\nE = 1\nE += 2\n"
                "try:\n    F = 1\nexcept ValueError:\n    F = 2\nG = 7",
            )
        },
        must=[
            (N, "A, B = 1", "A, B = 5"),
            (N, "C := 3", "C := 4"),
            (N, "range(3)", "range(4)"),
            (N, "E += 2", "E += 3"),
            (N, "    F = 2", "    F = 3"),
        ],
        must_not=[(N, "G = 7", "G = 8")],
    ),
    Case(
        "classes whole: method, base, decorator, metaclass, field default",
        {
            N: node("return Model(data).run()", "from .helpers import Model"),
            H: "from dataclasses import dataclass, field\n"
            "class Meta(type):\n    x = 1\n"
            "class Base(metaclass=Meta):\n    def run(self):\n        return 1\n"
            "def mark(c):\n    return c\n"
            "def make():\n    return [1]\n"
            "@mark\n@dataclass\nclass Model(Base):\n    a: int = 0\n    b: int = field(default_factory=make)\n"
            "class Other:\n    y = 1\n",
        },
        must=[
            (H, "x = 1", "x = 2"),
            (H, "        return 1", "        return 2"),
            (H, "return c", "return c or c"),
            (H, "[1]", "[2]"),
            (H, "a: int = 0", "a: int = 1"),
        ],
        must_not=[
            (H, "y = 1", "y = 2"),
            (H, "class Other:", "class Other:\n    'doc'"),
            (H, "class Model(Base):", "class Model(Base):\n    'doc'"),
        ],
    ),
    Case(
        "decorators of the project, with and without arguments",
        {
            N: HEAD + "from .helpers import timed, scaled, K\n"
            "@wh.node\n@timed\n@scaled(K)\ndef node(data):\n    return data\n",
            H: "import functools\nK = 1\n"
            "def timed(f):\n    @functools.wraps(f)\n    def w(*a):\n        return f(*a)\n    return w\n"
            "def scaled(k):\n    def d(f):\n        return lambda *a: f(*a) * k\n    return d\n",
        },
        must=[
            (H, "return f(*a)\n", "return -f(*a)\n"),
            (H, "* k", "+ k"),
            (H, "K = 1", "K = 2"),
            (N, "@timed\n", ""),
        ],
    ),
    Case(
        "defaults, lambda in a dict, partial, closure's captured value",
        {
            N: node(
                "return TABLE['x'](data) + half(data) + helper(data) + adder(data)",
                "from functools import partial\nfrom .helpers import LIMIT, divide, make_adder\n"
                "TABLE = {'x': lambda v: v + 1}\nhalf = partial(divide, by=2)\n"
                "def helper(x, limit=LIMIT):\n    return x\nadder = make_adder(5)",
            ),
            H: "LIMIT = 1\ndef divide(x, by):\n    return x / by\n"
            "def make_adder(n):\n    def add(x):\n        return x + n\n    return add\n",
        },
        must=[
            (N, "v + 1", "v + 2"),
            (N, "by=2", "by=3"),
            (H, "x / by", "x // by"),
            (H, "LIMIT = 1", "LIMIT = 2"),
            (N, "make_adder(5)", "make_adder(6)"),
            (H, "x + n", "x - n"),
        ],
    ),
    Case(
        "star import with and without __all__",
        {
            N: node(
                "return shown(data) + listed(data)", "from .helpers import *\nfrom .more import *"
            ),
            H: "from .deep import *\ndef shown(x):\n    return 1\ndef _hidden():\n    return 1\n",
            "prep/deep.py": "def below(x):\n    return 1\n",
            "prep/more.py": "__all__ = ['listed']\ndef listed(x):\n    return 1\ndef shown(x):\n    return 5\n",
        },
        must=[
            (H, "shown(x):\n    return 1", "shown(x):\n    return 2"),
            ("prep/more.py", "listed(x):\n    return 1", "listed(x):\n    return 2"),
            ("prep/more.py", "['listed']", "['listed', 'shown']"),
        ],
        must_not=[
            (H, "_hidden():\n    return 1", "_hidden():\n    return 2"),
            ("prep/deep.py", "return 1", "return 2"),
            ("prep/more.py", "return 5", "return 6"),
        ],
    ),
    Case(
        "re-export through __init__, relative import, renamed import",
        {
            N: node("return f(data) + g(data)", "from prep.lib import clean as f, trim as g"),
            "prep/lib/__init__.py": "from .text import clean, trim\n",
            "prep/lib/text.py": "from ..helpers import base\n"
            "def clean(x):\n    return base(x)\ndef trim(x):\n    return 3\n",
            H: "def base(x):\n    return 1\n",
        },
        must=[
            (H, "return 1", "return 2"),
            ("prep/lib/text.py", "return 3", "return 4"),
            (N, "clean as f, trim as g", "clean as g, trim as f"),
            ("prep/lib/__init__.py", "clean, trim", "clean as trim, trim as clean"),
        ],
        must_not=[("prep/lib/__init__.py", "clean, trim", "trim\nfrom .text import clean")],
    ),
    Case(
        "conditional imports: all candidates",
        {
            N: node(
                "return f(data)",
                "try:\n    from .helpers import f\nexcept ImportError:\n    from .more import f",
            ),
            H: "def f(x):\n    return 1\n",
            "prep/more.py": "def f(x):\n    return 1\n",
        },
        must=[(H, "return 1", "return 2"), ("prep/more.py", "return 1", "return 2")],
    ),
    Case(
        "external names count by what they are",
        {N: node("return f(data)", "from numpy import zeros as f")},
        must=[(N, "zeros", "ones")],
        must_not=[(N, "from numpy import zeros as f", "from numpy import ones, zeros as f")],
    ),
    Case(
        "imports inside functions",
        {
            N: node(
                "from .helpers import f as h\nimport prep.more as m\nreturn h(data) + m.g(data)"
            ),
            H: "def f(x):\n    return 1\n",
            "prep/more.py": "def g(x):\n    return 1\ndef u(x):\n    return 1\n",
        },
        must=[
            (H, "return 1", "return 2"),
            ("prep/more.py", "g(x):\n    return 1", "g(x):\n    return 2"),
        ],
        must_not=[("prep/more.py", "u(x):\n    return 1", "u(x):\n    return 2")],
    ),
    Case(
        "scopes: locals hide globals",
        {
            N: node(
                "K = 1\ng = lambda L: L\nm = [J for J in data]\n"
                "class Local:\n    I = 2\n    def f(self):\n        return H\n"
                "return K + g(1) + len(m)",
                "K = 10\nL = 10\nJ = 10\nH = 10",
            )
        },
        must=[(N, "H = 10", "H = 11")],
        must_not=[(N, "K = 10", "K = 11"), (N, "L = 10", "L = 11"), (N, "J = 10", "J = 11")],
    ),
    Case(
        "a name of a class body is not seen by its methods; comprehensions start outside",
        {
            N: node(
                "class Local:\n    K = 2\n    def f(self):\n        return K\n"
                "return Local().f(), [J for J in J]",
                "K = 10\nJ = [10]",
            )
        },
        must=[(N, "K = 10", "K = 11"), (N, "J = [10]", "J = [11]")],
    ),
    Case(
        "global statement",
        {
            N: node(
                "return current()",
                "_value = 1\ndef current():\n    return _value\n"
                "def change():\n    global _value\n    _value = 2\n",
            )
        },
        must=[(N, "_value = 1", "_value = 3"), (N, "    _value = 2", "    _value = 4")],
    ),
    Case(
        "annotations, written as strings too; not under TYPE_CHECKING",
        {
            N: HEAD + "from typing import TYPE_CHECKING, Literal\nfrom .helpers import A, B, L\n"
            "if TYPE_CHECKING:\n    from .more import C\n"
            "@wh.node\ndef node(data: A, other: 'C' = 1) -> \"list[B]\":\n"
            "    x: Literal['L'] = data\n    return x\n",
            H: "class A:\n    x = 1\nclass B:\n    y = 1\nclass L:\n    z = 1\n",
            "prep/more.py": "class C:\n    x = 1\n",
        },
        must=[(H, "x = 1", "x = 2"), (H, "y = 1", "y = 2")],
        must_not=[("prep/more.py", "x = 1", "x = 2"), (H, "z = 1", "z = 2")],
    ),
    Case(
        "monkey-patched attribute of a module",
        {
            N: node(
                "return helpers.f(data) + f(data)",
                "from . import helpers, patches\nfrom .helpers import f",
            ),
            H: "def f(x):\n    return 1\n",
            "prep/patches.py": "from . import helpers\ndef g(x):\n    return 1\n"
            "helpers.f = g\nOTHER = 1\n",
        },
        must=[
            ("prep/patches.py", "return 1", "return 2"),
            ("prep/patches.py", "= g", "= len"),
            ("prep/patches.py", "helpers.f = g\n", ""),
        ],
        must_not=[("prep/patches.py", "OTHER = 1", "OTHER = 2")],
    ),
    Case(
        "patches by setattr, in a function, and of new names",
        {
            N: node("return helpers.f(data) + helpers.fresh", "from . import helpers, patches"),
            H: "def f(x):\n    return 1\n",
            "prep/patches.py": "from . import helpers\nsetattr(helpers, 'f', len)\n"
            "def install():\n    helpers.fresh = 5\ninstall()\n",
        },
        must=[("prep/patches.py", "'f', len", "'f', max"), ("prep/patches.py", "= 5", "= 6")],
    ),
    Case(
        "registries: subscript, update, decorator, plain call",
        {
            N: node("return R['a'](data)", "from .helpers import R\nfrom . import plugins"),
            H: "R = {}\nS = {}\ndef register(name):\n    def inner(f):\n        R[name] = f\n"
            "        return f\n    return inner\n"
            "def add(f):\n    R[f] = f\ndef apart(f):\n    S[f] = f\n    return f\n",
            "prep/plugins.py": "from .helpers import R, register, add, apart\n"
            "def one(x):\n    return 1\nR['a'] = one\n"
            "def two(x):\n    return 2\nR.update(b=two)\n"
            "@register('c')\ndef three(x):\n    return 3\n"
            "def four(x):\n    return 4\nadd(four)\n"
            "def five(x):\n    return 5\n"
            "@apart\ndef six(x):\n    return 6\n",
        },
        must=[("prep/plugins.py", f"return {n}", f"return -{n}") for n in (1, 2, 3, 4)],
        must_not=[
            ("prep/plugins.py", "return 5", "return -5"),
            ("prep/plugins.py", "return 6", "return -6"),
        ],
    ),
    Case(
        "subclasses that register themselves",
        {
            N: node(
                "return Base.all['A']().run(data)",
                "from .helpers import Base\nfrom . import plugins",
            ),
            H: "class Base:\n    all = {}\n    def __init_subclass__(cls):\n"
            "        Base.all[cls.__name__] = cls\nclass Plain:\n    pass\n",
            "prep/plugins.py": "from .helpers import Base, Plain\n"
            "class A(Base):\n    def run(self, x):\n        return 1\n"
            "class B(Plain):\n    def run(self, x):\n        return 2\n",
        },
        must=[("prep/plugins.py", "return 1", "return -1")],
        must_not=[("prep/plugins.py", "return 2", "return -2")],
    ),
    Case(
        "a registry by metaclass",
        {
            N: node("return R['A']().run(data)", "from .helpers import R\nfrom . import plugins"),
            H: "R = {}\nclass Meta(type):\n    def __init__(cls, n, b, d):\n        R[n] = cls\n"
            "class Base(metaclass=Meta):\n    pass\n",
            "prep/plugins.py": "from .helpers import Base\n"
            "class A(Base):\n    def run(self, x):\n        return 1\n",
        },
        must=[("prep/plugins.py", "return 1", "return -1")],
    ),
    Case(
        "singledispatch",
        {
            N: node("return show(data)", "from .helpers import show\nfrom . import plugins"),
            H: "from functools import singledispatch\n@singledispatch\ndef show(x):\n    return 0\n",
            "prep/plugins.py": "from .helpers import show\n@show.register\ndef _(x: int):\n    return 1\n",
        },
        must=[("prep/plugins.py", "return 1", "return -1")],
    ),
    Case(
        "reading a constant while importing contributes nothing",
        {
            N: node(
                "return LOW + data + len(NAMES)",
                "LIMITS = {'low': 1}\nLOW = LIMITS['low']\nNAMES = ['a']\nHIGH = max(NAMES)\n"
                "ALL = [n.upper() for n in NAMES]\nTOP = pick(1)\ndef pick(x):\n    return NAMES[0] * x\n",
            )
        },
        must=[(N, "'low': 1", "'low': 2"), (N, "['a']", "['b']")],
        must_not=[
            (N, "max(NAMES)", "min(NAMES)"),
            (N, "n.upper()", "n.lower()"),
            (N, "pick(1)", "pick(2)"),
        ],
    ),
    Case(
        "changes through another name of the object, and of a class",
        {
            N: node(
                "return R['a'](data), Model().run(), S, helpers.f",
                "from .helpers import R, S, Model\nfrom . import helpers, plugins",
            ),
            H: "R = {}\nS = [1]\nclass Model:\n    pass\ndef f():\n    return 1\n"
            "class Box:\n    def __init__(self, held):\n        self.held = held\n",
            "prep/plugins.py": "from .helpers import R, S, Box, Model\nfrom . import helpers\n"
            "alias = R\nalias['a'] = lambda x: 1\nbox = Box(S)\nbox.put(2)\n"
            "Model.run = lambda self: 3\nh = helpers\nh.f = lambda: 4\n"
            "helpers.__dict__.update(f=lambda: 5)\nfor n in 'xy':\n    R[n] = lambda x: 6\n"
            "for m in 'ab':\n    UNUSED = 7\n",
        },
        must=[
            ("prep/plugins.py", "x: 1", "x: -1"),
            ("prep/plugins.py", "put(2)", "put(-2)"),
            ("prep/plugins.py", "self: 3", "self: -3"),
            ("prep/plugins.py", ": 4", ": -4"),
            ("prep/plugins.py", "=lambda: 5", "=lambda: -5"),
            ("prep/plugins.py", "x: 6", "x: -6"),
        ],
        must_not=[("prep/plugins.py", "UNUSED = 7", "UNUSED = 8")],
        fallbacks=2,
    ),
    Case(
        "a star import may hide a builtin",
        {
            N: node("return max(data)", "from .helpers import *"),
            H: "def max(x):\n    return 1\ndef min(x):\n    return 1\n",
        },
        must=[(H, "max(x):\n    return 1", "max(x):\n    return 2")],
        must_not=[(H, "min(x):\n    return 1", "min(x):\n    return 2")],
    ),
    Case(
        "loggers are not registries",
        {
            N: node(
                "logger.info('x')\nreturn data",
                "import logging, functools\nlogger = logging.getLogger('x')\n"
                "def noted(f):\n    logger.info('decorated')\n    return f\n"
                "@noted\ndef other(x):\n    return 1\n",
            )
        },
        must=[(N, "getLogger('x')", "getLogger('y')")],
        must_not=[(N, "return 1", "return 2")],
    ),
    Case(
        "settings outside the project count for every node",
        {
            N: node(
                "return data", "from . import settings\nimport numpy as np\nnp.seterr(all='warn')"
            ),
            "prep/settings.py": "import pandas as pd, acme, os, numpy as np, re\nLEVEL = 1\n"
            "pd.set_option('mode', LEVEL)\nstate = acme.start(1)\nos.environ['A'] = '1'\n"
            "pd.options.mode.x = 1\nZEROS = np.zeros(3)\nP = re.compile('a')\n"
            "def setup():\n    acme.begin(7)\nsetup()\n",
            "prep/script.py": "import numpy as np\nnp.seterr(all='raise')\n",
        },
        must=[
            (N, "'warn'", "'raise'"),
            ("prep/settings.py", "LEVEL = 1", "LEVEL = 2"),
            ("prep/settings.py", "start(1)", "start(2)"),
            ("prep/settings.py", "'A'] = '1'", "'A'] = '2'"),
            ("prep/settings.py", "mode.x = 1", "mode.x = 2"),
            ("prep/settings.py", "begin(7)", "begin(8)"),
        ],
        must_not=[
            ("prep/settings.py", "zeros(3)", "zeros(4)"),
            ("prep/settings.py", "compile('a')", "compile('b')"),
            ("prep/script.py", "raise", "warn"),
        ],
    ),
    Case(
        "what does not run in a build",
        {
            N: node(
                "return data",
                "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import acme",
                "if __name__ == '__main__':\n    import sys\n    sys.exit(node(1))",
            )
        },
        must_not=[(N, "node(1)", "node(2)"), (N, "import acme", "import other")],
    ),
    Case(
        "docstrings count where they are read",
        {
            N: node(
                "return f.__doc__ + data",
                "def f():\n    'old'\n    return g()\ndef g():\n    'deep'\n",
            )
        },
        must=[(N, "'old'", "'new'"), (N, "'deep'", "'deeper'")],
    ),
    Case(
        "getattr with a constant name",
        {
            N: node("return getattr(helpers, 'f')(data)", "from . import helpers"),
            H: "def f(x):\n    return 1\ndef g(x):\n    return 1\n",
        },
        must=[(H, "f(x):\n    return 1", "f(x):\n    return 2")],
        must_not=[(H, "g(x):\n    return 1", "g(x):\n    return 2")],
    ),
    Case(
        "computed names fall back to the module",
        {
            N: node("return getattr(helpers, data)(data)", "from . import helpers"),
            H: "def f(x):\n    return 1\nK = 1\n",
            "prep/more.py": "K = 1\n",
        },
        must=[(H, "return 1", "return 2"), (H, "K = 1", "K = 2")],
        must_not=[("prep/more.py", "K = 1", "K = 2"), (H, "K = 1", "K = 1  # one")],
        fallbacks=1,
    ),
    Case(
        "a module passed on, vars() and __dict__ fall back to the module",
        {
            N: node(
                "return use(helpers), vars(more), third.__dict__",
                "from . import helpers, more, third\ndef use(m):\n    return m.f",
            ),
            H: "def f(x):\n    return 1\n",
            "prep/more.py": "K = 1\n",
            "prep/third.py": "K = 1\n",
        },
        must=[
            (H, "return 1", "return 2"),
            ("prep/more.py", "K = 1", "K = 2"),
            ("prep/third.py", "K = 1", "K = 2"),
        ],
        fallbacks=3,
    ),
    Case(
        "globals(): a constant name is followed, a computed one is the module",
        {
            N: node("return globals()['K'] + f(data)", "K = 1\nL = 1\nfrom .helpers import f"),
            H: "M = 1\ndef f(x):\n    return globals()[x]\n",
        },
        must=[(N, "K = 1", "K = 2"), (H, "M = 1", "M = 2")],
        must_not=[(N, "L = 1", "L = 2")],
        fallbacks=1,
    ),
    Case(
        "names made by globals() at import",
        {
            N: node("return made(data)", "from .helpers import made"),
            H: "for name in ('made', 'other'):\n    globals()[name] = lambda x: 1\n",
        },
        must=[(H, "x: 1", "x: 2")],
        fallbacks=2,
    ),
    Case(
        "names changed by setattr on the module itself",
        {
            N: node("return f(data)", "from .helpers import f"),
            H: "import sys\ndef f(x):\n    return 1\n"
            "for name in ['f']:\n    setattr(sys.modules[__name__], name, lambda x: 9)\n",
        },
        must=[(H, "x: 9", "x: 8")],
        fallbacks=1,
    ),
    Case(
        "module __getattr__",
        {
            N: node("return helpers.anything(data)", "from . import helpers"),
            H: "K = 1\ndef __getattr__(name):\n    return lambda x: K\n",
        },
        must=[(H, "K = 1", "K = 2"), (H, "x: K", "x: -K")],
        fallbacks=1,
    ),
    Case(
        "import_module with a constant name",
        {
            N: node(
                "m = importlib.import_module('prep.helpers')\nreturn m.f(data) + __import__('prep.more').more.g()",
                "import importlib",
            ),
            H: "def f(x):\n    return 1\ndef u():\n    return 1\n",
            "prep/more.py": "def g():\n    return 1\n",
        },
        must=[
            (H, "f(x):\n    return 1", "f(x):\n    return 2"),
            ("prep/more.py", "return 1", "return 2"),
        ],
        must_not=[(H, "u():\n    return 1", "u():\n    return 2")],
    ),
    Case(
        "import_module with a computed name falls back to the project",
        {N: node("return importlib.import_module(data)", "import importlib"), H: "K = 1\n"},
        must=[(H, "K = 1", "K = 2")],
        must_not=[(H, "K = 1", "# here\nK = 1")],
        fallbacks=1,
    ),
    Case(
        "eval, sys.modules and __subclasses__ fall back to the project",
        {
            N: node(
                "return eval(data), sys.modules[data], Base.__subclasses__()",
                "import sys\nfrom .helpers import Base",
            ),
            H: "class Base:\n    pass\n",
            "prep/more.py": "K = 1\n",
        },
        must=[("prep/more.py", "K = 1", "K = 2")],
        fallbacks=3,
    ),
    Case(
        "eval of a constant is followed",
        {N: node("return eval('K + 1') + data", "K = 1\nL = 1")},
        must=[(N, "K = 1", "K = 2"), (N, "K + 1", "K + 2")],
        must_not=[(N, "L = 1", "L = 2")],
    ),
    Case(
        "inspect.getsource sees comments too",
        {N: node("return inspect.getsource(f)", "import inspect\ndef f():\n    return 1  # old\n")},
        must=[(N, "# old", "# new")],
        fallbacks=1,
    ),
    Case(
        "submodule and function of one name",
        {
            N: node(
                "return train(data) + prep.lib.train(data)",
                "import prep.lib\nfrom prep.lib import train",
            ),
            "prep/lib/__init__.py": "from .train import train\n",
            "prep/lib/train.py": "def train(x):\n    return 1\ndef u():\n    return 1\n",
        },
        must=[("prep/lib/train.py", "train(x):\n    return 1", "train(x):\n    return 2")],
        must_not=[("prep/lib/train.py", "u():\n    return 1", "u():\n    return 2")],
    ),
    Case(
        "a node called as a helper counts like any helper",
        {N: node("return other(data)", "", "@wh.node\ndef other(x):\n    return 1\n")},
        must=[(N, "return 1", "return 2")],
    ),
    Case(
        "recursion, own and mutual",
        {
            N: node(
                "return node(data) if data else a(data)",
                "",
                "def a(x):\n    return b(x)\ndef b(x):\n    return a(x) + 1\n",
            )
        },
        must=[(N, "+ 1", "+ 2"), (N, "else a(data)", "else b(data)")],
    ),
    Case(
        "f-strings, match, try, with, async, lambda defaults",
        {
            N: node(
                "with open(K) as h:\n    pass\ntry:\n    pass\nexcept E as e:\n    raise\n"
                "match data:\n    case P.x:\n        return f'{M!r:>{W}}'\nreturn (lambda q=Q: q)",
                "K = 1\nclass E(Exception): z = 1\nclass P: x = 1\nM = 1\nW = 1\nQ = 1",
            )
        },
        must=[
            (N, "K = 1", "K = 2"),
            (N, "z = 1", "z = 2"),
            (N, "x = 1", "x = 2"),
            (N, "M = 1", "M = 2"),
            (N, "W = 1", "W = 2"),
            (N, "Q = 1", "Q = 2"),
            (N, "!r", "!s"),
        ],
    ),
]

MUST = [pytest.param(c, e, id=f"{c.name}: {e[1]!r}") for c in CASES for e in c.must]
MUST_NOT = [pytest.param(c, e, id=f"{c.name}: {e[1]!r}") for c in CASES for e in c.must_not]


@pytest.mark.parametrize(("case", "edit"), MUST)
def test_edit_that_may_change_the_value_changes_the_closure(
    case: Case, edit: tuple[str, str, str]
) -> None:
    path, old, new = edit
    assert closure(case.files).digest != closure(edited(case.files, {path: (old, new)})).digest


@pytest.mark.parametrize(("case", "edit"), MUST_NOT)
def test_edit_that_cannot_change_the_value_keeps_the_closure(
    case: Case, edit: tuple[str, str, str]
) -> None:
    path, old, new = edit
    before, after = closure(case.files), closure(edited(case.files, {path: (old, new)}))
    assert before.definitions == after.definitions
    assert before.digest == after.digest


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_only_what_cannot_be_resolved_falls_back(case: Case) -> None:
    assert len(closure(case.files).fallbacks) == case.fallbacks, closure(case.files).fallbacks
