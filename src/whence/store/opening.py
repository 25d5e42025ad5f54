"""The blobs of an address: a directory on this machine, or a bucket."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from whence.errors import StoreError
from whence.store.blobs import Blobs, LocalBlobs, Stat

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping


def open_blobs(
    where: str | os.PathLike[str],
    cache_dir: str | os.PathLike[str] | None = None,
    *,
    options: Mapping[str, str] | None = None,
    verified: MutableMapping[str, Stat] | None = None,
) -> Blobs:
    """Blobs at `where`: a directory, or an "s3://bucket/prefix" address.

    Parameters
    ----------
    where : str or path
        Directory (made if absent), "file:///abs/dir" or "s3://bucket/prefix".
    cache_dir : str or path, optional
        Where downloads and materialised files go; required for S3.
    options : mapping, optional
        For S3: "endpoint", "region" and what obstore takes. Credentials come from the
        environment unless given here.
    verified : mapping, optional
        Digest -> stat tuple of files known to be whole; filled while reading. Keep it between
        processes to avoid hashing unchanged files again.
    """
    text = os.fspath(where)
    if text.startswith("s3://"):
        if cache_dir is None:
            raise StoreError(
                f"The store '{text}' needs a local directory for downloads.",
                "pass cache_dir=, or open it through a project.",
            )
        from whence.store.s3 import S3Blobs

        return S3Blobs(text, Path(cache_dir), options or {}, verified=verified)
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    elif "://" in text:
        raise StoreError(
            f"The store '{text}' has an unknown kind of address.",
            "use a directory or 's3://bucket/prefix'.",
        )
    return LocalBlobs(
        Path(text), cache_dir=Path(cache_dir) if cache_dir else None, verified=verified
    )
