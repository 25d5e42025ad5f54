"""The catalog's vocabulary: what goes in and what comes out, as plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from whence.errors import StoreError
from whence.graph.digest import Digest
from whence.graph.observation import Observation

#: Any value that JSON can hold.
Json = Any


class CatalogBusy(StoreError):
    """Another process holds the catalog's lock for longer than anybody should."""


class BlobVanished(StoreError):
    """A blob that a commit relies on is no longer in the store; nothing was committed.

    The cause is a `whence gc` between storing the blob and committing it, or a damaged store.
    The one who commits puts the value into the store again and repeats the commit.
    """


class RunRecord(NamedTuple):
    """One execution of a node: when, how long, how much, and what it printed.

    Parameters
    ----------
    started : float
        Seconds since the epoch.
    duration_s, cpu_s : float
        Wall clock and CPU seconds.
    peak_bytes : int
        Peak resident memory of the process while the node ran.
    log, error : str
        What the node printed; the trimmed traceback where it failed, else "".
    warnings : tuple of str
        What was seen and cannot be tracked: sockets, subprocesses.
    host, pid
        Where it ran.
    """

    started: float
    duration_s: float
    cpu_s: float = 0.0
    peak_bytes: int = 0
    log: str = ""
    error: str = ""
    warnings: tuple[str, ...] = ()
    host: str = ""
    pid: int = 0


class RunRow(NamedTuple):
    """A run as the catalog keeps it."""

    run_id: int
    build_id: int
    node: str
    partition: str
    run: RunRecord


class TaskRecord(NamedTuple):
    """What a build did about one node, or one partition of it.

    Parameters
    ----------
    node, partition : str
        Partition is "" for a node without partitions.
    static_key, recipe : str
        The fingerprint before anything is observed, and the digest of the recipe's text.
    observed : tuple of Observation
        What was seen while it ran.
    output : Digest or None
        The artifact that came out; None where the task failed or was skipped.
    status : str
        "ran", "failed" or "skipped" (hits go through `Catalog.record_hits`).
    reason : str
        Why it ran, failed or was skipped, for people.
    deterministic : bool
        False: the first commit of a memo row wins, quietly.
    replace : bool
        True: this output takes the memo row over even where one exists (`--refresh`).
    """

    node: str
    partition: str
    static_key: str
    recipe: str
    observed: tuple[Observation, ...] = ()
    output: Digest | None = None
    status: str = "ran"
    reason: str = ""
    run: RunRecord | None = None
    deterministic: bool = True
    replace: bool = False


class HitRecord(NamedTuple):
    """A task whose output came from the store.

    `recorded` marks a value taken from an earlier build's record rather than from the memo, which
    may hold a newer one by now.
    """

    node: str
    partition: str
    static_key: str
    observed_key: str
    output: Digest
    recipe: str
    reason: str = ""
    recorded: bool = False


class TaskRow(NamedTuple):
    """A task as a build recorded it. `status` is "ran", "hit", "failed" or "skipped"."""

    build_id: int
    node: str
    partition: str
    static_key: str
    recipe: str
    observed_key: str
    output: Digest | None
    status: str
    reason: str
    run_id: int | None


class MemoRow(NamedTuple):
    """One remembered result: this static key, with these observations, gave this output."""

    static_key: str
    observed_key: str
    observed: tuple[Observation, ...]
    output: Digest
    run_id: int | None


class LeaseResult(NamedTuple):
    """The answer to asking for a lease.

    Parameters
    ----------
    held : bool
        True: the caller holds the lease now, and is the only one to run this key.
    holder : str
        Who holds it otherwise, as "host:pid".
    memo : tuple of MemoRow
        What is remembered for the key at this very moment, newest first: another build may have
        finished it since the caller last looked. Empty where the lease is not held.
    """

    held: bool
    holder: str = ""
    memo: tuple[MemoRow, ...] = ()


class CommitResult(NamedTuple):
    """What became of a commit.

    Parameters
    ----------
    output : Digest or None
        The output that counts from now on: the task's own, or that of an earlier commit.
    won : bool
        False: an earlier commit had another output, which `output` names. For a node declared
        deterministic that means it is not.
    run_id : int or None
    leases : mapping of str to LeaseResult
        One for each of the keys asked for.
    """

    output: Digest | None
    won: bool = True
    run_id: int | None = None
    leases: Mapping[str, LeaseResult] = {}


class BuildStart(NamedTuple):
    """What is known when a build starts. `world` is the digest of the world's text."""

    targets: tuple[str, ...]
    world: Digest
    params: Mapping[str, Json] = {}
    git_commit: str = ""
    dirty: bool = False
    argv: tuple[str, ...] = ()
    python: str = ""
    host: str = ""
    user: str = ""


class BuildRow(NamedTuple):
    """A build as the catalog keeps it.

    `status` is "running", "ok", "failed" or "interrupted"; `finished` is None while it runs.
    """

    build_id: int
    start: BuildStart
    started: float
    finished: float | None
    status: str
    counts: Mapping[str, int]
    owner: str

    @property
    def id(self) -> str:
        """The name people use: "b12"."""
        return f"b{self.build_id}"


class Acceptance(NamedTuple):
    """A build that was declared the baseline."""

    build_id: int
    time: float
    note: str


class PredictionRecord(NamedTuple):
    """One served answer. `id` is a UUID in hex; `request` and `answer` are JSON texts."""

    id: str
    service: str
    build_id: int
    time: float
    request: str
    answer: str
    latency_ms: float = 0.0


class Match(NamedTuple):
    """Something whose id starts with a given prefix; `kind` is build, artifact or prediction."""

    kind: str
    id: str
