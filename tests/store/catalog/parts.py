"""Small values that the catalog's tests are made of."""

import time

from whence.graph.digest import Digest, digest_text
from whence.graph.observation import Observation
from whence.store.artifact import Artifact, blob_digest, content_digest
from whence.store.blobs import LocalBlobs
from whence.store.catalog import BuildStart, Catalog, Owner, RunRecord, TaskRecord

FILE = Observation("file", "data/rates.csv", "blake3:" + "a" * 64)
ENV = Observation("env", "REGION", "absent")


def key(name: str) -> Digest:
    return digest_text("key", name)


def small(text: str, children: tuple[Digest, ...] = ()) -> Artifact:
    """An artifact that lives in the catalog."""
    data = text.encode()
    return Artifact(
        digest=content_digest("text", text, *children),
        format="text",
        version=1,
        size_bytes=len(data),
        inline=data,
        blob=None,
        encoding="utf-8",
        summary={"type": "str", "length": len(text)},
        children=children,
    )


def big(text: str, blobs: LocalBlobs) -> Artifact:
    """An artifact that lives in a blob."""
    data = text.encode()
    return Artifact(
        digest=content_digest("text", text),
        format="text",
        version=1,
        size_bytes=len(data),
        inline=None,
        blob=blobs.put_bytes(data),
        encoding="utf-8",
        code_refs=("pipeline:Tree",),
        distributions=("sklearn",),
    )


def blob_of(text: str) -> Digest:
    return blob_digest(text.encode())


def start(catalog: Catalog, owner: Owner, world: str = "{}", **known: object) -> int:
    digest = digest_text("world", world)
    what = BuildStart(targets=("auc",), world=digest, **known)  # type: ignore[arg-type]
    return catalog.start_build(what, owner=owner, new_texts={digest: world})


def task(name: str, output: Artifact | None, **known: object) -> TaskRecord:
    run = RunRecord(started=time.time(), duration_s=0.5, cpu_s=0.4, peak_bytes=1000, log="hello")
    fields: dict[str, object] = {"partition": "", "recipe": digest_text("recipe", name), "run": run}
    fields |= known
    return TaskRecord(
        node=name,
        static_key=str(fields.pop("static_key", key(name))),
        output=None if output is None else output.digest,
        **fields,  # type: ignore[arg-type]
    )
