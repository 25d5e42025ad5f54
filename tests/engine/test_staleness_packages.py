"""Staleness through packages and through readers that open files outside Python."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.engine.project_fixture import Sandbox, driver_env, sandbox

__all__ = ["sandbox"]

BUILD = """\
import json, sys
from whence.engine import noop, receipts
receipts.GRANULARITY_NS = 0
from whence.engine.project import Project
root = sys.argv[1]
promised = noop.find_receipt(['--project', root]) is not None
with Project.open(root) as project:
    build = project.build(jobs=1)
    print(json.dumps({
        'promised': promised, 'status': build.status,
        'ran': sorted(t.node for t in build.tasks if t.status == 'ran'),
        'errors': [t.error for t in build.tasks if t.error],
        'values': {t.node: build[t.node] for t in build.tasks if t.status in ('ran', 'hit')},
    }))
"""


def build(sandbox: Sandbox, *places: Path) -> dict[str, Any]:
    """Build in a process of its own that finds packages in `places`."""
    extra = driver_env()
    extra["PYTHONPATH"] = ":".join([*map(str, places), extra["PYTHONPATH"]])
    done = subprocess.run(
        [sys.executable, "-P", "-c", BUILD, str(sandbox.root)],
        env=extra,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert not found["errors"], found["errors"]
    return found


def install(
    place: Path, name: str, version: str, body: str, requires: tuple[str, ...] = ()
) -> None:
    """Put a distribution into a folder as an installer would."""
    place.mkdir(parents=True, exist_ok=True)
    for old in place.glob(f"{name}-*.dist-info"):
        for file in old.iterdir():
            file.unlink()
        old.rmdir()
    (place / name).mkdir(exist_ok=True)
    (place / name / "__init__.py").write_text(body)
    info = place / f"{name}-{version}.dist-info"
    info.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {other}" for other in requires]
    (info / "METADATA").write_text("\n".join(lines) + "\n\n")
    (info / "INSTALLER").write_text("pip\n")
    (info / "top_level.txt").write_text(f"{name}\n")
    (info / "RECORD").write_text(
        f"{name}/__init__.py,,\n{info.name}/METADATA,,\n{info.name}/RECORD,,\n"
    )


USES = """
@wh.node
def out():
    import tinydist
    return tinydist.value()

@wh.node
def other():
    return 1
"""


def test_package_version(sandbox: Sandbox, tmp_path: Path) -> None:
    place = tmp_path / "packages"
    install(place, "tinydist", "1.0", "def value(): return 1\n")
    sandbox.write({"pipe.py": USES})
    assert build(sandbox, place)["values"]["out"] == 1
    again = build(sandbox, place)
    assert (again["ran"], again["promised"]) == ([], True)

    install(place, "tinydist", "1.1", "def value(): return 2\n")
    newer = build(sandbox, place)
    assert (newer["ran"], newer["promised"]) == (["out"], False)
    assert newer["values"]["out"] == 2

    install(place, "tinydist", "1.0", "def value(): return 1\n")
    back = build(sandbox, place)
    assert back["ran"] == [] and back["values"]["out"] == 1


def test_version_of_what_a_package_requires(sandbox: Sandbox, tmp_path: Path) -> None:
    place = tmp_path / "packages"
    install(place, "deepdist", "1.0", "VALUE = 1\n")
    body = "import deepdist\ndef value(): return deepdist.VALUE\n"
    install(place, "tinydist", "1.0", body, requires=("deepdist>=1",))
    sandbox.write({"pipe.py": USES})
    assert build(sandbox, place)["values"]["out"] == 1
    install(place, "deepdist", "2.0", "VALUE = 2\n")
    newer = build(sandbox, place)
    assert newer["ran"] == ["out"] and newer["values"]["out"] == 2


def test_a_package_that_nothing_reaches(sandbox: Sandbox, tmp_path: Path) -> None:
    place = tmp_path / "packages"
    install(place, "tinydist", "1.0", "def value(): return 1\n")
    install(place, "farther", "1.0", "")
    sandbox.write({"pipe.py": USES})
    build(sandbox, place)
    install(place, "farther", "2.0", "X = 1\n")
    assert build(sandbox, place)["ran"] == []


def test_a_package_that_was_missing(sandbox: Sandbox, tmp_path: Path) -> None:
    place = tmp_path / "packages"
    place.mkdir()
    sandbox.write(
        {
            "pipe.py": """
                try:
                    import tinydist
                except ImportError:
                    tinydist = None

                @wh.node
                def out():
                    return tinydist.value() if tinydist else 0
                """
        }
    )
    assert build(sandbox, place)["values"]["out"] == 0
    install(place, "tinydist", "1.0", "def value(): return 1\n")
    found = build(sandbox, place)
    assert found["values"]["out"] == 1 and not found["promised"]


def test_a_package_imported_by_a_computed_name(sandbox: Sandbox, tmp_path: Path) -> None:
    place = tmp_path / "packages"
    install(place, "tinydist", "1.0", "def value(): return 1\n")
    sandbox.write(
        {
            "pipe.py": """
                import importlib

                @wh.node
                def out():
                    return importlib.import_module("tiny" + "dist").value()
                """
        }
    )
    assert build(sandbox, place)["values"]["out"] == 1
    install(place, "tinydist", "1.1", "def value():\n    return 2\n")  # no bytecode fits both
    newer = build(sandbox, place)
    assert newer["values"]["out"] == 2 and not newer["promised"]


def test_editable_install_counts_by_content(sandbox: Sandbox, tmp_path: Path) -> None:
    tree, place = tmp_path / "tree", tmp_path / "packages"
    tree.mkdir()
    (tree / "tinydist").mkdir()
    (tree / "tinydist" / "__init__.py").write_text("def value(): return 1\n")
    place.mkdir()
    info = place / "tinydist-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tinydist\nVersion: 1.0\n\n")
    (info / "direct_url.json").write_text(
        json.dumps({"url": tree.as_uri(), "dir_info": {"editable": True}})
    )
    (info / "top_level.txt").write_text("tinydist\n")
    (info / "RECORD").write_text(f"{info.name}/METADATA,,\n")
    sandbox.write({"pipe.py": USES})
    assert build(sandbox, place, tree)["values"]["out"] == 1
    assert build(sandbox, place, tree)["ran"] == []
    (tree / "tinydist" / "__init__.py").write_text("def value(): return 2\n")
    edited = build(sandbox, place, tree)
    assert edited["values"]["out"] == 2
    assert edited["ran"] == ["out"] and not edited["promised"]


def test_loose_module_on_the_path_counts_by_content(sandbox: Sandbox, tmp_path: Path) -> None:
    place = tmp_path / "loose"
    place.mkdir()
    (place / "tinydist.py").write_text("def value(): return 1\n")
    sandbox.write({"pipe.py": USES})
    assert build(sandbox, place)["values"]["out"] == 1
    assert build(sandbox, place)["ran"] == []
    (place / "tinydist.py").write_text("def value(): return 2\n")
    edited = build(sandbox, place)
    assert edited["values"]["out"] == 2 and edited["ran"] == ["out"]


# -- readers -----------------------------------------------------------------------------------

READERS = {
    "pandas csv": "import pandas as pd\n    return int(pd.read_csv('data/a.csv')['x'].sum())",
    "pandas parquet": (
        "import pandas as pd\n    return int(pd.read_parquet('data/a.parquet').x.sum())"
    ),
    "pyarrow csv": (
        "import pyarrow.csv\n    return pyarrow.csv.read_csv('data/a.csv')['x'].to_pylist()[0]"
    ),
    "pyarrow parquet": (
        "import pyarrow.parquet as pq\n    return pq.read_table('data/a.parquet')['x'][0].as_py()"
    ),
    "pyarrow dataset": (
        "import pyarrow.dataset as ds\n"
        "    return ds.dataset('data', format='parquet', exclude_invalid_files=True)"
        ".to_table()['x'][0].as_py()"
    ),
    "pyarrow memory map": (
        "import pyarrow as pa\n    return pa.memory_map('data/a.csv').read().decode()[2:3]"
    ),
    "polars csv": "import polars as pl\n    return int(pl.read_csv('data/a.csv')['x'].sum())",
    "polars lazy": (
        "import polars as pl\n    return pl.scan_parquet('data/a.parquet').collect()['x'][0]"
    ),
    "duckdb text": (
        "import duckdb\n"
        "    return duckdb.sql(\"SELECT sum(x)::INT FROM 'data/a.parquet'\").fetchall()[0][0]"
    ),
    "duckdb function": (
        "import duckdb\n    return duckdb.connect().execute("
        "\"SELECT sum(x)::INT FROM read_csv('data/a.csv')\").fetchone()[0]"
    ),
    "duckdb glob": (
        "import duckdb\n"
        "    return duckdb.sql(\"SELECT sum(x)::INT FROM 'data/*.parquet'\").fetchall()[0][0]"
    ),
    "numpy text": (
        "import numpy as np\n    return float(np.loadtxt('data/a.csv', skiprows=1).sum())"
    ),
    "numpy memory map": (
        "import numpy as np\n    return int(np.load('data/a.npy', mmap_mode='r')[0])"
    ),
}


def _write_data(sandbox: Sandbox, value: int) -> None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = sandbox.path("data")
    folder.mkdir(exist_ok=True)
    (folder / "a.csv").write_text(f"x\n{value}\n")
    pq.write_table(pa.table({"x": [value]}), folder / "a.parquet")
    np.save(folder / "a.npy", np.array([value]))


@pytest.mark.system
@pytest.mark.parametrize("body", READERS.values(), ids=READERS)
def test_undeclared_file_read_outside_python(sandbox: Sandbox, body: str) -> None:
    sandbox.write({"pipe.py": f"@wh.node\ndef out():\n    {body}\n"})
    _write_data(sandbox, 3)
    first = sandbox.build()
    assert first.status == "ok", first.errors
    assert int(first["out"]) == 3
    again = sandbox.build()
    assert again.ran == set()
    _write_data(sandbox, 4)
    assert not sandbox.has_receipt()
    second = sandbox.build()
    assert second.ran == {"out"}
    assert int(second["out"]) == 4
