"""A table at rest becomes Parquet and stays the same value."""

import pyarrow as pa

from whence.store.blobs import LocalBlobs
from whence.store.catalog import open_catalog
from whence.store.compaction import compact_tables
from whence.store.formats import decode, encode


def test_old_tables_shrink_under_the_same_digest(tmp_path):
    blobs = LocalBlobs(tmp_path / "store")
    table = pa.table({"n": list(range(20_000)), "word": ["same"] * 20_000})
    with open_catalog(tmp_path / "catalog.db") as catalog:
        artifact, _ = encode(table, blobs, node="numbers")
        catalog.put_artifacts([artifact])
        assert compact_tables(catalog, blobs, rest_s=3600) == (0, 0)  # too young

        count, saved = compact_tables(catalog, blobs, rest_s=-1)

        smaller = catalog.get_artifact(artifact.digest)
        assert count == 1
        assert saved == artifact.size_bytes - smaller.size_bytes > 0
        assert smaller.encoding == "parquet"
        assert decode(smaller, blobs, "pyarrow.Table").equals(table)
        assert artifact.blob is not None
        assert blobs.exists(artifact.blob)  # left for builds that are about to map it
        assert compact_tables(catalog, blobs, rest_s=-1) == (0, 0)
