"""Several builds at once on one store share the work, and collection is safe beside them."""

from __future__ import annotations

import os
import signal
import time

import pytest
from tests.engine.project_fixture import Sandbox, sandbox, start_driver
from tests.system.many import (
    check_values,
    executions,
    finish,
    kill_group,
    wait_for,
    write_layers,
)

from whence.engine.project import Project
from whence.store.gc import collect
from whence.store.leases import Owner

__all__ = ["sandbox"]

pytestmark = pytest.mark.system
N, WORKERS = 200, 2


@pytest.mark.parametrize("builders", [2, 3])
def test_cold_builds_at_once_share_the_work(sandbox: Sandbox, builders: int) -> None:
    write_layers(sandbox, N, pause=0.002)
    running = [start_driver(sandbox.root, jobs=WORKERS) for _ in range(builders)]
    for process in running:
        made = finish(process)
        assert made["failed"] == 0
    assert sum(executions(sandbox).values()) <= N + WORKERS
    assert set(executions(sandbox).values()) <= {1, 2}
    check_values(sandbox, N)


def test_builds_of_different_targets_at_once(sandbox: Sandbox) -> None:
    write_layers(sandbox, N, pause=0.002)
    running = [
        start_driver(sandbox.root, "n0190", jobs=WORKERS),
        start_driver(sandbox.root, "n0199", jobs=WORKERS),
    ]
    for process in running:
        finish(process)
    assert max(executions(sandbox).values()) <= 2
    assert sum(executions(sandbox).values()) <= len(executions(sandbox)) + WORKERS


def test_a_builder_killed_beside_another_one(sandbox: Sandbox) -> None:
    """A dead holder on this machine is replaced at once, not after its heartbeats."""
    write_layers(sandbox, N, pause=0.01)
    slow = {"WHENCE_HEARTBEAT_S": "30"}
    first = start_driver(sandbox.root, jobs=WORKERS, env=slow)
    wait_for(lambda: sum(executions(sandbox).values()) >= 30)
    second = start_driver(sandbox.root, jobs=WORKERS, env=slow)
    time.sleep(0.5)
    kill_group(first)
    began = time.monotonic()
    finish(second, 60)
    assert time.monotonic() - began < 25
    assert sum(executions(sandbox).values()) <= N + 2 * WORKERS
    check_values(sandbox, N)


def test_two_builders_of_a_recorded_value_agree(sandbox: Sandbox) -> None:
    """Of a node that is not deterministic the first commit wins, for both."""
    sandbox.write(
        {
            "pipe.py": """
                import time

                @wh.node(deterministic=False)
                def now():
                    time.sleep(0.3)
                    return time.time_ns()

                @wh.node
                def after(now):
                    return now + 1
                """
        }
    )
    running = [start_driver(sandbox.root, "--values", jobs=1) for _ in range(3)]
    values = [finish(process)["values"] for process in running]
    assert len({value["now"] for value in values}) == 1  # type: ignore[index]
    assert all(value["after"] == value["now"] + 1 for value in values)  # type: ignore[index]


def test_a_late_builder_of_a_recorded_value_takes_the_first(sandbox: Sandbox) -> None:
    """Stopped until another one took its lease over, it uses what that one recorded."""
    sandbox.write(
        {
            "pipe.py": """
                import time, pathlib

                @wh.node(deterministic=False)
                def now():
                    pathlib.Path("../started").touch()
                    time.sleep(0.5)
                    return time.time_ns()

                @wh.node
                def after(now):
                    return now + 1
                """
        }
    )
    quick = {"WHENCE_HEARTBEAT_S": "0.2"}
    late = start_driver(sandbox.root, "--values", jobs=1, env=quick)
    wait_for((sandbox.root.parent / "started").exists)
    os.killpg(late.pid, signal.SIGSTOP)
    try:
        first = finish(start_driver(sandbox.root, "--values", jobs=1, env=quick))
    finally:
        os.killpg(late.pid, signal.SIGCONT)
    second = finish(late)
    assert first["values"] == second["values"]


def test_leases_hold_between_openers_of_one_store(sandbox: Sandbox) -> None:
    sandbox.write({"pipe.py": "@wh.node\ndef out():\n    return 1\n"})
    with Project.open(sandbox.root) as one, Project.open(sandbox.root) as two:
        mine, yours = Owner.current(), Owner.current()
        assert one.stores.catalog.acquire(["key"], mine)["key"].held
        assert not two.stores.catalog.acquire(["key"], yours)["key"].held
        one.stores.catalog.leave(mine)
        assert two.stores.catalog.acquire(["key"], yours)["key"].held
        two.stores.catalog.leave(yours)


def test_collection_beside_a_build(sandbox: Sandbox) -> None:
    write_layers(sandbox, N, pause=0.005)
    finish(start_driver(sandbox.root, jobs=WORKERS))
    sandbox.replace("log.py", "time.sleep(pause)", "time.sleep(pause * 1)")
    sandbox.replace("many.py", "% 1000003, 'pad'", "% 1000003 + 0, 'pad'")
    process = start_driver(sandbox.root, jobs=WORKERS)
    rounds = 0
    with Project.open(sandbox.root) as project:
        while process.poll() is None:
            # As greedy as can be, but for what the build is storing at this moment.
            collect(
                project.stores.catalog,
                project.stores.blobs,
                keep_builds=1,
                keep_days=0.0,
                grace_s=1.0,
            )
            rounds += 1
            time.sleep(0.05)
    assert rounds > 3
    finish(process)
    check_values(sandbox, N)


def test_collection_keeps_what_the_latest_build_refers_to(sandbox: Sandbox) -> None:
    write_layers(sandbox, 60, width=6)
    finish(start_driver(sandbox.root, jobs=WORKERS))
    sandbox.replace("many.py", "% 1000003", "% 1009")
    finish(start_driver(sandbox.root, jobs=WORKERS))
    with Project.open(sandbox.root) as project:
        stores = (project.stores.catalog, project.stores.blobs)
        only = {"keep_builds": 1, "keep_days": 0.0, "grace_s": 0.0}
        dry = collect(*stores, **only, dry_run=True)  # type: ignore[arg-type]
        real = collect(*stores, **only)  # type: ignore[arg-type]
        assert (real.blobs, real.blob_bytes) == (dry.blobs, dry.blob_bytes)
        assert real.blob_bytes > 0
        build = project.get_build("latest")
        for name in ("n0000", "n0059"):
            assert build[name]["v"] >= 0
    before = sum(executions(sandbox).values())
    sandbox.replace("many.py", "% 1009", "% 1000003")
    finish(start_driver(sandbox.root, jobs=WORKERS))
    assert sum(executions(sandbox).values()) - before == 60, "the older values were collected"
    check_values(sandbox, 60, 6)
