"""What was built before: recorded worlds, tasks and recipes, and differences between builds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from whence.engine.results import Diff, TaskResult
from whence.engine.session import Stores, open_world
from whence.engine.tasks import PARTS, Task, load_recipes
from whence.errors import UnknownId, did_you_mean
from whence.graph.code import locate
from whence.graph.diff import Change, compare, compare_definitions, compare_worlds
from whence.graph.digest import Digest
from whence.graph.nodes import NodeSpec
from whence.graph.partitions import order_partitions
from whence.graph.recipe import Recipe
from whence.graph.world import World
from whence.store.artifact import Artifact
from whence.store.catalog import Catalog
from whence.store.catalog.records import BuildRow, TaskRow


def no_node(build: str, name: str, known: Iterable[str]) -> UnknownId:
    """The error for a node that a build does not have."""
    near = did_you_mean(name, set(known))
    fix = f"did you mean '{near}'?" if near else "`whence show` lists the nodes."
    return UnknownId(f"Build {build} has no node '{name}'.", fix)


def world_of(catalog: Catalog, row: BuildRow) -> World:
    """The world of a recorded build."""
    return World.from_json(json.loads(catalog.get_text(row.start.world)))


def specs_of(catalog: Catalog, world: World) -> list[NodeSpec]:
    """The nodes of a recorded world, as discovery found them."""
    return [NodeSpec.from_json(data) for data in json.loads(catalog.get_text(world.graph))]


def recipes_of(catalog: Catalog, rows: Iterable[TaskRow]) -> dict[str, Recipe]:
    """Recipes of tasks, by the digest of their text."""
    texts = catalog.get_texts({row.recipe for row in rows if row.recipe})
    shared = {json.loads(text)["environment_digest"] for text in texts.values()}
    return load_recipes(texts, catalog.get_texts(shared))


def results_of(tasks: Iterable[Task]) -> list[TaskResult]:
    """What a build that just ended did."""
    return [
        TaskResult(
            task.node.name,
            task.partition,
            task.status,
            reason=task.reason,
            error=task.error,
            fix=task.fix,
            duration_s=task.duration_s,
            peak_bytes=task.peak_bytes,
            digest=task.artifact.digest if task.artifact else "",
            run_id=task.run_id,
            warnings=task.warnings,
        )
        for task in tasks
    ]


def recorded_results(catalog: Catalog, row: BuildRow) -> list[TaskResult]:
    """What a build of the past did."""
    rows = _in_order(catalog.tasks_of(row.build_id))
    runs = catalog.runs([task.run_id for task in rows if task.run_id is not None])
    out = []
    for task in rows:
        run = runs[task.run_id].run if task.run_id in runs else None
        own = run if task.status in ("ran", "failed") else None
        out.append(
            TaskResult(
                task.node,
                task.partition,
                task.status,
                reason=task.reason,
                # What never ran, a source that is not there, has its error as its reason.
                error=own.error if own else task.reason if task.status == "failed" else "",
                duration_s=own.duration_s if own else 0.0,
                peak_bytes=own.peak_bytes if own else 0,
                digest=task.output or "",
                run_id=task.run_id,
                warnings=own.warnings if own else (),
            )
        )
    return out


def _in_order(rows: Sequence[TaskRow]) -> list[TaskRow]:
    """Tasks by node, partitions in their order."""
    by_node: dict[str, dict[str, TaskRow]] = {}
    for row in rows:
        by_node.setdefault(row.node, {})[row.partition] = row
    return [parts[key] for parts in by_node.values() for key in order_partitions(parts)]


def partitions_of(catalog: Catalog, rows: Sequence[TaskRow]) -> list[tuple[str, Artifact]]:
    """The values of one node's tasks by partition, in partition order; split sources expanded."""
    found = catalog.get_artifacts([row.output for row in rows if row.output])
    if len(rows) == 1 and rows[0].output and found[rows[0].output].format == PARTS:
        listed = json.loads(found[rows[0].output].inline or b"[]")
        parts = catalog.get_artifacts([digest for _, digest in listed])
        return [(key, parts[Digest(digest)]) for key, digest in listed]
    by_key = {row.partition: found[row.output] for row in rows if row.output}
    return [(key, by_key[key]) for key in order_partitions(by_key)]


def diff(stores: Stores, before: BuildRow, after: BuildRow) -> Diff:
    """Everything that differs between two recorded builds."""
    catalog = stores.catalog
    worlds = [world_of(catalog, row) for row in (before, after)]
    tasks = [catalog.tasks_of(row.build_id) for row in (before, after)]
    recipes = [recipes_of(catalog, rows) for rows in tasks]
    coordinates = compare_worlds(*worlds)
    code = compare_definitions(recipes[0].values(), recipes[1].values())
    code += _changed_nodes(catalog, worlds, tasks, recipes)
    # Values as the nodes received them, so that a changed default shows too.
    params = _changed_params(tasks, recipes)
    outputs = [{_label(row): row.output or "" for row in rows} for rows in tasks]
    values = compare("value", outputs[0], outputs[1])
    return Diff(
        before.id,
        after.id,
        tuple(sorted(code, key=lambda change: change.name)),
        tuple(params),
        tuple(coordinates["data"]),
        tuple(coordinates["environment"]),
        tuple(coordinates["seed"]),
        tuple(values),
        _metrics(stores, worlds, tasks, {change.name for change in values}),
    )


def definition_diffs(
    stores: Stores, before: BuildRow, after: BuildRow, changes: Iterable[Change]
) -> dict[str, str]:
    """Changed definitions, each as a unified diff of its source text in the two snapshots."""
    from difflib import unified_diff

    sides = [_definition_texts(stores, row) for row in (before, after)]
    out = {}
    for change in changes:
        old, new = (side.get(change.name, ("", [])) for side in sides)
        lines = unified_diff(
            old[1], new[1], f"{before.id} {old[0]}", f"{after.id} {new[0]}", lineterm=""
        )
        out[change.name] = "\n".join(lines)
    return out


def _definition_texts(stores: Stores, row: BuildRow) -> dict[str, tuple[str, list[str]]]:
    """Definition -> where it stands and its lines, in a build's snapshot."""
    session = open_world(stores, world_of(stores.catalog, row))
    files: dict[str, list[str]] = {}
    found = {}
    for name, (path, first, last) in locate(session.code).items():
        if path not in files:
            data = stores.catalog.get_content(session.tree.files[path].digest)
            files[path] = data.decode("utf-8-sig", "replace").splitlines()
        found[name] = (f"{path}:{first}", files[path][first - 1 : last])
    return found


def _changed_nodes(
    catalog: Catalog,
    worlds: Sequence[World],
    tasks: Sequence[Sequence[TaskRow]],
    recipes: Sequence[dict[str, Recipe]],
) -> list[Change]:
    """Node functions whose own text changed."""
    sides: list[dict[str, str]] = []
    for world, rows, known in zip(worlds, tasks, recipes, strict=True):
        where = {spec.name: spec.where for spec in specs_of(catalog, world)}
        side: dict[str, str] = {}
        for row in rows:
            recipe = known.get(row.recipe)
            if recipe is not None and "<node>" in recipe.definitions:
                side[where.get(row.node, row.node)] = recipe.definitions["<node>"]
        sides.append(side)
    return compare("code", sides[0], sides[1])


def _changed_params(
    tasks: Sequence[Sequence[TaskRow]], recipes: Sequence[dict[str, Recipe]]
) -> list[Change]:
    sides: list[dict[str, str]] = []
    for rows, known in zip(tasks, recipes, strict=True):
        side = {}
        for row in rows:
            recipe = known.get(row.recipe)
            if recipe is not None and recipe.definitions:
                for name, value in recipe.params.items():
                    if name != "partition":
                        side[f"{row.node}.{name}"] = value
        sides.append(side)
    return compare("param", sides[0], sides[1])


def _metrics(
    stores: Stores,
    worlds: Sequence[World],
    tasks: Sequence[Sequence[TaskRow]],
    changed: set[str],
) -> dict[str, tuple[Any, Any]]:
    """Values before and after of the metrics that changed, as their summaries show them."""
    catalog = stores.catalog
    names = {
        spec.name
        for world in worlds
        for spec in specs_of(catalog, world)
        if spec.kind == "metric" and spec.name in changed
    }
    sides: list[dict[str, Any]] = []
    for rows in tasks:
        outputs = {row.node: row.output for row in rows if row.node in names and row.output}
        found = catalog.get_artifacts(outputs.values())
        sides.append({node: dict(found[output].summary) for node, output in outputs.items()})
    return {name: (sides[0].get(name), sides[1].get(name)) for name in sorted(names)}


def _label(row: TaskRow) -> str:
    return f"{row.node}[{row.partition}]" if row.partition else row.node
