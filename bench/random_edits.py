"""Random projects and edits, thousands of them: `python bench/random_edits.py --sequences 5000`.

Each sequence makes a project and edits it 22 times; after each edit every artifact's digest is
compared with an oracle's, and at the end with a clean build's (see `tests/engine/editing.py`).
What came of it is written to `bench/results/random_edits.json`, failures with their seed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from tests.engine.editing import Mismatch, Sequence  # noqa: E402
from tests.engine.forked import Zygote, forked_worker  # noqa: E402
from tests.engine.random_project import EDITS, Maker, Model  # noqa: E402

from whence.engine import pool, receipts  # noqa: E402

EDITS_EACH = 22


def prepare() -> None:
    """In each process: forked workers; receipts however young the files are."""
    pool.WorkerProcess = forked_worker(Zygote())  # type: ignore[misc]
    receipts.GRANULARITY_NS = 0  # type: ignore[misc]


def run(seed: int, folder: str | None) -> dict[str, Any]:
    """One sequence; "fault" says where engine and oracle did not agree."""
    rng = random.Random(seed)
    found: dict[str, Any] = {"seed": seed, "fault": None}
    sequence = None
    try:
        sequence = Sequence(Maker(Model(), rng.randrange), Path(folder) if folder else None)
        while len(sequence.edits) <= EDITS_EACH:
            if rng.random() < 0.1:
                sequence.revert()
            else:
                sequence.edit(rng.choice(EDITS))
        sequence.compare_with_clean_build()
    except Mismatch as error:
        found["fault"] = str(error)
    finally:
        if sequence is not None:
            found |= {
                "edits": sequence.edits[1:],
                "builds": sequence.builds,
                "ran": sequence.ran,
                "receipts": sequence.receipts,
            }
            sequence.close()
    return found


def commit() -> str:
    """The commit that is measured."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True
    )
    return done.stdout.strip()


def main() -> int:
    """Run, print and record; 1 if anything was stale or needless."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) // 2))
    parser.add_argument("--folder", help="where the projects live; a file system in memory is best")
    parser.add_argument("--commit", default="", help="of a copy without its repository")
    parser.add_argument("--minutes", type=float, default=0.0, help="stop after so long")
    chosen = parser.parse_args()
    began = time.perf_counter()
    measured = chosen.commit or commit()
    kinds: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    faults: list[dict[str, Any]] = []

    def record() -> dict[str, Any]:
        report = {
            "commit": measured,
            "python": platform.python_version(),
            "first_seed": chosen.first,
            "sequences": totals["sequences"],
            "edits": sum(kinds.values()),
            "edits_by_kind": dict(sorted(kinds.items())),
            "builds": totals["builds"],
            "tasks_run": totals["ran"],
            "no_op_checks": totals["receipts"],
            "clean_builds_compared": totals["sequences"] - len(faults),
            "faults": faults,
            "wall_s": round(time.perf_counter() - began, 1),
            "jobs": chosen.jobs,
        }
        results = HERE / "results"
        results.mkdir(exist_ok=True)
        (results / "random_edits.json").write_text(json.dumps(report, indent=2) + "\n")
        return report

    todo = iter(range(chosen.first, chosen.first + chosen.sequences))
    with ProcessPoolExecutor(chosen.jobs, initializer=prepare) as processes:
        waiting = {
            processes.submit(run, seed, chosen.folder)
            for _, seed in zip(range(chosen.jobs * 4), todo)
        }
        while waiting:
            done = next(as_completed(waiting))
            waiting.remove(done)
            late = chosen.minutes and time.perf_counter() - began > chosen.minutes * 60
            if not late and (seed := next(todo, None)) is not None:
                waiting.add(processes.submit(run, seed, chosen.folder))
            found = done.result()
            totals["sequences"] += 1
            kinds.update(found.get("edits", ()))
            totals.update({k: found[k] for k in ("builds", "ran", "receipts") if k in found})
            if found["fault"]:
                faults.append({"seed": found["seed"], "fault": found["fault"]})
                print(f"seed {found['seed']}: {found['fault']}", flush=True)
            if totals["sequences"] % 100 == 0:
                print(f"{totals['sequences']} sequences, {len(faults)} faults", flush=True)
                record()  # so that a run cut short is not lost
    report = record()
    print(json.dumps({k: v for k, v in report.items() if k != "edits_by_kind"}, indent=2))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
