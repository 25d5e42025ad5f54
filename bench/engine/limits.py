"""The other numbers of the engine: start-up, 10,000 nodes, and a table of 1 GB between processes.

python bench/engine/limits.py [startup] [many] [handover]
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import adopt_orphans, run
from shape import Shape
from whence_project import WHENCE, build_counts, write_project


def startup() -> None:
    """`import whence` (what is ours of it) and `whence --help`."""
    with tempfile.TemporaryDirectory() as folder:
        own = []
        for _ in range(5):
            cost = run([sys.executable, "-X", "importtime", "-c", "import whence"], Path(folder))
            line = next(one for one in cost.output.splitlines() if one.endswith("| whence"))
            own.append(int(line.split("|")[1]) / 1000)  # with what it imports
        help_s = [run([WHENCE, "--help"], Path(folder)).cpu_s for _ in range(5)]
    print(f"import whence: {statistics.median(own):.1f} ms (limit 60)")
    print(f"whence --help: {statistics.median(help_s):.3f} CPU s (limit 0.15)")


def many(n_nodes: int = 10_000) -> None:
    """A no-op build of 10,000 nodes: CPU seconds and peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        write_project(where, Shape(n_nodes))
        cold = run([WHENCE, "build"], where)
        if cold.code:
            sys.exit(
                f"cold build of {n_nodes} nodes ended with {cold.code}:\n{cold.output[-2000:]}"
            )
        time.sleep(2.5)  # see run.py: a receipt is kept once the files have settled
        run([WHENCE, "build"], where)
        noop = [run([WHENCE, "build"], where) for _ in range(5)]
        ask = (
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
            "print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        peak = run([sys.executable, "-c", ask, WHENCE, "build"], where).output
        unit = 1 if sys.platform == "darwin" else 1024
        found = re.search(r"peak (\d+)", peak)
        assert found, peak
    print(f"{n_nodes} nodes, cold: {cold.cpu_s:.2f} CPU s")
    print(
        f"{n_nodes} nodes, no-op: {statistics.median(c.cpu_s for c in noop):.3f} CPU s (limit 0.6)"
    )
    print(f"{n_nodes} nodes, no-op: {int(found[1]) * unit / 2**20:.0f} MiB at most (limit 150)")


PIPELINE = '''\
"""A big table made in one process, read in another."""

import duckdb
import numpy as np
import pyarrow as pa
import whence as wh


def anonymous_mib() -> float:
    """Private memory of this process that no file backs (RssAnon)."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


@wh.table
def big() -> pa.Table:
    rows = 128 * 2**20 // 4
    columns = {name: np.arange(rows, dtype="int64") * step for step, name in enumerate("abcd", 1)}
    return pa.table(columns)


@wh.node
def by_arrow(big: pa.Table) -> dict:
    import pyarrow.compute as pc

    before = anonymous_mib()
    total = pc.sum(big["a"]).as_py()
    return {"total": total, "bytes": big.nbytes, "mib": anonymous_mib(), "before": before}


@wh.node
def by_duckdb(big: duckdb.DuckDBPyRelation) -> dict:
    before = anonymous_mib()
    total = big.aggregate("sum(a)").fetchall()[0][0]
    return {"total": int(total), "mib": anonymous_mib(), "before": before}


@wh.node
def idle() -> dict:
    import pyarrow.compute

    duckdb.sql("select 1").fetchall()
    return {"mib": anonymous_mib()}
'''


def handover() -> None:
    """1 GB of Arrow between two worker processes: anonymous memory that the consumer adds."""
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        (where / "big.py").write_text(PIPELINE)
        (where / "pyproject.toml").write_text('[tool.whence]\npipeline = "big"\n')
        # Made first, so that each consumer gets a worker that never held the table.
        build_counts(where, "big")
        found = {}
        for name in ("idle", "by_arrow", "by_duckdb"):
            build_counts(where, name)
            ask = (
                "import json, sys, whence as wh;"
                "p = wh.Project.open('.'); print(json.dumps(p.build([sys.argv[1]])[sys.argv[1]]))"
            )
            done = subprocess.run(
                [sys.executable, "-c", ask, name],
                cwd=where,
                capture_output=True,
                text=True,
                check=True,
            )
            found[name] = json.loads(done.stdout)
    base = found["idle"]["mib"]
    print(f"worker without the table: {base:.0f} MiB anonymous")
    for name in ("by_arrow", "by_duckdb"):
        print(
            f"{name}: {found[name]['mib'] - base:+.0f} MiB for {found['by_arrow']['bytes'] / 2**30:.2f} GiB (limit +100)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", nargs="*", choices=["startup", "many", "handover", []], default=[])
    what = parser.parse_args().what or ["startup", "many", "handover"]
    adopt_orphans()
    for name in what:
        {"startup": startup, "many": many, "handover": handover}[name]()


if __name__ == "__main__":
    main()
