"""Lineage: from a prediction, an artifact or a build back to rows, commit, params and packages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from whence.engine.history import no_node, partitions_of, recipes_of, specs_of, world_of
from whence.engine.results import Trace, describe
from whence.engine.session import Stores
from whence.errors import UnknownId, did_you_mean
from whence.graph.nodes import NodeSpec
from whence.graph.recipe import Recipe
from whence.graph.world import World
from whence.store.catalog.records import BuildRow, PredictionRecord, TaskRow


def trace(stores: Stores, name: str) -> Trace:
    """Where something came from.

    Parameters
    ----------
    name : str
        A prediction's id, an artifact's digest, "b12", "NODE" (of the latest build), "NODE@b12";
        ids may be cut to a unique beginning.

    Raises
    ------
    UnknownId
        If nothing, or more than one thing, has that id.
    """
    catalog = stores.catalog
    node, at, build = name.partition("@")
    if at:
        row = catalog.get_build(build)
        return _History(stores, row).of_node(node)
    matches = catalog.resolve(name)
    if not matches:
        latest = catalog.latest_build()
        known = {t.node for t in catalog.tasks_of(latest.build_id)} if latest is not None else set()
        if latest is not None and name in known:
            return _History(stores, latest).of_node(name)
        near = did_you_mean(name, known)
        raise UnknownId(
            f"Nothing is called '{name}': no prediction, artifact, build or node.",
            f"did you mean '{near}'?"
            if near
            else "give a prediction's id, a digest, NODE@BUILD or a build such as b12.",
        )
    if len(matches) > 1:
        listed = ", ".join(f"{m.kind} {m.id[:24]}" for m in matches[:6])
        raise UnknownId(f"'{name}' fits several things: {listed}.", "give more of the id.")
    match = matches[0]
    if match.kind == "prediction":
        return _of_prediction(stores, catalog.get_prediction(match.id))
    if match.kind == "build":
        return _History(stores, catalog.get_build(match.id)).whole()
    tasks = catalog.tasks_with_output(match.id)
    if not tasks:
        artifact = catalog.get_artifact(match.id)
        return Trace("artifact", match.id, describe(artifact))
    row = catalog.get_build(tasks[0].build_id)
    return _History(stores, row).of_node(tasks[0].node)


def _of_prediction(stores: Stores, prediction: PredictionRecord) -> Trace:
    row = stores.catalog.get_build(prediction.build_id)
    history = _History(stores, row)
    facts = {
        "service": prediction.service,
        "time": prediction.time,
        "latency_ms": prediction.latency_ms,
        "request": json.loads(prediction.request),
        "answer": json.loads(prediction.answer),
        "release": row.id,
    }
    return Trace("prediction", prediction.id, facts, history.of_service(prediction.service))


class _History:
    """Lineage inside one build. Each node is told once; further mentions only name it."""

    def __init__(self, stores: Stores, row: BuildRow) -> None:
        self.stores, self.row = stores, row
        catalog = stores.catalog
        self.world: World = world_of(catalog, row)
        self.specs: dict[str, NodeSpec] = {s.name: s for s in specs_of(catalog, self.world)}
        self.tasks: dict[str, list[TaskRow]] = {}
        for task in catalog.tasks_of(row.build_id):
            self.tasks.setdefault(task.node, []).append(task)
        self.recipes: dict[str, Recipe] = recipes_of(
            catalog, [task for rows in self.tasks.values() for task in rows]
        )
        self.told: set[str] = set()

    def whole(self) -> Trace:
        """The build itself, with what it was asked for."""
        used = {
            p.name
            for name in self.tasks
            for p in self.specs[name].parameters
            if p.name in self.tasks
        }
        ends = self.row.start.targets or tuple(n for n in self.tasks if n not in used)
        return Trace("build", self.row.id, self._build_facts(), self._nodes_and_world(ends))

    def of_node(self, name: str) -> Trace:
        if name not in self.tasks:
            raise no_node(self.row.id, name, self.tasks)
        made = self._node(name)
        told = frozenset(self.told)
        return Trace(made.kind, made.name, made.facts, (*made.parents, *self._world(told)))

    def of_service(self, service: str) -> tuple[Trace, ...]:
        """The build that served, with the nodes that the service uses."""
        spec = self.specs.get(service)
        names = tuple(p.name for p in spec.parameters if p.name in self.tasks) if spec else ()
        return (Trace("build", self.row.id, self._build_facts(), self._nodes_and_world(names)),)

    def _nodes_and_world(self, names: tuple[str, ...]) -> tuple[Trace, ...]:
        nodes = tuple(self._node(name) for name in names if name in self.tasks)
        return (*nodes, *self._world(frozenset(self.told)))

    def _build_facts(self) -> dict[str, Any]:
        start = self.row.start
        return {
            "status": self.row.status,
            "started": self.row.started,
            "commit": start.git_commit,
            "dirty": start.dirty,
            "python": start.python,
            "host": start.host,
            "user": start.user,
        }

    def _node(self, name: str) -> Trace:
        spec, rows = self.specs[name], self.tasks[name]
        kind = "source" if spec.kind == "source" else spec.kind
        if name in self.told:
            return Trace(kind, name, {"above": True})
        self.told.add(name)
        done = [row for row in rows if row.output]
        parts = partitions_of(self.stores.catalog, done) if done else []
        facts: dict[str, Any] = {"where": spec.where, "line": spec.line}
        if len(parts) == 1 and parts[0][0] == "":
            facts.update(describe(parts[0][1]))
        else:
            facts["partitions"] = {key: describe(artifact) for key, artifact in parts}
        facts["deterministic"] = spec.deterministic
        runs = self.stores.catalog.runs([row.run_id for row in rows if row.run_id is not None])
        made_in = sorted({f"b{run.build_id}" for run in runs.values()})
        facts["made_in"] = made_in
        recipe = self._recipe(name)
        if spec.kind == "source":
            facts["units"] = self._units(name)
            facts["options"] = dict(spec.options)
            return Trace(kind, name, facts)
        if recipe is not None:
            facts["params"] = {
                k: json.loads(v) for k, v in recipe.params.items() if k != "partition"
            }
            facts["definitions"] = sorted(d for d in recipe.definitions if d != "<node>")
        inputs = [p.name for p in spec.parameters if p.name in self.tasks]
        return Trace(kind, name, facts, tuple(self._node(above) for above in inputs))

    def _units(self, name: str) -> dict[str, Any]:
        files: Mapping[str, Any] = self.world.files.get(name, {})
        units = {}
        for unit, digest in self.world.data.get(name, {}).items():
            known = files.get(unit, [])
            units[unit] = {
                "digest": digest,
                "files": known["files"] if isinstance(known, dict) else list(known),
            }
        return units

    def _recipe(self, name: str) -> Recipe | None:
        for row in self.tasks[name]:
            if row.recipe in self.recipes:
                return self.recipes[row.recipe]
        return None

    def _world(self, names: frozenset[str]) -> tuple[Trace, ...]:
        """Code, params and packages that the named nodes reach."""
        definitions: dict[str, str] = {}
        packages: dict[str, str] = {}
        params: dict[str, Any] = {}
        for name in sorted(names):
            recipe = self._recipe(name)
            if recipe is None:
                continue
            packages.update(recipe.environment)
            for key, digest in recipe.definitions.items():
                definitions[self.specs[name].where if key == "<node>" else key] = digest
            if self.specs[name].kind != "source":
                for key, value in recipe.params.items():
                    if key != "partition":
                        params[f"{name}.{key}"] = json.loads(value)
        start = self.row.start
        code = {
            "commit": start.git_commit,
            "dirty": start.dirty,
            "snapshot": self.world.tree,
            "definitions": definitions,
        }
        return (
            Trace("code", start.git_commit[:12] or "snapshot", code),
            Trace("params", "params", {"values": params, "seed": self.world.seed}),
            Trace("packages", "packages", {"distributions": packages}),
        )
