"""Code that reaches other code by computed names: what it may reach, or that nobody can tell."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from whence.graph.code.model import BARE, CALL, FRAMES, MUT, READ, STORE, USES_DOC

if TYPE_CHECKING:
    from whence.graph.code.walk import Walker

#: Attributes that say something about the analysis by their name alone.
NAME_ATTRIBUTES = frozenset(
    [
        "__doc__",
        "__name__",
        "__qualname__",
        "__module__",
        "__subclasses__",
        "__globals__",
        "f_globals",
        "__builtins__",
    ]
)
FRAME_NAMES = frozenset(["_getframe", "currentframe", "f_back", "f_locals"])
#: Calls that may see the names of local variables.
QUERY_NAMES = frozenset(
    [
        "sql",
        "query",
        "eval",
        "execute",
        "exec",
        "evaluate",
        "executemany",
        "from_query",
        "read_sql",
        "SQLContext",
    ]
)
_IMPORTERS = frozenset({"import_module", "__import__"})
_LOADERS = frozenset(
    [
        "exec_module",
        "spec_from_file_location",
        "run_module",
        "run_path",
        "load_module",
        "resolve_name",
        "walk_packages",
        "iter_modules",
        "get_objects",
    ]
)
_SOURCE = frozenset(["getsource", "getsourcelines", "findsource", "getcomments"])
_PICKLES = ("pickle.", "_pickle.", "dill.", "cloudpickle.", "joblib.", "shelve.", "marshal.")
_PICKLE_NAMES = frozenset(["load", "loads", "Unpickler", "open"])


def constant_import(node: ast.expr, package: str) -> str | None:
    """The module that ``importlib.import_module("…")`` or ``__import__("…")`` gives."""
    if not isinstance(node, ast.Call) or not node.args:
        return None
    func, first = node.func, node.args[0]
    name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    if name not in _IMPORTERS:
        return None
    if not (isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value):
        return None
    wanted = first.value
    if name == "__import__":
        return wanted.partition(".")[0] if len(node.args) < 4 and not node.keywords else None
    level = len(wanted) - len(wanted.lstrip("."))
    if level == 0:
        return wanted
    anchors = [*node.args[1:2], *(k.value for k in node.keywords if k.arg == "package")]
    if len(anchors) != 1:
        return None
    anchor = anchors[0]
    if isinstance(anchor, ast.Constant) and isinstance(anchor.value, str):
        parts = anchor.value.split(".")
    elif isinstance(anchor, ast.Name) and anchor.id == "__package__":
        parts = package.split(".") if package else []
    else:
        return None
    parts = parts[: len(parts) - (level - 1)]
    rest = wanted.lstrip(".")
    return ".".join([*parts, rest] if rest else parts)


def call_trick(walker: Walker, node: ast.Call, name: str, builtin: bool, use: int) -> bool:
    """Note what a call reaches beyond its names; True where it wrote the arguments itself."""
    line = node.lineno
    if name in _IMPORTERS:
        if (module := constant_import(node, walker.context.binder.package)) is not None:
            walker.context.imported.add((_spelled(node.args[0], module), ""))
            walker.record("@" + module, (), use, line)
        elif builtin or not _is_own(walker, node.func):
            walker.trick(line, f"{name}() with a computed name", "project")
        return False
    if builtin:
        return _builtin(walker, node, name, use)
    if name in ("getmembers", "getmembers_static", "attrgetter") and node.args:
        _of_object(walker, node.args[0], ("*",), READ)
    elif name == "getdoc":
        walker.flags |= USES_DOC
    elif name == "stack":
        if walker.dotted(node.func) == "inspect.stack":
            walker.flags |= FRAMES
            walker.keep_all = True
    elif _is_own(walker, node.func):
        return False
    elif name in _LOADERS:
        walker.trick(line, f"{name}() runs code found by a computed name", "project")
    elif name in _SOURCE:
        walker.trick(line, f"{name}() reads source text", "source")
    elif name == "read_pickle":
        walker.trick(line, "unpickling may call any code of the project", "project")
    elif name in _PICKLE_NAMES:
        dotted = walker.dotted(node.func) or ""
        allowed = any(
            k.arg == "allow_pickle"
            and not (isinstance(k.value, ast.Constant) and not k.value.value)
            for k in node.keywords
        )
        if dotted.startswith(_PICKLES) or allowed:
            walker.trick(line, "unpickling may call any code of the project", "project")
    return False


def _spelled(node: ast.expr, module: str) -> str:
    """The module that an import call names: more than it returns for `__import__("a.b")`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value[0] != ".":
        return node.value
    return module


def _is_own(walker: Walker, func: ast.expr) -> bool:
    """Whether a called name is one that this module defines itself."""
    if not isinstance(func, ast.Name):
        return False
    return func.id not in walker.context.aliases and not (
        (scope := walker.find(func.id)) and func.id in scope.imports
    )


def _builtin(walker: Walker, node: ast.Call, name: str, use: int) -> bool:
    line = node.lineno
    if name in ("getattr", "setattr", "delattr", "hasattr") and len(node.args) >= 2:
        target, attribute = node.args[0], node.args[1]
        known = isinstance(attribute, ast.Constant) and isinstance(attribute.value, str)
        text = attribute.value if known and isinstance(attribute, ast.Constant) else "*"
        how = {"getattr": use or BARE, "hasattr": READ}.get(name, STORE)
        if text == "__doc__":
            walker.flags |= USES_DOC
        elif text in ("__dict__", "__globals__"):
            text = "*"
        elif text == "__subclasses__":
            walker.trick(line, "__subclasses__ reaches code by ways not written here", "project")
        if _of_object(walker, target, (str(text),), how):
            walker._silently(target)
        else:
            walker.visit(target, MUT if how == STORE else READ)
        walker._list(node.args[1:])
        walker._keywords(node.keywords, BARE)
        return True
    if name == "globals" or (name in ("vars", "locals", "dir") and not node.args):
        if name == "globals" or not walker._scopes:
            walker._own_module(use, line)
        else:
            walker.keep_all = True
    elif name in ("vars", "dir"):
        if _of_object(walker, node.args[0], ("*",), STORE | MUT if use & MUT else READ):
            walker._silently(node.args[0])
            return True
    elif name in ("eval", "exec", "compile"):
        walker.keep_all = True
        first = node.args[0] if node.args else None
        code = first.value if isinstance(first, ast.Constant) else None
        if not (isinstance(code, str) and walker.embedded(code)):
            walker.trick(line, f"{name}() of code that is not written here", "project")
    elif name == "help":
        walker.flags |= USES_DOC
    return False


def _of_object(walker: Walker, node: ast.expr, more: tuple[str, ...], use: int) -> bool:
    """Record an attribute of the named object `node`; False where it is no plain name."""
    chain: list[str] = []
    while isinstance(node, ast.Attribute):
        chain.append(node.attr)
        node = node.value
    if isinstance(node, ast.Call) and (
        module := constant_import(node, walker.context.binder.package)
    ):
        walker.record("@" + module, (*reversed(chain), *more), use, node.lineno)
        return False
    if not isinstance(node, ast.Name) or (
        use & STORE and walker.dotted(node) is None and "*" in more
    ):
        return False
    if walker.find(node.id) is not None and walker.dotted(node) is None:
        return False
    walker.reference(node.id, (*reversed(chain), *more), use & ~CALL or READ, node.lineno)
    return True
