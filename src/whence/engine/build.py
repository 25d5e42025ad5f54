"""A build: walk the tasks in order, take from the store what is there, run the rest.

One loop in one process decides everything: workers only run jobs. A task is looked up when all
its inputs are known, so an unchanged value stops a change from spreading (early cut-off). Each
finished task is committed before its worker gets the next one, so that a kill costs at most what
the workers are doing at that moment.
"""

from __future__ import annotations

import contextlib
import getpass
import heapq
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from whence.engine.environment import interpreter
from whence.engine.jobs import Outcome
from whence.engine.pool import LocalWorker, Pool, WorkerDied, WorkerProcess
from whence.engine.results import Event
from whence.engine.session import Session
from whence.engine.tasks import PARTS, Key, Planner, Task, parts_artifact, recipe_text
from whence.errors import StoreError, StoreFull, WhenceError
from whence.graph.digest import Digest, canonical_json, digest_text
from whence.graph.recipe import Recipe
from whence.graph.world import World
from whence.store.artifact import Artifact
from whence.store.catalog.memo import spell
from whence.store.catalog.records import (
    BlobVanished,
    BuildStart,
    CommitResult,
    HitRecord,
    MemoRow,
    RunRecord,
    TaskRecord,
)
from whence.store.leases import Owner, heartbeat_s

#: A worker that has been busy for so long shows that tasks are not tiny: another one is started.
GROW_AFTER_S = 0.05
#: How long to wait before asking again for a task that another build is making.
POLL_S = 0.02


class HitsLost(WhenceError):
    """A `whence gc` removed values that the build had planned to use; planning again helps."""


class Builder:
    """One evaluation of targets in a session's world."""

    def __init__(
        self,
        session: Session,
        targets: Sequence[str],
        pool: Pool,
        *,
        refresh: Iterable[str] = (),
        progress: Callable[[Event], None] | None = None,
        argv: Sequence[str] = (),
        from_scratch: bool = False,
        recorded: Mapping[Key, Digest] | None = None,
        mix: bool = False,
    ) -> None:
        self.session, self.targets, self.pool = session, tuple(targets), pool
        self.refresh, self.progress, self.argv = set(refresh), progress, tuple(argv)
        self.from_scratch = from_scratch
        # Values to take as they are: of a past build, what is not deterministic; of a mix, inputs.
        self.recorded = dict(recorded or {})
        self.mix = mix  # a counterfactual: recorded only where it ran something, and apart
        self.catalog = session.stores.catalog
        self.selected = session.graph.select(targets)
        self.planner = Planner(session, self.selected)
        self.unexpanded = list(self.selected)
        self.dependents: dict[Key, list[Task]] = {}
        self.ready: list[tuple[int, str, Task]] = []
        self.to_run: list[tuple[int, str, Task]] = []
        self.waiting: list[Task] = []  # another build holds their lease
        self.leased: set[str] = set()
        self.hits: list[tuple[Task, HitRecord, dict[str, str]]] = []
        self.build_id: int | None = None
        self.owner = Owner.current()
        self.counts = {"ran": 0, "hit": 0, "failed": 0, "skipped": 0}
        self.kept_environments: set[str] = set()
        self.observed_now: dict[tuple[str, str], str] = {}
        self.last_poll = 0.0
        self.current: int | None = None  # the earlier build that this one would only repeat
        self.peak_bytes = 0
        self.blocked: set[str] = set()  # nodes whose partitions will never be known

    # -- the loop -----------------------------------------------------------------------------

    def run(self) -> str:
        """Build; returns "ok", "failed" or "current" (everything was there, nothing is new)."""
        heart = _Heart(self)
        status = "interrupted"
        try:
            self._expand()
            while True:
                self._look_up()
                if not self.to_run and not self.waiting and not self.pool.busy:
                    break
                self._begin()
                heart.start()
                self._record_hits()
                self._poll_waiting()
                self._dispatch()
                if self.pool.busy or self.waiting:
                    for worker in self.pool.finished(POLL_S if self._should_poll else 0.5):
                        self._collect(worker)
            status = self._finish()
        finally:
            heart.stop()
            if self.build_id is not None:
                if status == "interrupted":
                    self.pool.close(now=True)
                # Where the store itself failed, the error on its way says so better.
                with contextlib.suppress(StoreError):
                    if status == "interrupted":
                        self.catalog.finish_build(self.build_id, status, self.counts)
                    self.catalog.leave(self.owner)
        return status

    @property
    def _should_poll(self) -> bool:
        return bool(self.waiting) or (bool(self.to_run) and self.pool.can_grow)

    def _finish(self) -> str:
        if self.build_id is None and self.mix and not self.counts["failed"]:
            return "current"
        if self.build_id is None and not self.counts["failed"] and not self.counts["skipped"]:
            latest = self.catalog.latest_build()
            if (
                latest is not None
                and latest.start.targets == self.targets
                and latest.start.world == self._world()[0]
                and self._outputs() == self._outputs_of(latest.build_id)
            ):
                self.current = latest.build_id
                return "current"
        self._begin()
        self._record_hits()
        self._record_rest()
        failed = self.counts["failed"] or self.counts["skipped"]
        status = "failed" if failed else "ok"
        assert self.build_id is not None
        self.catalog.finish_build(self.build_id, status, self.counts)
        return status

    def _outputs(self) -> dict[Key, str | None]:
        tasks = self.planner.tasks.values()
        return {t.key: t.artifact.digest if t.artifact else None for t in tasks}

    def _outputs_of(self, build_id: int) -> dict[Key, str | None]:
        # What tasks were only seen to read (a variable, say) is no part of the recorded world.
        return {(t.node, t.partition): t.output for t in self.catalog.tasks_of(build_id)}

    # -- tasks become known -------------------------------------------------------------------

    def _expand(self) -> None:
        left: list[str] = []
        # Taken away first: a source that fails here would otherwise begin all over again.
        names, self.unexpanded = self.unexpanded, []
        for name in names:
            upstream = [edge.node for edge in self.session.graph.nodes[name].inputs]
            if any(node in self.blocked for node in upstream):
                self.blocked.add(name)
                task = Task(self.session.graph.nodes[name], "", len(self.planner.tasks))
                self.planner.tasks[task.key] = task
                first = next(node for node in upstream if node in self.blocked)
                ended = [t for t in self.planner.tasks.values() if t.node.name == first]
                self._skip(task, next((_root_cause(t) for t in ended if t.status), first))
                continue
            tasks = self.planner.expand(name)
            if tasks is None:
                left.append(name)
                continue
            for task in tasks:
                self._admit(task)
        self.unexpanded = left
        self._emit("plan", None)

    def _admit(self, task: Task) -> None:
        if task.status == "failed":  # planning found that it cannot be made
            if task.node.name not in self.planner.shapes:
                self.blocked.add(task.node.name)
            self._fail(task, task.error, task.fix)
            return
        for need in task.needs:
            upstream = self.planner.tasks.get(need)
            if upstream is not None and upstream.status in ("failed", "skipped"):
                self._skip(task, _root_cause(upstream))
                return
            if need not in self.planner.artifacts:
                task.waiting_for += 1
                self.dependents.setdefault(need, []).append(task)
        if task.waiting_for == 0:
            heapq.heappush(self.ready, (task.index, task.partition, task))

    # -- the store is asked -------------------------------------------------------------------

    def _look_up(self) -> None:
        while self.ready:
            _, _, task = heapq.heappop(self.ready)
            if task.recipe is None:
                self.planner.make_recipe(task)
            # A lease that was taken ahead came with the news that nothing is remembered.
            known = task.static_key in self.leased
            if self._take_hit(task, () if known else self.catalog.find_memo(task.static_key)):
                continue
            if task.node.spec.kind == "source" and self.session.pinned is not None:
                self._fail(
                    task,
                    f"The content that source '{task.label}' had is no longer in the store.",
                    "accept builds that you want to rebuild, or keep more of them: `whence gc`.",
                )
                continue
            heapq.heappush(self.to_run, (task.index, task.partition, task))

    def _take_hit(self, task: Task, rows: Sequence[MemoRow]) -> bool:
        """Settle the task with a remembered result, if one holds in this world."""
        if task.replace or self._runs_anew(task):
            return False
        if task.key in self.recorded and (past := self._usable(self.recorded[task.key])):
            self._note_hit(task, past, "", recorded=True)
            return True
        for row in rows:
            if not all(self._holds(task, o.kind, o.name, o.digest) for o in row.observed):
                continue
            if self._must_refresh(task, row):
                task.replace = True
                return False
            artifact = self._usable(row.output)
            if artifact is None:
                self.catalog.forget_memo(row.static_key, row.observed_key)
                task.reason = "its stored value was damaged or gone"
                continue
            task.run_id = row.run_id
            self._note_hit(task, artifact, row.observed_key)
            return True
        return False

    def _note_hit(
        self, task: Task, artifact: Artifact, observed_key: str, recorded: bool = False
    ) -> None:
        assert task.recipe is not None
        task.observed_key = observed_key
        recipe, texts = self._texts_of(task.recipe)
        record = HitRecord(
            *task.key, task.static_key, observed_key, artifact.digest, recipe, recorded=recorded
        )
        self.hits.append((task, record, texts))
        self._settle(task, artifact, "hit")

    def _texts_of(self, recipe: Recipe) -> tuple[Digest, dict[str, str]]:
        """A recipe's digest, and the texts that the catalog needs to know it by."""
        digest, text = recipe_text(recipe)
        texts: dict[str, str] = {digest: text}
        if recipe.environment_digest not in self.kept_environments:
            self.kept_environments.add(recipe.environment_digest)
            texts[recipe.environment_digest] = json.dumps(recipe.environment)
        return digest, texts

    def _runs_anew(self, task: Task) -> bool:
        """Whether a rebuild from scratch runs the task; what came from outside stays recorded."""
        spec = task.node.spec
        return self.from_scratch and spec.deterministic and spec.kind != "source"

    def _holds(self, task: Task, kind: str, name: str, digest: str) -> bool:
        if kind == "seed":
            return digest == f"{self.session.seed or 0}/{task.node.name}/{task.partition}"
        key = (kind, name)
        if key not in self.observed_now:
            self.observed_now[key] = self.session.current(kind, name)
        return self.observed_now[key] == digest

    def _must_refresh(self, task: Task, row: MemoRow) -> bool:
        spec = task.node.spec
        if spec.deterministic or self.session.pinned is not None:
            return False  # a rebuild takes what was recorded, however old it is
        if task.node.name in self.refresh:
            return True
        if spec.max_age_s is None or row.run_id is None:
            return False
        return time.time() - self.catalog.run(row.run_id).run.started > spec.max_age_s

    def _usable(self, digest: Digest) -> Artifact | None:
        """The artifact, where it and all it is made of are whole in the store."""
        found = self.catalog.get_artifacts([digest]).get(digest)
        if found is None:
            return None
        if found.blob is not None and not self.session.stores.is_whole(found.blob):
            return None
        return found if all(self._usable(child) for child in found.children) else None

    def _record_hits(self) -> None:
        if not self.hits or self.build_id is None:
            return
        batch, self.hits = self.hits, []
        texts = {k: v for _, _, new in batch for k, v in new.items()}
        lost = self.catalog.record_hits(
            self.build_id,
            [r for _, r, _ in batch],
            owner=self.owner,
            new_texts=texts,
            blob_exists=self.session.stores.blobs.exists,
        )
        if lost:
            names = ", ".join(record.node for record in lost[:5])
            raise HitsLost(
                f"Values of {names} were removed by `whence gc` while this build was planned.",
                "build again.",
            )

    def _record_rest(self) -> None:
        """Record the tasks that never ran: skipped ones, and those that planning refused."""
        assert self.build_id is not None
        rest = [
            TaskRecord(
                *task.key,
                static_key="",
                recipe="",
                status=task.status,
                reason=task.error or task.reason,
            )
            for task in self.planner.tasks.values()
            if task.status == "skipped" or (task.status == "failed" and not task.attempts)
        ]
        if rest:
            self.catalog.record_tasks(self.build_id, rest)

    # -- work is given out --------------------------------------------------------------------

    def _begin(self) -> None:
        """Record the build, once there is something to record."""
        if self.build_id is not None:
            return
        digest, texts = self._world()
        root = self.session.config.root
        commit, dirty = ("", False) if self.mix else git_state(str(root))
        start = BuildStart(
            targets=self.targets,
            world=digest,
            params=dict(self.session.params),
            git_commit=commit,
            dirty=dirty,
            argv=self.argv,
            python=sys.version.split()[0],
            host=socket.gethostname(),
            user=_user(),
        )
        self.build_id = self.catalog.start_build(
            start, owner=self.owner, new_texts=texts, mix=self.mix
        )

    def _world(self) -> tuple[Digest, dict[str, str]]:
        session = self.session
        graph = digest_text("graph", session.graph_text)
        world = World(
            tree=session.tree_digest,
            data=self.planner.data(),
            params=session.params,
            environment=session.environment.lock(),
            interpreter=interpreter(),
            seed=session.seed,
            graph=graph,
            files=self.planner.files(),
            imports={
                name: [[o.kind, o.name, o.digest] for o in seen]
                for name, seen in session.imports.items()
            },
        )
        text = canonical_json(world.to_json())
        digest = digest_text("world", text)
        return digest, {digest: text, graph: session.graph_text}

    def _poll_waiting(self) -> None:
        """Ask again for tasks that another build was making."""
        now = time.monotonic()
        if not self.waiting or now - self.last_poll < POLL_S:
            return
        self.last_poll = now
        # A key that is leased already is an equal task of ours; its commit gives the lease back.
        asked = [task for task in self.waiting if task.static_key not in self.leased]
        asked = asked[: max(8, self.pool.jobs)]
        answers = self.catalog.acquire([task.static_key for task in asked], self.owner)
        for task in asked:
            answer = answers[task.static_key]
            if not answer.held:
                continue
            self.waiting.remove(task)
            self.leased.add(task.static_key)
            if self._take_hit(task, answer.memo):
                self.leased.discard(task.static_key)
            else:
                heapq.heappush(self.to_run, (task.index, task.partition, task))

    def _dispatch(self) -> None:
        while self.to_run:
            worker = self.pool.idle()
            if worker is None:
                if not self._may_grow():
                    return
                worker = self.pool.add()
            task = self._next_leased()
            if task is None:
                return
            self._start(worker, task)

    def _may_grow(self) -> bool:
        if not self.pool.workers:
            return True
        if not self.pool.can_grow:
            return False
        oldest = min(worker.since for worker in self.pool.busy)
        return time.monotonic() - oldest > GROW_AFTER_S and self._memory_allows()

    def _memory_allows(self) -> bool:
        """Whether one more worker fits, guessing that it needs what the busiest task needed."""
        if not self.peak_bytes:
            return True
        return _available_bytes() > self.peak_bytes

    def _next_leased(self) -> Task | None:
        """The first task in order whose lease is ours, leasing it if need be."""
        while self.to_run:
            _, _, task = heapq.heappop(self.to_run)
            if any(t.static_key == task.static_key for t in self._running()):
                self.waiting.append(task)  # an equal task runs here already
                continue
            if task.static_key in self.leased:
                return task
            answer = self.catalog.acquire([task.static_key], self.owner)[task.static_key]
            if not answer.held:
                self.waiting.append(task)
                continue
            if self._take_hit(task, answer.memo):
                self._look_up()
                continue
            self.leased.add(task.static_key)
            return task
        return None

    def _running(self) -> list[Task]:
        return [worker.job for worker in self.pool.busy]

    def _start(self, worker: WorkerProcess | LocalWorker, task: Task) -> None:
        task.attempts += 1
        self._emit("start", task, extra=task.label)
        worker.start(task, self.planner.make_job(task))

    # -- results come in ----------------------------------------------------------------------

    def _collect(self, worker: WorkerProcess | LocalWorker) -> None:
        task: Task = worker.job
        try:
            outcome = worker.result()
        except WorkerDied as error:
            self.pool.remove(worker)
            outcome = Outcome(error=error.cause, fix=error.fix, error_kind="WorkerDied")
        if outcome.spoiled:
            self.pool.retire(worker)
        task.duration_s, task.peak_bytes = outcome.duration_s, outcome.peak_bytes
        task.warnings = outcome.warnings
        self.peak_bytes = max(self.peak_bytes, outcome.peak_bytes)
        if outcome.error is None and outcome.unstable and task.attempts < 3:
            heapq.heappush(self.to_run, (task.index, task.partition, task))
            return  # a file changed under it: once more
        if outcome.error is None and outcome.unstable:
            outcome.error = "A file that it reads kept changing while it ran."
            outcome.fix = "build again when nothing writes to it."
        if outcome.error is not None and outcome.error_kind == StoreFull.__name__:
            raise StoreFull(outcome.error, outcome.fix)  # no other task would fare better
        if outcome.error is not None:
            self._commit(task, outcome, None, "failed")
            self._fail(task, outcome.error, outcome.fix)
            return
        outputs = list(outcome.children)
        if outcome.splits is not None:
            outputs += [artifact for _, artifact in outcome.splits]
            artifact = parts_artifact(outcome.splits)
        else:
            assert outcome.artifact is not None
            artifact = outcome.artifact
        result = self._commit(task, outcome, artifact, "ran", outputs)
        if result is None:
            heapq.heappush(self.to_run, (task.index, task.partition, task))
            return  # a gc took a blob before the commit: make it again
        # A rebuild from scratch goes on with what it made, to show how far a difference spreads.
        if result.output not in (None, artifact.digest) and not self.from_scratch:
            assert result.output is not None
            if task.node.spec.deterministic:
                task.reason = "made another value than before: declare deterministic=False"
            artifact = self.catalog.get_artifact(result.output)
        task.run_id = result.run_id
        self._settle(task, artifact, "ran")

    def _commit(
        self,
        task: Task,
        outcome: Outcome,
        artifact: Artifact | None,
        status: str,
        outputs: Sequence[Artifact] = (),
    ) -> CommitResult | None:
        assert task.recipe is not None and self.build_id is not None
        recipe, texts = self._texts_of(task.recipe)
        run = RunRecord(
            started=outcome.started or time.time(),
            duration_s=outcome.duration_s,
            cpu_s=outcome.cpu_s,
            peak_bytes=outcome.peak_bytes,
            log=outcome.log,
            error=outcome.error or "",
            warnings=outcome.warnings,
            host=self.owner.host,
            pid=self.owner.pid,
        )
        record = TaskRecord(
            *task.key,
            static_key=task.static_key,
            recipe=recipe,
            observed=self._new_observations(task, outcome),
            output=artifact.digest if artifact else None,
            status=status,
            reason=task.reason,
            run=run,
            deterministic=task.node.spec.deterministic,
            replace=task.replace,
        )
        upcoming = self._upcoming(task, artifact)
        try:
            result = self.catalog.commit_task(
                self.build_id,
                record,
                [*outputs, artifact] if artifact else outputs,
                owner=self.owner,
                next_keys=[upcoming.static_key] if upcoming else (),
                new_texts=texts,
                blob_exists=self.session.stores.blobs.exists,
            )
        except BlobVanished:
            self.kept_environments.clear()  # the texts of this commit were not kept
            if upcoming and upcoming.waiting_for:
                upcoming.recipe = None
            if task.attempts < 3:
                return None
            raise
        task.observed_key = spell(record.observed)[1]
        self.leased.discard(task.static_key)
        # Made of a value that an earlier commit overrules, it is not what will run.
        overruled = artifact is not None and result.output != artifact.digest
        if upcoming and upcoming.waiting_for and overruled:
            upcoming.recipe = None
        else:
            overruled = False
        for key, answer in result.leases.items():
            if answer.held and not answer.memo and not overruled:
                self.leased.add(key)
            elif answer.held:
                self.catalog.release([key], self.owner)
        return result

    def _upcoming(self, task: Task, artifact: Artifact | None) -> Task | None:
        """The task to lease together with the commit of `task`: the first that may run then.

        It may be one that waits for nothing but `artifact`; then it gets its recipe here.
        """
        first = self.to_run[0][2] if self.to_run else None
        if artifact is not None and artifact.format != PARTS:
            for below in self.dependents.get(task.key, ()):
                if below.waiting_for > 1 or below.status or below.key in self.recorded:
                    continue
                if first is None or below.index < first.index:
                    first = below
        if first is None:
            return None
        if first.waiting_for:
            assert artifact is not None
            self.planner.artifacts[task.key] = artifact
            try:
                self.planner.make_recipe(first)
            except WhenceError:
                return None  # to be raised when it is looked up
            finally:
                del self.planner.artifacts[task.key]
        if first.static_key not in self.leased:
            return first
        if first.waiting_for:
            first.recipe = None
        return None

    def _new_observations(self, task: Task, outcome: Outcome) -> tuple[Any, ...]:
        """Observations that the recipe does not cover already."""
        reached = task.recipe.environment if task.recipe else {}
        kept = []
        for seen in outcome.observations:
            if seen.kind == "distribution":
                names = self.session.environment.distributions_of([seen.name])
                if all(name in reached for name in names):
                    continue
                for name, version in names.items():
                    if name not in reached:
                        kept.append(type(seen)("distribution", name, version))
                continue
            kept.append(seen)
        return tuple(sorted(set(kept)))

    def _settle(self, task: Task, artifact: Artifact, status: str) -> None:
        task.status = status
        self.counts[status] += 1
        self.planner.settle(task, artifact)
        name = task.node.name
        split = task.partition == "" and task.key not in self.planner.artifacts
        keys = [(name, p) for p in self.planner.shapes[name]] if split else [task.key]
        for key in keys:
            for below in self.dependents.pop(key, ()):
                below.waiting_for -= 1
                if below.waiting_for == 0 and not below.status:
                    heapq.heappush(self.ready, (below.index, below.partition, below))
        self._emit("hit" if status == "hit" else "done", task)
        if split or (self.unexpanded and status):
            self._expand()

    def _fail(self, task: Task, error: str, fix: str) -> None:
        task.status, task.error, task.fix = "failed", error, fix
        self.counts["failed"] += 1
        self._emit("failed", task, extra=error)
        if task.node.name not in self.planner.shapes:
            self.blocked.add(task.node.name)
        self._skip_below(task, task.label)
        if self.unexpanded and task.node.name in self.blocked:
            self._expand()

    def _skip_below(self, task: Task, cause: str) -> None:
        todo = [task]
        while todo:
            for below in self.dependents.pop(todo.pop().key, ()):
                if not below.status:
                    self._mark_skipped(below, cause)
                    todo.append(below)

    def _skip(self, task: Task, cause: str) -> None:
        self._mark_skipped(task, cause)
        self._skip_below(task, cause)

    def _mark_skipped(self, task: Task, cause: str) -> None:
        task.status, task.reason = "skipped", f"{cause} failed"
        self.counts["skipped"] += 1
        self._emit("skipped", task)

    def _emit(self, kind: str, task: Task | None, extra: str = "") -> None:
        if self.progress is None:
            return
        running = tuple(t.label for t in self._running())
        if kind == "start" and task:  # said before it starts: in this process it ends there, too
            running += (task.label,)
        done = sum(self.counts.values())
        self.progress(
            Event(
                kind,
                task.node.name if task else "",
                task.partition if task else "",
                done,
                max(done, len(self.planner.tasks) + len(self.unexpanded)),
                self.counts["hit"],
                running,
                extra,
            )
        )


def _root_cause(task: Task) -> str:
    """The task whose failure ended `task`: itself, or the one that it was skipped for."""
    return task.label if task.status == "failed" else task.reason.removesuffix(" failed")


class _Heart:
    """Tells the catalog, from a thread of its own, that this build is alive."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._beat, daemon=True)
            self._thread.start()

    def _beat(self) -> None:
        while not self._done.wait(heartbeat_s()):
            self._builder.catalog.heartbeat(self._builder.owner)

    def stop(self) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()


def git_state(root: str) -> tuple[str, bool]:
    """The commit checked out at `root`, and whether files differ from it; "" without git."""
    command = [
        "git",
        "-C",
        root,
        "status",
        "--porcelain=v2",
        "--branch",
        "--untracked-files=normal",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "", False
    if done.returncode:
        return "", False
    lines = done.stdout.splitlines()
    oid = next((line.split()[-1] for line in lines if line.startswith("# branch.oid")), "")
    return ("" if oid == "(initial)" else oid), any(not line.startswith("#") for line in lines)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _available_bytes() -> int:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
