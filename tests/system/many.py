"""Projects of many tiny nodes that log each execution, for crashes and for two builders."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.engine.project_fixture import HEAD, Sandbox

from whence.engine.project import Project

#: One write of less than a page, appended: lines of several processes never mix.
LOG = """\
import os, time

def ran(name, pause=0.0):
    handle = os.open({log!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, (name + chr(10)).encode())
    os.close(handle)
    if pause:
        time.sleep(pause)
"""


def log_of(sandbox: Sandbox) -> Path:
    return sandbox.root.parent / "executions"


def executions(sandbox: Sandbox) -> Counter[str]:
    log = log_of(sandbox)
    return Counter(log.read_text().split()) if log.exists() else Counter()


def write_layers(
    sandbox: Sandbox, count: int, width: int = 20, pause: float = 0.0, extra: str = ""
) -> None:
    """`count` nodes in layers of `width`, each with two upstreams; each logs that it ran."""
    lines = [HEAD + "from log import ran\n\n"]
    for i in range(count):
        above = [] if i < width else [i - width, i - width + (1 if i % width < width - 1 else 0)]
        names = sorted({f"n{k:04d}" for k in above})
        total = " + ".join([f"{name}['v']" for name in names] or ["1"])
        lines.append(
            f"@wh.node\ndef n{i:04d}({', '.join(names)}):\n"
            f"    ran('n{i:04d}', {pause})\n"
            f"    return {{'v': ({total} + {i}) % 1000003, 'pad': 'x' * ({i} * 400 % 40000)}}\n\n"
        )
    sandbox.configure(("many",), extra)
    sandbox.write({"many.py": "".join(lines), "log.py": LOG.format(log=str(log_of(sandbox)))})


def expected(count: int, width: int = 20) -> dict[str, int]:
    """What the nodes of `write_layers` are."""
    found: list[int] = []
    for i in range(count):
        above = [] if i < width else [i - width, i - width + (1 if i % width < width - 1 else 0)]
        total = sum(found[k] for k in sorted(set(above))) if above else 1
        found.append((total + i) % 1000003)
    return {f"n{i:04d}": value for i, value in enumerate(found)}


def check_values(sandbox: Sandbox, count: int, width: int = 20) -> None:
    """Every node of the latest build has the value it must have."""
    with Project.open(sandbox.root) as project:
        build = project.get_build("latest")
        assert build.status == "ok"
        found = {}
        for name in expected(count, width):
            value = build[name]
            found[name] = value["v"]
            assert value["pad"] == "x" * (int(name[1:]) * 400 % 40000)
    assert found == expected(count, width)


def wait_for(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def kill_group(process: subprocess.Popen[str]) -> None:
    """SIGKILL the process and all its workers at once."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.communicate()


def finish(process: subprocess.Popen[str], timeout_s: float = 120.0) -> dict[str, object]:
    """Wait for a driver to end well; what it printed."""
    out, err = process.communicate(timeout=timeout_s)
    assert process.returncode == 0, err
    found: dict[str, object] = json.loads(out)
    return found
