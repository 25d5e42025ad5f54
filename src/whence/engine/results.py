"""What a build or a status comes to, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from whence.graph.diff import Change
from whence.store.artifact import Artifact


class Event(NamedTuple):
    """Something that happened in a running build.

    `kind` is "plan" (the number of tasks is known better), "hit", "start", "done", "failed" or
    "skipped". `running` holds the labels of what runs now.
    """

    kind: str
    node: str
    partition: str
    done: int
    total: int
    hits: int
    running: tuple[str, ...]
    text: str = ""


class TaskResult(NamedTuple):
    """What a build did about one task."""

    node: str
    partition: str
    status: str  # "hit", "ran", "failed", "skipped"
    reason: str = ""
    error: str = ""
    fix: str = ""
    duration_s: float = 0.0
    peak_bytes: int = 0
    digest: str = ""
    run_id: int | None = None
    warnings: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"{self.node}[{self.partition}]" if self.partition else self.node

    def to_json(self) -> dict[str, Any]:
        return {
            "node": self.node,
            "partition": self.partition,
            "status": self.status,
            "reason": self.reason,
            "error": self.error,
            "fix": self.fix,
            "duration_s": round(self.duration_s, 6),
            "peak_bytes": self.peak_bytes,
            "digest": self.digest,
            "warnings": list(self.warnings),
        }


class TaskStatus(NamedTuple):
    """Whether one task is up to date, and if not, why.

    `state` is "fresh", "stale" (something it depends on changed), "new" (never built), "waiting"
    (fresh in itself, but something upstream of it is not), "failed" (its source cannot be read).
    """

    node: str
    partition: str
    state: str
    changes: tuple[Change, ...] = ()
    upstream: tuple[str, ...] = ()
    error: str = ""
    age_s: float | None = None

    @property
    def label(self) -> str:
        return f"{self.node}[{self.partition}]" if self.partition else self.node

    def to_json(self) -> dict[str, Any]:
        return {
            "node": self.node,
            "partition": self.partition,
            "state": self.state,
            "changes": [change.to_json() for change in self.changes],
            "upstream": list(self.upstream),
            "error": self.error,
            "age_s": self.age_s,
        }


class Status(NamedTuple):
    """The state of every task, and what else a user should know of the project."""

    tasks: tuple[TaskStatus, ...]
    fallbacks: tuple[Mapping[str, Any], ...] = ()
    skipped_files: tuple[tuple[str, str], ...] = ()
    effects: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "tasks": [task.to_json() for task in self.tasks],
            "fallbacks": [dict(fallback) for fallback in self.fallbacks],
            "skipped_files": [{"path": p, "why": why} for p, why in self.skipped_files],
            "effects": list(self.effects),
        }


class Diff(NamedTuple):
    """Changes between two builds, by coordinate, and the values that changed with them."""

    before: str
    after: str
    code: tuple[Change, ...]
    params: tuple[Change, ...]
    data: tuple[Change, ...]
    environment: tuple[Change, ...]
    seed: tuple[Change, ...]
    values: tuple[Change, ...]  # node or node[partition] -> digest
    metrics: Mapping[str, tuple[Any, Any]] = {}

    def to_json(self) -> dict[str, Any]:
        coordinates = ("code", "params", "data", "environment", "seed", "values")
        return {
            "before": self.before,
            "after": self.after,
            **{name: [c.to_json() for c in getattr(self, name)] for name in coordinates},
            "metrics": {n: {"before": a, "after": b} for n, (a, b) in self.metrics.items()},
        }


class Trace(NamedTuple):
    """One step of lineage: a thing, what is known of it, and what it came from."""

    kind: str  # "prediction", "build", "artifact", "source", "code", "params", "packages"
    name: str
    facts: Mapping[str, Any] = {}
    parents: tuple[Trace, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": self.name,
            "facts": dict(self.facts),
            "parents": [parent.to_json() for parent in self.parents],
        }


def describe(artifact: Artifact) -> dict[str, Any]:
    """An artifact's own facts, as JSON."""
    return {
        "digest": artifact.digest,
        "format": artifact.format,
        "size_bytes": artifact.size_bytes,
        "unsafe": artifact.unsafe,
        "summary": dict(artifact.summary),
    }
