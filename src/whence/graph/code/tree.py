"""The closure of a node: everything in the project's code that may change what it returns."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from whence.errors import GraphError, did_you_mean
from whence.graph.code.effects import Effects
from whence.graph.code.model import (
    FRAMES,
    IMPORT,
    USES_DOC,
    USES_NAME,
    Closure,
    Definition,
    Fallback,
    FunctionForm,
    ModuleSummary,
)
from whence.graph.code.resolve import DEFINITION, EXTERNAL, MODULE, NATIVE, Hit, Names
from whence.graph.digest import Digest, digest_text

T = TypeVar("T")
_SLOT = re.compile("\0([^\n]+)")
Key = tuple[str, str]
PROJECT, SOURCE = ("", "<project>"), ("", "<source>")
EFFECTS, WHOLE, BINARY = ":<effects>", ":<module>", ":<native>"


@dataclass(slots=True)
class _Vertex:
    """One thing that counts, before what it refers to."""

    digest: Digest
    documented: Digest
    edges: frozenset[int]
    externals: frozenset[str]
    fallbacks: frozenset[Fallback]
    modules: frozenset[str]
    flags: int


class _Reach(NamedTuple):
    """A vertex with all that it refers to, transitively."""

    vertices: frozenset[int]
    externals: frozenset[str]
    fallbacks: frozenset[Fallback]
    modules: frozenset[str]
    flags: int


class _Parts:
    """Collects a vertex."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.docs: list[str] = []
        self.edges: set[Key] = set()
        self.externals: set[str] = set()
        self.fallbacks: set[Fallback] = set()
        self.modules: set[str] = set()
        self.flags = 0


class CodeTree:
    """All modules of a project, seen together.

    Parameters
    ----------
    modules : iterable of ModuleSummary
    native : mapping
        The project's own compiled modules -> digest of their content.
    vendored : collection of str
        Packages in the project's tree that count as a distribution; their modules are external.
    roots : iterable of str, optional
        Modules of the pipeline. Effects of what they import, and only of that, count for every
        node. Without it, all modules count as imported.
    """

    def __init__(
        self,
        modules: Iterable[ModuleSummary],
        native: Mapping[str, Digest] | None = None,
        vendored: Collection[str] = (),
        roots: Iterable[str] | None = None,
    ) -> None:
        outside = tuple(vendored)
        self.modules = {
            m.name: m
            for m in modules
            if not any(m.name == v or m.name.startswith(v + ".") for v in outside)
        }
        self.native = dict(native or {})
        self._names = Names(self.modules, self.native, outside)
        self.imported = frozenset(self.modules) if roots is None else self.reachable_modules(roots)
        self._effects = Effects(self._names, self.imported)
        self._ids: dict[Key, int] = {}
        self._keys: list[Key] = []
        self._vertices: list[_Vertex | None] = []
        self._reach: dict[int, _Reach] = {}
        self._united: dict[frozenset[int], _Reach] = {}
        self._spelled: dict[
            tuple[frozenset[int], bool], tuple[dict[str, Digest], Digest, tuple[Fallback, ...]]
        ] = {}
        self._whence: dict[tuple[str, str, str], bool] = {}
        self._always = frozenset(
            self._id((module, EFFECTS)) for module in sorted(self._effects.outside)
        )

    # ------------------------------------------------------------------ modules

    def reachable_modules(self, roots: Iterable[str]) -> frozenset[str]:
        """Project modules that importing `roots` imports, transitively, `roots` included."""
        found: set[str] = set()
        todo = [root for root in roots if root in self.modules]
        while todo:
            name = todo.pop()
            if name in found:
                continue
            found.add(name)
            summary = self.modules[name]
            wanted = [name.rpartition(".")[0], *summary.stars]
            for module, attribute in summary.imported:
                wanted += [module, f"{module}.{attribute}" if attribute else module]
            for module in wanted:
                while module:
                    if module in self.modules and module not in found:
                        todo.append(module)
                    module = module.rpartition(".")[0]
            if any(scope == "project" for d in summary.definitions for _, _, scope in d.tricks):
                todo += [each for each in self.modules if each not in found]
        return frozenset(found)

    # ------------------------------------------------------------------ closures

    def closure(
        self,
        module: str,
        qualname: str,
        *,
        parameters: Sequence[str] = (),
        captured: Mapping[str, str] | None = None,
    ) -> Closure:
        """Everything that counts for the node defined as `qualname` in `module`.

        Parameters
        ----------
        module, qualname : str
            Where the node's function is defined.
        parameters : sequence of str
            Its parameters that the engine fills; their order does not count, nor, where code
            cannot see them, do their names.
        captured : mapping, optional
            Values that the function captured from a function around it -> their digests.

        Raises
        ------
        GraphError
            If there is no such function, or it cannot be told from others.
        """
        summary = self.modules.get(module)
        if summary is None:
            raise _unknown_module(module, qualname, self.modules)
        indexes = self._names.bound[module].get(qualname, [])
        definitions = [summary.definitions[i] for i in indexes]
        held = [f"{name}={digest}" for name, digest in sorted((captured or {}).items())]
        parts = _Parts()
        if not definitions:
            self._inner(summary, qualname, captured or {}, parts)
            form = None
        else:
            form = definitions[0].function if len(definitions) == 1 else None
            key = (module, qualname)
            for definition in definitions:
                self._add_refs(parts, module, qualname, definition, own=key)
            self._add_contributions(parts, key)
            if form is not None:
                parts.texts.append("one")
        targets = frozenset(self._id(key) for key in parts.edges) | self._always
        reach = self._unite(targets)
        flags = reach.flags | parts.flags
        slots = {name: name for name in parameters}
        if form is not None:
            keep = bool(flags & FRAMES)
            texts, slots = self._root(module, qualname, form, parameters, parts.flags, keep)
            parts.texts += texts
        else:
            parts.texts += [qualname, *(d.digest for d in definitions)]
        if flags & USES_DOC:
            parts.texts += ["docs", *(d.docs for d in definitions)]
        root = digest_text("node", *parts.texts, "captured", *held)
        spelled, digest, fallbacks = self._spell(reach, bool(flags & USES_DOC))
        if parts.fallbacks:
            fallbacks = tuple(sorted({*fallbacks, *parts.fallbacks}))
        return Closure(
            digest=digest_text("closure", root, digest),
            root=root,
            definitions=spelled,
            externals=reach.externals | parts.externals if parts.externals else reach.externals,
            fallbacks=fallbacks,
            modules=reach.modules | {module},
            slots=slots,
        )

    def _inner(
        self, summary: ModuleSummary, qualname: str, captured: Mapping[str, str], parts: _Parts
    ) -> None:
        """A node that is not at the top level: its whole module counts."""
        fix = "declare the node with `def` at the top level of a module."
        where = f"{summary.name}.{qualname}"
        if "<lambda>" in qualname:
            raise GraphError(f"Node '{where}' is a lambda, which has no name to find it by.", fix)
        count, free = summary.nested.get(qualname, (0, ()))
        if count == 0:
            near = did_you_mean(qualname, self._names.bound[summary.name])
            hint = f"did you mean '{near}'? Else " if near else ""
            raise GraphError(
                f"Function '{qualname}' is not defined in module '{summary.name}' "
                f"({summary.path}).",
                hint + fix,
            )
        if count > 1:
            raise GraphError(
                f"{count} functions in module '{summary.name}' are called '{qualname}'; which of "
                "them is the node cannot be told.",
                fix,
            )
        if missing := [name for name in free if name not in captured]:
            raise GraphError(
                f"Node '{where}' captures {', '.join(missing)} from the function around it.", fix
            )
        parts.edges.add((summary.name, WHOLE))
        cause = f"node '{qualname}' is not at the top level of its module"
        parts.fallbacks.add(Fallback(where, 0, cause, "module"))

    def _root(
        self,
        module: str,
        name: str,
        form: FunctionForm,
        parameters: Sequence[str],
        flags: int,
        keep: bool,
    ) -> tuple[list[str], dict[str, str]]:
        """Texts of the function itself, and what each parameter is spelled as."""
        decorators = [
            text for base, chain, text in form.decorators if not self.is_whence(module, base, chain)
        ]
        keep = keep or form.keep_all or bool(decorators)
        filled = set(parameters)
        slots = {parameter: parameter for parameter in parameters}
        if not keep:
            number = 0
            for parameter in form.order:
                if parameter in filled and parameter not in form.spoken:
                    slots[parameter] = f"${number}"
                    number += 1
        spelled = {p: "$" + slots[p].lstrip("$") if p in filled else "." + p for p in form.order}
        body = _SLOT.sub(lambda match: spelled[match[1]], form.body).replace("\1", "\1self")
        used = set(form.order)
        texts = [form.keyword, "decorators", *decorators, "body", body, "unused"]
        texts += sorted(filled - used)
        texts.append("others")
        for each in form.parameters:
            if each[0] not in filled:
                texts += each
        if decorators or flags & USES_NAME:
            texts += ["name", module, name]
        return texts, slots

    def is_whence(self, module: str, base: str, chain: str) -> bool:
        """Whether a decorator comes from whence itself."""
        if not base:
            return False
        key = (module, base, chain)
        known = self._whence.get(key)
        if known is None:
            path = tuple(chain.split(".")) if chain else ()
            hits = self._names.resolve(module, base, path) or ()
            known = bool(hits) and all(map(_is_of_whence, hits))
            self._whence[key] = known
        return known

    # ------------------------------------------------------------------ vertices

    def _id(self, key: Key) -> int:
        found = self._ids.get(key)
        if found is None:
            found = self._ids[key] = len(self._keys)
            self._keys.append(key)
            self._vertices.append(None)
        return found

    def _add_refs(
        self, parts: _Parts, module: str, name: str, definition: Definition, own: Key | None = None
    ) -> None:
        """Follow the references of one statement."""
        where = f"{module}.{name}" if name[:1] != ":" else module
        parts.flags |= definition.flags & (USES_DOC | USES_NAME | FRAMES)
        parts.modules.add(module)
        bindings: list[str] = []
        for ref in definition.refs:
            hits = self._names.resolve(module, ref.base, ref.chain)
            if hits is None:
                if not ref.soft and ref.base not in self.modules[module].typing_names:
                    parts.edges.add((module, WHOLE))
                    cause = f"'{ref.base}' is bound nowhere that can be seen"
                    parts.fallbacks.add(Fallback(where, ref.line, cause, "module"))
                continue
            plain = True
            for hit in hits:
                if hit.kind == DEFINITION:
                    key = (hit.module, hit.name)
                    if key != own:
                        parts.edges.add(key)
                    plain = plain and hit.module == module and hit.name == ref.base
                elif hit.kind == EXTERNAL:
                    parts.externals.add(hit.module)
                    plain = False
                else:
                    plain = False
                    if (ref.now | ref.later) == IMPORT and not hit.name:
                        continue
                    self._add_other(parts, hit, where, ref.line, soft=ref.soft)
            if own is not None and not ref.later and hits and all(map(_is_of_whence, hits)):
                continue  # a node's own decorator: its options arrive through discovery
            if not plain:
                targets = sorted(f"{h.module}:{h.name}" for h in hits)
                bindings.append(f"{ref.base}.{'.'.join(ref.chain)}={'|'.join(targets)}")
        for line, cause, scope in definition.tricks:
            parts.edges.add(PROJECT)
            if scope == "source":
                parts.edges.add(SOURCE)
            parts.fallbacks.add(Fallback(where, line, cause, "project"))
        parts.texts += sorted(bindings)

    def _add_other(self, parts: _Parts, hit: Hit, where: str, line: int, soft: bool) -> None:
        if hit.kind == NATIVE:
            parts.edges.add((hit.module, BINARY))
        elif hit.kind == MODULE:
            if soft and hit.name and hit.name != "*":
                return  # an annotation's name that is not there
            parts.edges.add((hit.module, WHOLE))
            parts.fallbacks.add(Fallback(where, line, hit.cause, "module"))
        else:
            parts.edges.add(PROJECT)
            parts.fallbacks.add(Fallback(where, line, hit.cause, "project"))

    def _add_contributions(self, parts: _Parts, key: Key) -> None:
        """What other statements do to a definition."""
        module, name = key
        summary = self.modules[module]
        parts.edges |= self._effects.named.get(key, set())
        for index in summary.written.get(name, ()):
            definition = summary.definitions[index]
            if definition.names:
                parts.edges.add((module, definition.names[0]))
        others = [*self._effects.folded.get(key, ()), *self._effects.wild.get(module, ())]
        for at, index in others:
            definition = self.modules[at].definitions[index]
            parts.texts += ["by", at, definition.digest]
            parts.docs.append(definition.docs)
            held = definition.names[0] if definition.names else EFFECTS
            self._add_refs(parts, at, held, definition)

    def _build(self, index: int) -> _Vertex:
        key = self._keys[index]
        module, name = key
        parts = _Parts()
        if key == PROJECT:
            return self._project_vertex()
        if key == SOURCE:
            texts = [f"{m}={self.modules[m].source}" for m in sorted(self.modules)]
            parts.texts = texts
        elif name == BINARY:
            parts.texts = [self.native[module]]
        elif name == WHOLE:
            self._whole(parts, module)
        elif name == EFFECTS:
            for each in self._effects.outside[module]:
                definition = self.modules[module].definitions[each]
                parts.texts.append(definition.digest)
                parts.docs.append(definition.docs)
                self._add_refs(parts, module, EFFECTS, definition)
        else:
            for each in self._names.bound[module].get(name, ()):
                definition = self.modules[module].definitions[each]
                parts.texts.append(definition.digest)
                parts.docs.append(definition.docs)
                self._add_refs(parts, module, name, definition)
            self._add_contributions(parts, key)
        if parts.flags & USES_NAME:
            parts.texts += ["in", module]
        parts.edges.discard(key)
        digest = digest_text("definition", *parts.texts)
        has_docs = any(parts.docs)
        return _Vertex(
            digest,
            digest_text("documented", digest, *parts.docs) if has_docs else digest,
            frozenset(self._id(k) for k in parts.edges),
            frozenset(parts.externals),
            frozenset(parts.fallbacks),
            frozenset(parts.modules),
            parts.flags & (USES_DOC | FRAMES),
        )

    def _whole(self, parts: _Parts, module: str) -> None:
        """A whole module, with all that it defines, imports and contains."""
        summary = self.modules[module]
        parts.texts.append(summary.digest)
        parts.docs.append(summary.docs)
        parts.modules.add(module)
        parts.edges |= {(module, name) for name in self._names.bound[module]}
        if module in self._effects.outside:
            parts.edges.add((module, EFFECTS))
        for name, hits in self._names.module_aliases(module):
            for hit in hits:
                parts.texts.append(f"{name}={hit.module}:{hit.name}")
                if hit.kind == DEFINITION:
                    parts.edges.add((hit.module, hit.name))
                elif hit.kind == EXTERNAL:
                    parts.externals.add(hit.module)
                elif hit.kind == NATIVE:
                    parts.edges.add((hit.module, BINARY))
                elif hit.kind == MODULE:
                    parts.edges.add((hit.module, WHOLE))
                else:
                    parts.edges.add(PROJECT)
        for star in summary.stars:
            if star in self.modules:
                parts.edges.add((star, WHOLE))
            elif not self._names.is_project(star):
                parts.externals.add(star)
        for index, definition in enumerate(summary.definitions):
            if not definition.names:  # statements that no definition holds
                self._add_refs(
                    parts, module, f"line {summary.definitions[index].first}", definition
                )
        if summary.is_package:
            prefix = module + "."
            parts.edges |= {(m, WHOLE) for m in self.modules if m.startswith(prefix)}
            parts.edges |= {(m, BINARY) for m in self.native if m.startswith(prefix)}
            parts.externals |= {m for m in self._names.vendored if m.startswith(prefix)}

    def _project_vertex(self) -> _Vertex:
        texts = [f"{m}={self.modules[m].digest}" for m in sorted(self.modules)]
        texts += [f"{m}={digest}" for m, digest in sorted(self.native.items())]
        digest = digest_text("project", *texts)
        docs = [self.modules[m].docs for m in sorted(self.modules)]
        externals = {
            module
            for summary in self.modules.values()
            for module in (*(i[0] for i in summary.imported), *summary.stars)
            if module and not self._names.is_project(module)
        }
        return _Vertex(
            digest,
            digest_text("documented", digest, *docs),
            frozenset(),
            frozenset(externals),
            frozenset(),
            frozenset(self.modules),
            0,
        )

    # ------------------------------------------------------------------ reach

    def _vertex(self, index: int) -> _Vertex:
        vertex = self._vertices[index]
        if vertex is None:
            vertex = self._vertices[index] = self._build(index)
        return vertex

    def _reached(self, start: int) -> _Reach:
        """Tarjan's strongly connected components: each gets its reach when it is complete."""
        known = self._reach
        if start in known:
            return known[start]
        order: dict[int, int] = {start: 0}
        low: dict[int, int] = {start: 0}
        stack: list[int] = [start]
        path = [(start, iter(self._vertex(start).edges))]
        while path:
            at, edges = path[-1]
            for target in edges:
                if target in known:
                    continue
                if target in order:
                    low[at] = min(low[at], order[target])
                    continue
                order[target] = low[target] = len(order)
                stack.append(target)
                path.append((target, iter(self._vertex(target).edges)))
                break
            else:
                path.pop()
                if path:
                    above = path[-1][0]
                    low[above] = min(low[above], low[at])
                if low[at] == order[at]:
                    component = stack[stack.index(at) :]
                    del stack[len(stack) - len(component) :]
                    reach = self._join(component)
                    for each in component:
                        known[each] = reach
        return known[start]

    def _join(self, component: Sequence[int]) -> _Reach:
        inside = set(component)
        vertices = [self._vertex(each) for each in component]
        below = {self._reach[t] for v in vertices for t in v.edges if t not in inside}
        flags = 0
        for vertex in vertices:
            flags |= vertex.flags
        for reach in below:
            flags |= reach.flags
        return _Reach(
            frozenset(inside).union(*(r.vertices for r in below)),
            _union([*(v.externals for v in vertices), *(r.externals for r in below)]),
            _union([*(v.fallbacks for v in vertices), *(r.fallbacks for r in below)]),
            _union([*(v.modules for v in vertices), *(r.modules for r in below)]),
            flags,
        )

    def _unite(self, targets: frozenset[int]) -> _Reach:
        known = self._united.get(targets)
        if known is None:
            found = [self._reached(target) for target in targets]
            flags = 0
            for reach in found:
                flags |= reach.flags
            known = _Reach(
                frozenset().union(*(r.vertices for r in found)),
                _union([r.externals for r in found]),
                _union([r.fallbacks for r in found]),
                _union([r.modules for r in found]),
                flags,
            )
            self._united[targets] = known
        return known

    def _spell(
        self, reach: _Reach, documented: bool
    ) -> tuple[dict[str, Digest], Digest, tuple[Fallback, ...]]:
        key = (reach.vertices, documented)
        known = self._spelled.get(key)
        if known is None:
            found: dict[str, Digest] = {}
            for index in reach.vertices:
                vertex = self._vertex(index)
                digest = vertex.documented if documented else vertex.digest
                found[_spell_key(self._keys[index])] = digest
            found = dict(sorted(found.items()))
            total = digest_text("definitions", *(f"{name}={d}" for name, d in found.items()))
            known = self._spelled[key] = (found, total, tuple(sorted(reach.fallbacks)))
        return known


def locate(tree: CodeTree) -> dict[str, tuple[str, int, int]]:
    """Where each definition is: name -> (path, first line, last line)."""
    found: dict[str, tuple[str, int, int]] = {}
    for module in tree.modules.values():
        found[module.name + WHOLE] = (module.path, 1, module.lines)
        loose = [d for d in module.definitions if not d.names]
        if loose:
            found[module.name + EFFECTS] = (module.path, loose[0].first, loose[-1].last)
        for definition in module.definitions:
            for name in definition.names:
                key = f"{module.name}.{name}"
                _, first, last = found.get(key, (module.path, definition.first, definition.last))
                found[key] = (
                    module.path,
                    min(first, definition.first),
                    max(last, definition.last),
                )
    return found


def _union(sets: Sequence[frozenset[T]]) -> frozenset[T]:
    return frozenset[T]().union(*sets)


def _is_of_whence(hit: Hit) -> bool:
    return hit.kind == EXTERNAL and hit.name.partition(".")[0] == "whence"


def _spell_key(key: Key) -> str:
    module, name = key
    if not module:
        return name
    return module + name if name[:1] == ":" else f"{module}.{name}"


def _unknown_module(module: str, qualname: str, known: Collection[str]) -> GraphError:
    near = did_you_mean(module, known)
    fix = f"did you mean '{near}'?" if near else "define nodes in modules of the project."
    return GraphError(
        f"Node '{qualname}' is defined in '{module}', which is not a module of the project.", fix
    )
