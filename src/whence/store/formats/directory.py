"""Paths: the content of a file or directory, given back as a read-only copy."""

from __future__ import annotations

import os
import shutil
import stat
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whence.errors import ValueFault
from whence.store.artifact import INLINE_LIMIT, Artifact, content_digest
from whence.store.blobs import copy_readonly
from whence.store.encoded import encoded_bytes
from whence.store.formats.faults import WrongForm
from whence.store.formats.jsontext import from_json_bytes, json_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from whence.graph.digest import Digest
    from whence.store.blobs import Blobs
    from whence.store.formats.codec import Reading, Writing

# Every copy carries this time: a file that has another one was changed by somebody.
_COPY_TIME_S = 946_684_800


class DirectoryCodec:
    """pathlib.Path of a file or directory; each file becomes a child of format "bytes"."""

    name = "directory"

    def encode(self, value: Any, writing: Writing) -> Artifact:
        path = Path(value)
        if not path.exists():
            raise ValueFault(
                f"Node '{writing.node}' returned the path '{path}', where there is nothing.",
                "write the file before returning its path.",
            )
        is_file = path.is_file()
        found = [(path.name, path)] if is_file else list(_files(path, "", writing.node))
        files: dict[str, str] = {}
        empty = []
        size = 0
        for name, file in found:
            if file is None:
                empty.append(name)
                continue
            child = _ingest(file, writing)
            writing.children[child.digest] = child
            files[name] = child.digest
            size += child.size_bytes
        # A directory's own name does not count (it is often a temporary one); a file's does.
        listing = json_bytes({"file": is_file, "files": files, "empty": sorted(empty)})
        return writing.store(
            "directory",
            listing,
            encoding="json",
            digest=content_digest("directory", listing),
            summary={
                "type": "file" if is_file else "directory",
                "files": len(files),
                "bytes": size,
                "names": sorted(files)[:20],
            },
            children=sorted(set(files.values())),  # type: ignore[arg-type]
        )

    def decode(self, artifact: Artifact, reading: Reading, form: str | None) -> object:
        listing: Any = from_json_bytes(encoded_bytes(artifact, reading.blobs))
        if form in ("bytes", "str") and listing["file"]:
            (digest,) = listing["files"].values()
            data = encoded_bytes(reading.child(digest), reading.blobs)
            return data if form == "bytes" else data.decode()
        if form not in (None, "pathlib.Path"):
            raise WrongForm.of("directory", form)
        writers = {
            name: _copier(reading.child(digest), reading.blobs)
            for name, digest in listing["files"].items()
        }
        root = materialise(artifact.digest, writers, reading.blobs, listing["empty"])
        return root / next(iter(writers)) if listing["file"] else root


def materialise(
    digest: Digest,
    files: Mapping[str, Callable[[str], None]],
    blobs: Blobs,
    empty: Sequence[str] = (),
) -> Path:
    """A read-only directory with `files` in the store's cache; made once per digest.

    Parameters
    ----------
    files : mapping
        Relative name -> function that writes the file at the path it is given.
    empty : sequence of str
        Directories without files.
    """
    final = blobs.cache_dir / "files" / digest.rpartition(":")[2]
    if final.is_dir():
        if all(_is_untouched(final / name) for name in files):
            return final
        _remove(final)
    building = blobs.cache_dir / "tmp" / uuid.uuid4().hex
    building.mkdir(parents=True)
    try:
        for name in empty:
            (building / name).mkdir(parents=True)
        for name, write in files.items():
            target = building / name
            target.parent.mkdir(parents=True, exist_ok=True)
            write(str(target))
            os.chmod(target, 0o444)
            os.utime(target, (_COPY_TIME_S, _COPY_TIME_S))
        final.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(building, final)
        except OSError:
            if not final.is_dir():  # else another process was quicker
                raise
    finally:
        if building.exists():
            shutil.rmtree(building)
    return final


def _is_untouched(path: Path) -> bool:
    try:
        info = path.stat()
    except FileNotFoundError:
        return False
    return info.st_mtime == _COPY_TIME_S and not info.st_mode & 0o222


def _remove(folder: Path) -> None:
    # Renamed first: nobody may find it half deleted.
    away = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}")
    os.rename(folder, away)
    shutil.rmtree(away)


def _files(folder: Path, prefix: str, node: str) -> Iterator[tuple[str, Path | None]]:
    """Relative name and path of each file; None instead of a path for an empty directory."""
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    if not entries and prefix:
        yield prefix.rstrip("/"), None
    for entry in entries:
        name = prefix + entry.name
        if entry.is_symlink() and not entry.is_file():
            raise ValueFault(
                f"The directory returned by node '{node}' holds the link '{name}' to "
                f"'{os.readlink(entry.path)}', which is not a file.",
                "copy what it points to instead.",
            )
        if entry.is_dir():
            yield from _files(Path(entry.path), name + "/", node)
        elif stat.S_ISREG(entry.stat().st_mode):
            yield name, Path(entry.path)
        else:
            raise ValueFault(
                f"The directory returned by node '{node}' holds '{name}', which is neither a file "
                "nor a directory.",
                "remove it before returning.",
            )


def _ingest(path: Path, writing: Writing) -> Artifact:
    size = path.stat().st_size
    summary: dict[str, Any] = {"type": "bytes", "size": size}
    if size <= INLINE_LIMIT:
        return writing.store("bytes", path.read_bytes(), encoding="raw", summary=summary)
    blob = writing.blobs.put_file(path)
    digest = content_digest("bytes", blob)
    return Artifact(digest, "bytes", 1, size, None, blob, "raw", summary)


def _copier(artifact: Artifact, blobs: Blobs) -> Callable[[str], None]:
    def copy(target: str) -> None:
        if artifact.blob is not None:
            copy_readonly(blobs.local_path(artifact.blob), Path(target))
        else:
            Path(target).write_bytes(encoded_bytes(artifact, blobs))

    return copy
