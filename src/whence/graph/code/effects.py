"""What importing the project changes: patches, registrations, and settings outside of it.

A top-level statement may change an object that another definition holds (`REGISTRY["a"] = f`,
`@register def plugin`, `helpers.limit = 3`): it is then a contributor of that object and counts
for whoever uses the object. Or it may change something outside the project (`np.seterr(…)`): then
it counts for every node, because every worker imports every module of the pipeline.
"""

from __future__ import annotations

from collections.abc import Iterable

from whence.graph.code.model import (
    BARE,
    BASE,
    CALL,
    CALL2,
    DECO,
    ECALL,
    EXPRESSION,
    HIGHER,
    HOOKS,
    IMPORT,
    MUT,
    READ,
    RMETH,
    STATEFUL,
    STORE,
    Definition,
    Ref,
)
from whence.graph.code.purity import LOOKING_METHODS, changes_by_name, is_pure
from whence.graph.code.resolve import DEFINITION, EXTERNAL, MODULE, Hit, Names

Key = tuple[str, str]  # module, name; name "*" stands for every name of the module
_CALLS = CALL | ECALL | DECO


class Effects:
    """Contributors and effects among the modules that a build imports.

    Attributes
    ----------
    named : dict
        Definition -> definitions that contribute to it.
    folded : dict
        Definition -> (module, index) of statements without a name that contribute to it.
    wild : dict
        Module -> statements that may change any of its names.
    outside : dict
        Module -> indexes of its statements that may change something outside the project.
    """

    def __init__(self, names: Names, modules: Iterable[str]) -> None:
        self.names = names
        self.named: dict[Key, set[Key]] = {}
        self.folded: dict[Key, list[tuple[str, int]]] = {}
        self.wild: dict[str, list[tuple[str, int]]] = {}
        self.outside: dict[str, list[int]] = {}
        self._run: dict[tuple[Key, int], tuple[frozenset[Key], bool]] = {}
        self._hooked: dict[Key, bool] = {}
        reachable = sorted(modules)
        self._add_patched(reachable)
        for module in reachable:
            for index, definition in enumerate(names.modules[module].definitions):
                if definition.flags & EXPRESSION or any(ref.now for ref in definition.refs):
                    self._judge(module, index, definition)

    def _add_patched(self, modules: Iterable[str]) -> None:
        patched: set[Key] = set()
        for module in modules:
            for definition in self.names.modules[module].definitions:
                for ref in definition.refs:
                    if not (ref.now | ref.later) & STORE or not ref.chain or ref.chain[-1] == "*":
                        continue
                    for hit in self.names.resolve(module, ref.base, ref.chain[:-1]) or ():
                        if hit.kind == MODULE and not hit.name:
                            patched.add((hit.module, ref.chain[-1]))
        self.names.add(patched)

    def _judge(self, module: str, index: int, definition: Definition) -> None:
        resolved = [
            (ref, self.names.resolve(module, ref.base, ref.chain) or ())
            for ref in definition.refs
            if ref.now
        ]
        calls = bool(definition.flags & HIGHER) or any(
            (hit.kind == DEFINITION and self._value(hit) != "immutable")
            or (hit.kind == EXTERNAL and not is_pure(hit.name))
            for ref, hits in resolved
            if ref.now & _CALLS
            for hit in hits
        )
        touched: set[Key] = set()
        changes = called = False
        busy = definition.kind == "block" or bool(definition.flags & EXPRESSION)
        for ref, hits in resolved:
            for hit in hits:
                if hit.kind == EXTERNAL:
                    changes = changes or _changes_outside(ref.now, hit.name)
                elif hit.kind == MODULE:
                    if ref.now & STORE or (ref.now & BARE and calls):
                        touched.add((hit.module, hit.name if hit.name else "*"))
                elif hit.kind == DEFINITION:
                    key = (hit.module, hit.name)
                    if self._touched_directly(hit, ref.now, calls, busy):
                        touched.add(key)
                    allowed = self._allowed(hit, ref.now, calls)
                    if allowed is not None:
                        called = True
                        more, outside = self._running(key, allowed)
                        touched |= more
                        changes = changes or outside
        touched = self._with_aliases(touched)
        touched -= {(module, name) for name in definition.names}
        if definition.flags & EXPRESSION and called and not touched:
            changes = True
        if changes:
            self.outside.setdefault(module, []).append(index)
        for key in touched:
            if key[1] == "*":
                self.wild.setdefault(key[0], []).append((module, index))
            elif self._has_own_name(module, definition):
                self.named.setdefault(key, set()).add((module, definition.names[0]))
            else:
                self.folded.setdefault(key, []).append((module, index))

    def _has_own_name(self, module: str, definition: Definition) -> bool:
        """Whether one name stands for this statement and for nothing else."""
        if definition.kind not in ("function", "class", "variable"):
            return False
        return len(self.names.bound[module].get(definition.names[0], ())) == 1

    def _with_aliases(self, touched: set[Key]) -> set[Key]:
        """Also what the touched variables were made of: `alias = REGISTRY`, `Box(REGISTRY)`."""
        found = set(touched)
        todo = [key for key in touched if key[1] != "*"]
        while todo:
            module, name = todo.pop()
            for definition in self._definitions((module, name)):
                if definition.kind not in ("variable", "block"):
                    continue
                for ref in definition.refs:
                    for hit in self.names.resolve(module, ref.base, ref.chain) or ():
                        key = (hit.module, hit.name)
                        if hit.kind == MODULE and ref.now & BARE and not hit.name:
                            found.add((hit.module, "*"))
                        elif hit.kind != DEFINITION or key in found:
                            continue
                        elif self._kind(hit) == "variable" and (
                            ref.now & BARE or (ref.now & READ and self._value(hit) == "deep")
                        ):
                            found.add(key)
                            todo.append(key)
        return found

    def _allowed(self, hit: Hit, use: int, calls: bool) -> int | None:
        """How many levels of returned functions run, or None where nothing is called."""
        if use & BASE and self._is_hooked((hit.module, hit.name)):
            return 1
        if use & _CALLS:
            return 1 if use & (CALL2 | RMETH) or hit.rest else 0
        if calls and use & BARE and self._kind(hit) != "variable":
            return 0
        return None

    def _touched_directly(self, hit: Hit, use: int, calls: bool, busy: bool) -> bool:
        if use & (STORE | MUT):
            return True
        kind = self._kind(hit)
        unsafe = bool(hit.rest) and hit.rest[-1] not in LOOKING_METHODS
        if use & _CALLS and unsafe:
            return kind != "class" or bool(use & (ECALL | DECO)) or self._is_stateful(hit)
        if kind == "class":
            return bool(use & _CALLS) and self._is_stateful(hit)
        if kind != "variable":
            return False
        if use & BASE:
            return True
        value = self._value(hit)
        if value == "immutable":
            return False
        if use & BARE and calls:
            return True
        return value == "deep" and busy and bool(use & (READ | BARE | _CALLS))

    def _running(self, key: Key, allowed: int) -> tuple[frozenset[Key], bool]:
        """What running the code of `key` may touch, and whether it changes anything outside."""
        known = self._run.get((key, allowed))
        if known is not None:
            return known
        touched: set[Key] = set()
        changes = False
        seen = {key}
        todo = [(key, allowed)]
        while todo:
            (module, name), depth = todo.pop()
            summary = self.names.modules[module]
            indexes = [*self.names.bound[module].get(name, ()), *summary.written.get(name, ())]
            for index in indexes:
                definition = summary.definitions[index]
                for ref, use in _uses(definition, depth):
                    for hit in self.names.resolve(module, ref.base, ref.chain) or ():
                        if hit.kind == EXTERNAL:
                            changes = changes or _changes_outside(use & ~ECALL, hit.name)
                        elif hit.kind == MODULE and use & STORE:
                            touched.add((hit.module, hit.name if hit.name else "*"))
                        elif hit.kind == DEFINITION:
                            if self._touched_inside(hit, use):
                                touched.add((hit.module, hit.name))
                            if (at := (hit.module, hit.name)) not in seen and use & ~IMPORT:
                                seen.add(at)
                                todo.append((at, 1))
        self._run[key, allowed] = found = (frozenset(touched), changes)
        return found

    def _touched_inside(self, hit: Hit, use: int) -> bool:
        if use & (STORE | MUT):
            return True
        kind = self._kind(hit)
        if kind == "class":
            return self._is_stateful(hit)
        if kind != "variable" or not use & ~IMPORT:
            return False
        value = self._value(hit)
        if value == "flat":
            unsafe = bool(hit.rest) and hit.rest[-1] not in LOOKING_METHODS
            return bool(use & BARE) or bool(use & CALL and unsafe)
        return value == "deep"

    # ------------------------------------------------------------------ what a definition is

    def _definitions(self, key: Key) -> list[Definition]:
        summary = self.names.modules[key[0]]
        return [summary.definitions[index] for index in self.names.bound[key[0]].get(key[1], ())]

    def _kind(self, hit: Hit) -> str:
        kinds = {d.kind for d in self._definitions((hit.module, hit.name))}
        if kinds == {"function"}:
            return "function"
        return "class" if kinds == {"class"} else "variable"

    def _value(self, hit: Hit) -> str:
        if hit.name in self.names.modules[hit.module].written:
            return "deep"
        values = {d.value for d in self._definitions((hit.module, hit.name)) if d.value}
        if not values:
            return "deep" if self._kind(hit) == "variable" else ""
        for value in ("deep", "flat"):
            if value in values:
                return value
        return "immutable"

    def _is_stateful(self, hit: Hit) -> bool:
        return any(d.flags & STATEFUL for d in self._definitions((hit.module, hit.name)))

    def _is_hooked(self, key: Key) -> bool:
        """Whether creating a subclass runs the project's code."""
        known = self._hooked.get(key)
        if known is not None:
            return known
        self._hooked[key] = False  # a class cannot be its own ancestor
        found = False
        for definition in self._definitions(key):
            found = found or (definition.kind == "class" and bool(definition.flags & HOOKS))
            for ref in definition.refs:
                if ref.now & BASE and not found:
                    hits = self.names.resolve(key[0], ref.base, ref.chain) or ()
                    found = any(
                        h.kind == DEFINITION and self._is_hooked((h.module, h.name)) for h in hits
                    )
        self._hooked[key] = found
        return found


def _uses(definition: Definition, depth: int) -> Iterable[tuple[Ref, int]]:
    """References that running a definition follows, with how they are used."""
    for ref in definition.refs:
        if definition.kind == "function":
            if ref.later and ref.depth <= depth:
                yield ref, ref.later
        elif definition.kind == "class":
            if ref.later or ref.now & BASE:
                yield ref, ref.later | (ref.now & BASE)
        else:
            yield ref, ref.now | ref.later


def _changes_outside(use: int, dotted: str) -> bool:
    if dotted.partition(".")[0] == "whence":
        return False
    if use & (STORE | MUT | ECALL):
        return True
    if use & DECO:
        return changes_by_name(dotted)
    return bool(use & CALL) and not is_pure(dotted)
