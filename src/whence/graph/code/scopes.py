"""Which names each scope binds, as Python's compiler sees it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from whence.graph.code.dynamic import constant_import

FUNCTION, CLASS, INNER = "function", "class", "inner"  # inner: comprehension, type parameters


class Scope:
    """Names bound in one function, class body, lambda or comprehension."""

    __slots__ = ("escaping", "globals", "imports", "kind", "names", "nonlocals", "parameters")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.names: set[str] = set()
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()
        self.imports: dict[str, list[tuple[str, str, str]]] = {}
        self.parameters: frozenset[str] = frozenset()  # of a function that may be a node
        self.escaping: set[str] = set()  # inner functions that are only returned


def targets(node: ast.expr) -> Iterator[str]:
    """Names that an assignment to `node` binds."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Tuple | ast.List):
        for item in node.elts:
            yield from targets(item)
    elif isinstance(node, ast.Starred):
        yield from targets(node.value)


def walrus_names(node: ast.AST) -> Iterator[str]:
    """Names bound by ``:=`` in `node`, inner functions and classes excluded."""
    todo = [node]
    while todo:
        at = todo.pop()
        if isinstance(at, ast.NamedExpr):
            yield at.target.id
        for child in ast.iter_child_nodes(at):
            if isinstance(
                child, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
            ):
                continue
            todo.append(child)


class Binder:
    """Collects what a list of statements binds into a `Scope`."""

    def __init__(self, package: str, has_walrus: bool) -> None:
        self.package = package  # that relative imports start from
        self.has_walrus = has_walrus

    def collect(self, statements: Iterable[ast.stmt], scope: Scope) -> None:
        for node in statements:
            self._statement(node, scope)

    def _statement(self, node: ast.stmt, scope: Scope) -> None:
        names = scope.names
        match node:
            case ast.Assign():
                if (module := self.assigned_module(node)) is not None:
                    scope.imports.setdefault(module[0], []).append((module[1], "", module[1]))
                    return
                for target in node.targets:
                    names.update(targets(target))
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.add(node.name)
                if self.has_walrus:
                    for inner in node.decorator_list:
                        names.update(walrus_names(inner))
                return
            case ast.AugAssign() | ast.AnnAssign():
                if (
                    not (isinstance(node, ast.AnnAssign) and node.value is None)
                    or scope.kind == FUNCTION
                ):
                    names.update(targets(node.target))
            case ast.For() | ast.AsyncFor():
                names.update(targets(node.target))
                self.collect(node.body, scope)
                self.collect(node.orelse, scope)
            case ast.While() | ast.If():
                self.collect(node.body, scope)
                self.collect(node.orelse, scope)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    if item.optional_vars is not None:
                        names.update(targets(item.optional_vars))
                self.collect(node.body, scope)
            case ast.Try() | ast.TryStar():
                self.collect(node.body, scope)
                for handler in node.handlers:
                    if handler.name:
                        names.add(handler.name)
                    self.collect(handler.body, scope)
                self.collect(node.orelse, scope)
                self.collect(node.finalbody, scope)
            case ast.Match():
                for case in node.cases:
                    for part in ast.walk(case.pattern):
                        if isinstance(part, ast.MatchAs | ast.MatchStar) and part.name:
                            names.add(part.name)
                        elif isinstance(part, ast.MatchMapping) and part.rest:
                            names.add(part.rest)
                    self.collect(case.body, scope)
            case ast.Import() | ast.ImportFrom():
                for name, alias in self.aliases(node):
                    if name != "*":
                        scope.imports.setdefault(name, []).append(alias)
            case ast.Global():
                scope.globals.update(node.names)
            case ast.Nonlocal():
                scope.nonlocals.update(node.names)
            case ast.Delete():
                for target in node.targets:
                    names.update(targets(target))
            case _:
                if type(node).__name__ == "TypeAlias":
                    names.add(node.name.id)  # type: ignore[attr-defined]
        if self.has_walrus:
            names.update(walrus_names(node))

    def aliases(
        self, node: ast.Import | ast.ImportFrom
    ) -> Iterator[tuple[str, tuple[str, str, str]]]:
        """Name bound -> (module, attribute or "", module that gets imported)."""
        if isinstance(node, ast.Import):
            for item in node.names:
                if item.asname:
                    yield item.asname, (item.name, "", item.name)
                else:
                    top = item.name.partition(".")[0]
                    yield top, (top, "", item.name)
            return
        module = self.absolute(node.module or "", node.level)
        for item in node.names:
            yield item.asname or item.name, (module, item.name, module)

    def assigned_module(self, node: ast.stmt) -> tuple[str, str] | None:
        """Name and module of ``name = importlib.import_module("module")``: an import as well."""
        if not isinstance(node, ast.Assign) or len(node.targets) != 1:
            return None
        target = node.targets[0]
        if not isinstance(target, ast.Name):
            return None
        module = constant_import(node.value, self.package)
        return None if module is None else (target.id, module)

    def absolute(self, module: str, level: int) -> str:
        """The full name of a module named relative to this one's package."""
        if level == 0:
            return module
        parts = self.package.split(".") if self.package else []
        parts = parts[: len(parts) - (level - 1)]
        return ".".join([*parts, module] if module else parts)
