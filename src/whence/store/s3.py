"""Blobs in an S3 bucket, with checked copies in a local cache.

A blob is put only where it is absent. The `marker` object carries the store's id, its version and
the generation of its garbage collection; it changes by compare-and-swap only.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from whence.errors import CorruptBlob, StoreError, StoreTooNew, StoreUnwritable
from whence.graph.digest import Digest
from whence.store.artifact import blob_digest
from whence.store.blobs import BlobWriter, LocalBlobs, Stat, missing_blob

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping
    from pathlib import Path

STORE_VERSION = 1
_PREFIX = "blake3:"
_MULTIPART_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Marker:
    """What the `marker` object says about the store."""

    store_id: str
    version: int
    generation: int


class S3Blobs:
    """Blobs as objects `prefix/blobs/ab/abcdef...` of a bucket.

    Parameters
    ----------
    url : str
        "s3://bucket/prefix".
    cache_dir : Path
        For downloads; may be deleted at any time.
    options : mapping
        "endpoint", "region", "access_key_id", "secret_access_key" and what obstore's S3Store
        takes. What is not given comes from the environment (AWS_...).
    """

    def __init__(
        self,
        url: str,
        cache_dir: Path,
        options: Mapping[str, str],
        *,
        verified: MutableMapping[str, Stat] | None = None,
    ) -> None:
        from obstore.store import S3Store

        config: dict[str, Any] = dict(options)
        endpoint = config.get("endpoint") or _endpoint_of_environment()
        client: Any = {"allow_http": True} if endpoint.startswith("http://") else {}
        # from_url takes the credentials from the environment where options do not name them.
        self.url = url
        # Minutes of silent retries would look like a hang.
        patience: Any = {"max_retries": 4, "retry_timeout": timedelta(seconds=30)}
        self.store: Any = S3Store.from_url(
            url, client_options=client, retry_config=patience, **config
        )
        self.cache_dir = cache_dir
        self.cache = _Cache(self, cache_dir / "blobs", cache_dir, verified)

    def put_bytes(self, data: bytes) -> Digest:
        digest = blob_digest(data)
        if self._remote_size(digest) != len(data):
            self.cache.put_bytes(data)
            self.upload(digest)
        return digest

    def put_file(self, path: str | os.PathLike[str], *, move: bool = False) -> Digest:
        return self.cache.put_file(path, move=move)

    def writer(self, *, inline_limit: int = 0) -> BlobWriter:
        return BlobWriter(self.cache, inline_limit)

    def get_bytes(self, digest: Digest) -> bytes:
        return self.local_path(digest).read_bytes()

    def local_path(self, digest: Digest) -> Path:
        """Path of a checked local copy; downloaded where it is not there.

        Raises
        ------
        CorruptBlob
            If the object is missing or damaged; a damaged one is moved to `quarantine/`.
        """
        if self.cache.exists(digest):
            try:
                return self.cache.local_path(digest)
            except CorruptBlob:
                pass  # only the copy is damaged (and now set aside): download it again
        self._download(digest)
        return self.cache.local_path(digest)

    def verify(self, digest: Digest) -> None:
        """Read the object itself again, whatever the cache holds."""
        self.cache.delete(digest)
        self._download(digest)

    def exists(self, digest: Digest) -> bool:
        return self._remote_size(digest) is not None

    def stat(self, digest: Digest) -> Stat | None:
        """Size and time of the object; the inode and ctime of an object are 0."""
        found = self._head(digest)
        if found is None:
            return None
        return (found["size"], int(found["last_modified"].timestamp() * 1e9), 0, 0)

    def delete(self, digest: Digest) -> None:
        from obstore.exceptions import NotFoundError

        self.cache.delete(digest)
        try:
            self.store.delete(_key(digest))
        except (NotFoundError, FileNotFoundError):
            return

    def iterate(self) -> Iterator[tuple[Digest, int, float]]:
        for batch in self.store.list("blobs"):
            for found in batch:
                name = found["path"].rpartition("/")[2]
                yield Digest(_PREFIX + name), found["size"], found["last_modified"].timestamp()

    def sweep(self, older_than_s: float, *, dry_run: bool = False) -> list[tuple[str, int]]:
        """Remove quarantined objects and the cache's temporary files that are that old."""
        gone = self.cache.sweep(older_than_s, dry_run=dry_run)
        limit = time.time() - older_than_s
        for batch in self.store.list("quarantine"):
            for found in batch:
                if found["last_modified"].timestamp() <= limit:
                    if not dry_run:
                        self.store.delete(found["path"])
                    gone.append((f"{self.url}/{found['path']}", found["size"]))
        return gone

    def marker(self) -> Marker:
        """The store's marker; made on first use, by exactly one of those who try."""
        return self._read_marker()[0]

    def next_generation(self) -> Marker:
        """Count the generation up by one, by compare-and-swap."""
        from obstore.exceptions import PreconditionError

        while True:
            marker, version = self._read_marker()
            changed = replace(marker, generation=marker.generation + 1)
            try:
                self.store.put("marker", _marker_bytes(changed), mode=version)
            except PreconditionError:
                continue  # somebody was quicker: count on from theirs
            return changed

    def _read_marker(self) -> tuple[Marker, Any]:
        from obstore.exceptions import AlreadyExistsError, NotFoundError

        while True:
            try:
                found = self.store.get("marker")
            except (NotFoundError, FileNotFoundError):
                try:
                    first = Marker(uuid4().hex, STORE_VERSION, 0)
                    self.store.put("marker", _marker_bytes(first), mode="create")
                except AlreadyExistsError:
                    pass  # another process made it: read theirs
                continue
            data = json.loads(bytes(found.bytes()))
            marker = Marker(data["store_id"], data["version"], data["generation"])
            if marker.version > STORE_VERSION:
                raise StoreTooNew(
                    f"The store '{self.url}' has version {marker.version}; this whence knows "
                    f"{STORE_VERSION}.",
                    "upgrade whence.",
                )
            kept = {name: found.meta.get(name) for name in ("e_tag", "version")}
            return marker, {name: text for name, text in kept.items() if text is not None}

    def upload(self, digest: Digest) -> None:
        """Put the cache's copy where it is absent."""
        from obstore.exceptions import AlreadyExistsError, BaseError

        path = self.cache.path_of(digest)
        size = path.stat().st_size
        known = self._remote_size(digest)
        if known == size:
            return
        if known is not None:
            self._set_aside(digest)  # an object of another length is damaged for certain
        try:
            if size > _MULTIPART_BYTES:
                # Too big for one conditional request; equal content makes the race harmless.
                self.store.put(_key(digest), path)
            else:
                self.store.put(_key(digest), path.read_bytes(), mode="create")
        except AlreadyExistsError:
            return  # another writer of the same content was quicker
        except (BaseError, OSError) as error:  # an absent bucket is a FileNotFoundError
            raise StoreUnwritable(
                f"The blob {digest} cannot be written to '{self.url}': {_first_line(error)}.",
                "check the bucket, its endpoint and the credentials in the environment.",
            ) from error

    def _download(self, digest: Digest) -> None:
        from obstore.exceptions import NotFoundError

        try:
            found = self.store.get(_key(digest))
        except (NotFoundError, FileNotFoundError):
            raise missing_blob(digest, f"{self.url}/{_key(digest)}") from None
        with self.cache.download() as out:
            for chunk in found.stream(min_chunk_size=4 << 20):
                out.write(bytes(chunk))
        if out.blob != digest:
            if out.blob is not None:
                self.cache.delete(out.blob)
            kept = self._set_aside(digest)
            raise CorruptBlob(
                f"The object '{self.url}/{_key(digest)}' ({out.size} bytes) does not match its "
                f"digest: it was truncated or altered. It is now in '{kept}'.",
                "run `whence build` again: what needs it is rebuilt.",
            )

    def _set_aside(self, digest: Digest) -> str:
        kept = f"quarantine/{digest.removeprefix(_PREFIX)}.{uuid4().hex[:8]}"
        self.store.rename(_key(digest), kept)
        return f"{self.url}/{kept}"

    def _head(self, digest: Digest) -> Any:
        from obstore.exceptions import BaseError, NotFoundError

        try:
            return self.store.head(_key(digest))
        except (NotFoundError, FileNotFoundError):
            return None
        except BaseError as error:
            raise StoreError(
                f"The store '{self.url}' cannot be reached: {_first_line(error)}.",
                "check the bucket, its endpoint and the credentials in the environment.",
            ) from error

    def _remote_size(self, digest: Digest) -> int | None:
        found = self._head(digest)
        return None if found is None else int(found["size"])


def _endpoint_of_environment() -> str:
    """The endpoint that obstore takes where none is given; a plain http:// one must be allowed."""
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    return next((found for name in names if (found := os.environ.get(name))), "")


class _Cache(LocalBlobs):
    """Local copies; what is written here is uploaded before it counts as stored."""

    def __init__(
        self,
        remote: S3Blobs,
        root: Path,
        cache_dir: Path,
        verified: MutableMapping[str, Stat] | None,
    ) -> None:
        super().__init__(root, cache_dir=cache_dir, verified=verified)
        self.remote = remote

    def adopt(self, temporary: Path, digest: Digest, size: int) -> None:
        super().adopt(temporary, digest, size)
        self.remote.upload(digest)

    def download(self) -> BlobWriter:
        """A writer that does not upload."""
        return BlobWriter(LocalBlobs(self.root, verified=self.verified), 0)


def _key(digest: Digest) -> str:
    name = digest.removeprefix(_PREFIX)
    return f"blobs/{name[:2]}/{name}"


def _marker_bytes(marker: Marker) -> bytes:
    data = {
        "store_id": marker.store_id,
        "version": marker.version,
        "generation": marker.generation,
    }
    return json.dumps(data).encode()


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
