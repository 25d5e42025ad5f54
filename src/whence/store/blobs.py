"""Blobs: immutable bytes addressed by their blake3 digest, on a local disk.

Written under a temporary name, synced, then renamed: after a kill at any moment a blob is either
whole or not there. Every read is checked against the digest, unless the file's stat tuple is one
that was already checked.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from blake3 import blake3

from whence.errors import CorruptBlob, StoreError, StoreFull, StoreUnwritable
from whence.graph.digest import Digest
from whence.store.artifact import blob_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping
    from types import TracebackType

#: size, mtime_ns, inode, ctime_ns: what tells an untouched file from a changed one.
Stat = tuple[int, int, int, int]
_PREFIX = "blake3:"
_CHUNK = 1 << 20


class Blobs(Protocol):
    """Where encoded values live. `cache_dir` takes copies that consumers may look at."""

    cache_dir: Path

    def put_bytes(self, data: bytes) -> Digest: ...
    def put_file(self, path: str | os.PathLike[str], *, move: bool = False) -> Digest: ...
    def writer(self, *, inline_limit: int = 0) -> BlobWriter: ...
    def get_bytes(self, digest: Digest) -> bytes: ...
    def local_path(self, digest: Digest) -> Path: ...
    def verify(self, digest: Digest) -> None: ...
    def exists(self, digest: Digest) -> bool: ...
    def stat(self, digest: Digest) -> Stat | None: ...
    def delete(self, digest: Digest) -> None: ...
    def iterate(self) -> Iterator[tuple[Digest, int, float]]: ...
    def sweep(self, older_than_s: float, *, dry_run: bool = False) -> list[tuple[str, int]]: ...


class LocalBlobs:
    """Blobs as files `root/ab/abcdef...`, with `root/tmp` and `root/quarantine` beside them.

    Parameters
    ----------
    root : Path
        Made on first write.
    cache_dir : Path, optional
        Default `root/cache`.
    verified : mapping, optional
        See `open_blobs`.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        cache_dir: Path | None = None,
        verified: MutableMapping[str, Stat] | None = None,
    ) -> None:
        self.root = Path(root)
        self.cache_dir = cache_dir if cache_dir is not None else self.root / "cache"
        self.verified: MutableMapping[str, Stat] = {} if verified is None else verified

    def path_of(self, digest: Digest) -> Path:
        """Where the blob is, or would be; nothing is checked."""
        if not digest.startswith(_PREFIX):
            raise StoreError(f"'{digest}' is not a blob's digest.", "pass 'blake3:<hex>'.")
        name = digest[len(_PREFIX) :]
        return self.root / name[:2] / name

    def put_bytes(self, data: bytes) -> Digest:
        """Store `data`; a no-op when it is there already."""
        digest = blob_digest(data)
        if not self._is_whole(digest, len(data)):
            with self.writer() as out:
                out.write(data)
        return digest

    def put_file(self, path: str | os.PathLike[str], *, move: bool = False) -> Digest:
        """Store a file's content; with `move` the file itself goes when that is possible."""
        source = Path(path)
        with self.writer() as out, source.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                out.write(chunk)
        if move:
            source.unlink()
        assert out.blob is not None
        return out.blob

    def writer(self, *, inline_limit: int = 0) -> BlobWriter:
        """A stream that becomes a blob when its `with` block ends without an error."""
        return BlobWriter(self, inline_limit)

    def get_bytes(self, digest: Digest) -> bytes:
        """The blob's bytes, checked.

        Raises
        ------
        CorruptBlob
            If it is missing or its bytes do not match; a damaged file goes to quarantine.
        """
        path = self.path_of(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise missing_blob(digest, path) from None
        if blob_digest(data) != digest:
            raise self._quarantine(digest, path)
        return data

    def local_path(self, digest: Digest) -> Path:
        """Path of the blob's file, checked; read it, never write to it."""
        path = self.path_of(digest)
        seen = self.stat(digest)
        if seen is None:
            raise missing_blob(digest, path)
        known = self.verified.get(digest)
        if known is None or tuple(known) != seen:
            self.verify(digest)
        return path

    def verify(self, digest: Digest) -> None:
        """Hash the file again, whatever was seen before."""
        path = self.path_of(digest)
        before = self.stat(digest)
        if before is None:
            raise missing_blob(digest, path)
        if _PREFIX + _hash_file(path) != digest:
            raise self._quarantine(digest, path)
        self.verified[digest] = before

    def exists(self, digest: Digest) -> bool:
        """True when a file is there; its bytes are not read."""
        return self.path_of(digest).exists()

    def stat(self, digest: Digest) -> Stat | None:
        """size, mtime_ns, inode and ctime_ns of the file, or None."""
        try:
            info = os.stat(self.path_of(digest))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return (info.st_size, info.st_mtime_ns, info.st_ino, info.st_ctime_ns)

    def delete(self, digest: Digest) -> None:
        """Remove the blob, if it is there."""
        self.verified.pop(digest, None)
        with _store_faults(self.root, 0):
            self.path_of(digest).unlink(missing_ok=True)

    def iterate(self) -> Iterator[tuple[Digest, int, float]]:
        """Digest, size in bytes and modification time of every blob."""
        for folder in sorted(self.root.glob("[0-9a-f][0-9a-f]")):
            for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
                try:
                    info = entry.stat()
                except FileNotFoundError:  # deleted by a gc beside us
                    continue
                yield Digest(_PREFIX + entry.name), info.st_size, info.st_mtime

    def sweep(self, older_than_s: float, *, dry_run: bool = False) -> list[tuple[str, int]]:
        """Remove temporary files of dead writers and quarantined blobs that are that old.

        Returns
        -------
        list of (path, size in bytes)
        """
        limit = time.time() - older_than_s
        gone = []
        for folder in (self.root / "tmp", self.root / "quarantine"):
            if not folder.is_dir():
                continue
            for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
                with contextlib.suppress(FileNotFoundError):
                    info = entry.stat()
                    if info.st_mtime <= limit:
                        if not dry_run:
                            os.unlink(entry.path)
                        gone.append((entry.path, info.st_size))
        return gone

    def _is_whole(self, digest: Digest, size: int) -> bool:
        # A file of the wrong length is damaged for certain: set it aside so that it is rewritten.
        seen = self.stat(digest)
        if seen is not None and seen[0] != size:
            self._quarantine(digest, self.path_of(digest))
            return False
        return seen is not None

    def _quarantine(self, digest: Digest, path: Path) -> CorruptBlob:
        size = path.stat().st_size if path.exists() else 0
        self.verified.pop(digest, None)
        kept = self.root / "quarantine" / f"{path.name}.{uuid.uuid4().hex[:8]}"
        with _store_faults(self.root, 0):
            kept.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                os.replace(path, kept)
        return CorruptBlob(
            f"The blob {digest} in '{path}' ({size} bytes) does not match its digest: it was "
            f"truncated or altered. It is now in '{kept}'.",
            "run `whence build` again: what needs it is rebuilt.",
        )

    def adopt(self, temporary: Path, digest: Digest, size: int) -> None:
        """Give a finished temporary file its name."""
        if self._is_whole(digest, size):
            temporary.unlink()
            return
        final = self.path_of(digest)
        final.parent.mkdir(parents=True, exist_ok=True)
        os.chmod(temporary, 0o444)
        os.replace(temporary, final)
        _sync_directory(final.parent)
        seen = self.stat(digest)
        if seen is not None:
            self.verified[digest] = seen


class BlobWriter:
    """Bytes on their way into a blob; kept in memory up to `inline_limit`.

    After the `with` block: `size`, and either `inline` (the bytes) or `blob` (their address).
    An error inside the block leaves nothing behind.
    """

    def __init__(self, blobs: LocalBlobs, inline_limit: int) -> None:
        self._blobs, self._limit = blobs, inline_limit
        self._buffer: list[bytes] = []
        self._hasher = blake3(max_threads=2)
        self._file: int | None = None
        self._temporary: Path | None = None
        self.size = 0
        self.closed = False
        self.inline: bytes | None = None
        self.blob: Digest | None = None

    def __enter__(self) -> Self:
        return self

    def write(self, data: bytes | memoryview) -> int:
        """Append `data`; spills to a temporary file once it is too big for the catalog."""
        view = memoryview(data)
        n_bytes = view.nbytes
        if self._file is None and self.size + n_bytes <= self._limit:
            self._buffer.append(bytes(view))
        else:
            if self._file is None:
                self._spill()
            self._append(view)
        self.size += n_bytes
        return n_bytes

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        """Nothing: bytes are synced once, at the end."""

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing: the `with` block decides what becomes of the bytes."""

    def _spill(self) -> None:
        folder = self._blobs.root / "tmp"
        with _store_faults(self._blobs.root, self.size):
            folder.mkdir(parents=True, exist_ok=True)
            self._temporary = folder / f"{os.getpid()}-{uuid.uuid4().hex}"
            self._file = os.open(self._temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        buffered, self._buffer = b"".join(self._buffer), []
        if buffered:
            self._append(memoryview(buffered))

    def _append(self, view: memoryview) -> None:
        assert self._file is not None
        flat = view.cast("B") if view.nbytes else view
        self._hasher.update(flat)
        with _store_faults(self._blobs.root, self.size + flat.nbytes):
            while flat.nbytes:
                flat = flat[os.write(self._file, flat) :]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closed = True
        try:
            if kind is None:
                self._finish()
        finally:
            if self._file is not None:
                os.close(self._file)
            if self.blob is None and self._temporary is not None:
                self._temporary.unlink(missing_ok=True)

    def _finish(self) -> None:
        if self._file is None and self._limit:
            self.inline = b"".join(self._buffer)
            return
        if self._file is None:
            self._spill()
        assert self._file is not None and self._temporary is not None
        with _store_faults(self._blobs.root, self.size):
            os.fsync(self._file)
            digest = Digest(_PREFIX + self._hasher.hexdigest())
            self._blobs.adopt(self._temporary, digest, self.size)
        self.blob = digest


def copy_readonly(source: Path, target: Path) -> None:
    """Copy a blob's file for a consumer to look at."""
    with _store_faults(target.parent, source.stat().st_size):
        shutil.copyfile(source, target)
        os.chmod(target, 0o444)


def _hash_file(path: Path) -> str:
    if path.stat().st_size == 0:
        return blake3(b"").hexdigest()
    return blake3(max_threads=2).update_mmap(str(path)).hexdigest()


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def missing_blob(digest: Digest, path: Path | str) -> CorruptBlob:
    return CorruptBlob(
        f"The blob {digest} is missing: there is no '{path}'.",
        "run `whence build` again: what needs it is rebuilt.",
    )


@contextlib.contextmanager
def _store_faults(root: Path, needed: int) -> Iterator[None]:
    """Turn what the operating system says about the store's disk into an error with a fix."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull(
                f"No space is left in '{root}': {needed} bytes are needed, "
                f"{_free_bytes(root)} are free.",
                "free some space (`whence gc` removes what no kept build uses), then build again.",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise StoreUnwritable(
                f"The store's directory '{root}' cannot be written: {error.strerror}.",
                "make it a writable directory, or set another `store` in [tool.whence].",
            ) from error
        raise


def _free_bytes(root: Path) -> int:
    where = root
    while not where.exists() and where != where.parent:
        where = where.parent
    return shutil.disk_usage(where).free
