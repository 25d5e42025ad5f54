"""One pass over a top-level statement: its canonical text, and every global name that it uses.

The text leaves out docstrings, positions, type comments and load/store contexts, so it is the same
for every layout of the same code and on every version of Python. Names follow Python's scoping
rules: only those that end in the module's globals become references.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from whence.graph.code.dynamic import (
    FRAME_NAMES,
    NAME_ATTRIBUTES,
    QUERY_NAMES,
    call_trick,
    constant_import,
)
from whence.graph.code.model import (
    BARE,
    BASE,
    CALL,
    CALL2,
    DECO,
    ECALL,
    EXPRESSION,
    FRAMES,
    HIGHER,
    IMPORT,
    MUT,
    READ,
    RMETH,
    STORE,
    USES_DOC,
    USES_NAME,
    Ref,
)
from whence.graph.code.purity import CALLING_BUILTINS, LOOKING_BUILTINS, LOOKING_METHODS
from whence.graph.code.scopes import CLASS, FUNCTION, INNER, Binder, Scope, targets

BUILTINS = frozenset(dir(builtins))
_QUIET_GLOBALS = frozenset(
    [
        "__file__",
        "__package__",
        "__spec__",
        "__path__",
        "__loader__",
        "__builtins__",
        "__debug__",
        "__class__",
        "__annotations__",
        "__cached__",
    ]
)
_WORD = re.compile(r"\w+")
_SKIPPED = frozenset({"ctx", "type_comment", "kind", "type_ignores"})
_OMITTED_WHEN_EMPTY = frozenset({"type_params", "default_value"})  # newer than Python 3.11
_READING = frozenset({"BinOp", "Compare", "JoinedStr", "FormattedValue", "UnaryOp", "Starred"})
_fields_of: dict[type, tuple[str, ...]] = {
    cls: tuple(name for name in cls._fields if name not in _SKIPPED)
    for cls in vars(ast).values()
    if isinstance(cls, type) and issubclass(cls, ast.AST)
}

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(slots=True)
class Context:
    """What a walk needs to know of the module around the statement."""

    module: str
    binder: Binder
    bound: frozenset[str]
    aliases: dict[str, list[tuple[str, str, str]]]
    has_stars: bool
    imported: set[tuple[str, str]] = field(default_factory=set)
    nested: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)


class _Inner:
    """An inner function being walked: which names it takes from functions around it."""

    __slots__ = ("free", "index")

    def __init__(self, index: int) -> None:
        self.index, self.free = index, set[str]()


class Walker:
    """Walks one top-level statement."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.out: list[str] = []
        self.docs: list[str] = []
        self.tricks: list[tuple[int, str, str]] = []
        self.flags = 0
        self.written: set[str] = set()
        self.own_name: str | None = None
        self.order: dict[str, None] = {}
        self.spoken: set[str] = set()
        self.keep_all = False
        self._words: frozenset[str] | None = None
        self._refs: dict[tuple[str, tuple[str, ...]], list[int]] = {}
        self._scopes: list[Scope] = []
        self._level = 0  # functions around; 0 while the module is imported
        self._escape = 0  # of these, the ones that are only returned
        self._soft = 0
        self._annotation = False
        self._quiet = 0
        self._inner: list[_Inner] = []
        self._quals: list[str] = []

    # ------------------------------------------------------------------ references

    @property
    def refs(self) -> tuple[Ref, ...]:
        return tuple(
            Ref(base, chain, line, now, later, depth, bool(soft))
            for (base, chain), (line, now, later, depth, soft) in self._refs.items()
        )

    @property
    def text(self) -> str:
        return "\n".join(self.out)

    def record(
        self, base: str, chain: tuple[str, ...], use: int, line: int, soft: bool = False
    ) -> None:
        if self._quiet:
            return
        now, later = (use, 0) if self._level == 0 else (0, use)
        weak = int(soft or self._soft > 0)
        entry = self._refs.get((base, chain))
        if entry is None:
            self._refs[base, chain] = [line, now, later, self._escape, weak]
            return
        entry[1] |= now
        entry[2] |= later
        entry[3] = min(entry[3], self._escape)
        entry[4] &= weak

    def trick(self, line: int, cause: str, scope: str) -> None:
        if not self._quiet:
            self.tricks.append((line, cause, scope))

    def find(self, name: str) -> Scope | None:
        """The local scope that `name` belongs to, or None where it is global."""
        for index in range(len(self._scopes) - 1, -1, -1):
            scope = self._scopes[index]
            if scope.kind == CLASS and index != len(self._scopes) - 1:
                continue  # methods do not see the names of their class
            if name in scope.globals:
                return None
            if name in scope.nonlocals:
                continue
            if name in scope.names or name in scope.imports:
                if scope.kind == FUNCTION and name in scope.names:
                    for inner in self._inner:
                        if inner.index > index:
                            inner.free.add(name)
                return scope
        return None

    def is_builtin(self, name: str) -> bool:
        return name in BUILTINS and name not in self.context.bound and self.find(name) is None

    def dotted(self, node: ast.expr) -> str | None:
        """The full name of what `node` stands for, where imports of this file tell it."""
        chain: list[str] = []
        while isinstance(node, ast.Attribute):
            chain.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        scope = self.find(node.id)
        found = (scope.imports if scope else self.context.aliases).get(node.id)
        if not found:
            return None
        module, attribute, _ = found[0]
        return ".".join(
            [module, attribute, *reversed(chain)] if attribute else [module, *reversed(chain)]
        )

    def reference(self, name: str, chain: tuple[str, ...], use: int, line: int) -> None:
        """A use of `name` followed by the attributes in `chain`."""
        scope = self.find(name)
        if scope is not None:
            for module, attribute, imported in scope.imports.get(name, ()):
                full = (attribute, *chain) if attribute else chain
                self.record("@" + module, full, use, line)
                if imported != module:
                    self.record("@" + imported, (), IMPORT, line)
            if scope.kind == CLASS and name in self.context.bound:
                self.record(name, chain, use, line, soft=True)
            return
        if name in self.context.bound:
            self.record(name, chain, use, line)
        elif name in ("__name__", "__qualname__", "__module__"):
            self.flags |= USES_NAME
        elif name == "__doc__":
            self.flags |= USES_DOC
            self.record("@" + self.context.module, ("__doc__",), use, line)
        elif name in _QUIET_GLOBALS:
            pass
        elif name not in BUILTINS or self.context.has_stars:
            self.record(name, chain, use, line, soft=name in BUILTINS)

    # ------------------------------------------------------------------ walking

    def visit(self, node: ast.AST, use: int = BARE) -> None:
        cls = node.__class__
        special = _SPECIAL.get(cls)
        if special is not None:
            special(self, node, use)
            return
        self.generic(node, use)

    def generic(self, node: ast.AST, use: int = BARE) -> None:
        cls = node.__class__
        out = self.out
        name = cls.__name__
        out.append(name)
        inner = READ if name in _READING else BARE
        if use & (MUT | ECALL) and name in ("BinOp", "IfExp", "BoolOp", "Tuple", "List"):
            inner = MUT
        for each in _fields_of[cls]:
            value = getattr(node, each, None)
            if value.__class__ is list:
                if not value and each in _OMITTED_WHEN_EMPTY:
                    continue
                self._list(value, inner)
            elif isinstance(value, ast.AST):
                self.visit(value, inner)
            elif value is None:
                if each not in _OMITTED_WHEN_EMPTY:
                    out.append("~")
            elif isinstance(value, str):
                out.append("." + value)
            else:
                out.append("=" + ascii(value))

    def _bin_op(self, node: ast.BinOp, use: int) -> None:
        """Long sums lean to the left, deeper than Python's stack: walk down them in a loop."""
        inner = MUT if use & (MUT | ECALL) else READ
        spine = [node]
        while isinstance(spine[-1].left, ast.BinOp):
            self.out.append("BinOp")
            spine.append(spine[-1].left)
        self.out.append("BinOp")
        self.visit(spine[-1].left, inner)
        for each in reversed(spine):
            self.out.append(type(each.op).__name__)
            self.visit(each.right, inner)

    def _joined_str(self, node: ast.JoinedStr, use: int) -> None:
        """Python 3.12 cuts the constant parts of f-strings at other places: join them."""
        self.out.append("JoinedStr")
        self.out.append("[")
        said: list[str] = []
        for part in node.values:
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                said.append(part.value)
                continue
            self._said(said)
            self.visit(part, READ)
        self._said(said)
        self.out.append("]")

    def _said(self, parts: list[str]) -> None:
        if text := "".join(parts):
            self._constant(ast.Constant(text), READ)
        parts.clear()

    def _list(self, values: Iterable[object], use: int = BARE) -> None:
        self.out.append("[")
        for item in values:
            if isinstance(item, ast.AST):
                self.visit(item, use)
            else:
                self.out.append("~" if item is None else f".{item}")
        self.out.append("]")

    def _optional(self, node: ast.AST | None, use: int = BARE) -> None:
        if node is None:
            self.out.append("~")
        else:
            self.visit(node, use)

    def body(self, statements: Iterable[ast.stmt]) -> None:
        """A block, without strings that stand alone: they are comments."""
        self.out.append("[")
        for node in statements:
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and node.value.value.__class__ in (str, type(...))
            ):
                if isinstance(node.value.value, str):
                    self.docs.append(node.value.value)
                continue
            self.visit(node)
        self.out.append("]")

    def apart(self, walk: Callable[[], None]) -> str:
        """The text that `walk` writes, not added to the text so far."""
        kept, self.out = self.out, []
        walk()
        text, self.out = self.text, kept
        return text

    def _name(self, node: ast.Name, use: int) -> None:
        name = node.id
        scope = self.find(name)
        self._emit_name(name, scope)
        if isinstance(node.ctx, ast.Load):
            if scope is None or scope.imports or scope.kind == CLASS:
                if use & (BARE | CALL) and self.dotted(node) == "sys.modules":
                    self.trick(node.lineno, "sys.modules", "project")
                self.reference(name, (), use, node.lineno)
            if name in FRAME_NAMES:
                self.flags |= FRAMES
                self.keep_all = True
        elif scope is None and self._level:
            self.written.add(name)
            self.record(name, (), STORE, node.lineno)
        elif scope is None and use & MUT:
            self.record(name, (), MUT, node.lineno)

    def _emit_name(self, name: str, scope: Scope | None) -> None:
        if scope is not None:
            if name in scope.parameters:
                self.order.setdefault(name)
                self.out.append("\0" + name)
                return
        elif name == self.own_name:
            self.out.append("\1")
            return
        self.out.append("." + name)

    def _attribute(self, node: ast.Attribute, use: int) -> None:
        chain = [node.attr]
        base = node.value
        while isinstance(base, ast.Attribute):
            chain.append(base.attr)
            base = base.value
        chain.reverse()
        self.out.append("Attribute")
        self.out.extend(chain)
        for attribute in chain:
            if attribute in NAME_ATTRIBUTES:
                self._named_attribute(attribute, node.lineno)
            elif attribute in FRAME_NAMES:
                self.flags |= FRAMES
                self.keep_all = True
        if not isinstance(node.ctx, ast.Load):
            use = STORE
        if "__dict__" in chain:
            at = chain.index("__dict__")
            if use & (CALL | ECALL) and chain[-1] not in LOOKING_METHODS:
                use |= MUT
            chain[at:] = ["*"]
            use = STORE | MUT if use & (MUT | STORE) else READ
        full = tuple(chain)
        if isinstance(base, ast.Name):
            scope = self.find(base.id)
            self._emit_name(base.id, scope)
            if scope is None or scope.imports or scope.kind == CLASS:
                if full[0] == "modules" and self._is_sys_modules(node, base, full, use):
                    return
                self.reference(base.id, full, use, node.lineno)
            return
        if isinstance(base, ast.Call) and (
            module := constant_import(base, self.context.binder.package)
        ):
            self._silently(base)
            self.record("@" + module, full, use, node.lineno)
            return
        inner = READ
        if use & STORE or use & MUT:
            inner = MUT
        elif use & (CALL | ECALL) and chain[-1] not in LOOKING_METHODS:
            inner = MUT | (use & ECALL)
        self.visit(base, inner)

    def _is_sys_modules(
        self, node: ast.Attribute, base: ast.Name, chain: tuple[str, ...], use: int
    ) -> bool:
        if self.dotted(base) != "sys":
            return False
        if len(chain) > 1 or use & (BARE | CALL | MUT):
            self.trick(node.lineno, "sys.modules", "project")
        return True

    def _named_attribute(self, attribute: str, line: int) -> None:
        if attribute == "__doc__":
            self.flags |= USES_DOC
        elif attribute in ("__name__", "__qualname__", "__module__"):
            self.flags |= USES_NAME
        else:
            self.trick(line, f"{attribute} reaches code by ways not written here", "project")

    def _silently(self, node: ast.AST) -> None:
        self._quiet += 1
        self.visit(node)
        self._quiet -= 1

    def _subscript(self, node: ast.Subscript, use: int) -> None:
        self.out.append("Subscript")
        value, index = node.value, node.slice
        if self._annotation and getattr(value, "attr", getattr(value, "id", "")) == "Literal":
            self._annotation = False
            self.visit(value, READ)
            self.visit(index, READ)
            self._annotation = True
            return
        if not isinstance(node.ctx, ast.Load):
            use = MUT
        if self.dotted(value) == "sys.modules":
            self._silently(value)
            self.visit(index, READ)
            if isinstance(index, ast.Constant) and isinstance(index.value, str):
                self.record("@" + index.value, (), use, node.lineno)
            elif isinstance(index, ast.Name) and index.id == "__name__":
                self._own_module(use, node.lineno)
            else:
                self.trick(node.lineno, "sys.modules[…] with a computed name", "project")
            return
        if (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Name)
            and value.func.id == "globals"
            and isinstance(index, ast.Constant)
            and isinstance(index.value, str)
            and self.is_builtin("globals")
        ):
            self._silently(value)
            self.visit(index, READ)
            stored = not isinstance(node.ctx, ast.Load)
            self.record(
                "@" + self.context.module, (index.value,), STORE if stored else use, node.lineno
            )
            return
        inner = READ
        if use & MUT:
            inner = MUT
        elif use & (CALL | ECALL | DECO):
            inner = use
        self.visit(value, inner)
        self.visit(index, READ)

    def _own_module(self, use: int, line: int) -> None:
        kind = STORE | MUT if use & (MUT | STORE | BARE) else READ
        self.record("@" + self.context.module, ("*",), kind, line)

    def _call(self, node: ast.Call, use: int) -> None:
        self.out.append("Call")
        func = node.func
        inner = CALL | (use & ECALL)
        if use & (CALL | DECO):
            inner |= CALL2 | (use & DECO)
        if use & MUT:
            inner |= RMETH
        arguments = BARE
        if isinstance(func, ast.Name) and self.is_builtin(func.id):
            self._silently(func)
            if self.context.has_stars:  # a star import may bring a name that hides the builtin
                self.reference(func.id, (), CALL, node.lineno)
            if func.id in LOOKING_BUILTINS:
                arguments = READ
            if self._level == 0 and func.id in CALLING_BUILTINS:
                self.flags |= HIGHER
            if call_trick(self, node, func.id, True, use):
                return
        else:
            self.visit(func, inner)
            name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
            if name in QUERY_NAMES:
                self.keep_all = True
            if name and call_trick(self, node, name, False, use):
                return
        self._list(node.args, arguments)
        self._keywords(node.keywords, arguments)

    def _keywords(self, keywords: Iterable[ast.keyword], use: int) -> None:
        self.out.append("[")
        for keyword in keywords:
            self.out.append("**" if keyword.arg is None else "." + keyword.arg)
            self.visit(keyword.value, READ if keyword.arg is None else use)
        self.out.append("]")

    def _constant(self, node: ast.Constant, use: int) -> None:
        value = node.value
        self.out.append("=" + ascii(value))
        if value.__class__ is str:
            if self._annotation:
                self.embedded(value)
            elif self._words is not None:
                self.spoken.update(self._words.intersection(_WORD.findall(value)))

    def embedded(self, code: str) -> bool:
        """References of code written as a string; False where it cannot be parsed."""
        try:
            tree = ast.parse(code.strip(), mode="eval")
        except (SyntaxError, ValueError):
            return False
        kept, self._soft = self._soft, self._soft + 1
        self.apart(lambda: self.visit(tree.body, READ))
        self._soft = kept
        return True

    def annotation(self, node: ast.expr | None) -> None:
        if node is None:
            self.out.append("~")
            return
        before, self._annotation = self._annotation, True
        self._soft += 1
        self.visit(node, READ)
        self._soft -= 1
        self._annotation = before

    # ------------------------------------------------------------------ statements

    def _expr(self, node: ast.Expr, use: int) -> None:
        self.out.append("Expr")
        value = node.value
        if self._level == 0 and not isinstance(value, ast.Constant):
            printed = isinstance(value, ast.Call) and getattr(value.func, "id", "") == "print"
            if not printed:
                self.flags |= EXPRESSION
        if isinstance(value, ast.Await):
            self.out.append("Await")
            value = value.value
        self.visit(value, ECALL if isinstance(value, ast.Call) else MUT | READ)

    def _assign(self, node: ast.Assign, use: int) -> None:
        self.out.append("Assign")
        self._list(node.targets)
        if (alias := self.context.binder.assigned_module(node)) is not None:
            self.context.imported.add((alias[1], ""))
            self.record("@" + alias[1], (), IMPORT, node.lineno)
            self._silently(node.value)
            return
        self.visit(node.value)

    def _aug_assign(self, node: ast.AugAssign, use: int) -> None:
        self.out.append("AugAssign")
        self.visit(node.target, MUT)
        self.visit(node.op)
        self.visit(node.value, READ)

    def _ann_assign(self, node: ast.AnnAssign, use: int) -> None:
        self.out.append("AnnAssign")
        self.visit(node.target)
        self.annotation(node.annotation)
        self._optional(node.value)

    def _import(self, node: ast.Import | ast.ImportFrom, use: int) -> None:
        self.out.append("Import")
        found = []
        for name, (module, attribute, imported) in self.context.binder.aliases(node):
            found.append(f"{name}={module}:{attribute}:{imported}")
            self.context.imported.add((imported, attribute))
            if self._scopes:
                chain = (attribute,) if attribute and attribute != "*" else ()
                self.record("@" + imported, chain, IMPORT, node.lineno)
        self.out.extend(sorted(found))

    def _global(self, node: ast.Global, use: int) -> None:
        self.out.append("Global")
        self.out.extend(sorted(node.names))

    def _return(self, node: ast.Return, use: int) -> None:
        self.out.append("Return")
        if isinstance(node.value, ast.Lambda):
            self._lambda(node.value, BARE, escapes=True)
        else:
            self._optional(node.value)

    def _for(self, node: ast.For | ast.AsyncFor, use: int) -> None:
        self.out.append(type(node).__name__)
        self.visit(node.target)
        self.visit(node.iter, READ)
        self.body(node.body)
        self.body(node.orelse)

    def _if(self, node: ast.If | ast.While, use: int) -> None:
        self.out.append(type(node).__name__)
        self.visit(node.test, READ)
        self.body(node.body)
        self.body(node.orelse)

    # ------------------------------------------------------------------ scopes

    def _comprehension(self, node: ast.AST, use: int) -> None:
        self.out.append(type(node).__name__)
        generators: list[ast.comprehension] = node.generators  # type: ignore[attr-defined]
        scope = Scope(INNER)
        for generator in generators:
            scope.names.update(targets(generator.target))
        self.visit(generators[0].iter, READ)  # evaluated outside
        self._scopes.append(scope)
        for index, generator in enumerate(generators):
            self.out.append("async" if generator.is_async else "for")
            self.visit(generator.target)
            if index:
                self.visit(generator.iter, READ)
            self._list(generator.ifs, READ)
        if isinstance(node, ast.DictComp):
            self.visit(node.key)
            self.visit(node.value)
        else:
            self.visit(node.elt)  # type: ignore[attr-defined]
        self._scopes.pop()

    def parameters(self, args: ast.arguments) -> list[tuple[str, str, str, str]]:
        """Each parameter: name, kind, text of its default, text of its annotation."""
        found: list[tuple[str, str, str, str]] = []

        def add(arg: ast.arg, kind: str, default: ast.expr | None) -> None:
            value = self.apart(lambda: self.visit(default)) if default is not None else ""
            note = self.apart(lambda: self.annotation(arg.annotation)) if arg.annotation else ""
            found.append((arg.arg, kind, value, note))

        plain = [*args.posonlyargs, *args.args]
        missing = len(plain) - len(args.defaults)
        for index, arg in enumerate(plain):
            kind = "/" if index < len(args.posonlyargs) else ""
            add(arg, kind, args.defaults[index - missing] if index >= missing else None)
        if args.vararg:
            add(args.vararg, "*", None)
        for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
            add(arg, "=", default)
        if args.kwarg:
            add(args.kwarg, "**", None)
        return found

    def _lambda(self, node: ast.Lambda, use: int, escapes: bool = False) -> None:
        self.out.append("Lambda")
        params = self.parameters(node.args)
        self._emit_parameters(params)
        scope = Scope(FUNCTION)
        scope.names.update(p[0] for p in params)
        self._enter(scope, escapes, lambda: self.visit(node.body))

    def _emit_parameters(self, params: Iterable[tuple[str, str, str, str]]) -> None:
        self.out.append("[")
        for name, kind, default, note in params:
            self.out += ["." + name, "=" + kind, "(", default, ")", "(", note, ")"]
        self.out.append("]")

    def _enter(self, scope: Scope, escapes: bool, walk: Callable[[], None]) -> None:
        self._scopes.append(scope)
        self._level += 1
        self._escape += escapes
        self._inner.append(_Inner(len(self._scopes) - 1))
        walk()
        self._inner.pop()
        self._escape -= escapes
        self._level -= 1
        self._scopes.pop()

    def type_parameters(self, node: ast.AST) -> Scope | None:
        """Enter the scope of ``def f[T]``; the caller leaves it with `leave`."""
        found = getattr(node, "type_params", None)
        if not found:
            return None
        scope = Scope(INNER)
        scope.names.update(item.name for item in found)
        self._scopes.append(scope)
        self._list(found)
        return scope

    def leave(self, scope: Scope | None) -> None:
        if scope is not None:
            self._scopes.pop()

    def _function(self, node: AnyFunction, use: int) -> None:
        self.out.append(type(node).__name__)
        self.out.append("." + node.name)
        self._list(node.decorator_list, DECO)
        scope = self.type_parameters(node)
        params = self.parameters(node.args)
        self._emit_parameters(params)
        self.annotation(node.returns)
        escapes = bool(self._scopes) and node.name in self._scopes[-1].escaping
        self.function_body(node, {p[0] for p in params}, escapes=escapes)
        self.leave(scope)

    def function_body(
        self,
        node: AnyFunction,
        names: set[str],
        *,
        escapes: bool = False,
        node_parameters: frozenset[str] = frozenset(),
    ) -> None:
        """The body in a scope of its own; `node_parameters` are spelled as placeholders."""
        scope = Scope(FUNCTION)
        scope.names |= names
        self.context.binder.collect(node.body, scope)
        scope.names -= scope.globals | scope.nonlocals
        scope.parameters = node_parameters
        scope.escaping = _escaping(node)
        if node_parameters:
            self._words = node_parameters
        self.written |= scope.globals & _stored(node) if scope.globals else set()
        outer_quals = self._quals
        self._quals = [*outer_quals, node.name]
        qualname = ".".join(self._quals)
        self._quals.append("<locals>")

        def walk() -> None:
            self.body(node.body)
            if outer_quals:
                count, free = self.context.nested.get(qualname, (0, ()))
                captured = tuple(sorted({*free, *self._inner[-1].free}))
                self.context.nested[qualname] = (count + 1, captured)

        self._enter(scope, escapes, walk)
        self._quals = outer_quals
        if node_parameters:
            self._words = None

    def _class(self, node: ast.ClassDef, use: int) -> None:
        self.out.append("ClassDef")
        self.out.append("." + node.name)
        self._list(node.decorator_list, DECO)
        outer = self.type_parameters(node)
        self._list(node.bases, BASE)
        self._keywords(node.keywords, BASE)
        scope = Scope(CLASS)
        self.context.binder.collect(node.body, scope)
        scope.names -= scope.globals | scope.nonlocals
        outer_quals = self._quals
        self._quals = [*outer_quals, node.name]
        self._scopes.append(scope)
        self.body(node.body)
        self._scopes.pop()
        self._quals = outer_quals
        self.leave(outer)


def _escaping(node: AnyFunction) -> set[str]:
    """Inner functions that are named nowhere but in ``return name``: they run only later."""
    inner = {s.name for s in node.body if isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef)}
    if not inner:
        return inner
    returned = {
        id(s.value)
        for s in node.body
        if isinstance(s, ast.Return) and isinstance(s.value, ast.Name)
    }
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part.id in inner and id(part) not in returned:
            inner.discard(part.id)
    return inner


def _stored(node: AnyFunction) -> set[str]:
    """Names bound anywhere in a function that has a `global` statement."""
    found: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
            found.add(part.id)
        elif isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(part.name)
        elif isinstance(part, ast.Import | ast.ImportFrom):
            found.update((a.asname or a.name).partition(".")[0] for a in part.names)
    return found


_SPECIAL: dict[type, Callable[..., None]] = {
    ast.Name: Walker._name,
    ast.BinOp: Walker._bin_op,
    ast.JoinedStr: Walker._joined_str,
    ast.Attribute: Walker._attribute,
    ast.Subscript: Walker._subscript,
    ast.Call: Walker._call,
    ast.Constant: Walker._constant,
    ast.Expr: Walker._expr,
    ast.Assign: Walker._assign,
    ast.AugAssign: Walker._aug_assign,
    ast.AnnAssign: Walker._ann_assign,
    ast.Import: Walker._import,
    ast.ImportFrom: Walker._import,
    ast.Global: Walker._global,
    ast.Nonlocal: Walker._global,
    ast.Return: Walker._return,
    ast.For: Walker._for,
    ast.AsyncFor: Walker._for,
    ast.If: Walker._if,
    ast.While: Walker._if,
    ast.ListComp: Walker._comprehension,
    ast.SetComp: Walker._comprehension,
    ast.DictComp: Walker._comprehension,
    ast.GeneratorExp: Walker._comprehension,
    ast.Lambda: Walker._lambda,
    ast.FunctionDef: Walker._function,
    ast.AsyncFunctionDef: Walker._function,
    ast.ClassDef: Walker._class,
}
