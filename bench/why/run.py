"""Who is to blame? `python bench/why/run.py --classes code,pair --per-class 30`.

For each seed a scenario is drawn and its truth measured without whence; only then are A and B
built, and the tools asked. One line of JSON a scenario is appended as it ends, so a run that was
cut short goes on; the table and `bench/results/why.json` are made from the lines.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from classes import CLASSES, DOMAINS
from report import summary, table, write
from truth import generators

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent / ".cache" / "why"
TRIES = 12  # seeds tried for each scenario that is wanted
SMOKE = (("pair", "flights"), ("seed", "subscriptions"))


def ask(command: str, spec: dict[str, Any], chosen: argparse.Namespace) -> dict[str, Any]:
    """Run `one.py` in a process of its own; a scenario that crashes it is a finding, no end."""
    spec = spec | {"cache": str(CACHE / "truth"), "scratch": str(chosen.scratch)}
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, str(HERE / "one.py"), command, json.dumps(spec)],
            capture_output=True,
            text=True,
            timeout=chosen.limit,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return {"status": "error", "error": f"took longer than {chosen.limit} s"}
    try:
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        return {"status": "error", "error": done.stderr[-2000:]}
    return found


def work(spec: dict[str, Any], chosen: argparse.Namespace) -> dict[str, Any]:
    """One scenario: its truth, then, if that is fit, the tools."""
    if spec["cls"] != "noise":
        truth = ask("truth", spec, chosen)
        if truth["status"] != "ok":
            return spec | {"status": truth["status"], "error": truth.get("error", "")}
        if chosen.truths_only:
            return spec | {"status": "ok", "truth": truth}
    return spec | ask("tools", spec | {"baselines": chosen.baselines}, chosen)


class Record:
    """Lines of JSON, one for each scenario that has ended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text().splitlines() if path.exists() else []
        self.lines: list[dict[str, Any]] = [json.loads(line) for line in lines]
        self.lock = threading.Lock()

    def add(self, line: dict[str, Any]) -> None:
        with self.lock, self.path.open("a") as file:
            self.lines.append(line)
            file.write(json.dumps(line) + "\n")


def dropped(line: dict[str, Any]) -> bool:
    return str(line["status"]).startswith("dropped")


def specs(cls: str, chosen: argparse.Namespace, domains: list[str]) -> Iterator[dict[str, Any]]:
    """Seeds of a class, the domains in turn."""
    for i in range(chosen.per_class * TRIES):
        yield {"cls": cls, "domain": domains[i % len(domains)], "seed": chosen.seed * 10_000 + i}


def run_class(
    cls: str, chosen: argparse.Namespace, record: Record, pool: ThreadPoolExecutor
) -> None:
    """Until enough scenarios of a class are fit, or no tries are left."""
    done = {(s["domain"], s["seed"]): s for s in record.lines if s["cls"] == cls}
    fit = sum(1 for line in done.values() if not dropped(line))
    waiting: set[Future[dict[str, Any]]] = set()
    todo = (s for s in specs(cls, chosen, chosen.domains) if (s["domain"], s["seed"]) not in done)
    while True:
        while fit + len(waiting) < chosen.per_class and len(waiting) < 2:
            spec = next(todo, None)
            if spec is None:
                break
            waiting.add(pool.submit(work, spec, chosen))
        if not waiting:
            return
        ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for future in ended:
            line = future.result()
            record.add(line)
            fit += not dropped(line)
            told(line)


def told(line: dict[str, Any]) -> None:
    name = f"{line['cls']}-{line['domain']}-{line['seed']}"
    if line["status"] != "ok":
        said = f"{line['status']} {line.get('error', '')[-300:]}"
    elif "exact" in line:
        right = "right" if line["exact"] else f"WRONG ({line['verdict']})"
        said = f"{right}, {line['cost']['rebuilds']:.1f} rebuilds, {line['wall_s']:.0f} s"
    else:
        said = "ok"
    print(f"{name}: {said}", flush=True)


def run_noise(chosen: argparse.Namespace, record: Record, pool: ThreadPoolExecutor) -> None:
    """Builds between which nothing that matters was changed; none is filtered."""
    batch = 10
    done = {(s["domain"], s["seed"]) for s in record.lines if s["cls"] == "noise"}
    wanted = [
        {
            "cls": "noise",
            "domain": chosen.domains[i % len(chosen.domains)],
            "seed": chosen.seed * 10_000 + i,
            "builds": batch,
        }
        for i in range(-(-chosen.noise_builds // batch))
    ]
    todo = [s for s in wanted if (s["domain"], s["seed"]) not in done]
    for line in pool.map(lambda spec: work(spec, chosen), todo):
        record.add(line)
        print(
            f"noise: {line.get('alarms', line)} false alarms of {line.get('builds', 0)}", flush=True
        )


def smoke(chosen: argparse.Namespace) -> int:
    """Two scenarios whose truth is measured: results are checked, times are not."""
    chosen.baselines = False
    wrong = 0
    for cls, domain in SMOKE:
        for spec in specs(cls, chosen, [domain]):
            line = work(spec, chosen)
            if not dropped(line):
                break
        told(line)
        wrong += line["status"] != "ok" or not line["exact"]
    return 1 if wrong else 0


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--classes", default=",".join(CLASSES), help="of the scenarios, with commas"
    )
    parser.add_argument("--domains", default=",".join(DOMAINS))
    parser.add_argument("--per-class", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0, help="another seed: other scenarios")
    parser.add_argument("--jobs", type=int, default=2, help="scenarios at once")
    parser.add_argument("--noise-builds", type=int, default=0)
    parser.add_argument("--no-baselines", dest="baselines", action="store_false")
    parser.add_argument("--truths-only", action="store_true", help="measure, ask no tool")
    parser.add_argument("--limit", type=float, default=1500.0, help="seconds for one scenario")
    parser.add_argument("--lines", type=Path, help="where the lines are kept")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "bench-why")
    parser.add_argument("--results", type=Path, default=HERE.parent / "results" / "why.json")
    parser.add_argument("--smoke", action="store_true", help="a few scenarios, results only")
    chosen = parser.parse_args()
    chosen.classes = [c for c in chosen.classes.split(",") if c]
    chosen.domains = chosen.domains.split(",")
    return chosen


def main() -> int:
    chosen = options()
    if chosen.smoke:
        return smoke(chosen)
    lines = chosen.lines or CACHE / f"lines-{chosen.seed}-{generators()}.jsonl"
    record = Record(lines)
    with ThreadPoolExecutor(chosen.jobs) as pool:
        # Classes go on side by side: the last scenario of one does not keep the others waiting.
        with ThreadPoolExecutor(max(1, len(chosen.classes))) as side:
            list(side.map(lambda cls: run_class(cls, chosen, record, pool), chosen.classes))
        if chosen.noise_builds:
            run_noise(chosen, record, pool)
    found = summary(record.lines)
    if not chosen.truths_only:
        write(chosen.results, found, chosen)
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
