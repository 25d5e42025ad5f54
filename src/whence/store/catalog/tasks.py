"""Tasks and runs: what a build did about each node, committed one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from whence.errors import UnknownId
from whence.graph.digest import Digest
from whence.store.artifact import Artifact
from whence.store.catalog import artifacts, leasing, memo, texts
from whence.store.catalog.database import (
    Database,
    Row,
    chunks,
    clean,
    from_json,
    marks,
    to_json,
)
from whence.store.catalog.records import (
    CommitResult,
    HitRecord,
    LeaseResult,
    RunRecord,
    RunRow,
    TaskRecord,
    TaskRow,
)
from whence.store.leases import Owner

_COLUMNS = (
    "build_id, node, partition, static_key, recipe, observed_key, output, status, reason, run_id"
)
_PUT = f"""
INSERT INTO build_tasks ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (build_id, node, partition) DO UPDATE SET static_key = excluded.static_key,
  recipe = excluded.recipe, observed_key = excluded.observed_key, output = excluded.output,
  status = excluded.status, reason = excluded.reason, run_id = excluded.run_id
"""
_PUT_RUN = """
INSERT INTO runs (build_id, node, partition, started, duration_s, cpu_s, peak_bytes, host, pid,
  warnings, error, log) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING run_id
"""
_RUN_COLUMNS = (
    "run_id, build_id, node, partition, started, duration_s, cpu_s, peak_bytes, log, error, "
    "warnings, host, pid"
)


def commit(
    db: Database,
    build_id: int,
    task: TaskRecord,
    outputs: Sequence[Artifact],
    *,
    owner: Owner | None,
    next_keys: Sequence[str],
    new_texts: Mapping[str, str] | None,
    blob_exists: Callable[[Digest], bool] | None,
) -> CommitResult:
    """See `Catalog.commit_task`."""

    def work() -> CommitResult:
        output = task.output
        if output is not None:
            artifacts.require(db, output, outputs, blob_exists)
        if new_texts:
            texts.insert_texts(db, new_texts)
        if outputs:
            artifacts.insert(db, outputs)
        run_id = _put_run(db, build_id, task)
        if output is not None:
            output = memo.remember(db, task, output, run_id, blob_exists)
        db.write(_PUT, _values(build_id, task, output, run_id))
        leases: dict[str, LeaseResult] = {}
        if owner is not None:
            leasing.drop(db, (task.static_key,), owner)
            if next_keys:
                leases = leasing.take(db, next_keys, owner)
        return CommitResult(output, output == task.output, run_id, leases)

    result = db.transact(work)
    if owner is not None and next_keys:
        db.known_owners.add(owner.token)
    return result


def record_hits(
    db: Database,
    build_id: int,
    hits: Sequence[HitRecord],
    *,
    owner: Owner | None,
    new_texts: Mapping[str, str] | None,
    blob_exists: Callable[[Digest], bool] | None,
) -> list[HitRecord]:
    """See `Catalog.record_hits`."""

    def work() -> list[HitRecord]:
        if new_texts:
            texts.insert_texts(db, new_texts)
        remembered = _remembered(db, hits)
        whole = _whole(db, {hit.output for hit in hits}, blob_exists)
        vanished: list[HitRecord] = []
        rows: list[tuple[object, ...]] = []
        for hit in hits:
            output, run_id = remembered.get((hit.static_key, hit.observed_key), (None, None))
            if hit.recorded:
                output, run_id = hit.output, None
            if output != hit.output or hit.output not in whole:
                vanished.append(hit)
                continue
            rows.append(
                (build_id, hit.node, hit.partition, hit.static_key, hit.recipe, hit.observed_key,
                 hit.output, "hit", clean(hit.reason), run_id)
            )  # fmt: skip
        if rows:
            db.write_many(_PUT, rows)
        if owner is not None:
            leasing.drop(db, [hit.static_key for hit in hits], owner)
        return vanished

    return db.transact(work) if hits else []


def _remembered(
    db: Database, hits: Sequence[HitRecord]
) -> dict[tuple[str, str], tuple[str, int | None]]:
    """Output and run of the memo rows that the hits rely on."""
    found: dict[tuple[str, str], tuple[str, int | None]] = {}
    for chunk in chunks(sorted({hit.static_key for hit in hits})):
        sql = (
            "SELECT static_key, observed_key, output, run_id FROM memo "
            f"WHERE static_key IN ({marks(chunk)})"
        )
        for static_key, observed_key, output, run_id in db.query(sql, chunk):
            found[static_key, observed_key] = (output, run_id)
    return found


def _whole(
    db: Database, outputs: set[Digest], exists: Callable[[Digest], bool] | None
) -> set[Digest]:
    """Those artifacts that have their row, and where `exists` is given all their blobs."""
    found = artifacts.references(db, outputs)
    if exists is None or all(not blob or exists(Digest(blob)) for blob in found.values()):
        return outputs & found.keys()
    return {output for output in outputs if not artifacts.broken(db, [output], exists)}


def record(db: Database, build_id: int, many: Sequence[TaskRecord], *, owner: Owner | None) -> None:
    """See `Catalog.record_tasks`."""

    def work() -> None:
        rows = [_values(build_id, task, None, _put_run(db, build_id, task)) for task in many]
        db.write_many(_PUT, rows)
        if owner is not None:
            leasing.drop(db, [task.static_key for task in many], owner)

    if many:
        db.transact(work)


def _values(
    build_id: int, task: TaskRecord, output: Digest | None, run_id: int | None
) -> tuple[object, ...]:
    observed_key = "" if output is None else memo.spell(task.observed)[1]
    return (
        build_id, task.node, task.partition, task.static_key, task.recipe, observed_key, output,
        task.status, clean(task.reason), run_id,
    )  # fmt: skip


def _put_run(db: Database, build_id: int, task: TaskRecord) -> int | None:
    run = task.run
    if run is None:
        return None
    values = (
        build_id, task.node, task.partition, run.started, run.duration_s, run.cpu_s,
        run.peak_bytes, run.host, run.pid, to_json(run.warnings), clean(run.error),
        clean(run.log),
    )  # fmt: skip
    ((run_id,),) = db.query(_PUT_RUN, values)
    return int(run_id)


def of_build(db: Database, build_id: int) -> list[TaskRow]:
    """All tasks of a build, by node and partition."""
    sql = f"SELECT {_COLUMNS} FROM build_tasks WHERE build_id = ? ORDER BY node, partition"
    return [_row(row) for row in db.query(sql, (build_id,))]


def last(db: Database, node: str, partition: str) -> TaskRow | None:
    """The newest task of a node and partition that has an output."""
    # Build by build: the answer is nearly always in the newest, and needs no index of its own,
    # which every commit would have to keep up.
    sql = (
        f"SELECT {_COLUMNS} FROM build_tasks "
        "WHERE build_id = ? AND node = ? AND partition = ? AND output IS NOT NULL"
    )
    numbers = "SELECT build_id FROM builds WHERE build_id > 0 ORDER BY build_id DESC"
    for (build_id,) in db.query(numbers):
        for row in db.query(sql, (build_id, node, partition)):
            return _row(row)
    return None


def last_of_all(db: Database) -> dict[tuple[str, str], TaskRow]:
    """`last` of everything ever built."""
    columns = ", ".join(f"t.{name.strip()}" for name in _COLUMNS.split(","))
    sql = f"""
        SELECT {columns} FROM build_tasks t JOIN (
          SELECT node, partition, MAX(build_id) AS newest FROM build_tasks
          WHERE output IS NOT NULL AND build_id > 0 GROUP BY node, partition
        ) n ON t.build_id = n.newest AND t.node = n.node AND t.partition = n.partition
    """
    return {(row[1], row[2]): _row(row) for row in db.query(sql)}


def with_output(db: Database, output: str) -> list[TaskRow]:
    """All tasks with this output, newest first."""
    sql = f"SELECT {_COLUMNS} FROM build_tasks WHERE output = ? ORDER BY build_id DESC, node"
    return [_row(row) for row in db.query(sql, (output,))]


def get_run(db: Database, run_id: int) -> RunRow:
    """One run; `UnknownId` where there is none."""
    found = get_runs(db, [run_id])
    if run_id not in found:
        raise UnknownId(
            f"The catalog {db.url} holds no run {run_id}.", "it was collected by `whence gc`."
        )
    return found[run_id]


def get_runs(db: Database, run_ids: Iterable[int]) -> dict[int, RunRow]:
    """Those that are there."""
    found: dict[int, RunRow] = {}
    for chunk in chunks(run_ids):
        sql = f"SELECT {_RUN_COLUMNS} FROM runs WHERE run_id IN ({marks(chunk)})"
        for row in db.query(sql, chunk):
            run_id, build_id, node, partition, started, duration_s, cpu_s, peak = row[:8]
            log, error, warnings, host, pid = row[8:]
            seen = tuple(from_json(db, warnings))
            run = RunRecord(started, duration_s, cpu_s, peak, log, error, seen, host, pid)
            found[run_id] = RunRow(run_id, build_id, node, partition, run)
    return found


def _row(row: Row) -> TaskRow:
    return TaskRow(*row)
