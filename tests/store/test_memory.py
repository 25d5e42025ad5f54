"""A table passes between processes as mapped pages: the reader's own memory grows little."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from whence.store.blobs import LocalBlobs
from whence.store.formats import encode

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="LOUD SKIP: needs /proc/self/status"
)

READER = """
import json, sys
from whence.store.artifact import Artifact
from whence.store.blobs import LocalBlobs
from whence.store.formats import decode
import duckdb, pyarrow.compute as pc, pyarrow as pa
def anon():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024
artifact = Artifact.from_json(json.loads(sys.argv[1]))
blobs = LocalBlobs(sys.argv[2])
pc.sum(pa.array([1.0])), duckdb.sql("select 1").fetchall()
before = anon()
table = decode(artifact, blobs, "pyarrow.Table")
arrow = pc.sum(table.column("c0")).as_py()
relation = decode(artifact, blobs, "duckdb.DuckDBPyRelation")
(lent,) = relation.sum("c0").fetchall()[0]
print(json.dumps([anon() - before, table.nbytes, arrow, lent]))
"""

WRITER = """
import json, resource, sys
import numpy as np, pyarrow as pa
from whence.store.blobs import LocalBlobs
from whence.store.formats import encode
rows, n_batches = int(sys.argv[2]), int(sys.argv[3])
def anon():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024
peak = 0
def batches():
    global peak
    for at in range(n_batches):
        peak = max(peak, anon())
        yield pa.record_batch({f"c{i}": np.full(rows, float(at)) for i in range(8)})
before = anon()
artifact, _ = encode(batches(), LocalBlobs(sys.argv[1]), node="n")
print(json.dumps([peak - before, artifact.size_bytes]))
"""


def run(code: str, *arguments: str) -> list[float]:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def check_reader(tmp_path: Path, n_bytes: int) -> None:
    blobs = LocalBlobs(tmp_path)
    values = np.arange(n_bytes // 64, dtype="f8")
    artifact, _ = encode(pa.table({f"c{i}": values + i for i in range(8)}), blobs, node="n")
    grown, size, arrow, lent = run(READER, json.dumps(artifact.to_json()), str(tmp_path))
    assert size >= n_bytes and arrow == pytest.approx(lent) == pytest.approx(values.sum())
    assert grown < 100 << 20, f"{grown / 2**20:.0f} MiB more for {size / 2**20:.0f} MiB"


def test_a_table_of_100_mb_is_not_copied(tmp_path: Path) -> None:
    check_reader(tmp_path, 200 << 20)


@pytest.mark.soak
def test_a_table_of_1_gb_is_not_copied(tmp_path: Path) -> None:
    check_reader(tmp_path, 1 << 30)


def test_streams_are_bounded_by_a_batch(tmp_path: Path) -> None:
    grown, size = run(WRITER, str(tmp_path), "65536", "50")
    assert size > 200 << 20
    assert grown < 60 << 20, f"{grown / 2**20:.0f} MiB"
