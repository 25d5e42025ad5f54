"""CPU seconds of whence and its peers on one synthetic graph, side by side.

    python bench/engine/run.py                    # everything that installs; writes bench/results
    python bench/engine/run.py --only hamilton    # whence and one peer
    python bench/engine/run.py --smoke            # whence alone, small: checks counts, not times

Each scenario is a fresh process. A number is the median of the repeats, in CPU seconds (user +
system) of the command and everything it started. Executed nodes are counted apart from the timing.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import Cost, adopt_orphans, run
from peers import PEERS, Peer
from shape import Shape
from whence_project import WHENCE, build_counts, edit_comment, edit_same_value, write_project

RESULTS = Path(__file__).parent.parent / "results"
SETTLE_S = 2.5
SCENARIOS = ("cold", "noop", "edit without change", "comment edit")


class Failed(Exception):
    """An engine ended with an error, or executed something else than it should have."""


def checked(cost: Cost, what: str) -> Cost:
    if cost.code:
        raise Failed(f"{what} ended with {cost.code}: {cost.output[-1500:]}")
    return cost


def measure_peer(peer: Peer, shape: Shape, repeats: int) -> dict[str, Any]:
    """Times without counting, then counts in a project of their own."""
    times: dict[str, list[float]] = {scenario: [] for scenario in SCENARIOS}
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        peer.write(where, shape)
        command = peer.command(shape)

        def timed(scenario: str) -> None:
            cost = checked(run(command, where), f"{peer.name}, {scenario}")
            times[scenario].append(cost.cpu_s)

        timed("cold")
        for _ in range(repeats):
            timed("noop")
        peer.edit_same_value(where)
        timed("edit without change")
        peer.edit_comment(where)
        timed("comment edit")
    return {
        "version": peer.version(),
        "nodes": shape.n_nodes,
        "cpu_s": {name: round(statistics.median(found), 3) for name, found in times.items()},
        "executed": count_peer(peer, shape),
        "note": peer.note,
    }


def count_peer(peer: Peer, shape: Shape) -> dict[str, int]:
    """How many nodes each scenario really executed, by their side effect."""
    counts = {}
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        peer.write(where, shape)
        ticks = where / ".bench-ticks"
        edits: list[Callable[[Path], None]] = [
            lambda _: None,
            lambda _: None,
            peer.edit_same_value,
            peer.edit_comment,
        ]
        for scenario, edit in zip(SCENARIOS, edits, strict=True):
            edit(where)
            ticks.write_text("")
            cost = run(peer.command(shape), where, {"BENCH_TICKS": str(ticks)})
            checked(cost, f"{peer.name}, {scenario}")
            counts[scenario] = len(ticks.read_text().splitlines())
    return counts


def measure_whence(shape: Shape, repeats: int) -> dict[str, Any]:
    """The installed command with its default settings."""
    times: dict[str, list[float]] = {scenario: [] for scenario in (*SCENARIOS, "full check")}
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        write_project(where, shape)

        def timed(scenario: str) -> None:
            cost = checked(run([WHENCE, "build"], where), f"whence, {scenario}")
            times[scenario].append(cost.cpu_s)

        timed("cold")
        for _ in range(2):  # a cold build again in an empty store
            shutil.rmtree(where / ".whence")
            timed("cold")
        # No receipt is kept of files changed less than two seconds ago (a coarse clock could hide
        # a change), so a build soon after an edit checks everything again; this is that cost.
        timed("full check")
        time.sleep(SETTLE_S)
        checked(run([WHENCE, "build"], where), "whence, the build that leaves a receipt")
        for _ in range(max(repeats, 5)):
            timed("noop")
        edit_same_value(where)
        timed("edit without change")
        edit_comment(where)
        timed("comment edit")
    return {
        "version": "0.1.0",
        "nodes": shape.n_nodes,
        "files": shape.n_files,
        "params": shape.n_params,
        "cpu_s": {name: round(statistics.median(found), 3) for name, found in times.items()},
        "executed": count_whence(shape),
    }


def count_whence(shape: Shape) -> dict[str, int]:
    """How many nodes (reads of files included) each scenario ran, as the build itself reports."""
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        write_project(where, shape)
        counts = {"cold": build_counts(where)["ran"], "noop": build_counts(where)["ran"]}
        edit_same_value(where)
        counts["edit without change"] = build_counts(where)["ran"]
        edit_comment(where)
        counts["comment edit"] = build_counts(where)["ran"]
    return counts


def expect(name: str, counts: dict[str, int], shape: Shape) -> None:
    """Exactly what had to run did run."""
    want = dict(zip(SCENARIOS, (shape.n_nodes + shape.n_files, 0, 1, 0), strict=True))
    if counts != want:
        raise Failed(f"{name} executed {counts}; it should have been {want}")
    print(f"{name}: executed {counts}, as it should")


def smoke() -> None:
    """Counts on small graphs, and the crash and two-builder scenarios; no times."""
    import crash

    bare = Shape(100, 10)
    expect("100 nodes", count_whence(bare), bare)
    full = Shape(60, 6, n_files=40, n_params=10)
    expect("60 nodes, 40 files, 10 params", count_whence(full), full)
    print(crash.kill_at_half(Shape(100, 10)))
    print(crash.two_builders(Shape(100, 10)))


def table(results: dict[str, Any]) -> str:
    """The results as text, with the ratio to whence on the same graph."""
    lines = [f"{'engine':<28}{'nodes':>7}" + "".join(f"{name:>24}" for name in SCENARIOS)]
    for name, result in results.items():
        if "skipped" in result:
            lines.append(f"{name:<28} skipped: {result['skipped']}")
            continue
        base = results.get(f"whence, {result['nodes']} bare")
        cells = []
        for scenario in SCENARIOS:
            seconds = result["cpu_s"][scenario]
            own = base["cpu_s"][scenario] if base and "cpu_s" in base else None
            ratio = f" ({seconds / own:.1f}x)" if own else ""
            text = f"{seconds:.3f}s{ratio} [{result['executed'][scenario]}]"
            cells.append(f"{text:>24}")
        lines.append(f"{name:<28}{result['nodes']:>7}" + "".join(cells))
    lines.append("CPU seconds, (times whence on the same graph), [nodes executed]")
    return "\n".join(lines)


def results_file() -> Path:
    return RESULTS / f"engine-{datetime.datetime.now(datetime.UTC):%Y-%m-%d}.json"


def earlier() -> dict[str, Any]:
    """What was measured already today: an engine measured again replaces its own row only."""
    file = results_file()
    found: dict[str, Any] = json.loads(file.read_text())["results"] if file.exists() else {}
    return found


def write(results: dict[str, Any]) -> None:
    """Keep the results so far: some engines take long."""
    RESULTS.mkdir(exist_ok=True)
    document = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "results": results,
    }
    results_file().write_text(json.dumps(document, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="whence alone, small, counts only")
    parser.add_argument(
        "--only", action="append", choices=sorted(PEERS), help="this peer (again for more)"
    )
    parser.add_argument("--no-whence", action="store_true", help="peers only")
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    adopt_orphans()
    if arguments.smoke:
        smoke()
        return
    results = earlier()
    chosen = [PEERS[name] for name in arguments.only or PEERS]
    if not arguments.no_whence:
        for size in sorted(
            {arguments.nodes, *(min(p.most_nodes, arguments.nodes) for p in chosen)}
        ):
            results[f"whence, {size} bare"] = measure_whence(Shape(size), arguments.repeats)
            write(results)
        full = Shape(arguments.nodes, n_files=1000, n_params=50)
        results["whence, 1000 files"] = measure_whence(full, arguments.repeats)
        write(results)
    for peer in chosen:
        print(f"{peer.name} …", file=sys.stderr, flush=True)
        if why := peer.install():
            results[peer.name] = {"skipped": why}
        else:
            try:
                shape = Shape(min(peer.most_nodes, arguments.nodes))
                results[peer.name] = measure_peer(peer, shape, arguments.repeats)
            except Failed as failure:
                results[peer.name] = {"skipped": str(failure)[-600:]}
        write(results)
    print(table(results))
    print(f"written to {results_file().relative_to(RESULTS.parent.parent)}")


if __name__ == "__main__":
    main()
