"""What the coordinator and its workers say to each other: jobs, outcomes, and how they travel.

Light to import: the coordinator needs this, and not what a worker runs tasks with.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from whence.graph.nodes import NodeSpec
from whence.graph.observation import Observation
from whence.store.artifact import Artifact


class Setup(NamedTuple):
    """What a worker must know before its first task."""

    root: str
    roots: tuple[str, ...]  # import folders, relative to the root
    pipeline: tuple[str, ...]
    snapshot: str  # the copy of the tree that code is imported from
    store: str
    cache_dir: str
    salt: str
    secrets: tuple[str, ...]
    ignored: tuple[str, ...]  # folders whose files are never observed
    capture_logs: bool = True


class Argument(NamedTuple):
    """One input of a task: the artifacts of one or more partitions, and the form wanted."""

    parameter: str
    form: str | None
    parts: tuple[tuple[str, Artifact], ...]
    union: bool


class Job(NamedTuple):
    """One task, ready to run."""

    spec: NodeSpec
    partition: str
    arguments: tuple[Argument, ...]
    params: Mapping[str, Any]
    children: Mapping[str, Artifact]
    seed: int
    modules: frozenset[str] = frozenset()  # of the project, that the node's code reaches
    unit_digest: str = ""  # of a source: what its partition must hold


@dataclass
class Outcome:
    """What came of a job: an artifact, or an error."""

    artifact: Artifact | None = None
    children: list[Artifact] = field(default_factory=list)
    splits: list[tuple[str, Artifact]] | None = None  # of a source that splits by column
    observations: tuple[Observation, ...] = ()
    warnings: tuple[str, ...] = ()
    unstable: bool = False
    spoiled: bool = False  # the worker holds what the task read: it may take no other
    started: float = 0.0
    duration_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0
    log: str = ""
    error: str | None = None
    error_kind: str = ""
    fix: str = ""


# Messages are plain tuples: an object costs several times as much to pickle, and with tiny tasks
# messages are a good part of all work. `pack_…` and `unpack_…` undo each other.


def pack_job(job: Job, spec: NodeSpec | None) -> tuple[Any, ...]:
    """A job as a message, with its node's `spec` where the worker may not have it yet."""
    return (
        job.spec.name,
        spec,
        job.partition,
        [(a.parameter, a.form, _pack_parts(a.parts), a.union) for a in job.arguments],
        dict(job.params),
        {digest: tuple(child) for digest, child in job.children.items()},
        job.seed,
        list(job.modules),
        job.unit_digest,
    )


def unpack_job(message: tuple[Any, ...], specs: dict[str, NodeSpec]) -> Job:
    """The job of a message; `specs` holds those that came earlier, and gets a new one."""
    name, spec, partition, arguments, params, children, seed, modules, unit_digest = message
    if spec is not None:
        specs[name] = spec
    return Job(
        specs[name],
        partition,
        tuple([Argument(p, form, _unpack_parts(parts), u) for p, form, parts, u in arguments]),
        params,
        {digest: Artifact._make(child) for digest, child in children.items()},
        seed,
        frozenset(modules),
        unit_digest,
    )


def pack_outcome(outcome: Outcome) -> tuple[Any, ...]:
    """An outcome as a message."""
    made = outcome.artifact
    return (
        None if made is None else tuple(made),
        [tuple(child) for child in outcome.children],
        None if outcome.splits is None else _pack_parts(outcome.splits),
        [(seen.kind, seen.name, seen.digest) for seen in outcome.observations],
        outcome.warnings,
        outcome.unstable,
        outcome.spoiled,
        outcome.started,
        outcome.duration_s,
        outcome.cpu_s,
        outcome.peak_bytes,
        outcome.log,
        outcome.error,
        outcome.error_kind,
        outcome.fix,
    )


def unpack_outcome(message: tuple[Any, ...]) -> Outcome:
    """The outcome of a message."""
    made, children, splits, observations, *rest = message
    return Outcome(
        None if made is None else Artifact._make(made),
        [Artifact._make(child) for child in children],
        None if splits is None else list(_unpack_parts(splits)),
        tuple([Observation(*seen) for seen in observations]),
        *rest,
    )


def _pack_parts(parts: Any) -> list[tuple[str, tuple[Any, ...]]]:
    return [(key, tuple(artifact)) for key, artifact in parts]


def _unpack_parts(parts: Any) -> tuple[tuple[str, Artifact], ...]:
    return tuple([(key, Artifact._make(fields)) for key, fields in parts])


def load_dotted(path: str) -> Any:
    """The object that "module:name" names."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
