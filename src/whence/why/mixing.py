"""Mixed worlds: the baseline's with some changes taken from the candidate."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from whence.engine.snapshot import FileEntry, Tree
from whence.engine.tasks import Key
from whence.graph.digest import Digest, canonical_json, digest_bytes, digest_text
from whence.graph.nodes import NodeSpec
from whence.graph.world import World
from whence.why.changes import SEEDS, Differences
from whence.why.environments import Environments, Overlay
from whence.why.sides import Side
from whence.why.statements import merge


@dataclass(frozen=True, slots=True)
class Seeding:
    """One replicate: the world's seed, and the params that choose randomness."""

    label: int
    seed: int | None
    params: Mapping[str, Any]


@dataclass(slots=True)
class Draft:
    """A mixed world, perhaps without its nodes yet.

    Attributes
    ----------
    sources : frozenset of str
        Sources whose data is the candidate's.
    values : mapping
        (source, unit) -> the value that its side's build recorded.
    overlay : Overlay
        The packages that it runs with.
    complete : bool
        False where the nodes must be found by importing the mixed tree; see `Mixer.complete`.
    """

    world: World
    sources: frozenset[str]
    values: Mapping[Key, Digest]
    overlay: Overlay
    complete: bool


class Mixer:
    """Makes the worlds between two sides, `a` the baseline and `b` the candidate."""

    def __init__(
        self, a: Side, b: Side, found: Differences, metric: str, environments: Environments
    ) -> None:
        self.a, self.b, self.found, self.metric = a, b, found, metric
        self.environments = environments
        self.catalog = a.session.stores.catalog
        self.vendored = a.session.config.vendored
        self._trees: dict[tuple[frozenset[str], tuple[tuple[str, str], ...]], Digest] = {}
        self._fixed = frozenset(c.id for c in found.changes if c.blocked)
        self._in_tree = frozenset(
            c.id
            for c in found.changes
            if not c.blocked and (c.kind in ("code", "file") or self._is_entry(c.key) or c.where)
        )
        self._is_derivable = self._specs_hold()

    def _is_entry(self, key: str) -> bool:
        return any(e.key == key for listed in self.found.entries.values() for e in listed)

    def flipped_ids(self, units: Iterable[int]) -> frozenset[str]:
        """Ids of the changes that are on the candidate's side; those that cannot be mixed are."""
        ids = {self.found.changes[i].id for unit in units for i in self.found.units[unit]}
        return self._fixed | ids

    def draft(
        self, flipped: frozenset[str], seeding: Seeding, texts: Mapping[str, str] | None = None
    ) -> Draft:
        """The world with the changes of these ids taken from the candidate.

        Parameters
        ----------
        texts : mapping, optional
            Key of a definition -> text that is neither side's: for looking inside a change.
        """
        by_id = {change.id: change for change in self.found.changes}
        sources = frozenset(by_id[i].key for i in flipped if by_id[i].kind == "source")
        data: dict[str, Any] = {}
        files: dict[str, Any] = {}
        values: dict[Key, Digest] = {}
        for name in sorted({*self.a.world.data, *self.b.world.data}):
            side = self._side_of_source(name, sources)
            data[name] = side.world.data[name]
            files[name] = side.world.files.get(name, {})
            values.update(side.outputs(name))
        tree, side_of_graph = self._tree(flipped & self._in_tree, texts or {})
        params = self._params(flipped)
        params.update(seeding.params)
        overlay = self.environments.with_versions(
            {
                change.name: change.after if change.id in flipped else change.before
                for change in self.found.changes
                if change.is_installed
            }
        )
        world = World(
            tree=tree,
            data=data,
            params=params,
            environment=overlay.environment.lock(),
            interpreter=self.b.world.interpreter,
            seed=seeding.seed,
            graph=Digest(""),
            files=files,
        )
        draft = Draft(world, sources, values, overlay, complete=False)
        if side_of_graph is not None:
            return self.complete(draft, side_of_graph.session.specs, side_of_graph.world.imports)
        if self._is_derivable:
            names = {spec.name for spec in self.b.session.specs}
            old = [spec for spec in self.a.session.specs if spec.name not in names]
            return self.complete(draft, [*self.b.session.specs, *old], self.b.world.imports)
        return draft

    def complete(
        self, draft: Draft, specs: Iterable[NodeSpec], imports: Mapping[str, Any]
    ) -> Draft:
        """The draft with the nodes that the metric needs; sources declared as their data is."""
        world = draft.world
        by_name = {spec.name: spec for spec in specs}
        for name in world.data:
            graph_of = self._side_of_source(name, draft.sources).session.graph
            if name in graph_of.nodes:
                by_name[name] = graph_of.nodes[name].spec
        kept = _needed(by_name, self.metric)
        text = canonical_json([spec.to_json() for spec in kept])
        graph = digest_text("graph", text)
        self.catalog.put_text(graph, text)
        params = {name: value for name, value in world.params.items() if _is_taken(name, kept)}
        data = {spec.name: world.data[spec.name] for spec in kept if spec.name in world.data}
        made = replace(world, graph=graph, params=params, data=data, imports=imports)
        return replace(draft, world=made, complete=True)

    def _side_of_source(self, name: str, flipped: frozenset[str]) -> Side:
        changed = any(c.kind == "source" and c.key == name for c in self.found.changes)
        if name not in self.b.world.data:
            return self.a
        if name not in self.a.world.data:
            return self.b
        return self.b if name in flipped or not changed else self.a

    def _params(self, flipped: frozenset[str]) -> dict[str, Any]:
        old, new = self.a.world.params, self.b.world.params
        out: dict[str, Any] = {**old, **new}
        for change in self.found.changes:
            if change.kind != "param" or self._is_entry(change.key):
                continue
            side = new if change.id in flipped else old
            if change.key in side:
                out[change.key] = side[change.key]
            else:
                out.pop(change.key, None)
        for key in [key for key in out if key.rpartition(".")[2] in SEEDS]:
            if old.get(key) != new.get(key):
                del out[key]  # randomness: each replicate says
        return out

    # -- trees --------------------------------------------------------------------------------

    def _tree(
        self, flipped: frozenset[str], texts: Mapping[str, str]
    ) -> tuple[Digest, Side | None]:
        """The mixed tree; and the side whose tree it is, where it is one's."""
        if not texts and flipped == self._in_tree:
            return self.b.world.tree, self.b
        if not texts and not flipped:
            return self.a.world.tree, self.a
        key = (flipped, tuple(sorted(texts.items())))
        if key not in self._trees:
            self._trees[key] = self._make_tree(flipped, texts)
        return self._trees[key], None

    def _make_tree(self, flipped: frozenset[str], texts: Mapping[str, str]) -> Digest:
        by_key = {change.key: change for change in self.found.changes}
        files: dict[str, FileEntry] = {}
        old, new = self.a.session.tree.files, self.b.session.tree.files
        for path in {*old, *new}:
            files[path] = new.get(path) or old[path]
        for folder in self.vendored:
            prefix = folder.strip("/") + "/"
            change = by_key.get(folder)
            if change is not None and change.id not in flipped:
                for path in [p for p in files if p.startswith(prefix)]:
                    del files[path]
                files.update({p: e for p, e in old.items() if p.startswith(prefix)})
        for path in files:
            change = by_key.get(path)
            if change is not None and change.kind == "file" and change.id not in flipped:
                files[path] = old[path]
        contents: dict[str, bytes] = {}
        for path, text in self._module_texts(flipped, texts).items():
            data = text.encode()
            digest = digest_bytes(data)
            contents[digest] = data
            files[path] = FileEntry(digest, len(data))
        tree = Tree(files)
        self.catalog.put_contents(contents)
        self.catalog.put_text(tree.digest, tree.to_text())
        return tree.digest

    def _module_texts(self, flipped: frozenset[str], texts: Mapping[str, str]) -> dict[str, str]:
        by_key = {change.key: change for change in self.found.changes}
        paths = {**self.a.paths(), **self.b.paths()}
        out = {}
        for module, entries in self.found.entries.items():
            before, after = (side.statements.get(module, []) for side in (self.a, self.b))
            if [s.text for s in before] == [s.text for s in after]:
                continue
            side_of = {
                entry.key: by_key[entry.key].id in flipped
                for entry in entries
                if entry.key in by_key
            }
            out[paths[module]] = merge(before, after, entries, side_of, texts)
        return out

    # -- nodes --------------------------------------------------------------------------------

    def _specs_hold(self) -> bool:
        """Whether every mix has the nodes that both sides have, so that none need be looked for.

        So it is where the nodes are declared alike on both sides and no declaration uses a changed
        name while it is imported.
        """
        sides = []
        for side in (self.a, self.b):
            wanted = set(side.selected)
            sides.append(
                {
                    spec.name: canonical_json({**spec.to_json(), "line": 0, "doc": ""})
                    for spec in side.session.specs
                    if spec.name in wanted and spec.kind != "source"
                }
            )
        if sides[0] != sides[1]:
            return False
        changed = {
            name
            for listed in self.found.entries.values()
            for entry in listed
            if entry.changed or entry.one_sided
            for name in entry.names
        }
        nodes = {
            spec.where
            for side in (self.a, self.b)
            for spec in side.session.specs
            if spec.kind != "source"
        }
        return not any(
            statement.now & changed - set(entry.names)
            for listed in self.found.entries.values()
            for entry in listed
            if entry.key in nodes or not entry.names
            for statement in (*entry.before, *entry.after)
        )


def _needed(specs: Mapping[str, NodeSpec], target: str) -> list[NodeSpec]:
    """The target's node and everything it takes, transitively, by name."""
    todo, found = [target], set()
    while todo:
        name = todo.pop()
        if name in found or name not in specs:
            continue
        found.add(name)
        todo += [parameter.name for parameter in specs[name].parameters]
    return [spec for name, spec in sorted(specs.items()) if name in found]


def _is_taken(key: str, specs: Iterable[NodeSpec]) -> bool:
    node, _, param = key.rpartition(".")
    return any(
        (spec.name == node if node else True)
        and (
            any(p.name == param for p in spec.parameters)
            or (spec.kind == "param" and spec.name == key)
        )
        for spec in specs
    )


def seedings(a: Side, b: Side, count: int) -> list[Seeding]:
    """Common seeds: the baseline's own, the candidate's where it differs, then new ones.

    With a new seed, every param called `seed` or `random_state` that is set, or that a node has,
    takes it.
    """
    keys = {key for side in (a, b) for key in side.world.params if key.rpartition(".")[2] in SEEDS}
    own = []
    for side in (a, b):
        given = {key: side.world.params[key] for key in keys if key in side.world.params}
        own.append((side.world.seed, given))
    out = [Seeding(_label(*own[0]), *own[0])]
    if own[1] != own[0]:
        out.append(Seeding(_label(*own[1]), *own[1]))
    taken = {
        f"{name}.{param}"
        for side in (a, b)
        for name in side.selected
        for param, value in side.session.graph.nodes[name].params.items()
        if param in SEEDS[1:] and isinstance(value, int)
    }
    used = {seeding.label for seeding in out}
    upcoming = (number for number in itertools.count(max(used) + 1))
    while len(out) < count:
        number = next(upcoming)
        out.append(Seeding(number, number, dict.fromkeys(sorted({*keys, *taken}), number)))
    return out


def _label(seed: int | None, params: Mapping[str, Any]) -> int:
    numbers = [value for value in params.values() if isinstance(value, int)]
    return seed or next(iter(numbers), 0)
