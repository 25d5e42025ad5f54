"""A session: everything known of a world before anything runs.

Opening one scans the tree, finds the nodes (from the cache where nothing they depend on moved),
binds them, and offers each node's closure and distributions. A session is of the working tree, or
of a recorded world.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from whence.engine import snapshot
from whence.engine.config import Config
from whence.engine.environment import Environment, interpreter
from whence.engine.jobs import Setup
from whence.engine.localstate import LocalState
from whence.engine.observe_paths import ObserveContext, current_digest
from whence.engine.stats import StatCache
from whence.errors import ConfigError, CorruptBlob
from whence.graph.binding import Graph, bind
from whence.graph.code import Closure, CodeTree, Fallback, ModuleSource, ModuleSummary, summarise
from whence.graph.digest import Digest, canonical_json, digest_text
from whence.graph.nodes import NodeSpec
from whence.graph.observation import Observation
from whence.graph.recipe import digest_environment
from whence.graph.world import World
from whence.store.blobs import Blobs, LocalBlobs
from whence.store.catalog import Catalog, open_catalog
from whence.store.opening import open_blobs

#: Changes whenever summaries of code or discovery's output change their form.
CACHE_VERSION = "1"


@dataclass(slots=True)
class Stores:
    """The open stores of one project."""

    config: Config
    state: LocalState
    catalog: Catalog
    blobs: Blobs
    stats: StatCache
    verified: dict[str, tuple[int, int, int, int]]

    @staticmethod
    def open(config: Config) -> Stores:
        state = LocalState(config.state_dir)
        catalog = open_catalog(config.catalog)
        verified = {
            digest: (stat[0], stat[1], stat[2], stat[3])
            for digest, stat in (state.get("verified") or {}).items()
        }
        blobs = open_blobs(config.store, config.state_dir / "cache", verified=verified)
        stats = StatCache.from_json(state.get("stats") or {})
        return Stores(config, state, catalog, blobs, stats, verified)

    def save(self) -> None:
        """Keep what was digested for the next command."""
        kept: dict[str, Any] = {"verified": self.verified}
        if self.stats.changed:
            kept["stats"] = self.stats.to_json()
        self.state.put(kept)

    def is_whole(self, blob: Digest) -> bool:
        """Whether a blob is there and, where its file changed since it was digested, undamaged."""
        if not isinstance(self.blobs, LocalBlobs):
            return self.blobs.exists(blob)  # digested by the worker that downloads it
        try:
            self.blobs.local_path(blob)
        except CorruptBlob:
            return False
        return True

    def close(self) -> None:
        self.catalog.close()
        self.state.close()


@dataclass(slots=True)
class Session:
    """One world, opened: its nodes bound, its code readable by closure.

    `pinned` is the recorded world, where it is not that of the working tree.
    """

    stores: Stores
    tree: snapshot.Tree
    tree_digest: Digest
    environment: Environment
    specs: list[NodeSpec]
    imports: Mapping[str, list[Observation]]
    graph: Graph
    code: CodeTree
    graph_text: str
    seed: int | None
    params: Mapping[str, Any]
    vendored: Mapping[str, str] = field(default_factory=dict)
    pinned: World | None = None
    _reach: dict[frozenset[str], tuple[Mapping[str, str], Digest]] = field(default_factory=dict)
    _closures: dict[str, Closure] = field(default_factory=dict)

    @property
    def config(self) -> Config:
        return self.stores.config

    @property
    def fallbacks(self) -> list[tuple[str, Fallback]]:
        """Each node whose closure could not be resolved exactly, with why."""
        return [
            (name, fallback)
            for name, node in self.graph.nodes.items()
            if node.spec.kind not in ("source", "param")
            for fallback in self.closure(name).fallbacks
        ]

    def closure(self, name: str) -> Closure:
        """The code that a node's function reaches."""
        found = self._closures.get(name)
        if found is None:
            node = self.graph.nodes[name]
            spec = node.spec
            found = self._closures[name] = self.code.closure(
                spec.module,
                spec.qualname,
                parameters=[p.name for p in spec.parameters],
                captured=self._captured(spec),
            )
        return found

    def _captured(self, spec: NodeSpec) -> dict[str, Digest]:
        digests: dict[str, Digest] = {}
        for name, value in spec.captured.items():
            if value.startswith("ref:"):
                _, module, qualname = value.split(":", 2)
                value = self.code.closure(module, qualname.partition(".")[0]).digest
            digests[name] = Digest(value)
        return digests

    def reach(self, modules: Iterable[str]) -> tuple[Mapping[str, str], Digest]:
        """What the external `modules` bring, interpreter included, and its digest."""
        key = frozenset(modules)
        found = self._reach.get(key)
        if found is None:
            reached = {
                f"vendored:{name}": digest
                for name, digest in self.vendored.items()
                if any(_is_within(module, (name,)) for module in key)
            }
            outside = [module for module in key if not _is_within(module, self.vendored)]
            reached.update(self.environment.distributions_of(outside))
            reached.update(interpreter())
            found = self._reach[key] = (reached, digest_environment(reached))
        return found

    def current(self, kind: str, name: str) -> str:
        """Digest of an observed thing as it is now."""
        return current_digest(kind, name, self.observe_context())

    def observe_context(self) -> ObserveContext:
        return observe_context(self.stores, self.environment)


def observe_context(stores: Stores, environment: Environment) -> ObserveContext:
    config = stores.config
    return ObserveContext(
        root=config.root,
        salt=stores.catalog.store_id,
        secrets=config.secrets,
        stats=stores.stats,
        environment=environment,
    )


def make_setup(stores: Stores, tree: Digest, in_process: bool = False) -> Setup:
    """What a worker must know to run code of the snapshot `tree`."""
    config = stores.config
    folder = snapshot.materialise(tree, stores.catalog, config.state_dir / "snapshots")
    return Setup(
        root=str(config.root),
        roots=config.roots,
        pipeline=config.pipeline,
        snapshot=str(folder),
        store=config.store,
        cache_dir=str(config.state_dir / "cache"),
        salt=stores.catalog.store_id,
        secrets=config.secrets,
        ignored=(str(config.state_dir), config.store),
        capture_logs=not in_process,
    )


def scan_environment(stores: Stores, overlay: str = "") -> Environment:
    """This interpreter's distributions, from the cache where nothing was installed since.

    With `overlay`, a folder that goes first on the module path, as workers there see them.
    """
    config = stores.config
    # What a worker would have: not the folder of the script that happens to run here.
    script = os.path.dirname(os.path.realpath(sys.argv[0])) if sys.argv[0] else ""
    path = [p for p in sys.path if p and os.path.realpath(p) != script]
    cached = None if overlay else stores.state.get("environment")
    environment = Environment.open(
        [overlay, *path] if overlay else path,
        cached=cached,
        project_root=config.root,
        project_roots=[str(config.root / folder) for folder in config.roots],
        stats=stores.stats,
    )
    if not overlay and environment.to_json() is not cached:
        stores.state.put({"environment": environment.to_json()})
    return environment


def open_session(
    stores: Stores,
    params: Mapping[str, Any],
    seed: int | None,
    discover: Callable[[Setup], dict[str, Any]],
    in_process: bool = False,
) -> Session:
    """Open the working tree.

    Parameters
    ----------
    discover : callable
        Finds the nodes in a worker; called only where the cache does not have them.
    """
    config = stores.config
    patterns = stores.state.get("source patterns") or []
    tree = snapshot.scan_tree(config.root, stores.stats, exclude=patterns)
    summaries = _summaries(stores, tree, lambda path: (config.root / path).read_bytes())
    environment = scan_environment(stores)
    context = observe_context(stores, environment)
    key = _discovery_key(config, tree, summaries, environment)
    found = stores.state.get("discovery")
    if found is None or found["key"] != key or not _reads_hold(found["imports"], context):
        digest = snapshot.store_tree(tree, config.root, stores.catalog)
        found = {
            "key": key,
            **discover(make_setup(stores, digest, in_process)),
        }
        stores.state.put({"discovery": found})
    with _no_collection():
        specs = [NodeSpec.from_json(data) for data in found["specs"]]
        patterns_now = _source_patterns(specs)
        if patterns_now != patterns:
            stores.state.put({"source patterns": patterns_now})
            tree = snapshot.scan_tree(config.root, stores.stats, exclude=patterns_now)
        merged = {**config.params, **params}
        return Session(
            stores=stores,
            tree=tree,
            tree_digest=snapshot.store_tree(tree, config.root, stores.catalog),
            environment=environment,
            specs=specs,
            imports=_observations(found["imports"]),
            graph=bind(specs, merged, seed if seed is not None else config.seed),
            code=_code_tree(config, tree, summaries),
            vendored=_vendored(config, tree),
            graph_text=canonical_json(found["specs"]),
            seed=seed if seed is not None else config.seed,
            params=merged,
        )


def open_world(stores: Stores, world: World, environment: Environment | None = None) -> Session:
    """Open a recorded world: its tree from the store, its sources pinned."""
    graph_text = stores.catalog.get_text(world.graph)
    tree = snapshot.Tree.from_text(stores.catalog.get_text(world.tree))
    summaries = _summaries(
        stores, tree, lambda path: stores.catalog.get_content(tree.files[path].digest)
    )
    document = json.loads(graph_text)
    specs = [NodeSpec.from_json(data) for data in document]
    return Session(
        stores=stores,
        tree=tree,
        tree_digest=world.tree,
        environment=environment or scan_environment(stores),
        specs=specs,
        imports=_observations(world.imports),
        graph=bind(specs, world.params, world.seed),
        code=_code_tree(stores.config, tree, summaries),
        vendored=_vendored(stores.config, tree),
        graph_text=graph_text,
        seed=world.seed,
        params=world.params,
        pinned=world,
    )


def _module_name(path: str, roots: Iterable[str]) -> tuple[str, bool] | None:
    """Dotted name of a source file as its import folder gives it, and whether it is a package."""
    if not path.endswith(".py"):
        return None
    for root in sorted(roots, key=len, reverse=True):
        prefix = "" if root in (".", "") else root.rstrip("/") + "/"
        if path.startswith(prefix):
            parts = path[len(prefix) : -3].split("/")
            if not all(part.isidentifier() for part in parts):
                return None
            if parts[-1] == "__init__":
                return (".".join(parts[:-1]), True) if len(parts) > 1 else None
            return ".".join(parts), False
    return None


def _summaries(
    stores: Stores, tree: snapshot.Tree, read: Callable[[str], bytes]
) -> list[ModuleSummary]:
    """A summary of each module: from the cache by the digest of its text, else parsed."""
    config = stores.config
    names = {}
    for path, entry in tree.files.items():
        found = _module_name(path, config.roots)
        if found is not None:
            names[path] = (*found, f"{CACHE_VERSION}:{found[0]}:{path}:{entry.digest}")
    cached = stores.state.get_many("summary:", [key for _, _, key in names.values()])
    out: list[ModuleSummary] = []
    fresh: dict[str, Any] = {}
    with _no_collection():
        for path, (name, is_package, key) in names.items():
            if (known := cached.get(key)) is not None:
                out.append(ModuleSummary.from_json(known))
                continue
            text = read(path).decode("utf-8-sig", "replace")
            summary = summarise(ModuleSource(name, path, text, is_package))
            out.append(summary)
            fresh["summary:" + key] = summary.to_json()
    if fresh:
        stores.state.put(fresh)
    return out


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Without the garbage collector: what is made here stays, or is soon gone by itself."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _code_tree(config: Config, tree: snapshot.Tree, summaries: Iterable[ModuleSummary]) -> CodeTree:
    kept = list(summaries)
    native = {}
    for path in tree.native_files:
        folder, _, file = path.rpartition("/")
        found = _module_name(f"{folder}/{file.partition('.')[0]}.py".lstrip("/"), config.roots)
        if found is not None:
            native[found[0]] = Digest(tree.files[path].digest)
    # Of a package, discovery imports every module.
    roots = [s.name for s in kept if _is_within(s.name, config.pipeline)]
    return CodeTree(kept, native, [_package_of(f, config) for f in config.vendored], roots)


def _is_within(module: str, packages: Iterable[str]) -> bool:
    return any(module == name or module.startswith(name + ".") for name in packages)


def _package_of(folder: str, config: Config) -> str:
    found = _module_name(folder.strip("/") + ".py", config.roots)
    if found is None:
        raise ConfigError(
            f"[tool.whence] vendored: '{folder}' is not a package below {', '.join(config.roots)}.",
            "name folders that can be imported, relative to the project's root.",
        )
    return found[0]


def _vendored(config: Config, tree: snapshot.Tree) -> dict[str, str]:
    """Vendored packages, each with one digest of everything in its folder."""
    digests: dict[str, str] = {}
    for folder in config.vendored:
        prefix = folder.strip("/") + "/"
        inside = [f"{p}={e.digest}" for p, e in tree.files.items() if p.startswith(prefix)]
        digests[_package_of(folder, config)] = digest_text("vendored", *inside)
    return digests


def _discovery_key(
    config: Config,
    tree: snapshot.Tree,
    summaries: list[ModuleSummary],
    environment: Environment,
) -> str:
    """What discovery depends on, but for what modules read while they are imported."""
    modules = sorted(f"{s.path}={tree.files[s.path].digest}" for s in summaries)
    return digest_text(
        "discovery",
        CACHE_VERSION,
        canonical_json([config.pipeline, config.roots]),
        digest_environment({**environment.lock(), **interpreter()}),
        *modules,
    )


def _reads_hold(imports: Mapping[str, Any], context: ObserveContext) -> bool:
    return all(
        current_digest(kind, name, context) == digest
        for seen in imports.values()
        for kind, name, digest in seen
    )


def _observations(imports: Mapping[str, Any]) -> dict[str, list[Observation]]:
    return {name: [Observation(*row) for row in rows] for name, rows in imports.items()}


def _source_patterns(specs: Iterable[NodeSpec]) -> list[str]:
    """Path patterns of declared files, which are data and so never part of a snapshot."""
    return sorted(
        os.path.normpath(pattern)
        for spec in specs
        if spec.kind == "source"
        and isinstance(pattern := spec.options.get("pattern"), str)
        and "://" not in pattern
        and not Path(pattern).is_absolute()
    )
