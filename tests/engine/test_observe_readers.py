"""Readers that open files outside Python are seen too, each tried for real."""

from __future__ import annotations

import importlib
import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from whence.engine.observe import ObserveContext, Recorder, Seen, current_digest
from whence.engine.stats import StatCache

pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")
duckdb = pytest.importorskip("duckdb")
pq = pytest.importorskip("pyarrow.parquet")

HEAD = """
import duckdb, pandas as pd, polars as pl, pyarrow as pa
import pyarrow.csv, pyarrow.dataset, pyarrow.feather, pyarrow.json
import pyarrow.parquet as pq
"""

# Libraries look at variables of their own too; those are not the matter here.
KINDS = ("file", "exists", "listing")

ONE = {
    "pandas csv": "pd.read_csv('a.csv')",
    "pandas csv pyarrow": "pd.read_csv('a.csv', engine='pyarrow')",
    "pandas parquet": "pd.read_parquet('a.parquet')",
    "pandas parquet engine": "pd.read_parquet(path='a.parquet', engine='pyarrow')",
    "pandas feather": "pd.read_feather('a.feather')",
    "polars csv": "pl.read_csv('a.csv')",
    "polars scan csv": "pl.scan_csv(source='a.csv').collect()",
    "polars parquet": "pl.read_parquet('a.parquet')",
    "polars scan parquet": "pl.scan_parquet('a.parquet').collect()",
    "polars ipc": "pl.read_ipc('a.feather')",
    "pq.read_table": "pq.read_table('a.parquet')",
    "pq.ParquetFile": "pq.ParquetFile('a.parquet').read()",
    "pq.ParquetDataset": "pq.ParquetDataset('a.parquet').read()",
    "pq.read_schema": "pq.read_schema('a.parquet')",
    "pa.csv": "pyarrow.csv.read_csv('a.csv')",
    "pa.csv open": "pyarrow.csv.open_csv('a.csv').read_all()",
    "pa.json": "pyarrow.json.read_json('a.jsonl')",
    "pa.feather": "pyarrow.feather.read_table('a.feather')",
    "pa.dataset": "pyarrow.dataset.dataset('a.parquet').to_table()",
    "pa.memory_map": "pa.memory_map('a.parquet').read()",
    "pa.OSFile": "pa.OSFile('a.parquet').read()",
    "pa.input_stream": "pa.input_stream('a.csv').read()",
    "duckdb.sql": "duckdb.sql(\"from 'a.parquet'\").fetchall()",
    "duckdb.sql quoted": "duckdb.sql('select * from \"a.csv\"').fetchall()",
    "duckdb.query": "duckdb.query(\"select * from read_csv('a.csv')\").fetchall()",
    "duckdb.execute": "duckdb.execute(\"select * from 'a.parquet'\").fetchall()",
    "duckdb.parameter": "duckdb.execute('from read_parquet(?)', ['a.parquet']).fetchall()",
    "duckdb.read_csv": "duckdb.read_csv('a.csv').fetchall()",
    "duckdb.read_parquet": "duckdb.read_parquet('a.parquet').fetchall()",
    "con.sql": "duckdb.connect().sql(\"from 'a.parquet'\").fetchall()",
    "con.execute": "duckdb.connect().execute(\"from 'a.parquet'\").fetchall()",
    "con.read_parquet": "duckdb.connect().read_parquet('a.parquet').fetchall()",
    "con.cursor": "duckdb.connect().cursor().execute(\"from 'a.parquet'\").fetchall()",
    "connect file": "duckdb.connect('a.duckdb', read_only=True).close()",
}

MANY = {
    "polars glob": "pl.read_parquet('p*/*.parquet')",
    "polars scan glob": "pl.scan_csv('parts/*.csv').collect()",
    "polars folder": "pl.read_parquet('parts_only/')",
    "dataset folder": "pyarrow.dataset.dataset('parts_only', format='parquet')",
    "read_table folder": "pq.read_table('parts_only')",
    "duckdb glob": "duckdb.sql(\"from 'parts/*.parquet'\").fetchall()",
    "duckdb deep glob": "duckdb.sql(\"from read_parquet('**/part-*.parquet')\").fetchall()",
    "duckdb list": "duckdb.sql(\"from read_parquet(['parts/part-1.parquet', 'parts/*2*'])\")",
    "duckdb read glob": "duckdb.read_parquet('parts/*.parquet').fetchall()",
}


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    root = tmp_path_factory.mktemp("project")
    table = pa.table({"x": [1, 2]})
    for folder in ("", "parts", "parts_only"):
        (root / folder).mkdir(exist_ok=True)
    for file in ("a", "parts/part-1", "parts/part-2", "parts_only/part-1"):
        pq.write_table(table, root / f"{file}.parquet")
    for file in ("a.csv", "parts/c1.csv"):
        (root / file).write_text("x\n1\n2\n")
    (root / "a.jsonl").write_text('{"x": 1}\n')
    importlib.import_module("pyarrow.feather").write_feather(
        table, root / "a.feather", compression="uncompressed"
    )
    duckdb.connect(str(root / "a.duckdb")).close()
    before = Path.cwd()
    os.chdir(root)
    sys.path.insert(0, str(root))
    made = Recorder(root, salt="s")
    made.install()
    yield made
    made.uninstall()
    sys.path.remove(str(root))
    os.chdir(before)


def watch(recorder: Recorder, body: str) -> Seen:
    name = f"zread{abs(hash(body))}"
    lines = textwrap.indent(textwrap.dedent(body), "    ")
    Path(f"{name}.py").write_text(f"{HEAD}\ndef node():\n{lines}\n")
    importlib.invalidate_caches()
    module = importlib.import_module(name)
    with recorder.task("node") as seen:
        module.node()
    for path in Path().glob(f"{name}*"):
        path.unlink()
    return seen


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("how", ONE)
def test_one_file(recorder: Recorder, how: str) -> None:
    seen = watch(recorder, ONE[how])
    files = [o for o in seen.observations if o.kind in KINDS]
    (only,) = files
    assert only.kind == "file"
    assert only.name in ONE[how]
    context = ObserveContext(recorder.paths.root, "s", StatCache())
    assert current_digest("file", only.name, context) == only.digest
    assert only.digest.startswith("blake3:")
    assert not seen.unstable


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("how", MANY)
def test_many_files(recorder: Recorder, how: str) -> None:
    seen = watch(recorder, MANY[how])
    found = {(o.kind, o.name) for o in seen.observations}
    folder = "parts_only" if "only" in MANY[how] else "parts"
    assert ("listing", folder) in found
    assert any(kind == "file" and name.startswith(folder + "/") for kind, name in found)
    if "*.parquet" in MANY[how]:
        assert {("file", "parts/part-1.parquet"), ("file", "parts/part-2.parquet")} <= found


WRITES = {
    "pandas": "pd.DataFrame({'x': [1]}).to_parquet('w.parquet'); pd.read_parquet('w.parquet')",
    "pyarrow": "pq.write_table(pa.table({'x': [1]}), 'w.parquet'); pq.read_table('w.parquet')",
    "writer": (
        "t = pa.table({'x': [1]})\nwith pq.ParquetWriter('w.parquet', t.schema) as w:\n"
        "    w.write_table(t)\npq.read_table('w.parquet')"
    ),
    "polars": "pl.DataFrame({'x': [1]}).write_parquet('w.parquet'); pl.read_parquet('w.parquet')",
    "duckdb": "duckdb.sql(\"copy (select 1) to 'w.parquet'\"); duckdb.read_parquet('w.parquet')",
    "relation": "duckdb.sql('select 1 x').write_parquet('w.parquet'); pl.read_parquet('w.parquet')",
}


@pytest.mark.parametrize("how", WRITES)
def test_what_the_task_writes_is_its_own(recorder: Recorder, how: str) -> None:
    seen = watch(recorder, WRITES[how])
    Path("w.parquet").unlink()
    # pandas looks whether the folder is there.
    assert {(o.kind, o.name) for o in seen.observations if o.kind in KINDS} <= {("exists", ".")}


def test_an_absent_file_counts(recorder: Recorder) -> None:
    body = (
        "try:\n    pl.scan_parquet('none.parquet').collect()\nexcept FileNotFoundError:\n    pass"
    )
    seen = watch(recorder, body)
    assert ("file", "none.parquet", "absent") in {
        (o.kind, o.name, o.digest) for o in seen.observations
    }


def test_addresses_are_reported_without_what_follows_the_host(recorder: Recorder) -> None:
    body = (
        "try:\n    pl.scan_parquet('s3://key:word@bucket/x.parquet?token=1', retries=0)\n"
        "except Exception:\n    pass"
    )
    assert watch(recorder, body).warnings == ["read from s3://bucket"]


def test_a_lazily_loaded_reader_is_a_distribution(recorder: Recorder) -> None:
    seen = watch(recorder, "pd.read_parquet('a.parquet')")
    assert "pyarrow" in {o.name for o in seen.observations if o.kind == "distribution"}
