# ruff: noqa: E501 - tables of programs, one to a line
"""Patterns met in real projects: each with one edit that must, or must not, change the closure."""

from __future__ import annotations

import pytest
from tests.graph.code.support import closure, edited

N, H = "prep/nodes.py", "prep/helpers.py"
HEAD = "import whence as wh\n"
CASES: list[tuple[dict[str, str], str, str, str, bool]] = []


def case(files: dict[str, str], path: str, old: str, new: str, want: bool = True) -> None:
    CASES.append((files, path, old, new, want))


# 1 decorator registry object in other module
case(
    {
        N: HEAD
        + "from .helpers import reg\nfrom . import plug\n@wh.node\ndef node(data):\n    return reg.run(data)\n",
        H: "class Reg:\n    def __init__(self): self.d={}\n    def add(self, n):\n        def deco(f):\n            self.d[n]=f\n            return f\n        return deco\n    def run(self,x): return self.d['a'](x)\nreg=Reg()\n",
        "prep/plug.py": "from .helpers import reg\n@reg.add('a')\ndef p(x): return 1\n",
    },
    "prep/plug.py",
    "return 1",
    "return 2",
)
# 2 config mutated by loop function at import
case(
    {
        N: HEAD
        + "from .helpers import CFG, load\nload('x')\n@wh.node\ndef node(data):\n    return CFG['k']+data\n",
        H: "CFG={}\ndef load(x):\n    CFG['k']=mk(x)\ndef mk(x):\n    return 5\n",
    },
    H,
    "return 5",
    "return 6",
)
# 3 lazily cached global
case(
    {
        N: HEAD + "from .helpers import get\n@wh.node\ndef node(data):\n    return get()\n",
        H: "_c=None\ndef get():\n    global _c\n    if _c is None:\n        _c=mk()\n    return _c\ndef mk():\n    return 5\n",
    },
    H,
    "return 5",
    "return 6",
)
# 4 enum/dataclass/typed dict; property; nested class
case(
    {
        N: HEAD
        + "from .helpers import Color\n@wh.node\ndef node(data):\n    return Color.RED.value\n",
        H: "import enum\nclass Color(enum.Enum):\n    RED=V\nV=1\n",
    },
    H,
    "V=1",
    "V=2",
)
# 5 conditional def
case(
    {
        N: HEAD
        + "import sys\nif sys.version_info>(3,):\n    def g(x): return 1\nelse:\n    def g(x): return 2\n@wh.node\ndef node(data):\n    return g(data)\n"
    },
    N,
    "return 2",
    "return 3",
)
# 6 node in conditional
case(
    {N: HEAD + "if True:\n    @wh.node\n    def node(data): return g(data)\ndef g(x): return 1\n"},
    N,
    "return 1",
    "return 3",
)
# 7 sub-package side import
case(
    {
        N: HEAD + "import prep.sub\n@wh.node\ndef node(data):\n    return prep.sub.mod.f(data)\n",
        "prep/sub/__init__.py": "from . import mod",
        "prep/sub/mod.py": "def f(x): return 1\n",
    },
    "prep/sub/mod.py",
    "return 1",
    "return 3",
)
# 8 attribute of external class patched in project
case(
    {
        N: HEAD
        + "import pandas as pd\nfrom . import helpers\n@wh.node\ndef node(data):\n    return data.foo()\n",
        H: "import pandas as pd\npd.DataFrame.foo = lambda s: 1\n",
    },
    H,
    "s: 1",
    "s: 2",
)
case(
    {
        N: HEAD
        + "import pandas as pd\nfrom . import helpers\n@wh.node\ndef node(data):\n    return data.foo.x\n",
        H: "import pandas as pd\n@pd.api.extensions.register_dataframe_accessor('foo')\nclass A:\n    def x(self): return 1\n",
    },
    H,
    "return 1",
    "return 2",
)
# 9 functools.wraps decorated helper w/ closure consts
case(
    {
        N: HEAD + "from .helpers import f\n@wh.node\ndef node(data):\n    return f(data)\n",
        H: "import functools\nK=1\ndef deco(g):\n    @functools.wraps(g)\n    def w(*a): return g(*a)*K\n    return w\n@deco\ndef f(x): return 1\n",
    },
    H,
    "K=1",
    "K=2",
)
# 10 whence decorator re-exported via project
case(
    {
        N: "from .helpers import nd\n@nd\ndef node(data):\n    return data\n",
        H: "from whence import node as nd\nX=1\n",
    },
    H,
    "X=1",
    "X=2",
    False,
)
# 11 project decorator partial of whence
case(
    {
        N: "from .helpers import tbl\n@tbl()\ndef node(data):\n    return data\n",
        H: "import whence as wh\ndef tbl():\n    def d(f):\n        return wh.table(clean(f))\n    return d\ndef clean(f): return f\n",
    },
    H,
    "return f\n",
    "return f or f\n",
)
# 12 mutual module imports, star cycle
case(
    {
        N: HEAD + "from .helpers import *\n@wh.node\ndef node(data):\n    return f(data)\n",
        H: "from .more import *\ndef f(x): return g(x)\n",
        "prep/more.py": "from .helpers import *\ndef g(x): return 1\n",
    },
    "prep/more.py",
    "return 1",
    "return 3",
)
# 13 class-level registry through instance creation
case(
    {
        N: HEAD
        + "from .helpers import Item, items\n@wh.node\ndef node(data):\n    return Item.all\n",
        H: "class Item:\n    all=[]\n    def __init__(self, v):\n        self.v=v\n        self.all.append(self)\nitems=0\n",
        "prep/__init__.py": "from . import reg",
        "prep/reg.py": "from .helpers import Item\nItem(1)\nx=Item(5)\n",
    },
    "prep/reg.py",
    "Item(5)",
    "Item(6)",
)
# 14 import inside function of package attr
case(
    {
        N: HEAD + "@wh.node\ndef node(data):\n    import prep\n    return prep.helpers.f(data)\n",
        "prep/__init__.py": "from . import helpers",
        H: "def f(x): return 1\n",
    },
    H,
    "return 1",
    "return 3",
)
# 15 other node edit doesn't matter
case(
    {
        N: HEAD
        + "@wh.node\ndef node(data):\n    return data\n@wh.node\ndef other(node):\n    return node+1\n"
    },
    N,
    "node+1",
    "node+2",
    False,
)
# 16 dataclass default from call, property setter
case(
    {
        N: HEAD + "from .helpers import C\nc = C()\n@wh.node\ndef node(data):\n    return c.p\n",
        H: "class C:\n    @property\n    def p(self): return self._p()\n    def _p(self): return 1\n",
    },
    H,
    "return 1",
    "return 3",
)
# 17 tuple alias of modules
case(
    {
        N: HEAD
        + "from . import helpers\nMODS=[helpers]\n@wh.node\ndef node(data):\n    return [m.f(data) for m in MODS]\n",
        H: "def f(x): return 1\n",
    },
    H,
    "return 1",
    "return 3",
)
# 19 name rebinding by import in function with global
case(
    {
        N: HEAD
        + "def setup():\n    global H\n    from .helpers import f as H\nsetup()\n@wh.node\ndef node(data):\n    return H(data)\n",
        H: "def f(x): return 1\n",
    },
    H,
    "return 1",
    "return 3",
)
# 20 del / try-else binding
case(
    {
        N: HEAD
        + "try:\n    import acme\nexcept ImportError:\n    acme = None\n@wh.node\ndef node(data):\n    return acme\n"
    },
    N,
    "acme = None",
    "acme = 1",
)
# 21 operator dispatch via dict of functions in another module imported by star
case(
    {
        N: HEAD
        + "from .helpers import OPS\n@wh.node\ndef node(data):\n    return OPS['a'](data)\n",
        H: "from . import more as m\nOPS={'a': m.f}\n",
        "prep/more.py": "def f(x): return 1\n",
    },
    "prep/more.py",
    "return 1",
    "return 3",
)
# 22 contextmanager etc
case(
    {
        N: HEAD + "from .helpers import *\n@wh.node\ndef node(data):\n    return f(data)\n",
        H: "from . import more\n__all__ = ['f'] + more.__all__\ndef f(x): return 1\n",
        "prep/more.py": "__all__=[]\n",
    },
    H,
    "return 1",
    "return 3",
)
# 24 print-only top-level, comment-like
case(
    {N: HEAD + "print('hello')\n@wh.node\ndef node(data):\n    return data\n"},
    N,
    "hello",
    "bye",
    False,
)
# 25 module docstring
case(
    {N: "'''Doc.'''\n" + HEAD + "@wh.node\ndef node(data):\n    return data\n"},
    N,
    "Doc.",
    "Doc two.",
    False,
)
# 26 project effect via class instantiate in Expr
case(
    {
        N: HEAD
        + "from .helpers import Setup\nSetup()\n@wh.node\ndef node(data):\n    return data\n",
        H: "import numpy as np\nclass Setup:\n    def __init__(self): np.seterr(all=LEVEL)\nLEVEL='warn'\n",
    },
    H,
    "'warn'",
    "'raise'",
)
# 27 logging handler config
case(
    {
        N: HEAD
        + "import logging\nlogging.getLogger('x').setLevel(10)\n@wh.node\ndef node(data):\n    return data\n"
    },
    N,
    "10",
    "20",
)
# 28 decorator with impure wrapper -> not effect
case(
    {
        N: HEAD
        + "from .helpers import retry\n@retry(3)\ndef other(x):\n    return 1\n@wh.node\ndef node(data):\n    return data\n",
        H: "import acme, functools\ndef retry(n):\n    def d(f):\n        @functools.wraps(f)\n        def w(*a):\n            acme.sleep(n)\n            return f(*a)\n        return w\n    return d\n",
    },
    N,
    "return 1",
    "return 2",
    False,
)
# 29 method on flat constant by node code
case(
    {
        N: HEAD
        + "COLS=['a']\nEXTRA=COLS+['b']\nCOLS2=list(COLS)\n@wh.node\ndef node(data):\n    return data[COLS]\n"
    },
    N,
    "['b']",
    "['c']",
    False,
)
# 30 COLS.append at import
case(
    {N: HEAD + "COLS=['a']\nCOLS.append('b')\n@wh.node\ndef node(data):\n    return data[COLS]\n"},
    N,
    "'b'",
    "'c'",
)
case(
    {
        N: HEAD
        + "from .helpers import COLS\nCOLS += ['b']\n@wh.node\ndef node(data):\n    return f(data)\ndef f(d):\n    from .helpers import COLS as c\n    return d[c]",
        H: "COLS=['a']\n",
    },
    N,
    "'b'",
    "'c'",
)
# 32 in-place mutate via for of tuple-unpack / sorted / heapq / random.shuffle
case(
    {
        N: HEAD
        + "import random\nCOLS=['a','b']\nrandom.shuffle(COLS)\n@wh.node\ndef node(data):\n    return data[COLS]\n"
    },
    N,
    "random.shuffle(COLS)",
    "random.shuffle(COLS, 3)",
)
case(
    {
        N: HEAD
        + "import heapq\nCOLS=['a','b']\nX=heapq.heappop(COLS)\n@wh.node\ndef node(data):\n    return data[COLS]\n"
    },
    N,
    "X=heapq.heappop(COLS)",
    "X=heapq.heappushpop(COLS, 1)",
)


@pytest.mark.parametrize(("files", "path", "old", "new", "want"), CASES)
def test_edit(files: dict[str, str], path: str, old: str, new: str, want: bool) -> None:
    before, after = closure(files), closure(edited(files, {path: (old, new)}))
    assert (before.digest != after.digest) is want
