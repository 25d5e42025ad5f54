"""What survives a kill and what two builders share: counted by what the nodes did, not by reports.

python bench/engine/crash.py --nodes 1000
"""

import argparse
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from shape import Shape
from whence_project import WHENCE, build_counts, write_project

PATIENCE_S = 300.0


def ticks(where: Path) -> list[str]:
    file = where / "ticks.log"
    return file.read_text().splitlines() if file.exists() else []


def start(where: Path) -> subprocess.Popen[bytes]:
    """`whence build` in a process group of its own."""
    return subprocess.Popen(
        [WHENCE, "build"],
        cwd=where,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def workers() -> int:
    return os.cpu_count() or 1


def _wait_for_ticks(where: Path, count: int, build: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while len(ticks(where)) < count:
        if build.poll() is not None:
            error = build.stderr.read().decode() if build.stderr else ""
            raise AssertionError(
                f"the build ended ({build.returncode}) before {count} nodes ran: {error}"
            )
        if time.monotonic() > deadline:
            raise AssertionError(f"{count} nodes did not run within {PATIENCE_S:.0f}s")
        time.sleep(0.005)


def kill_at_half(shape: Shape, tick_s: float = 0.005) -> str:
    """kill -9 of the whole process group at half: the next build runs at most N/2 + workers nodes."""
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        write_project(where, shape, tick_s)
        build = start(where)
        _wait_for_ticks(where, shape.n_nodes // 2, build)
        os.killpg(build.pid, signal.SIGKILL)
        build.communicate()
        before = len(ticks(where))
        counts = build_counts(where)
        again = len(ticks(where)) - before
        most = shape.n_nodes // 2 + workers()
        assert set(ticks(where)) == {node.name for node in shape.nodes}, "some nodes never ran"
        assert again <= most, f"{again} nodes ran after the kill; at most {most} should"
        assert counts["failed"] == 0
        assert build_counts(where)["ran"] == 0, "the build after that was not a no-op"
        return f"kill -9 at {before} of {shape.n_nodes}: {again} ran after it (at most {most})"


def two_builders(shape: Shape, tick_s: float = 0.005) -> str:
    """Two cold builds at once on one store: both end well, at most N + workers executions in all."""
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        write_project(where, shape, tick_s)
        builds = [start(where), start(where)]
        errors = [build.communicate(timeout=PATIENCE_S)[1].decode() for build in builds]
        codes = [build.returncode for build in builds]
        assert codes == [0, 0], f"exit codes {codes}: {errors}"
        count, most = len(ticks(where)), shape.n_nodes + workers()
        assert set(ticks(where)) == {node.name for node in shape.nodes}, "some nodes never ran"
        assert count <= most, f"{count} executions by two builders; at most {most} should be"
        return f"two cold builds at once of {shape.n_nodes}: {count} executions (at most {most})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nodes", type=int, default=1000)
    shape = Shape(parser.parse_args().nodes)
    print(kill_at_half(shape))
    print(two_builders(shape))


if __name__ == "__main__":
    main()
