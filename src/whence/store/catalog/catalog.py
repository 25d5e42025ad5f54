"""The catalog as the rest of whence sees it: one object, short transactions, typed rows.

Each method delegates to the module that holds its SQL: `texts`, `artifacts`, `memo`, `tasks`,
`leasing`, `builds`, `predictions`. One catalog belongs to one process; threads may share it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType

from whence.graph.digest import Digest
from whence.store.artifact import Artifact
from whence.store.catalog import (
    artifacts,
    builds,
    leasing,
    memo,
    predictions,
    resolving,
    tasks,
    texts,
)
from whence.store.catalog.database import Database
from whence.store.catalog.records import (
    Acceptance,
    BuildRow,
    BuildStart,
    CommitResult,
    HitRecord,
    LeaseResult,
    Match,
    MemoRow,
    PredictionRecord,
    RunRow,
    TaskRecord,
    TaskRow,
)
from whence.store.leases import Owner


class Catalog:
    """The database of builds, tasks, memo rows, artifacts, leases and predictions.

    Made by `open_catalog`. Every method is one transaction of its own.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    @property
    def url(self) -> str:
        """Where the catalog is, without a password."""
        return self.database.url

    def close(self) -> None:
        """Close the connection; the catalog cannot be used afterwards."""
        self.database.close()

    def __enter__(self) -> Catalog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -- the store itself ---------------------------------------------------------------------

    def get_meta(self, key: str) -> str | None:
        """A value of the store's own: "store_id", "schema_version", "generation", or yours."""
        return texts.get_meta(self.database, key)

    def set_meta(self, key: str, value: str) -> None:
        """Write a value of the store's own."""
        texts.set_meta(self.database, key, value)

    @property
    def store_id(self) -> str:
        """The random name given to the store when it was made."""
        return self.get_meta("store_id") or ""

    @property
    def generation(self) -> int:
        """Raised each time something was deleted; a cached plan of an older one is void."""
        return int(self.get_meta("generation") or 0)

    def check(self) -> list[str]:
        """What is damaged in the database, in words; empty where it is sound. Reads it all."""
        return self.database.check()

    def backup(self, label: str = "manual") -> str:
        """Copy the whole catalog, consistently, while others use it; say where the copy is."""
        return self.database.backup(label)

    # -- texts --------------------------------------------------------------------------------

    def put_text(self, digest: str, text: str) -> None:
        """Keep a text under its digest. Equal digests mean equal texts: the first one stays."""
        texts.put(self.database, {digest: text.encode("utf-8", "surrogatepass")})

    def put_texts(self, many: Mapping[str, str]) -> None:
        """Keep many texts in one transaction."""
        texts.put(
            self.database,
            {key: text.encode("utf-8", "surrogatepass") for key, text in many.items()},
        )

    def put_content(self, digest: str, data: bytes) -> None:
        """Keep the bytes of a source file under their digest."""
        texts.put(self.database, {digest: data})

    def put_contents(self, many: Mapping[str, bytes]) -> None:
        """Keep many files' bytes in one transaction."""
        texts.put(self.database, many)

    def get_text(self, digest: str) -> str:
        """The text kept under `digest`; `UnknownId` where there is none."""
        return texts.get(self.database, digest).decode("utf-8", "surrogatepass")

    def get_texts(self, digests: Iterable[str]) -> dict[str, str]:
        """Those of the texts that are there."""
        found = texts.get_many(self.database, digests)
        return {key: data.decode("utf-8", "surrogatepass") for key, data in found.items()}

    def get_content(self, digest: str) -> bytes:
        """The bytes kept under `digest`; `UnknownId` where there are none."""
        return texts.get(self.database, digest)

    def has_contents(self, digests: Iterable[str]) -> set[str]:
        """Those of the digests that texts or contents are kept for."""
        return texts.present(self.database, digests)

    # -- artifacts ----------------------------------------------------------------------------

    def put_artifacts(self, many: Sequence[Artifact]) -> None:
        """Keep descriptors (with their inline bytes) in one transaction."""
        artifacts.put(self.database, many)

    def get_artifact(self, digest: str) -> Artifact:
        """The descriptor of `digest`; `UnknownId` where there is none."""
        return artifacts.get(self.database, digest)

    def get_artifacts(self, digests: Iterable[str]) -> dict[Digest, Artifact]:
        """The descriptors of those that are there."""
        return artifacts.get_many(self.database, digests)

    def artifacts_before(self, moment: float) -> list[Artifact]:
        """Artifacts with a blob that were put before `moment` (seconds since the epoch)."""
        return artifacts.stored_before(self.database, moment)

    # -- memo and tasks -----------------------------------------------------------------------

    def find_memo(self, static_key: str) -> list[MemoRow]:
        """What is remembered for a static key, newest first."""
        return memo.find(self.database, [static_key]).get(static_key, [])

    def find_memos(self, static_keys: Sequence[str]) -> dict[str, list[MemoRow]]:
        """`find_memo` for many keys in a few statements; keys without rows are left out."""
        return memo.find(self.database, static_keys)

    def forget_memo(self, static_key: str, observed_key: str) -> None:
        """Drop one remembered result, because its artifact turned out damaged."""
        memo.forget(self.database, static_key, observed_key)

    def commit_task(
        self,
        build_id: int,
        task: TaskRecord,
        outputs: Sequence[Artifact] = (),
        *,
        owner: Owner | None = None,
        next_keys: Sequence[str] = (),
        new_texts: Mapping[str, str] | None = None,
        blob_exists: Callable[[Digest], bool] | None = None,
    ) -> CommitResult:
        """Record one finished task and take the next leases, in one transaction.

        Writes the artifacts, the run, the memo row (where there is an output) and the build's
        task row, gives the lease of `task.static_key` back and asks for `next_keys`.

        Parameters
        ----------
        build_id : int
        task : TaskRecord
        outputs : sequence of Artifact
            The output and its children. May be empty where the output is in the catalog already.
        owner : Owner, optional
            Whose lease is given back, and who asks for the next ones.
        next_keys : sequence of str
            Static keys to lease.
        new_texts : mapping of digest to text, optional
            Texts to keep in the same transaction (the recipe's).
        blob_exists : callable, optional
            Asked, inside the transaction, for the blob of every artifact in `outputs`.

        Raises
        ------
        BlobVanished
            If one of the blobs is gone; nothing was written and the lease is still held.
        """
        return tasks.commit(
            self.database,
            build_id,
            task,
            outputs,
            owner=owner,
            next_keys=next_keys,
            new_texts=new_texts,
            blob_exists=blob_exists,
        )

    def record_hits(
        self,
        build_id: int,
        hits: Sequence[HitRecord],
        *,
        owner: Owner | None = None,
        new_texts: Mapping[str, str] | None = None,
        blob_exists: Callable[[Digest], bool] | None = None,
    ) -> list[HitRecord]:
        """Record tasks whose output came from the store, before anything relies on them.

        From then on `gc` keeps what they refer to. Leases of their keys held by `owner` are
        given back.

        Returns
        -------
        list of HitRecord
            Those that could not be recorded, because their memo row, artifact or (where
            `blob_exists` is given) blob vanished since the lookup: they must run.
        """
        return tasks.record_hits(
            self.database, build_id, hits, owner=owner, new_texts=new_texts, blob_exists=blob_exists
        )

    def record_tasks(
        self, build_id: int, many: Sequence[TaskRecord], *, owner: Owner | None = None
    ) -> None:
        """Record tasks without an output (skipped, failed before they ran) in one transaction."""
        tasks.record(self.database, build_id, many, owner=owner)

    def tasks_of(self, build_id: int) -> list[TaskRow]:
        """All tasks of a build, by node and partition."""
        return tasks.of_build(self.database, build_id)

    def last_task(self, node: str, partition: str = "") -> TaskRow | None:
        """The newest task of this node and partition that has an output."""
        return tasks.last(self.database, node, partition)

    def last_tasks(self) -> dict[tuple[str, str], TaskRow]:
        """`last_task` of everything ever built, by (node, partition)."""
        return tasks.last_of_all(self.database)

    def tasks_with_output(self, output: str) -> list[TaskRow]:
        """All tasks whose output is this artifact, newest first."""
        return tasks.with_output(self.database, output)

    def run(self, run_id: int) -> RunRow:
        """One execution; `UnknownId` where there is none."""
        return tasks.get_run(self.database, run_id)

    def runs(self, run_ids: Iterable[int]) -> dict[int, RunRow]:
        """Those of the executions that are there."""
        return tasks.get_runs(self.database, run_ids)

    # -- leases -------------------------------------------------------------------------------

    def acquire(self, keys: Sequence[str], owner: Owner) -> dict[str, LeaseResult]:
        """Ask for leases; a dead or silent holder is replaced."""
        return leasing.acquire(self.database, keys, owner)

    def release(self, keys: Sequence[str], owner: Owner) -> None:
        """Give leases back; those that are not (or no longer) `owner`'s are left alone."""
        leasing.release(self.database, keys, owner)

    def heartbeat(self, owner: Owner) -> None:
        """Say that `owner` is alive, for all its leases and builds. Every `heartbeat_s()`."""
        leasing.heartbeat(self.database, owner)

    def leave(self, owner: Owner) -> None:
        """Give all leases of `owner` back and forget it."""
        leasing.leave(self.database, owner)

    def held_keys(self, owner: Owner) -> set[str]:
        """The keys that `owner` holds now."""
        return leasing.held_keys(self.database, owner)

    # -- builds -------------------------------------------------------------------------------

    def start_build(
        self,
        start: BuildStart,
        *,
        owner: Owner,
        new_texts: Mapping[str, str] | None = None,
        mix: bool = False,
    ) -> int:
        """Record that a build starts; builds left "running" by the dead become "interrupted".

        A `mix`, a counterfactual that nobody asked for by name, gets a number below 0: it is in no
        list of builds and is never the latest.
        """
        return builds.start(self.database, start, owner, new_texts, mix)

    def finish_build(
        self, build_id: int, status: str, counts: Mapping[str, int] | None = None
    ) -> None:
        """Record how a build ended: "ok", "failed" or "interrupted"."""
        builds.finish(self.database, build_id, status, counts or {})

    def get_build(self, build: int | str) -> BuildRow:
        """A build by number or name ("b12"); `UnknownId` where there is none."""
        return builds.get(self.database, build)

    def list_builds(self, limit: int = 50, *, before: int | None = None) -> list[BuildRow]:
        """Builds, newest first."""
        return builds.listing(self.database, limit, before)

    def latest_build(self, status: str | None = "ok") -> BuildRow | None:
        """The newest build, of the given status unless that is None."""
        return builds.latest(self.database, status)

    def accept(self, build: int | str, note: str = "") -> Acceptance:
        """Make a build the accepted baseline."""
        return builds.accept(self.database, build, note)

    def accepted(self) -> BuildRow | None:
        """The build accepted last."""
        return builds.accepted(self.database)

    def acceptances(self) -> list[Acceptance]:
        """Every acceptance, newest first."""
        return builds.acceptances(self.database)

    # -- predictions and ids ------------------------------------------------------------------

    def add_predictions(self, rows: Sequence[PredictionRecord]) -> None:
        """Keep served answers, many in one transaction."""
        predictions.add(self.database, rows)

    def get_prediction(self, prediction_id: str) -> PredictionRecord:
        """A prediction by its full id; `UnknownId` where there is none."""
        return predictions.get(self.database, prediction_id)

    def count_predictions(self, service: str | None = None) -> int:
        """How many predictions are kept, of one service or of all."""
        return predictions.count(self.database, service)

    def list_predictions(
        self, service: str | None = None, limit: int = 50
    ) -> list[PredictionRecord]:
        """Predictions, newest first."""
        return predictions.listing(self.database, service, limit)

    def resolve(self, prefix: str) -> list[Match]:
        """Everything whose id starts with `prefix`: "b12", "blake3:4f…", "4f…"; at most 20."""
        return resolving.resolve(self.database, prefix)
