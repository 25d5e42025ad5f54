"""Status: what a build would do now, and why, without doing it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from whence.engine.history import recipes_of
from whence.engine.results import Status, TaskStatus
from whence.engine.session import Session
from whence.engine.tasks import Key, Planner, Task
from whence.errors import GraphError
from whence.graph.diff import Change, compare, compare_recipes
from whence.graph.digest import canonical_json
from whence.graph.recipe import Recipe
from whence.store.catalog.records import MemoRow, TaskRow


def status_of(session: Session, targets: Sequence[str] = ()) -> Status:
    """The state of every task that `targets` need (all nodes by default)."""
    selected = session.graph.select(targets)
    planner = Planner(session, selected)
    catalog = session.stores.catalog
    last = catalog.last_tasks()
    recipes = recipes_of(catalog, last.values())
    states: dict[Key, TaskStatus] = {}
    unknown: set[str] = set()  # nodes whose partitions a build would have to find out
    for name in selected:
        node = session.graph.nodes[name]
        upstream = [edge.node for edge in node.inputs]
        if any(above in unknown for above in upstream):
            unknown.add(name)
            states[name, ""] = TaskStatus(name, "", "waiting", upstream=tuple(upstream))
            continue
        try:
            tasks = planner.expand(name) or []
        except GraphError as error:
            states[name, ""] = TaskStatus(name, "", "failed", error=str(error))
            unknown.add(name)
            continue
        for task in tasks:
            states[task.key] = _state(session, planner, task, states, last, recipes)
        if name not in planner.shapes:
            unknown.add(name)
    return Status(
        tasks=tuple(states.values()),
        fallbacks=tuple(_fallbacks(session)),
        effects=tuple(_effects(session, selected)),
        skipped_files=tuple(session.tree.skipped),
    )


def _state(
    session: Session,
    planner: Planner,
    task: Task,
    states: dict[Key, TaskStatus],
    last: dict[Key, TaskRow],
    recipes: dict[str, Recipe],
) -> TaskStatus:
    name, partition = task.key
    if task.status == "failed":
        return TaskStatus(name, partition, "failed", error=f"{task.error}\n  Fix: {task.fix}")
    stale = tuple(
        f"{node}[{part}]" if part else node
        for node, part in task.needs
        if (state := states.get((node, part))) is not None and state.state != "fresh"
    )
    before = last.get(task.key)
    if stale:
        own = _own_changes(session, task, before, recipes)
        kind = "new" if before is None else "stale" if own else "waiting"
        return TaskStatus(name, partition, kind, own, stale)
    recipe = planner.make_recipe(task)
    rows = session.stores.catalog.find_memo(task.static_key)
    changes: list[Change] = []
    for row in rows:
        moved = _moved(session, task, row)
        if not moved:
            artifact = session.stores.catalog.get_artifact(row.output)
            planner.settle(task, artifact)
            return TaskStatus(name, partition, "fresh", age_s=_age(session, task, row))
        changes = changes or moved
    if before is None:
        return TaskStatus(name, partition, "new", tuple(changes))
    old = recipes.get(before.recipe)
    if old is not None:
        changes = compare_recipes(name, task.node.spec.where, old, recipe) + changes
    return TaskStatus(name, partition, "stale", tuple(changes))


def _own_changes(
    session: Session, task: Task, before: TaskRow | None, recipes: dict[str, Recipe]
) -> tuple[Change, ...]:
    """What changed in a task's own code and params, though its inputs are not known yet."""
    old = recipes.get(before.recipe) if before else None
    if old is None or task.node.spec.kind == "source":
        return ()
    closure = session.closure(task.node.name)
    now: dict[str, Any] = {"<node>": closure.root, **closure.definitions}
    where = task.node.spec.where
    changes = [
        Change("code", where if name == "<node>" else name, old.definitions.get(name), digest)
        for name, digest in sorted(now.items())
        if old.definitions.get(name) != digest
    ]
    params = {name: canonical_json(value) for name, value in task.node.params.items()}
    known = {name: value for name, value in old.params.items() if name != "partition"}
    return (*changes, *compare("param", known, params, prefix=f"{task.node.name}."))


def _moved(session: Session, task: Task, row: MemoRow) -> list[Change]:
    """Observed things that are not as they were when the row was written."""
    moved = []
    for seen in row.observed:
        if seen.kind == "seed":
            now = f"{session.seed or 0}/{task.node.name}/{task.partition}"
        else:
            now = session.current(seen.kind, seen.name)
        if now != seen.digest:
            moved.append(Change("observed", f"{seen.kind} {seen.name}", seen.digest, now))
    return moved


def _age(session: Session, task: Task, row: MemoRow) -> float | None:
    if task.node.spec.deterministic or row.run_id is None:
        return None
    return time.time() - session.stores.catalog.run(row.run_id).run.started


def _effects(session: Session, selected: Sequence[str]) -> list[str]:
    """Modules that change something outside themselves when imported, so count for every node."""
    ending = ":<effects>"
    found: set[str] = set()
    for name in selected:
        if session.graph.nodes[name].spec.kind != "source":
            reached = session.closure(name).definitions
            found.update(key.removesuffix(ending) for key in reached if key.endswith(ending))
    return sorted(found)


def _fallbacks(session: Session) -> list[dict[str, Any]]:
    return [
        {
            "node": node,
            "where": fallback.where,
            "line": fallback.line,
            "cause": fallback.cause,
            "scope": fallback.scope,
        }
        for node, fallback in session.fallbacks
    ]
