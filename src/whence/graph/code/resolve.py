"""From names to the project's definitions, across modules, as imports lead."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from whence.graph.code.model import ModuleSummary

DEFINITION, MODULE, NATIVE, EXTERNAL, PROJECT = (
    "definition",
    "module",
    "native",
    "external",
    "project",
)
_PLAIN_ATTRIBUTES = frozenset(
    ["__name__", "__file__", "__path__", "__package__", "__spec__", "__loader__"]
)


class Hit(NamedTuple):
    """One thing that a name may stand for.

    `name` is that of the definition in `module`, the full dotted name of something external, or
    the attribute that could not be found in a module; `rest` the attributes taken of a definition.
    """

    kind: str
    module: str
    name: str
    rest: tuple[str, ...] = ()
    cause: str = ""


class Names:
    """All names of all modules of the project."""

    def __init__(
        self,
        modules: Mapping[str, ModuleSummary],
        native: Collection[str],
        vendored: Collection[str],
    ) -> None:
        self.modules = modules
        self.native = native
        self.vendored = frozenset(vendored)
        self.bound: dict[str, dict[str, list[int]]] = {}
        for module in modules.values():
            names: dict[str, list[int]] = {}
            for index, definition in enumerate(module.definitions):
                for name in definition.names:
                    names.setdefault(name, []).append(index)
            for name in module.written:
                names.setdefault(name, [])
            self.bound[module.name] = names
        self.namespaces: set[str] = set()
        for name in [*modules, *native]:
            parent = name.rpartition(".")[0]
            while parent:
                if parent not in modules:
                    self.namespaces.add(parent)
                parent = parent.rpartition(".")[0]
        self._known: dict[tuple[str, str, tuple[str, ...]], tuple[Hit, ...] | None] = {}

    def add(self, patched: Iterable[tuple[str, str]]) -> None:
        """Names that other modules put into a module."""
        for module, name in patched:
            self.bound[module].setdefault(name, [])
        self._known.clear()

    def resolve(self, module: str, base: str, chain: tuple[str, ...]) -> tuple[Hit, ...] | None:
        """What `base` and its attributes stand for in `module`; None where it is bound nowhere."""
        key = (module, base, chain)
        try:
            return self._known[key]
        except KeyError:
            pass
        if base.startswith("@"):
            hits = self._absolute(base[1:], chain, ())
        else:
            found = self._global(module, base, chain, ())
            if found is None:
                self._known[key] = None
                return None
            hits = found
        unique = tuple(dict.fromkeys(hits))
        self._known[key] = unique
        return unique

    def _global(
        self, module: str, name: str, chain: tuple[str, ...], seen: tuple[tuple[str, str], ...]
    ) -> list[Hit] | None:
        summary = self.modules[module]
        child = f"{module}.{name}"
        has_child = child in self.modules or child in self.native or child in self.namespaces
        if (module, name) in seen:
            return self._absolute(child, chain, seen) if has_child else None
        seen = (*seen, (module, name))
        hits: list[Hit] = []
        bound = name in self.bound[module]
        if bound:
            hits.append(Hit(DEFINITION, module, name, chain))
        through_child = False
        for target, attribute, imported in summary.aliases.get(name, ()):
            bound = True
            through_child = (
                through_child or target == child or (target == module and attribute == name)
            )
            hits += self._absolute(target, (attribute, *chain) if attribute else chain, seen)
            if imported != target and not self.is_project(imported):
                hits.append(Hit(EXTERNAL, imported, imported))
        outside = []
        for star in summary.stars:
            if not self.is_project(star):
                outside.append(star)
            elif star in self.modules and star != module and self._exported(star, name):
                through = self._global(star, name, chain, seen)
                if through is not None:
                    bound = True
                    hits += through
        if has_child and (not bound or not through_child) and summary.is_package:
            hits += self._absolute(child, chain, seen)
            bound = True
        if not bound and outside:
            return [Hit(EXTERNAL, star, ".".join((star, name, *chain))) for star in outside]
        return hits if bound else None

    def _exported(self, module: str, name: str) -> bool:
        summary = self.modules[module]
        if summary.has_all:
            return summary.exports is None or name in summary.exports
        return not name.startswith("_")

    def _absolute(
        self, module: str, chain: tuple[str, ...], seen: tuple[tuple[str, str], ...]
    ) -> list[Hit]:
        if (vendored := self._vendored_in(module, chain)) is not None:
            return [Hit(EXTERNAL, vendored, ".".join((module, *chain)))]
        if module in self.modules:
            if not chain:
                return [Hit(MODULE, module, "", (), f"module {module} is used as a value")]
            name = chain[0]
            if name == "*":
                return [Hit(MODULE, module, "*", (), f"computed attributes of module {module}")]
            if name in _PLAIN_ATTRIBUTES:
                return []
            found = self._global(module, name, chain[1:], seen)
            if found is not None:
                return found
            if "__getattr__" in self.bound[module]:
                cause = f"module {module} has a __getattr__, asked for '{name}'"
            else:
                cause = f"'{name}' is bound nowhere in module {module} that can be seen"
            return [Hit(MODULE, module, name, chain[1:], cause)]
        if module in self.native:
            return [Hit(NATIVE, module, "")]
        if module in self.namespaces:
            if not chain:
                return [Hit(PROJECT, module, "", (), f"folder {module} is used as a value")]
            child = f"{module}.{chain[0]}"
            if self.is_project(child):
                return self._absolute(child, chain[1:], seen)
        return [Hit(EXTERNAL, module, ".".join((module, *chain)))]

    def _vendored_in(self, module: str, chain: tuple[str, ...]) -> str | None:
        """The vendored package that attributes of a module of the project lead to."""
        if not self.vendored:
            return None
        names = (".".join((module, *chain[:n])) for n in range(1, len(chain) + 1))
        return next((name for name in names if name in self.vendored), None)

    def is_project(self, module: str) -> bool:
        """Whether a module is the project's own: its source is here, or its native file."""
        return module in self.modules or module in self.native or module in self.namespaces

    def module_aliases(self, module: str) -> list[tuple[str, tuple[Hit, ...]]]:
        """Everything that a module imports, by name."""
        found = []
        for name in sorted(self.modules[module].aliases):
            found.append((name, self.resolve(module, name, ()) or ()))
        return found
