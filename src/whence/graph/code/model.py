"""What the static analysis of code says: plain values, JSON-able, without any syntax tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from whence.errors import ImportFault
from whence.graph.digest import Digest

# How a reference uses what it names. Bits, because one name is used in many ways.
CALL = 1  # called
READ = 2  # looked into: subscript, attribute, iteration, comparison
BARE = 4  # the value itself goes elsewhere: returned, assigned, passed on
STORE = 8  # rebound: `mod.attr = x`, `global x`
MUT = 16  # changed in place: `x[k] = v`, `x[k].append(v)`
ECALL = 32  # called as a statement of its own
RMETH = 64  # a method is called on the result of the call
BASE = 128  # base class, metaclass
DECO = 256  # decorator
CALL2 = 512  # the result of the call is called in turn
IMPORT = 1024  # imported inside a function

# What a definition does beyond its references.
USES_DOC = 1
USES_NAME = 2  # `__name__`, `__qualname__`, `__module__`
FRAMES = 4  # looks into the frames of its callers
HOOKS = 8  # class with __init_subclass__, metaclass or __set_name__
STATEFUL = 16  # class that keeps state on itself
HIGHER = 32  # import-time call of a builtin that calls its arguments
EXPRESSION = 64  # import-time statement that has no value: it is there for what it does


class SyntaxFault(ImportFault):
    """A module of the project is not valid Python."""


class ModuleSource(NamedTuple):
    """The text of one module.

    Parameters
    ----------
    name : str
        Dotted name.
    path : str
        Project-relative, with forward slashes.
    text : str
    is_package : bool
        Whether it is a package's ``__init__``.
    """

    name: str
    path: str
    text: str
    is_package: bool


class Ref(NamedTuple):
    """A global name, or a module (``base`` starts with "@"), with the attributes taken of it."""

    base: str
    chain: tuple[str, ...]
    line: int
    now: int  # uses while the module is imported
    later: int  # uses inside functions
    depth: int  # 0 where it runs when the definition is called, more inside returned functions
    soft: bool  # whether it does not matter that the name is bound nowhere

    def to_json(self) -> list[Any]:
        chain = ".".join(self.chain)
        return [self.base, chain, self.line, self.now, self.later, self.depth, int(self.soft)]

    @staticmethod
    def from_json(data: list[Any]) -> Ref:
        base, chain, line, now, later, depth, soft = data
        return Ref(
            base, tuple(chain.split(".")) if chain else (), line, now, later, depth, bool(soft)
        )


class FunctionForm(NamedTuple):
    """A function in the pieces that a node's digest is made of.

    `body` is canonical text in which each parameter is spelled ``\\0name`` and the function's own
    name ``\\1``. A parameter is (name, kind, text of its default, text of its annotation).
    """

    keyword: str
    decorators: tuple[tuple[str, str, str], ...]  # base, chain, text
    parameters: tuple[tuple[str, str, str, str], ...]
    body: str
    order: tuple[str, ...]  # parameters by first use in the body
    spoken: frozenset[str]  # parameters whose names occur in strings of the body
    keep_all: bool

    def to_json(self) -> list[Any]:
        return [
            self.keyword,
            [list(d) for d in self.decorators],
            [list(p) for p in self.parameters],
            self.body,
            list(self.order),
            sorted(self.spoken),
            self.keep_all,
        ]

    @staticmethod
    def from_json(data: list[Any]) -> FunctionForm:
        keyword, decorators, parameters, body, order, spoken, keep_all = data
        return FunctionForm(
            keyword,
            tuple((d[0], d[1], d[2]) for d in decorators),
            tuple((p[0], p[1], p[2], p[3]) for p in parameters),
            body,
            tuple(order),
            frozenset(spoken),
            keep_all,
        )


class Definition(NamedTuple):
    """One top-level statement (imports apart): what it binds, its digest and its references."""

    names: tuple[str, ...]
    kind: str  # "function", "class", "variable", "block", "statement"
    digest: Digest
    docs: str  # digest of its docstrings, "" where it has none
    first: int
    last: int
    refs: tuple[Ref, ...]
    flags: int
    value: str  # of a variable: "immutable", "flat" (holds immutable values), "deep"
    tricks: tuple[tuple[int, str, str], ...]  # line, cause, scope
    function: FunctionForm | None = None

    def to_json(self) -> list[Any]:
        return [
            list(self.names),
            self.kind,
            self.digest,
            self.docs,
            self.first,
            self.last,
            [ref.to_json() for ref in self.refs],
            self.flags,
            self.value,
            [list(trick) for trick in self.tricks],
            self.function.to_json() if self.function else None,
        ]

    @staticmethod
    def from_json(data: list[Any]) -> Definition:
        names, kind, digest, docs, first, last, refs, flags, value, tricks, function = data
        return Definition(
            tuple(names),
            kind,
            digest,
            docs,
            first,
            last,
            tuple(Ref.from_json(ref) for ref in refs),
            flags,
            value,
            tuple((t[0], t[1], t[2]) for t in tricks),
            FunctionForm.from_json(function) if function else None,
        )


class ModuleSummary(NamedTuple):
    """All that the analysis keeps of one module; depends on its text alone."""

    name: str
    path: str
    is_package: bool
    definitions: tuple[Definition, ...]
    aliases: Mapping[str, tuple[tuple[str, str, str], ...]]  # name -> (module, attribute, imported)
    stars: tuple[str, ...]  # modules of `from m import *`
    exports: tuple[str, ...] | None  # __all__ where it is a plain list
    has_all: bool
    imported: tuple[tuple[str, str], ...]  # every import in the file: module, attribute
    typing_names: frozenset[str]  # bound only under `if TYPE_CHECKING`
    written: Mapping[str, tuple[int, ...]]  # name -> definitions with `global name`
    nested: Mapping[str, tuple[int, tuple[str, ...]]]  # qualname -> how many, captured names
    digest: Digest  # of everything that counts in the module
    docs: str
    source: Digest  # of the text as it is
    lines: int

    def to_json(self) -> dict[str, Any]:
        """The summary as JSON values."""
        return {
            "name": self.name,
            "path": self.path,
            "is_package": self.is_package,
            "definitions": [d.to_json() for d in self.definitions],
            "aliases": {name: [list(a) for a in found] for name, found in self.aliases.items()},
            "stars": list(self.stars),
            "exports": None if self.exports is None else list(self.exports),
            "has_all": self.has_all,
            "imported": [list(i) for i in self.imported],
            "typing_names": sorted(self.typing_names),
            "written": {name: list(found) for name, found in self.written.items()},
            "nested": {name: [count, list(free)] for name, (count, free) in self.nested.items()},
            "digest": self.digest,
            "docs": self.docs,
            "source": self.source,
            "lines": self.lines,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> ModuleSummary:
        """The summary that `to_json` wrote."""
        return ModuleSummary(
            name=data["name"],
            path=data["path"],
            is_package=data["is_package"],
            definitions=tuple(Definition.from_json(d) for d in data["definitions"]),
            aliases={
                name: tuple((a[0], a[1], a[2]) for a in found)
                for name, found in data["aliases"].items()
            },
            stars=tuple(data["stars"]),
            exports=None if data["exports"] is None else tuple(data["exports"]),
            has_all=data["has_all"],
            imported=tuple((i[0], i[1]) for i in data["imported"]),
            typing_names=frozenset(data["typing_names"]),
            written={name: tuple(found) for name, found in data["written"].items()},
            nested={name: (n[0], tuple(n[1])) for name, n in data["nested"].items()},
            digest=data["digest"],
            docs=data["docs"],
            source=data["source"],
            lines=data["lines"],
        )


class Fallback(NamedTuple):
    """A place where the analysis cannot tell what is meant, and counts more than it may need."""

    where: str  # "pkg.mod.func"
    line: int
    cause: str
    scope: str  # "module", "project"


class Closure(NamedTuple):
    """Everything in the project's code that may change what one node returns.

    Attributes
    ----------
    digest : Digest
        Of all below that counts.
    root : Digest
        The node's function itself, without its name, its parameters spelled by `slots`.
    definitions : mapping
        "prep.helpers.winsorise" -> digest; "prep.helpers:<effects>", "prep.x:<module>" (whole
        module), "prep.fast:<native>", "<project>" and "<source>" for what is not one definition.
    externals : frozenset of str
        Modules outside the project imported by anything reached.
    fallbacks : tuple of Fallback
    modules : frozenset of str
        Project modules any definition of which is reached.
    slots : mapping
        Parameter -> placeholder, or itself where the code could see its name.
    """

    digest: Digest
    root: Digest
    definitions: Mapping[str, Digest]
    externals: frozenset[str]
    fallbacks: tuple[Fallback, ...]
    modules: frozenset[str]
    slots: Mapping[str, str] = {}
