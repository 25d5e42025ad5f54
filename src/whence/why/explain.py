"""`whence why`: the whole way from two builds to an explanation."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection

from whence.engine.build import Builder
from whence.engine.environment import Environment
from whence.engine.project import Build, Project
from whence.engine.session import scan_environment
from whence.errors import ConfigError, GraphError, did_you_mean
from whence.why.account import Account
from whence.why.changes import find_changes
from whence.why.environments import Environments
from whence.why.inside import refine_causes
from whence.why.laboratory import Laboratory
from whence.why.mixing import Mixer, seedings
from whence.why.rows import sampling_error
from whence.why.search import investigate
from whence.why.sides import Side, open_side
from whence.why.stability import unstable_nodes
from whence.why.verdict import Explanation

#: Replicates that the noise gate may go up to.
MOST_SEEDS = 16


def explain(
    project: Project,
    metric: str,
    before: str,
    after: str,
    *,
    budget: float = 20.0,
    seeds: int | None = None,
    tolerance: float = 0.0,
    refine: bool = True,
    jobs: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Explanation:
    """Say which changes between two builds moved a metric, by building mixes of both.

    Parameters
    ----------
    metric : str
        A node whose value is a number or an `Estimate`.
    before, after : str
        Baseline and candidate: "b12", "latest", "accepted".
    budget : float
        Rebuilds that may be spent, a rebuild being the CPU time of a cold build of the metric.
    seeds : int, optional
        Exactly so many replicates; by default as many as the noise makes necessary.
    tolerance : float
        A difference up to this is of no interest, however sure.
    refine : bool
        Whether to look inside the guilty changes: columns, partitions, rows, statements.
    jobs : int, optional
        Mixes that are made at once; by default the number of cores.
    progress : callable, optional
        Called with a line of text now and then.

    Raises
    ------
    UnknownId
        There is no such build, or its snapshot is gone.
    GraphError
        A build has no such node.
    ConfigError
        The two are one build, or neither has the metric.
    ValueFault
        The node's value is not a number.
    """
    began = time.monotonic()
    a, b = open_sides(project, metric, before, after)
    environments = Environments(project.stores, b.session.environment)
    found = find_changes(a, b, project.config.vendored, environments)
    mixer = Mixer(a, b, found, metric, environments)
    rebuild_cpu_s, rebuild_executions = cold_cost(b if b.outputs(metric) else a)
    laboratory = Laboratory(
        mixer,
        seedings(a, b, seeds or MOST_SEEDS),
        rebuild_cpu_s=rebuild_cpu_s,
        budget=budget,
        jobs=jobs or project.config.jobs or os.cpu_count() or 1,
        progress=progress,
    )
    try:
        for side in (a, b):
            for digest in side.outputs(metric).values():
                laboratory.number(project.stores.catalog.get_artifact(digest))
        laboratory.unstable, unseen = unstable_nodes(laboratory)
        result = investigate(
            laboratory,
            tolerance=tolerance,
            max_seeds=MOST_SEEDS,
            fixed_seeds=seeds,
            sampling_se=sampling_error(laboratory),
            report=progress,
        )
        account = Account(laboratory, result, rebuild_executions, unseen)
        searched = laboratory.rebuilds
        inside = refine_causes(laboratory, result, progress) if refine else {}
        return account.explanation(inside, searched, time.monotonic() - began)
    finally:
        laboratory.close()


def open_sides(project: Project, metric: str, before: str, after: str) -> tuple[Side, Side]:
    """Both builds' worlds."""
    stores = project.stores
    rows = [project.row(name) for name in (before, after)]
    if rows[0].build_id == rows[1].build_id:
        raise ConfigError(
            f"Baseline and candidate are the same build, {rows[0].id}.",
            "name two builds (`whence runs`), or accept an earlier one: `whence accept b1`.",
        )
    environment: Environment = scan_environment(stores)
    sides: list[Side] = []
    faults: list[GraphError] = []
    for row in rows:
        try:
            sides.append(open_side(stores, row, metric, environment))
        except GraphError as error:
            faults.append(error)
    if faults:
        raise faults[0]
    a, b = sides
    if not set(a.paths()) & set(b.paths()):
        raise ConfigError(
            f"Builds {a.row.id} and {b.row.id} have no module in common: they look like builds of "
            "two projects that share a catalog.",
            "compare two builds of one project; `whence runs` lists them.",
        )
    if not _was_tried(a, metric) or not _was_tried(b, metric):
        missing = next(side for side in sides if not _was_tried(side, metric))
        raise ConfigError(
            f"Build {missing.row.id} did not build '{metric}'.",
            f"compare builds that did, or build it there: `whence build {metric}`.",
        )
    return a, b


def _was_tried(side: Side, metric: str) -> bool:
    return any(task.node == metric for task in side.tasks)


def cold_cost(side: Side) -> tuple[float, int]:
    """CPU seconds and number of tasks of a cold build of the metric, as recorded."""
    runs = side.session.stores.catalog.runs(
        [task.run_id for task in side.tasks if task.run_id is not None]
    )
    return sum(row.run.cpu_s for row in runs.values()), len(runs)


def build_without(
    project: Project,
    metric: str,
    before: str,
    after: str,
    without: Collection[str],
    *,
    jobs: int | None = None,
) -> Build:
    """Build the candidate with some changes taken back, as a build like any other.

    Parameters
    ----------
    without : collection of str
        Ids of changes, as `explain` names them; what must flip with them goes too.

    Raises
    ------
    ConfigError
        There is no such change, or it cannot be mixed.
    """
    a, b = open_sides(project, metric, before, after)
    environments = Environments(project.stores, b.session.environment)
    found = find_changes(a, b, project.config.vendored, environments)
    known = {found.changes[i].id: unit for unit, members in enumerate(found.units) for i in members}
    for name in without:
        if name not in known:
            near = did_you_mean(name, known)
            raise ConfigError(
                f"There is no change '{name}' between {a.row.id} and {b.row.id} that can be mixed.",
                f"did you mean '{near}'?"
                if near
                else f"the changes: {', '.join(known) or 'none'}.",
            )
    mixer = Mixer(a, b, found, metric, environments)
    laboratory = Laboratory(
        mixer, seedings(b, b, 1), rebuild_cpu_s=0.0, budget=float("inf"), jobs=jobs or 1
    )
    kept = set(range(len(found.units))) - {known[name] for name in without}
    try:
        draft = mixer.draft(mixer.flipped_ids(kept), laboratory.seedings[0])
        session, pool = laboratory.open(draft)
        builder = Builder(
            session,
            [metric],
            pool,
            argv=("why", metric, "--apply", *without),
            recorded=draft.values,
        )
        builder.run()
        laboratory.put_back(pool)
    finally:
        laboratory.close()
    number = builder.build_id if builder.build_id is not None else builder.current
    return project.get_build(f"b{number}")
