"""From the text of one module to its summary. Nothing here looks at any other module."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator

from whence.graph.code.model import (
    DECO,
    HOOKS,
    STATEFUL,
    Definition,
    FunctionForm,
    ModuleSource,
    ModuleSummary,
    SyntaxFault,
)
from whence.graph.code.purity import LOOKING_METHODS
from whence.graph.code.scopes import Binder, Scope, targets
from whence.graph.code.walk import Context, Walker
from whence.graph.digest import Digest, digest_bytes, digest_text

_IMMUTABLE_CALLS = frozenset(
    [
        "str",
        "int",
        "float",
        "bool",
        "complex",
        "bytes",
        "frozenset",
        "re.compile",
        "pathlib.Path",
        "pathlib.PurePath",
        "logging.getLogger",
        "structlog.get_logger",
        "datetime.datetime",
        "datetime.date",
        "datetime.timedelta",
        "datetime.time",
        "decimal.Decimal",
        "fractions.Fraction",
        "typing.TypeVar",
        "typing.NewType",
        "collections.namedtuple",
        "zoneinfo.ZoneInfo",
        "uuid.UUID",
        "range",
    ]
)
_MUTABLE_CALLS = frozenset(
    ["list", "dict", "set", "defaultdict", "Counter", "deque", "OrderedDict", "bytearray"]
)

_STAR = re.compile(r"\bimport[\s\\(]*\*")


def summarise(source: ModuleSource) -> ModuleSummary:
    """What one module defines, imports and refers to.

    Parameters
    ----------
    source : ModuleSource

    Raises
    ------
    SyntaxFault
        If the text is not valid Python.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes are the user's to hear of at import
            tree = ast.parse(source.text)
    except (SyntaxError, ValueError, RecursionError) as fault:
        line = getattr(fault, "lineno", None) or 1
        text = getattr(fault, "msg", None) or str(fault)
        raise SyntaxFault(
            f"{source.path}:{line}: module '{source.name}' is not valid Python: {text}.",
            f"correct line {line} of {source.path}.",
        ) from fault
    try:
        return _Summariser(source, tree).summary()
    except RecursionError as fault:
        raise SyntaxFault(
            f"{source.path}:1: module '{source.name}' nests expressions or blocks too deeply.",
            f"split the deepest expression of {source.path}.",
        ) from fault


class _Summariser:
    def __init__(self, source: ModuleSource, tree: ast.Module) -> None:
        self.source = source
        package = source.name if source.is_package else source.name.rpartition(".")[0]
        self.binder = Binder(package, ":=" in source.text)
        self.typing_only: list[ast.stmt] = []
        self.statements = list(self._counted(tree.body))
        self.scope = Scope("module")
        self.binder.collect(self.statements, self.scope)
        self.stars: list[str] = []
        self.scope.names |= self._global_names(tree) if "global " in source.text else set()
        self.has_stars = False
        for node in ast.walk(tree) if _STAR.search(source.text) else ():
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                self.stars.append(self.binder.absolute(node.module or "", node.level))
        self.context = Context(
            source.name,
            self.binder,
            frozenset(self.scope.names | set(self.scope.imports)),
            self.scope.imports,
            bool(self.stars),
        )
        self.written: dict[str, list[int]] = {}
        self.definitions: list[Definition] = []

    def _counted(self, body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
        """Statements that run when the module is imported by a build."""
        for node in body:
            if isinstance(node, ast.If) and (kept := self._branch(node)) is not None:
                yield from self._counted(kept)
            else:
                yield node

    def _branch(self, node: ast.If) -> list[ast.stmt] | None:
        """The branch that counts of ``if TYPE_CHECKING`` and ``if __name__ == "__main__"``."""
        test = node.test
        if _is_type_checking(test):
            self.typing_only += node.body
            return node.orelse
        negated = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
        if isinstance(test, ast.UnaryOp) and negated and _is_type_checking(test.operand):
            self.typing_only += node.orelse
            return node.body
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
            sides = [test.left, test.comparators[0]]
            if any(isinstance(s, ast.Name) and s.id == "__name__" for s in sides) and any(
                isinstance(s, ast.Constant) and s.value == "__main__" for s in sides
            ):
                return node.orelse
        return None

    def _global_names(self, tree: ast.Module) -> set[str]:
        return {n for node in ast.walk(tree) if isinstance(node, ast.Global) for n in node.names}

    def summary(self) -> ModuleSummary:
        for node in self.statements:
            if isinstance(node, ast.Import | ast.ImportFrom):
                for _, (_, attribute, imported) in self.binder.aliases(node):
                    self.context.imported.add((imported, attribute))
            elif (alias := self.binder.assigned_module(node)) is not None:
                self.context.imported.add((alias[1], ""))
            elif not _is_comment(node):
                self._define(node)
        source = self.source
        own_doc = ""
        if self.statements and _is_comment(self.statements[0]):
            own_doc = ast.dump(self.statements[0])
        exports, has_all = self._exports()
        typing_scope = Scope("module")
        self.binder.collect(self.typing_only, typing_scope)
        typing_names = (typing_scope.names | set(typing_scope.imports)) - self.context.bound
        return ModuleSummary(
            name=source.name,
            path=source.path,
            is_package=source.is_package,
            definitions=tuple(self.definitions),
            aliases={name: tuple(found) for name, found in self.scope.imports.items()},
            stars=tuple(self.stars),
            exports=exports,
            has_all=has_all,
            imported=tuple(sorted(self.context.imported)),
            typing_names=frozenset(typing_names),
            written={name: tuple(found) for name, found in self.written.items()},
            nested=self.context.nested,
            digest=digest_text(
                "module",
                source.name,
                *sorted(f"{n}={a}" for n, found in self.scope.imports.items() for a in found),
                *(definition.digest for definition in self.definitions),
            ),
            docs=digest_text("docs", own_doc, *(d.docs for d in self.definitions)),
            source=digest_bytes(source.text.encode("utf-8", "surrogatepass")),
            lines=source.text.count("\n") + 1,
        )

    # ------------------------------------------------------------------ definitions

    def _define(self, node: ast.stmt) -> None:
        walker = Walker(self.context)
        names: tuple[str, ...]
        value, flags, form = "", 0, None
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names, kind = (node.name,), "function"
            form, digest = self._function(node, walker)
        else:
            walker.visit(node)
            digest = digest_text("statement", walker.text)
            if isinstance(node, ast.ClassDef):
                names, kind = (node.name,), "class"
                flags = _class_flags(node)
            else:
                scope = Scope("module")
                self.binder.collect([node], scope)
                names = tuple(sorted(scope.names | set(scope.imports)))
                if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
                    kind, value = ("variable", "deep") if names else ("statement", "")
                    if names and not isinstance(node, ast.AugAssign) and node.value:
                        value = self._mutability(node.value)
                else:
                    kind, value = ("block", "deep") if names else ("statement", "")
        decorators = getattr(node, "decorator_list", ())
        first = min([node.lineno, *(d.lineno for d in decorators)])
        for name in walker.written:
            self.written.setdefault(name, []).append(len(self.definitions))
        self.definitions.append(
            Definition(
                names=names,
                kind=kind,
                digest=digest,
                docs=digest_text("docs", *walker.docs) if walker.docs else "",
                first=first,
                last=node.end_lineno or node.lineno,
                refs=walker.refs,
                flags=walker.flags | flags,
                value=value,
                tricks=tuple(walker.tricks),
                function=form,
            )
        )

    def _function(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, walker: Walker
    ) -> tuple[FunctionForm, Digest]:
        decorators: list[tuple[str, str, str]] = []
        for each in node.decorator_list:
            text = walker.apart(lambda each=each: walker._list([each], DECO))  # type: ignore[misc]
            decorators.append((*_decorator_root(each), text))
        outer = walker.apart(lambda: walker.leave(None))
        scope = walker.type_parameters(node)
        types, walker.out = walker.text, []
        parameters = walker.parameters(node.args)
        returns = walker.apart(lambda: walker.annotation(node.returns))
        names = {p[0] for p in parameters}
        walker.own_name = node.name
        walker.function_body(
            node, names, node_parameters=frozenset(p[0] for p in parameters if "*" not in p[1])
        )
        walker.leave(scope)
        body = walker.text
        keyword = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
        form = FunctionForm(
            keyword,
            tuple(decorators),
            tuple(parameters),
            body,
            tuple(walker.order),
            frozenset(walker.spoken),
            walker.keep_all,
        )
        plain = body.replace("\0", ".").replace("\1", "." + node.name)
        digest = digest_text(
            "function",
            keyword,
            node.name,
            outer + types,
            *(text for _, _, text in decorators),
            "parameters",
            *(part for parameter in parameters for part in parameter),
            returns,
            plain,
        )
        return form, digest

    def _mutability(self, node: ast.expr) -> str:
        match node:
            case ast.Constant() | ast.Lambda() | ast.JoinedStr() | ast.Compare():
                return "immutable"
            case ast.UnaryOp():
                return self._mutability(node.operand)
            case ast.BinOp():
                sides = {self._mutability(node.left), self._mutability(node.right)}
                return "immutable" if sides == {"immutable"} else "deep"
            case ast.Tuple():
                kinds = {self._mutability(item) for item in node.elts}
                return "immutable" if kinds <= {"immutable"} else "deep"
            case ast.List() | ast.Set():
                kinds = {self._mutability(item) for item in node.elts}
                return "flat" if kinds == {"immutable"} else "deep"
            case ast.Dict():
                kinds = {self._mutability(item) for item in node.values}
                return "flat" if kinds == {"immutable"} and None not in node.keys else "deep"
            case ast.Call():
                dotted = self._dotted(node.func)
                if dotted.startswith("whence.") or dotted in _IMMUTABLE_CALLS:
                    return "immutable"
            case ast.Attribute():
                if self._dotted(node).partition(".")[0] in ("math", "numpy", "polars", "pyarrow"):
                    return "immutable"
        return "deep"

    def _dotted(self, node: ast.expr) -> str:
        chain: list[str] = []
        while isinstance(node, ast.Attribute):
            chain.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        if found := self.scope.imports.get(node.id):
            chain += [part for part in (found[0][1], found[0][0]) if part]
        elif node.id in self.scope.names:
            return ""
        else:
            chain.append(node.id)
        return ".".join(reversed(chain))

    def _exports(self) -> tuple[tuple[str, ...] | None, bool]:
        """Names in ``__all__`` where it is written out, and whether there is one."""
        if "__all__" not in self.source.text:
            return None, False
        found: list[str] = []
        has_all = False
        for definition_node in self.statements:
            node = definition_node
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
                bound = node.targets if isinstance(node, ast.Assign) else [node.target]
                if not any("__all__" in targets(t) for t in bound):
                    continue
                has_all = True
                value = node.value
                if not isinstance(value, ast.List | ast.Tuple):
                    return None, True
                for item in value.elts:
                    if not (isinstance(item, ast.Constant) and isinstance(item.value, str)):
                        return None, True
                    found.append(item.value)
            elif "__all__" in self.source.text and any(
                isinstance(part, ast.Name) and part.id == "__all__" for part in ast.walk(node)
            ):
                return None, True
        return (tuple(found) if has_all else None), has_all


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _is_comment(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def _decorator_root(node: ast.expr) -> tuple[str, str]:
    """The name that a decorator starts from, and the attributes taken of it."""
    while isinstance(node, ast.Call):
        node = node.func
    chain: list[str] = []
    while isinstance(node, ast.Attribute):
        chain.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return "", ""
    return node.id, ".".join(reversed(chain))


def _class_flags(node: ast.ClassDef) -> int:
    """Whether creating subclasses runs code, and whether the class keeps state on itself."""
    flags = 0
    shared: set[str] = set()  # mutable attributes of the class
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name in ("__init_subclass__", "__set_name__"):
            flags |= HOOKS | STATEFUL
        value = (
            getattr(item, "value", None) if isinstance(item, ast.Assign | ast.AnnAssign) else None
        )
        mutable = isinstance(
            value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp
        ) or (
            isinstance(value, ast.Call)
            and getattr(value.func, "attr", getattr(value.func, "id", "")) in _MUTABLE_CALLS
        )
        if mutable and isinstance(item, ast.Assign | ast.AnnAssign):
            for target in item.targets if isinstance(item, ast.Assign) else [item.target]:
                shared.update(targets(target))
    if any(keyword.arg == "metaclass" for keyword in node.keywords):
        flags |= HOOKS | STATEFUL
    if any(getattr(base, "id", "") == "type" for base in node.bases):
        flags |= HOOKS | STATEFUL
    for part in ast.walk(node):
        changed: ast.expr | None = None
        if isinstance(part, ast.Attribute | ast.Subscript) and not isinstance(part.ctx, ast.Load):
            changed = part.value
            if isinstance(part, ast.Attribute) and _is_class(changed, node.name):
                flags |= STATEFUL
        elif (
            isinstance(part, ast.Call)
            and isinstance(part.func, ast.Attribute)
            and part.func.attr not in LOOKING_METHODS
        ):
            changed = part.func.value
        while isinstance(changed, ast.Attribute | ast.Subscript):
            if isinstance(changed, ast.Attribute) and (
                changed.attr in shared or _is_class(changed.value, node.name)
            ):
                flags |= STATEFUL
            changed = changed.value
        if (
            isinstance(part, ast.Call)
            and getattr(part.func, "id", "") == "setattr"
            and part.args
            and _is_class(part.args[0], node.name)
        ):
            flags |= STATEFUL
    return flags


def _is_class(node: ast.expr, name: str) -> bool:
    if isinstance(node, ast.Name):
        return node.id in ("cls", name, "mcs", "mcls")
    if isinstance(node, ast.Attribute):
        return node.attr == "__class__"
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "type"
