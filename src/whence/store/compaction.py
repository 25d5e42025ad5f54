"""Compaction: tables that have come to rest become Parquet, under the same content digest."""

from __future__ import annotations

import time

from whence.store.blobs import Blobs
from whence.store.catalog import Catalog
from whence.store.formats import compact

#: Tables younger than this stay as they are: builds still map them into memory.
REST_S = 86_400.0


def compact_tables(catalog: Catalog, blobs: Blobs, rest_s: float = REST_S) -> tuple[int, int]:
    """Rewrite tables stored more than `rest_s` seconds ago as Parquet.

    The blob with the old bytes stays until a later collection finds that nothing refers to it, so
    a build that is about to map it still can.

    Returns
    -------
    int, int
        How many tables were rewritten, and how many bytes smaller they are together.
    """
    count = saved = 0
    for artifact in catalog.artifacts_before(time.time() - rest_s):
        smaller = compact(artifact, blobs)
        if smaller.blob != artifact.blob and smaller.size_bytes < artifact.size_bytes:
            catalog.put_artifacts([smaller])
            count += 1
            saved += artifact.size_bytes - smaller.size_bytes
    return count, saved
