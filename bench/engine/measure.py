"""CPU seconds of a command with everything that it started, and the statistics of repeats."""

import ctypes
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Cost:
    """What one run of a command cost."""

    cpu_s: float
    wall_s: float
    code: int
    output: str


def adopt_orphans() -> None:
    """Make this process the parent of orphaned workers, so that their CPU is counted too (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(
    command: list[str],
    where: Path,
    environment: dict[str, str] | None = None,
    timeout_s: float = 1800,
) -> Cost:
    """Run `command` in `where`; user + system CPU seconds of it and its descendants."""
    before, started = _children(), time.perf_counter()
    # A file, not a pipe: a worker that lives on for a moment must not hold the measurement up.
    log = where / ".bench-output"
    with log.open("wb") as sink:
        done = subprocess.run(
            command,
            cwd=where,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
        )
    wall = time.perf_counter() - started
    _reap()
    return Cost(_children() - before, wall, done.returncode, log.read_text(errors="replace"))
