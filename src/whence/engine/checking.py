"""Checks a user asks for: does every node give the same value again, is the store whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from whence.engine.pool import Pool, WorkerDied
from whence.engine.session import Session, Stores
from whence.engine.tasks import Planner, Task, parts_artifact
from whence.errors import CorruptBlob, GraphError


@dataclass(frozen=True, slots=True)
class Rerun:
    """A task that was run again: whether its value was the stored one."""

    node: str
    partition: str
    stored: str
    again: str
    error: str = ""

    @property
    def same(self) -> bool:
        return self.stored == self.again

    def to_json(self) -> dict[str, Any]:
        return {
            "node": self.node,
            "partition": self.partition,
            "stored": self.stored,
            "again": self.again,
            "same": self.same,
            "error": self.error,
        }


def rerun_all(
    session: Session,
    pool: Pool,
    targets: Sequence[str] = (),
    progress: Callable[[Rerun], None] | None = None,
    keep: Callable[[Task], bool] | None = None,
) -> list[Rerun]:
    """Run every node again on its stored inputs and compare the values; stores no result.

    Sources and nodes declared ``deterministic=False`` are left out, and tasks that are not to
    `keep`.

    Raises
    ------
    GraphError
        If something is not built, so there is no value to compare with.
    """
    planner = Planner(session, session.graph.select(targets))
    waiting: list[Task] = []
    for name in planner.selected:
        for task in planner.expand(name) or []:
            planner.make_recipe(task)
            rows = session.stores.catalog.find_memo(task.static_key)
            fresh = [row for row in rows if _holds(session, task, row.observed)]
            if not fresh:
                raise GraphError(
                    f"'{task.label}' is not built in the present world.",
                    "run `whence build` first; the check compares with what it stored.",
                )
            planner.settle(task, session.stores.catalog.get_artifact(fresh[0].output))
            is_checked = task.node.spec.kind != "source" and task.node.spec.deterministic
            if is_checked and (keep is None or keep(task)):
                waiting.append(task)
    done: list[Rerun] = []
    waiting.reverse()
    while waiting or pool.busy:
        while waiting and (pool.idle() is not None or pool.can_grow):
            upcoming = waiting.pop()
            (pool.idle() or pool.add()).start(upcoming, planner.make_job(upcoming))
        for worker in pool.finished(0.5):
            ended: Task = worker.job
            node, partition = ended.key
            stored = ended.artifact.digest if ended.artifact else ""
            try:
                outcome = worker.result()
                made = parts_artifact(outcome.splits) if outcome.splits else outcome.artifact
                rerun = Rerun(
                    node, partition, stored, made.digest if made else "", outcome.error or ""
                )
            except WorkerDied as error:
                pool.remove(worker)
                rerun = Rerun(node, partition, stored, "", error.cause)
            done.append(rerun)
            if progress is not None:
                progress(rerun)
    return done


def _holds(session: Session, task: Task, observed: Sequence[Any]) -> bool:
    for seen in observed:
        if seen.kind == "seed":
            now = f"{session.seed or 0}/{task.node.name}/{task.partition}"
        else:
            now = session.current(seen.kind, seen.name)
        if now != seen.digest:
            return False
    return True


def check_store(stores: Stores) -> list[str]:
    """What is damaged in the catalog or the blobs, in words. Reads everything."""
    faults = list(stores.catalog.check())
    for digest, _, _ in stores.blobs.iterate():
        try:
            stores.blobs.verify(digest)
        except CorruptBlob as error:
            faults.append(str(error))
    return faults
