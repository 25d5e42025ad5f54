"""Descriptors of artifacts, with the bytes of the small ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from whence.errors import UnknownId
from whence.graph.digest import Digest
from whence.store.artifact import Artifact
from whence.store.catalog.database import Database, Row, chunks, from_json, marks, to_json
from whence.store.catalog.records import BlobVanished

# An artifact may come again with other bytes (compacted, or stored anew after its blob was
# damaged): the newest bytes are the ones known to be there.
_PUT = """
INSERT INTO artifacts (digest, blob, children, created, descriptor, inline)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (digest) DO UPDATE SET blob = excluded.blob, children = excluded.children,
  created = excluded.created, descriptor = excluded.descriptor, inline = excluded.inline
WHERE COALESCE(artifacts.blob, '') <> COALESCE(excluded.blob, '')
   OR artifacts.created < excluded.created - 600.0
"""
_COLUMNS = "digest, blob, children, descriptor, inline"


def put(db: Database, many: Sequence[Artifact]) -> None:
    """Keep descriptors in one transaction."""
    if many:
        db.transact(lambda: insert(db, many))


def insert(db: Database, many: Sequence[Artifact]) -> None:
    """Keep descriptors, in the caller's transaction."""
    now = time.time()
    if len(many) == 1:
        db.write(_PUT, _values(many[0], now))
    else:
        ordered = sorted(many, key=lambda artifact: artifact.digest)
        db.write_many(_PUT, [_values(artifact, now) for artifact in ordered])


def get(db: Database, digest: str) -> Artifact:
    """One descriptor; `UnknownId` where there is none."""
    for row in db.query(f"SELECT {_COLUMNS} FROM artifacts WHERE digest = ?", (digest,)):
        return _artifact(db, row)
    raise UnknownId(
        f"The catalog {db.url} holds no artifact {digest}.",
        "it was collected by `whence gc` (build again to make it), or belongs to another store.",
    )


def get_many(db: Database, digests: Iterable[str]) -> dict[Digest, Artifact]:
    """Those that are there."""
    found: dict[Digest, Artifact] = {}
    for chunk in chunks(digests):
        sql = f"SELECT {_COLUMNS} FROM artifacts WHERE digest IN ({marks(chunk)})"
        for row in db.query(sql, chunk):
            artifact = _artifact(db, row)
            found[artifact.digest] = artifact
    return found


def stored_before(db: Database, moment: float) -> list[Artifact]:
    """Artifacts with a blob that were put before `moment` (seconds since the epoch)."""
    sql = f"SELECT {_COLUMNS} FROM artifacts WHERE blob IS NOT NULL AND created < ?"
    return [_artifact(db, row) for row in db.query(sql, (moment,))]


def references(db: Database, digests: Iterable[str]) -> dict[str, str | None]:
    """Every artifact reachable from `digests` through children, with its blob.

    An artifact that is referred to and not there is left out: compare with what was asked for.
    """
    found: dict[str, str | None] = {}
    asked: set[str] = set()
    wanted = set(digests)
    while wanted:
        asked |= wanted
        below: set[str] = set()
        for chunk in chunks(wanted):
            sql = f"SELECT digest, blob, children FROM artifacts WHERE digest IN ({marks(chunk)})"
            for digest, blob, children in db.query(sql, chunk):
                found[digest] = blob
                if children:
                    below.update(children.split(" "))
        wanted = below - asked
    return found


def broken(db: Database, digests: Iterable[str], exists: Callable[[Digest], bool] | None) -> bool:
    """Whether one of the artifacts, or a child of one, has no row or no blob."""
    wanted = set(digests)
    found = references(db, wanted)
    if not wanted <= found.keys():
        return True
    return exists is not None and any(blob and not exists(Digest(blob)) for blob in found.values())


def require(
    db: Database,
    output: Digest,
    new: Sequence[Artifact],
    exists: Callable[[Digest], bool] | None,
) -> None:
    """Raise `BlobVanished` unless `output` is whole, given the artifacts about to be put."""
    needed: set[str] = {output}
    for artifact in new:
        needed.update(artifact.children)
        if artifact.blob is not None and exists is not None and not exists(artifact.blob):
            raise BlobVanished(
                f"The blob {artifact.blob} of artifact {artifact.digest} left the store before "
                "it was committed.",
                "build again; if this repeats, run `whence check`.",
            )
    needed -= {artifact.digest for artifact in new}
    if needed and broken(db, needed, exists):
        raise BlobVanished(
            f"The artifact {sorted(needed)[0]} left the store before it was committed.",
            "build again; if this repeats, run `whence check`.",
        )


def _values(artifact: Artifact, now: float) -> tuple[object, ...]:
    # Positional: the names would be most of the text. Read back by `_artifact`, version 1.
    descriptor = (
        artifact.format,
        artifact.version,
        artifact.size_bytes,
        artifact.encoding,
        dict(artifact.summary),
        artifact.code_refs,
        artifact.distributions,
        artifact.unsafe,
    )
    children = " ".join(artifact.children)
    return (
        artifact.digest, artifact.blob, children, now, to_json(descriptor), artifact.inline,
    )  # fmt: skip


def _artifact(db: Database, row: Row) -> Artifact:
    digest, blob, children, descriptor, inline = row
    format_, version, size, encoding, summary, refs, dists, unsafe = from_json(db, descriptor)
    return Artifact(
        digest=Digest(digest),
        format=format_,
        version=version,
        size_bytes=size,
        inline=None if inline is None else bytes(inline),
        blob=None if blob is None else Digest(blob),
        encoding=encoding,
        summary=summary,
        code_refs=tuple(refs),
        distributions=tuple(dists),
        unsafe=unsafe,
        children=tuple(Digest(child) for child in children.split(" ")) if children else (),
    )
