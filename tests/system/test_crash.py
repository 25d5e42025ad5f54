"""Whatever ends a build, the store opens, holds no wrong value, and little is done twice."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.project_fixture import Sandbox, close_all, sandbox, start_driver
from tests.system.many import (
    check_values,
    executions,
    finish,
    kill_group,
    log_of,
    wait_for,
    write_layers,
)

from whence.engine.project import Project

__all__ = ["sandbox"]

pytestmark = pytest.mark.system
N, WORKERS = 200, 2


def statuses(sandbox: Sandbox) -> list[str]:
    with Project.open(sandbox.root) as project:
        return [row.status for row in reversed(project.builds())]


def test_kill_of_the_whole_group_at_half(sandbox: Sandbox) -> None:
    write_layers(sandbox, N, pause=0.005)
    process = start_driver(sandbox.root, jobs=WORKERS)
    wait_for(lambda: sum(executions(sandbox).values()) >= N // 2)
    kill_group(process)
    before = sum(executions(sandbox).values())
    assert before < N
    finish(start_driver(sandbox.root, jobs=WORKERS))
    again = sum(executions(sandbox).values()) - before
    assert again <= N - before + WORKERS
    assert again <= N // 2 + WORKERS
    check_values(sandbox, N)


def test_kill_of_the_coordinator_alone_ends_its_workers(sandbox: Sandbox) -> None:
    write_layers(sandbox, N, pause=0.01)
    process = start_driver(sandbox.root, jobs=WORKERS)
    wait_for(lambda: sum(executions(sandbox).values()) >= 20)
    children = _children(process.pid)
    assert children
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    wait_for(lambda: not any(_alive(pid) for pid in children), 10)
    finish(start_driver(sandbox.root, jobs=WORKERS))
    check_values(sandbox, N)


def test_kill_of_one_worker_costs_one_task(sandbox: Sandbox) -> None:
    write_layers(sandbox, N, pause=0.01)
    process = start_driver(sandbox.root, jobs=WORKERS)
    wait_for(lambda: sum(executions(sandbox).values()) >= 20)
    os.kill(_children(process.pid)[0], signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == 1, "the task that the worker was running failed"
    finish(start_driver(sandbox.root, jobs=WORKERS))
    check_values(sandbox, N)
    assert sum(executions(sandbox).values()) <= N + 1


def test_kill_at_random_moments(sandbox: Sandbox) -> None:
    """Twenty kills from the first instant on: the store always opens, and ends up right."""
    write_layers(sandbox, N, pause=0.002)
    rng = random.Random(7)
    for _ in range(20):
        process = start_driver(sandbox.root, jobs=WORKERS)
        try:
            process.wait(timeout=rng.uniform(0.0, 0.9))
        except subprocess.TimeoutExpired:
            pass
        kill_group(process)
        with Project.open(sandbox.root) as project:
            for row in project.builds():
                tasks = project.stores.catalog.tasks_of(row.build_id)
                for task in tasks:
                    if task.output is not None and task.status in ("ran", "hit"):
                        assert project.load(row.id, task.node)["v"] >= 0
    finish(start_driver(sandbox.root, jobs=WORKERS))
    check_values(sandbox, N)
    # Each kill may have cost what the workers were doing.
    assert sum(executions(sandbox).values()) <= N + 20 * WORKERS
    with Project.open(sandbox.root) as project:
        assert project.build(jobs=1).status == "current"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_leaves_a_clean_store(sandbox: Sandbox, number: int) -> None:
    write_layers(sandbox, N, pause=0.02)
    process = start_driver(sandbox.root, jobs=WORKERS)
    wait_for(lambda: sum(executions(sandbox).values()) >= 20)
    if number == signal.SIGINT:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        process.communicate(timeout=20)
        assert process.returncode == 130
        assert statuses(sandbox) == ["interrupted"]
    else:
        os.kill(process.pid, signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode != 0
    # Its leases are free: another build does not wait for any heartbeat.
    before = sum(executions(sandbox).values())
    finish(start_driver(sandbox.root, jobs=WORKERS))
    assert sum(executions(sandbox).values()) - before <= N - before + WORKERS
    check_values(sandbox, N)


def test_a_stopped_owner_is_replaced_after_missed_heartbeats(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_layers(sandbox, 60, width=6, pause=0.05)
    quick = {"WHENCE_HEARTBEAT_S": "0.2"}
    first = start_driver(sandbox.root, jobs=WORKERS, env=quick)
    wait_for(lambda: sum(executions(sandbox).values()) >= 10)
    os.killpg(first.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        finish(start_driver(sandbox.root, jobs=WORKERS, env=quick))
        assert time.monotonic() - began < 60
    finally:
        os.killpg(first.pid, signal.SIGCONT)
    # The late one finds its work done, and ends well too.
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert sum(executions(sandbox).values()) <= 60 + 2 * WORKERS
    check_values(sandbox, 60, 6)


def test_damaged_blobs_of_many_nodes_are_made_again(sandbox: Sandbox) -> None:
    write_layers(sandbox, N)
    finish(start_driver(sandbox.root, jobs=WORKERS))
    blobs = [p for p in (sandbox.root / ".whence/store").rglob("*") if p.is_file()]
    big = sorted(p for p in blobs if p.stat().st_size > 16_000)
    assert len(big) > 50
    rng = random.Random(3)
    for path in rng.sample(big, 20):
        path.chmod(0o644)
        if rng.random() < 0.5:
            os.truncate(path, rng.randrange(path.stat().st_size))
        else:
            data = bytearray(path.read_bytes())
            data[rng.randrange(len(data))] ^= 0xFF
            path.write_bytes(data)
    before = sum(executions(sandbox).values())
    finish(start_driver(sandbox.root, jobs=WORKERS))
    assert sum(executions(sandbox).values()) - before == 20
    check_values(sandbox, N)


# -- a disk that is full -----------------------------------------------------------------------


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("NOT TESTED: a full disk needs root, to mount a small file system")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], capture_output=True
    )
    if done.returncode:
        pytest.skip("NOT TESTED: a full disk needs `mount`, which is refused here")
    try:
        yield place
    finally:
        close_all()
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_fails_with_a_cause_and_loses_nothing(
    tiny_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = Sandbox(tiny_disk / "project", monkeypatch)
    sandbox.configure(("pipe",))
    sandbox.write(
        {
            "pipe.py": """
                import random

                def text(seed, size):
                    return random.Random(seed).randbytes(size).hex()

                @wh.node
                def first():
                    return text(1, 150_000)

                @wh.node
                def second(first, size=20_000):
                    return text(2, size * 100)

                @wh.node
                def third(second):
                    return len(second)
                """
        }
    )
    process = start_driver(sandbox.root, jobs=1)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert "Traceback" not in err or "StoreFull" in err
    said = out + err
    assert "full" in said.lower() or "space" in said.lower()

    filler = [p for p in (sandbox.root / ".whence/store").rglob("*tmp*") if p.is_file()]
    assert filler == [], "unfinished files stay behind"
    made = sandbox.build(params={"size": 100})
    assert made.status == "ok", made.errors
    assert "first" in made.hit, "what was stored before is still there"
    assert made["third"] == 20_000


def test_a_disk_that_fills_up_under_the_catalog(
    tiny_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only small values: it is the database that cannot grow."""
    sandbox = Sandbox(tiny_disk / "project", monkeypatch)
    write_layers(sandbox, 60, width=6)
    log_of(sandbox).unlink(missing_ok=True)
    filler = tiny_disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass
    os.truncate(filler, filler.stat().st_size - 400_000)
    process = start_driver(sandbox.root, jobs=1)
    out, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "full" in (out + err).lower() or "space" in (out + err).lower(), err
    filler.unlink()
    write_layers(sandbox, 20, width=6)
    finish(start_driver(sandbox.root, jobs=1))
    check_values(sandbox, 20, 6)


# -- helpers -----------------------------------------------------------------------------------


def _children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                fields = (path / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(path.name))
    return sorted(found)


def _alive(pid: int) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] not in ("Z", "X")
