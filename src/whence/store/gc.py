"""Collecting what nothing refers to any more.

Kept are the builds that are accepted, running, recent, or that a prediction came from, with all
that they refer to: their tasks' artifacts and children, memo rows, runs, recipes, worlds and the
snapshots of their code. Rows go first, in one transaction; blobs follow, each looked up once more
under the lock that commits need too. So a crash leaves orphans for the next time, never a row
whose blob is gone; and a builder that relied on a blob notices when it commits.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from whence.graph.digest import Digest
from whence.store.catalog import artifacts, builds, texts
from whence.store.catalog.catalog import Catalog
from whence.store.catalog.database import Database, chunks, marks
from whence.store.leases import MISSED_HEARTBEATS, heartbeat_s

#: What was stored within this time may belong to a commit still to come.
GRACE_S = 3600.0
#: Temporary and quarantined files older than this are nobody's.
SWEEP_AFTER_S = 86400.0
#: Blobs removed under one lock: builders wait no longer than that takes.
_BLOBS_AT_ONCE = 50
_TEXTS_AT_ONCE = 100

_DIGEST = re.compile(rb"(?:sha256|blake3):[0-9a-f]{64}")


class GcBlobs(Protocol):
    """What collecting needs of the blobs."""

    def iterate(self) -> Iterator[tuple[Digest, int, float]]:
        """Digest, size and time of writing of every blob."""
        ...

    def delete(self, digest: Digest) -> None:
        """Remove a blob; one that is gone already is no error."""
        ...

    def sweep(self, older_than_s: float, *, dry_run: bool = False) -> list[tuple[str, int]]:
        """Remove old temporary and quarantined files; their names and sizes."""
        ...


@dataclass(frozen=True, slots=True)
class GcReport:
    """What was freed, or with `dry_run` what would be.

    Parameters
    ----------
    builds : tuple of str
        Builds that went, oldest first.
    kept : mapping of str to str
        Builds that stay -> why: "accepted", "running", "predictions", "recent".
    rows : mapping of str to int
        Rows removed from each table.
    blobs : int
        Blobs removed.
    blob_bytes, catalog_bytes : int
        Their size, and that of the removed rows' contents.
    swept : tuple of (str, int)
        Old temporary and quarantined files removed, each with its size.
    """

    builds: tuple[str, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    blobs: int = 0
    blob_bytes: int = 0
    catalog_bytes: int = 0
    swept: tuple[tuple[str, int], ...] = ()
    dry_run: bool = False

    @property
    def bytes(self) -> int:
        """Everything freed, in bytes."""
        return self.blob_bytes + self.catalog_bytes + sum(size for _, size in self.swept)


def collect(
    catalog: Catalog,
    blobs: GcBlobs,
    *,
    keep_builds: int = 20,
    keep_days: float = 14.0,
    dry_run: bool = False,
    grace_s: float = GRACE_S,
) -> GcReport:
    """Remove what no kept build and no prediction refers to.

    Safe beside running builds, services and other collections.

    Parameters
    ----------
    catalog : Catalog
    blobs : Blobs
    keep_builds : int
        The newest builds that ended well; whatever lies between them is kept too.
    keep_days : float
        Builds that started within these days.
    dry_run : bool
        Only say what would be removed.
    grace_s : float
        Rows and blobs without a referrer are left alone for these seconds after they were
        stored.

    Returns
    -------
    GcReport
    """
    db = catalog.database
    before = time.time() - grace_s
    # Listed before the look at the rows: a blob stored later than that is not even considered.
    listed = {digest: size for digest, size, stored in blobs.iterate() if stored <= before}
    report, unused = db.transact(
        lambda: _collect_rows(db, listed, keep_builds, keep_days, before),
        exclusive=True,
        rollback=dry_run,
    )
    removed = unused if dry_run else _remove(db, blobs, unused)
    swept = blobs.sweep(SWEEP_AFTER_S, dry_run=dry_run)
    if not dry_run:
        db.compact()
    return replace(
        report,
        blobs=len(removed),
        blob_bytes=sum(listed[digest] for digest in removed),
        swept=tuple(swept),
        dry_run=dry_run,
    )


def _collect_rows(
    db: Database,
    listed: Mapping[Digest, int],
    keep_builds: int,
    keep_days: float,
    before: float,
) -> tuple[GcReport, list[Digest]]:
    kept = _kept_builds(db, keep_builds, keep_days)
    every = [build_id for (build_id,) in db.query("SELECT build_id FROM builds ORDER BY build_id")]
    gone = [build_id for build_id in every if build_id not in kept]
    rows: dict[str, int] = {}
    rows["build_tasks"] = rows["builds"] = 0
    for build_id in gone:
        rows["build_tasks"] += db.write("DELETE FROM build_tasks WHERE build_id = ?", (build_id,))
        rows["builds"] += db.write("DELETE FROM builds WHERE build_id = ?", (build_id,))
    rows["memo"] = db.write(
        "DELETE FROM memo WHERE (static_key, observed_key) NOT IN "
        "(SELECT static_key, observed_key FROM build_tasks)"
    )
    rows["runs"] = db.write(
        "DELETE FROM runs WHERE run_id NOT IN "
        "(SELECT run_id FROM build_tasks WHERE run_id IS NOT NULL "
        "UNION SELECT run_id FROM memo WHERE run_id IS NOT NULL)"
    )
    live_texts, mentioned = _live_texts(db, before)
    live = _live_artifacts(db, mentioned, before)
    rows["artifacts"], artifact_bytes = _delete_but(db, "artifacts", "inline", live, before)
    rows["texts"], text_bytes = _delete_but(db, "texts", "data", live_texts, before)
    rows["leases"] = _forget_the_dead(db)
    if rows["builds"] or rows["memo"] or rows["artifacts"] or rows["texts"]:
        texts.next_generation(db)
    report = GcReport(
        builds=tuple(f"b{build_id}" for build_id in gone),
        kept={f"b{build_id}": why for build_id, why in sorted(kept.items())},
        rows={table: number for table, number in rows.items() if number},
        catalog_bytes=artifact_bytes + text_bytes,
    )
    used = {blob for (blob,) in db.query("SELECT blob FROM artifacts WHERE blob IS NOT NULL")}
    return report, [digest for digest in listed if digest not in used]


def _kept_builds(db: Database, keep_builds: int, keep_days: float) -> dict[int, str]:
    """Builds that stay, each with the strongest reason."""
    kept: dict[int, str] = {}
    newest = db.query(
        "SELECT build_id FROM builds WHERE status = 'ok' AND build_id > 0 "
        "ORDER BY build_id DESC LIMIT ?",
        (max(keep_builds, 0),),
    )
    # Failed builds between good ones count as recent, but do not push good ones out.
    oldest = newest[-1][0] if newest else 2**62
    recent = db.query(
        "SELECT build_id FROM builds WHERE build_id >= ? OR started >= ?",
        (oldest, time.time() - keep_days * 86400.0),
    )
    kept.update((build_id, "recent") for (build_id,) in recent)
    served = db.query("SELECT DISTINCT build_id FROM predictions")
    kept.update((build_id, "predictions") for (build_id,) in served)
    kept.update((build_id, "running") for build_id in builds.running(db)[0])
    kept.update((row.build_id, "accepted") for row in builds.acceptances(db))
    return kept


def _live_texts(db: Database, before: float) -> tuple[set[str], set[str]]:
    """Texts that the remaining builds and tasks refer to; and every digest mentioned in them."""
    wanted = {world for (world,) in db.query("SELECT DISTINCT world FROM builds")}
    wanted |= {recipe for (recipe,) in db.query("SELECT DISTINCT recipe FROM build_tasks")}
    # What is young may be the world of a build about to start: so are the things it refers to.
    wanted |= {
        young for (young,) in db.query("SELECT digest FROM texts WHERE created > ?", (before,))
    }
    live: set[str] = set()
    mentioned: set[str] = set()
    while wanted:
        below: set[str] = set()
        for chunk in chunks(wanted, _TEXTS_AT_ONCE):
            for digest, data in _json_texts(db, chunk):
                live.add(digest)
                below.update(found.decode() for found in _DIGEST.findall(data))
        mentioned |= below
        wanted = texts.present(db, below - live)
    return live, mentioned


def _json_texts(db: Database, digests: list[str]) -> list[tuple[str, bytes]]:
    """The texts that are there, with their data where they may refer to others.

    Worlds, trees, graphs and recipes are JSON. A source file that looks like it is read as well,
    which can only keep more.
    """
    sql = (
        "SELECT digest, CASE WHEN SUBSTR(data, 1, 1) IN (?, ?) THEN data ELSE ? END FROM texts "
        f"WHERE digest IN ({marks(digests)})"
    )
    rows = db.query(sql, (b"{", b"[", b"", *digests))
    return [(digest, bytes(data)) for digest, data in rows]


def _live_artifacts(db: Database, mentioned: Iterable[str], before: float) -> set[str]:
    roots = set(mentioned)
    young = db.query("SELECT digest FROM artifacts WHERE created > ?", (before,))
    roots |= {digest for (digest,) in young}
    for table in ("build_tasks", "memo"):
        sql = f"SELECT DISTINCT output FROM {table} WHERE output IS NOT NULL"
        roots |= {output for (output,) in db.query(sql)}
    return set(artifacts.references(db, roots))


def _delete_but(
    db: Database, table: str, content: str, live: set[str], before: float
) -> tuple[int, int]:
    """Delete rows older than `before` except the live ones; their number and bytes."""
    rows = db.query(
        f"SELECT digest, COALESCE(LENGTH({content}), 0) FROM {table} WHERE created <= ?", (before,)
    )
    gone = [(digest, size) for digest, size in rows if digest not in live]
    for chunk in chunks(digest for digest, _ in gone):
        db.write(f"DELETE FROM {table} WHERE digest IN ({marks(chunk)})", chunk)
    return len(gone), sum(size for _, size in gone)


def _forget_the_dead(db: Database) -> int:
    """Delete owners that have been silent for long and run no build, and leases without owner."""
    silence_s = max(builds.SILENCE_S, MISSED_HEARTBEATS * heartbeat_s())
    db.write(
        f"DELETE FROM owners WHERE {db.dialect.now} - heartbeat > ? "
        "AND token NOT IN (SELECT owner FROM builds WHERE status = 'running')",
        (silence_s,),
    )
    return db.write("DELETE FROM leases WHERE token NOT IN (SELECT token FROM owners)")


def _remove(db: Database, blobs: GcBlobs, unused: list[Digest]) -> list[Digest]:
    """Remove blobs, a few at a time, each only if still nothing refers to it."""
    removed: list[Digest] = []

    def work(chunk: list[Digest]) -> None:
        sql = f"SELECT DISTINCT blob FROM artifacts WHERE blob IN ({marks(chunk)})"
        again = {blob for (blob,) in db.query(sql, chunk)}
        for digest in chunk:
            if digest not in again:
                blobs.delete(digest)
                removed.append(digest)

    for chunk in chunks(unused, _BLOBS_AT_ONCE):
        db.transact(partial(work, chunk), exclusive=True)
    return removed
