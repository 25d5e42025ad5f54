"""A project: the one object that the command line, notebooks and tests use.

project = whence.Project.open("flights")
build = project.build(["auc"], params={"delay_model.learning_rate": 0.05})
build["auc"]
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from whence.engine import history, receipts, snapshot
from whence.engine.build import Builder, HitsLost
from whence.engine.config import Config, find_root, read_config
from whence.engine.environment import interpreter
from whence.engine.jobs import Setup
from whence.engine.pool import Pool
from whence.engine.results import TaskResult
from whence.engine.session import (
    Session,
    Stores,
    make_setup,
    open_session,
    open_world,
)
from whence.errors import ConfigError, UnknownId

# What only some verbs need is imported by them: a build of tiny nodes is mostly imports.
if TYPE_CHECKING:
    from whence.engine.checking import Rerun
    from whence.engine.results import Diff, Event, Status, Trace
    from whence.graph.binding import Graph
    from whence.graph.diff import Change
    from whence.store.artifact import Artifact
    from whence.store.catalog.records import BuildRow, TaskRow
    from whence.store.gc import GcReport

#: How often a build is planned again when a gc beside it takes values away.
PLANS = 3


class Build:
    """What one build made. ``build["auc"]`` loads a value.

    Attributes
    ----------
    id : str
        "b12".
    status : str
        "ok", "failed", "interrupted" or "running"; "current" where nothing had changed since the
        build that `id` names.
    tasks : list of TaskResult
    """

    def __init__(
        self, project: Project, row: BuildRow, tasks: list[TaskResult], status: str
    ) -> None:
        self._project, self._row, self.tasks, self.status = project, row, tasks, status

    @property
    def id(self) -> str:
        return self._row.id

    @property
    def ok(self) -> bool:
        """Whether every target was made."""
        return self.status in ("ok", "current")

    @property
    def counts(self) -> dict[str, int]:
        """How many tasks ran, were hits, failed and were skipped."""
        out = {"ran": 0, "hit": 0, "failed": 0, "skipped": 0}
        for task in self.tasks:
            out[task.status] += 1
        return out

    def __getitem__(self, node: str) -> Any:
        return self._project.load(self.id, node)

    def artifact(self, node: str, partition: str = "") -> Artifact:
        """The descriptor of a node's value.

        Raises
        ------
        UnknownId
            If the build did not make it.
        """
        return self._project.artifact(self.id, node, partition)

    def to_json(self) -> dict[str, Any]:
        start = self._row.start
        return {
            "id": self.id,
            "status": self.status,
            "targets": list(start.targets),
            **self.counts,
            "tasks": [task.to_json() for task in self.tasks],
        }


class Project:
    """A project and its stores, open. Use as a context manager, or call `close`."""

    def __init__(self, stores: Stores, profile: str | None) -> None:
        self.stores, self.profile = stores, profile

    @classmethod
    def open(cls, path: str | os.PathLike[str] = ".", profile: str | None = None) -> Self:
        """Open the project at or above `path`.

        Raises
        ------
        ConfigError
            No project there, or its `[tool.whence]` is wrong.
        StoreError
            The store or catalog cannot be used.
        """
        config = read_config(find_root(Path(path)), profile)
        return cls(Stores.open(config), profile)

    @property
    def config(self) -> Config:
        return self.stores.config

    def close(self) -> None:
        """Close the catalog and the local cache."""
        self.stores.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -- making -------------------------------------------------------------------------------

    def build(
        self,
        targets: str | Sequence[str] = (),
        *,
        params: Mapping[str, Any] | None = None,
        seed: int | None = None,
        jobs: int | None = None,
        refresh: Iterable[str] = (),
        in_process: bool = False,
        progress: Callable[[Event], None] | None = None,
        argv: Sequence[str] = (),
    ) -> Build:
        """Build targets (all nodes by default) in the world of the working tree.

        Parameters
        ----------
        targets : str or sequence of str
        params : mapping, optional
            "node.param" or a bare name -> value; over those of the configuration.
        seed : int, optional
            The world's seed.
        jobs : int, optional
            Most workers at once; by default the number of cores.
        refresh : iterable of str
            Non-deterministic nodes whose recorded value is to be made again.
        in_process : bool
            Run in this process, one task at a time: for debuggers.
        progress : callable, optional
            Called with each `Event`.

        Raises
        ------
        WhenceError
            The project cannot be read. A failing node raises nothing: see `Build.tasks`.
        """
        chosen = [targets] if isinstance(targets, str) else list(targets)
        pools: list[Pool] = []
        started_ns = time.time_ns()
        try:
            session = self.session(params, seed, in_process, pools, jobs)
            pool = self._pool_for(session, pools, jobs, in_process)
            self._check_refresh(session.graph, refresh)
            for attempt in range(PLANS):
                builder = Builder(
                    session, chosen, pool, refresh=refresh, progress=progress, argv=argv
                )
                try:
                    outcome = builder.run()
                    break
                except HitsLost:
                    if attempt == PLANS - 1:
                        raise
            made = self._made(builder, outcome)
            self.stores.save()
            if made.ok and not in_process:
                receipts.write(
                    session, builder, made.id, params or {}, seed, self.profile, started_ns
                )
            return made
        finally:
            for pool in pools:
                pool.close()

    def rebuild(
        self,
        build: str,
        *,
        from_scratch: bool = False,
        jobs: int | None = None,
        progress: Callable[[Event], None] | None = None,
    ) -> tuple[Build, list[Change]]:
        """Reproduce a recorded build from its snapshot, whatever the working tree is now.

        Parameters
        ----------
        from_scratch : bool
            Run every node again instead of taking values from the store.

        Returns
        -------
        Build, list of Change
            The new build, and the values that differ from the recorded ones (empty where it was
            reproduced exactly).

        Raises
        ------
        UnknownId
            The build, its snapshot or the content of a source is no longer kept.
        ConfigError
            Installed distributions differ from the build's.
        """
        from whence.graph.diff import compare

        row = self.stores.catalog.get_build(build)
        world = history.world_of(self.stores.catalog, row)
        session = open_world(self.stores, world)
        differing = compare("distribution", world.environment, session.environment.lock())
        differing += compare("distribution", world.interpreter, interpreter())
        if differing:
            listed = "\n".join(f"    {change}" for change in differing[:20])
            raise ConfigError(
                f"{row.id} was made with other distributions than are installed now:\n{listed}",
                "install those versions (in an environment of their own) and rebuild there.",
            )
        tasks = self.stores.catalog.tasks_of(row.build_id)
        pool = Pool(self._setup_of(session), jobs or self._jobs())
        try:
            builder = Builder(
                session,
                row.start.targets,
                pool,
                progress=progress,
                argv=("rebuild", build),
                from_scratch=from_scratch,
                recorded={
                    (task.node, task.partition): task.output
                    for task in tasks
                    if task.output and not session.graph.nodes[task.node].spec.deterministic
                },
            )
            made = self._made(builder, builder.run())
        finally:
            pool.close()
        before = {_label(task): task.output or "" for task in tasks}
        after = {task.label: task.digest for task in made.tasks}
        return made, compare("value", before, after)

    def _made(self, builder: Builder, outcome: str) -> Build:
        build_id = builder.build_id if builder.build_id is not None else builder.current
        assert build_id is not None
        row = self.stores.catalog.get_build(build_id)
        return Build(self, row, history.results_of(builder.planner.tasks.values()), outcome)

    def _check_refresh(self, graph: Graph, refresh: Iterable[str]) -> None:
        for name in refresh:
            node = graph.nodes.get(name)
            if node is None or node.spec.deterministic:
                known = [n for n, x in graph.nodes.items() if not x.spec.deterministic]
                raise ConfigError(
                    f"--refresh {name}: that is not a node declared deterministic=False.",
                    f"such nodes here: {', '.join(known) or 'none'}.",
                )

    def check_determinism(
        self,
        targets: Sequence[str] = (),
        *,
        jobs: int | None = None,
        progress: Callable[[Rerun], None] | None = None,
    ) -> list[Rerun]:
        """Run every node again on its stored inputs and compare; stores no result.

        Raises
        ------
        GraphError
            If something is not built in the present world.
        """
        from whence.engine.checking import rerun_all

        pools: list[Pool] = []
        try:
            session = self.session(pools=pools, jobs=jobs)
            pool = self._pool_for(session, pools, jobs, in_process=False)
            return rerun_all(session, pool, targets, progress)
        finally:
            for pool in pools:
                pool.close()

    def check_store(self) -> list[str]:
        """What is damaged in the catalog or among the blobs, in words. Reads everything."""
        from whence.engine.checking import check_store

        return check_store(self.stores)

    def gc(
        self, *, keep_builds: int = 20, keep_days: float = 14.0, dry_run: bool = False
    ) -> GcReport:
        """Free what no kept build, accepted build or prediction refers to.

        Tables that were stored more than a day ago become Parquet at the same time.

        Parameters
        ----------
        keep_builds : int
            Newest builds that stay whatever their age.
        keep_days : float
            Builds younger than this stay.
        dry_run : bool
            Only say what would go.
        """
        from whence.store.compaction import compact_tables
        from whence.store.gc import collect

        report = collect(
            self.stores.catalog,
            self.stores.blobs,
            keep_builds=keep_builds,
            keep_days=keep_days,
            dry_run=dry_run,
        )
        if not dry_run:
            compact_tables(self.stores.catalog, self.stores.blobs)
            snapshot.prune(self.config.state_dir / "snapshots")
        return report

    # -- reading ------------------------------------------------------------------------------

    def session(
        self,
        params: Mapping[str, Any] | None = None,
        seed: int | None = None,
        in_process: bool = False,
        pools: list[Pool] | None = None,
        jobs: int | None = None,
    ) -> Session:
        """Open the working tree: its nodes found and bound.

        A worker that had to be started to find them is left in `pools` for the build to go on
        with; without `pools` it ends.
        """
        own: list[Pool] = []
        kept = pools if pools is not None else own

        def discover(setup: Setup) -> dict[str, Any]:
            pool = Pool(setup, jobs or self._jobs(), in_process)
            kept.append(pool)
            return pool.add().discover()

        try:
            return open_session(self.stores, params or {}, seed, discover, in_process)
        finally:
            for pool in own:
                pool.close()

    def _pool_for(
        self, session: Session, pools: list[Pool], jobs: int | None, in_process: bool
    ) -> Pool:
        setup = self._setup_of(session, in_process)
        if pools and pools[-1].setup == setup:
            return pools[-1]
        pools.append(Pool(setup, jobs or self._jobs(), in_process))
        return pools[-1]

    def _setup_of(self, session: Session, in_process: bool = False) -> Setup:
        return make_setup(self.stores, session.tree_digest, in_process)

    def _jobs(self) -> int:
        return self.config.jobs or os.cpu_count() or 1

    def graph(self) -> Graph:
        """The project's nodes, bound."""
        return self.session().graph

    def status(
        self,
        targets: Sequence[str] = (),
        *,
        params: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ) -> Status:
        """What is stale, and why, by component. Runs nothing."""
        from whence.engine.status import status_of

        return status_of(self.session(params, seed), targets)

    def builds(self, limit: int = 50) -> list[BuildRow]:
        """The recorded builds, newest first."""
        return self.stores.catalog.list_builds(limit)

    def get_build(self, build: str = "latest") -> Build:
        """A recorded build: "b12", "latest" (that succeeded), "last" or "accepted".

        Raises
        ------
        UnknownId
            If there is none.
        """
        row = self.row(build)
        return Build(self, row, history.recorded_results(self.stores.catalog, row), row.status)

    def row(self, build: str) -> BuildRow:
        """The record of a build, named as for `get_build`."""
        catalog = self.stores.catalog
        if build in ("latest", "last", "accepted"):
            if build == "accepted":
                row = catalog.accepted()
            else:
                row = catalog.latest_build("ok" if build == "latest" else None)
            if row is None:
                raise UnknownId(
                    f"There is no {build} build.",
                    "`whence accept BUILD`."
                    if build == "accepted"
                    else "`whence build` makes one.",
                )
            return row
        return catalog.get_build(build)

    def load(
        self, build: str, node: str, partition: str | None = None, form: str | None = None
    ) -> Any:
        """Load a node's value as a build made it; a partitioned node's as their union.

        Parameters
        ----------
        form : str, optional
            The in-memory form wanted, as an annotation would say it: "pandas.DataFrame".
        """
        from whence.store.formats import decode, decode_union

        rows = self._output_rows(build, node)
        catalog, blobs = self.stores.catalog, self.stores.blobs
        parts = history.partitions_of(catalog, rows)
        if partition is not None:
            return decode(self.artifact(build, node, partition), blobs, form, catalog.get_artifact)
        if len(parts) == 1 and parts[0][0] == "":
            return decode(parts[0][1], blobs, form, catalog.get_artifact)
        return decode_union(parts, blobs, form, catalog.get_artifact)

    def artifact(self, build: str, node: str, partition: str = "") -> Artifact:
        """The descriptor of the value that a build has for a node, or one partition of it."""
        parts = dict(history.partitions_of(self.stores.catalog, self._output_rows(build, node)))
        if partition not in parts:
            known = ", ".join(parts) or "none"
            raise UnknownId(
                f"'{node}' has no partition '{partition}' in {build}.", f"its partitions: {known}."
            )
        return parts[partition]

    def partitions(self, build: str, node: str) -> list[tuple[str, Artifact]]:
        """All partitions of a node's value in a build, in order; one named "" where it has none."""
        return history.partitions_of(self.stores.catalog, self._output_rows(build, node))

    def _output_rows(self, build: str, node: str) -> list[TaskRow]:
        row = self.row(build)
        tasks = self.stores.catalog.tasks_of(row.build_id)
        rows = [task for task in tasks if task.node == node]
        if not rows:
            raise history.no_node(row.id, node, (task.node for task in tasks))
        failed = [t for t in rows if t.output is None]
        if failed:
            first = failed[0]
            raise UnknownId(
                f"'{_label(first)}' {first.status} in {row.id}: {first.reason or 'see its log'}.",
                f"`whence log {row.id} {node}` shows why.",
            )
        return rows

    def diff(self, before: str, after: str | None = None) -> Diff:
        """What differs between two builds; without `after`, between a build and the latest one."""
        rows = [self.row(before), self.row(after or "latest")]
        return history.diff(self.stores, rows[0], rows[1])

    def changed_texts(self, diff: Diff) -> dict[str, str]:
        """The changed definitions of a `diff`, each as a unified diff of its source."""
        rows = (self.row(diff.before), self.row(diff.after))
        return history.definition_diffs(self.stores, rows[0], rows[1], diff.code)

    def trace(self, name: str) -> Trace:
        """Where something came from: a prediction, an artifact, a build, a node or NODE@BUILD."""
        from whence.engine.lineage import trace

        node, at, build = name.partition("@")
        if at:
            name = f"{node}@{self.row(build).id}"
        elif name in ("latest", "last", "accepted"):
            name = self.row(name).id
        return trace(self.stores, name)

    def accept(self, build: str, note: str = "") -> str:
        """Mark a build as the accepted baseline; services serve it from now on.

        Raises
        ------
        ConfigError
            If the build did not succeed.
        """
        row = self.row(build)
        if row.status != "ok":
            raise ConfigError(
                f"Build {row.id} is {row.status}; only a build that succeeded can be accepted.",
                "accept another one: `whence runs` lists them.",
            )
        self.stores.catalog.accept(row.build_id, note)
        return row.id


def _label(task: TaskRow) -> str:
    return f"{task.node}[{task.partition}]" if task.partition else task.node
