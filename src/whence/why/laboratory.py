"""Where mixes are made: each is a world like any other, and built like any other."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from whence.engine.build import Builder
from whence.engine.pool import Pool, worker_environment
from whence.engine.session import Session, make_setup, open_world
from whence.engine.tasks import Key
from whence.engine.zygote import Zygote
from whence.errors import ValueFault, WhenceError
from whence.graph.digest import Digest
from whence.store.artifact import Artifact
from whence.store.formats import decode
from whence.why.game import Mix, Outcome, OutOfBudget
from whence.why.mixing import Draft, Mixer, Seeding

T = TypeVar("T")

#: A rebuild that takes less CPU time counts as this much against the budget.
LEAST_S = 1.0


@dataclass(slots=True)
class Spent:
    """What evaluating has cost so far."""

    cpu_s: float = 0.0
    executions: int = 0
    mixes: int = 0
    tasks: int = 0

    def add(self, cpu_s: float, executions: int, tasks: int) -> None:
        self.cpu_s += cpu_s
        self.executions += executions
        self.tasks += tasks
        self.mixes += 1


class Laboratory:
    """Answers mixes by building them: the `Game` of real worlds.

    Parameters
    ----------
    seedings : sequence of Seeding
        Replicates; a `Mix.seed` is a position in it.
    rebuild_cpu_s : float
        CPU seconds of a cold build of the candidate's metric: the unit of the budget.
    budget : float
        Rebuilds that may be spent.
    jobs : int
        Mixes that are made at once.
    """

    def __init__(
        self,
        mixer: Mixer,
        seedings: Sequence[Seeding],
        *,
        rebuild_cpu_s: float,
        budget: float,
        jobs: int,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self.mixer, self.seedings = mixer, seedings
        self.stores = mixer.a.session.stores
        self.rebuild_cpu_s, self.budget, self.jobs = rebuild_cpu_s, budget, jobs
        self.progress = progress
        self.spent = Spent()
        #: Nodes that no seed makes repeatable: then each replicate but the first runs anew.
        self.unstable: list[str] = []
        self._known: dict[Mix, Outcome] = {}
        self._lock = threading.Lock()
        self._discovered: dict[str, Mapping[str, Any]] = {}
        # As many as the builds that are compared had: other numbers of threads may round otherwise.
        own = self.stores.config.jobs or os.cpu_count() or 1
        self.threads = max(1, (os.cpu_count() or 1) // own)
        self._forks: dict[str, Zygote] = {}
        self._idle: list[Pool] = []  # of mixes that are done; their code is imported already

    @property
    def size(self) -> int:
        return len(self.mixer.found.units)

    @property
    def seeds(self) -> Sequence[int]:
        return range(len(self.seedings))

    @property
    def cpu_s(self) -> float:
        """CPU seconds spent so far: on nodes, and on importing their libraries."""
        return self.spent.cpu_s + sum(zygote.cpu_s for zygote in self._forks.values())

    @property
    def rebuilds(self) -> float:
        """Rebuilds spent so far."""
        return self.cpu_s / self.rebuild_cpu_s if self.rebuild_cpu_s else 0.0

    def _is_spent(self) -> bool:
        # What takes no time need not be saved; nor does importing depend on what is asked.
        return self.spent.cpu_s >= self.budget * max(self.rebuild_cpu_s, LEAST_S)

    def evaluate(self, mixes: Sequence[Mix]) -> list[Outcome]:
        """See `Game`."""
        new = [mix for mix in dict.fromkeys(mixes) if mix not in self._known]
        if new and self._is_spent():
            raise OutOfBudget
        made = self.run_all([self._worker(mix) for mix in new])
        self._known.update(zip(new, made, strict=True))
        return [self._known[mix] for mix in mixes]

    def _worker(self, mix: Mix) -> Callable[[], Outcome]:
        flipped = self.mixer.flipped_ids(mix.flipped)
        anew = bool(self.unstable) and mix.seed > 0
        draft_of = self.mixer.draft
        return lambda: self.make(draft_of(flipped, self.seedings[mix.seed]), anew=anew)

    def probe(self, units: Sequence[int]) -> list[str]:
        """See `Game`: replays the nodes that take a change, on the baseline, then the candidate."""
        everything = frozenset(range(self.size))
        found = dict.fromkeys(units, "live")
        waiting = [unit for unit in units if self._consumers(unit)]
        for base in (frozenset[int](), everything):
            waiting = self._probe_on(base, waiting, found)
        found.update(dict.fromkeys(waiting, "inert"))
        return [found[unit] for unit in units]

    def _probe_on(
        self, base: frozenset[int], units: Sequence[int], found: dict[int, str]
    ) -> list[int]:
        """The units whose flip leaves their consumers' values on this side as they are."""
        targets = {unit: self._consumers(unit) for unit in units}
        reference = self._values_of(base, sorted({n for t in targets.values() for n in t}))
        work = [lambda u=u: self._values_of(base ^ {u}, targets[u]) for u in units]
        same = []
        for unit, values in zip(units, self.run_all(work), strict=True):
            if values is None:
                found[unit] = "crashes"
            elif reference is not None and all(
                reference.get(key) == digest for key, digest in values.items()
            ):
                same.append(unit)
        return same

    def _consumers(self, unit: int) -> tuple[str, ...]:
        """Nodes that a unit's changes reach first; none where both sides do not have them all."""
        sides = [self.mixer.a, self.mixer.b]
        names: set[str] = set()
        for place in self.mixer.found.units[unit]:
            change = self.mixer.found.changes[place]
            if change.kind == "file":
                return ()
            if change.kind != "source":
                names |= change.nodes
                continue
            for side in sides:
                taken = side.session.graph.downstream.get(change.key, ())
                names |= set(taken) & set(side.selected)
        if not all(name in side.selected for name in names for side in sides):
            return ()
        return tuple(sorted(names))

    def _values_of(self, flipped: frozenset[int], targets: Sequence[str]) -> dict[Key, str] | None:
        """Digests of some nodes' values in a mix at the first seed; None where one crashed."""
        if self._is_spent():
            raise OutOfBudget
        draft = self.mixer.draft(self.mixer.flipped_ids(flipped), self.seedings[0])
        try:
            session, pool = self.open(draft)
        except WhenceError:
            return None
        try:
            builder = self._run(session, pool, targets, draft.values)[0]
        finally:
            self.put_back(pool)
        wanted = set(targets)
        tasks = [t for t in builder.planner.tasks.values() if t.node.name in wanted]
        if any(task.artifact is None for task in tasks):
            return None
        return {t.key: t.artifact.digest for t in tasks if t.artifact is not None}

    def run_all(self, work: Sequence[Callable[[], T]]) -> list[T]:
        """Do several pieces of work at once; results in their order."""
        if len(work) < 2 or self.jobs < 2:
            return [each() for each in work]
        with ThreadPoolExecutor(self.jobs) as threads:
            return list(threads.map(lambda each: each(), work))

    def close(self) -> None:
        """End the workers that wait for a mix of their code."""
        for pool in self._idle:
            pool.close()
        self._idle.clear()
        for zygote in self._forks.values():
            zygote.close()
        self._forks.clear()

    def _pool(self, tree: Digest, overlay: str) -> Pool:
        """A worker for code of this tree, all of it for the one who asks."""
        setup = make_setup(self.stores, tree)
        with self._lock:
            for pool in self._idle:
                if pool.setup == setup and pool.overlay == overlay:
                    self._idle.remove(pool)
                    return pool
        return Pool(setup, 1, threads=self.threads, zygote=self._zygote(overlay), overlay=overlay)

    def _zygote(self, overlay: str) -> Zygote | None:
        """A process with the libraries that the metric's nodes use, to fork workers from."""
        if not Zygote.is_possible():
            return None
        with self._lock:
            if overlay not in self._forks:
                sides = (self.mixer.a, self.mixer.b)
                modules = {module for side in sides for module in side.libraries()}
                env = worker_environment(self.threads, overlay)
                self._forks[overlay] = Zygote(sorted(modules), env)
            return self._forks[overlay]

    def put_back(self, pool: Pool) -> None:
        """Keep a worker for the next mix of its code."""
        with self._lock:
            self._idle.append(pool)
            oldest = self._idle.pop(0) if len(self._idle) > 2 * self.jobs else None
        if oldest is not None:
            oldest.close()

    # -- one mix ------------------------------------------------------------------------------

    def make(
        self, draft: Draft, values: Mapping[Key, Digest] | None = None, anew: bool = False
    ) -> Outcome:
        """Build the metric in one world.

        Parameters
        ----------
        values : mapping, optional
            (node, partition) -> artifact that the node has here, whatever its recipe says.
        anew : bool
            Whether every node runs, whatever the store has.
        """
        began = time.monotonic()
        try:
            outcome = self._build(draft, {**draft.values, **(values or {})}, anew)
        except WhenceError as error:
            outcome = Outcome(None, "", error.cause)
        if self.progress is not None:
            shown = "crashed" if outcome.value is None else f"{outcome.value:.6g}"
            self.progress(f"mix {self.spent.mixes}: {shown} ({time.monotonic() - began:.1f} s)")
        return outcome

    def open(self, draft: Draft) -> tuple[Session, Pool]:
        """A mixed world ready to be built, and a worker for it; give that back."""
        pool = self._pool(draft.world.tree, draft.overlay.path)
        try:
            if not draft.complete:
                draft = self._discover(draft, pool)
            return open_world(self.stores, draft.world, draft.overlay.environment), pool
        except BaseException:
            pool.close()
            raise

    def _build(self, draft: Draft, values: Mapping[Key, Digest], anew: bool) -> Outcome:
        session, pool = self.open(draft)
        try:
            return self._outcome_of(session, pool, values, anew)
        finally:
            self.put_back(pool)

    def _outcome_of(
        self, session: Session, pool: Pool, values: Mapping[Key, Digest], anew: bool
    ) -> Outcome:
        metric = self.mixer.metric
        builder, cpu_s, executions = self._run(session, pool, [metric], values, anew)
        artifact = builder.planner.artifacts.get((metric, ""))
        if artifact is None:
            tasks = builder.planner.tasks.values()
            failed = next((t for t in tasks if t.status == "failed"), None)
            error = f"{failed.label}: {_last_line(failed.error)}" if failed else "was not made"
            return Outcome(None, "", error, cpu_s, executions)
        return Outcome(self.number(artifact), artifact.digest, "", cpu_s, executions)

    def _run(
        self,
        session: Session,
        pool: Pool,
        targets: Sequence[str],
        values: Mapping[Key, Digest],
        anew: bool = False,
    ) -> tuple[Builder, float, int]:
        """Build targets; the builder, the CPU seconds and the executions that it took."""
        builder = Builder(
            session,
            targets,
            pool,
            argv=("why", self.mixer.metric),
            recorded=values,
            mix=True,
            from_scratch=anew,
        )
        builder.run()
        tasks = list(builder.planner.tasks.values())
        ran = [t for t in tasks if t.status == "ran" or (t.status == "failed" and t.attempts)]
        runs = self.stores.catalog.runs([t.run_id for t in ran if t.run_id is not None])
        cpu_s = sum(row.run.cpu_s for row in runs.values())
        with self._lock:
            self.spent.add(cpu_s, len(ran), len(tasks))
        return builder, cpu_s, len(ran)

    def _discover(self, draft: Draft, pool: Pool) -> Draft:
        """Find a mixed tree's nodes by importing it, once."""
        tree = draft.world.tree
        found = self._discovered.get(tree) or self.stores.state.get(f"mixed:{tree}")
        if found is None:
            found = (pool.idle() or pool.add()).discover()
            with self._lock:
                self.stores.state.put({f"mixed:{tree}": found})
        self._discovered[tree] = found
        specs = specs_from(found["specs"])
        return self.mixer.complete(draft, specs, found["imports"])

    def number(self, artifact: Artifact) -> float:
        """The metric's value as a number.

        Raises
        ------
        ValueFault
            If it is none.
        """
        value: Any = decode(artifact, self.stores.blobs, None, self.stores.catalog.get_artifact)
        try:
            return float(value)
        except (TypeError, ValueError):
            raise ValueFault(
                f"'{self.mixer.metric}' is {type(value).__name__} {str(value)[:40]!r}, not a "
                "number.",
                "ask for a node that returns a number or an Estimate: a @wh.metric.",
            ) from None


def specs_from(rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Nodes as discovery wrote them."""
    from whence.graph.nodes import NodeSpec

    return [NodeSpec.from_json(row) for row in rows]


def _last_line(error: str) -> str:
    lines = [line for line in error.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it failed"
