"""The encoded bytes of an artifact, wherever they live."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from whence.errors import CorruptBlob

if TYPE_CHECKING:
    from whence.graph.digest import Digest
    from whence.store.artifact import Artifact
    from whence.store.blobs import Blobs


def encoded_bytes(artifact: Artifact, blobs: Blobs) -> bytes:
    """The encoded bytes, from the catalog row or the blob; checked against the digest."""
    if artifact.inline is not None:
        return artifact.inline
    return blobs.get_bytes(_blob(artifact))


def encoded_file(artifact: Artifact, blobs: Blobs) -> BinaryIO | str:
    """The encoded bytes as something to open: the blob's path, or a buffer of inline bytes."""
    if artifact.inline is not None:
        return BytesIO(artifact.inline)
    return str(blobs.local_path(_blob(artifact)))


def _blob(artifact: Artifact) -> Digest:
    if artifact.blob is None:
        raise CorruptBlob(
            f"The artifact {artifact.digest} has neither inline bytes nor a blob.",
            "run `whence build` again: what needs it is rebuilt.",
        )
    return artifact.blob
