"""A whole build on PostgreSQL and on S3: the same values, shared by several builders."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator

import pytest
from tests.engine.project_fixture import Sandbox, sandbox, start_driver
from tests.postgres import postgres_server, postgres_url
from tests.system.many import (
    check_values,
    executions,
    finish,
    kill_group,
    wait_for,
    write_layers,
)
from tests.why.test_mixing import FILES, code, constant, data, library

from whence.engine.project import Project
from whence.why import explain

__all__ = ["postgres_server", "postgres_url", "sandbox"]

pytestmark = pytest.mark.system
N, WIDTH, WORKERS = 80, 8, 2


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A server that speaks the protocol of S3."""
    pytest.importorskip("moto")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    quiet = subprocess.DEVNULL
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as server:
        try:
            for _ in range(300):
                try:
                    socket.create_connection(("127.0.0.1", port), 0.1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of an empty bucket, reachable by what the environment says."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT": endpoint,
        "AWS_ENDPOINT_URL": endpoint,
    }.items():
        monkeypatch.setenv(name, value)
    name = f"b{uuid.uuid4().hex[:12]}"
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{name}", method="PUT")).close()
    return f"s3://{name}/some/prefix"


@pytest.fixture(params=["postgres", "s3", "postgres and s3"])
def places(request: pytest.FixtureRequest) -> str:
    """[tool.whence] keys of the catalog and store."""
    lines = []
    if "postgres" in request.param:
        lines.append(f'catalog = "{request.getfixturevalue("postgres_url")}"\n')
    if "s3" in request.param:
        lines.append(f'store = "{request.getfixturevalue("bucket")}"\n')
    return "".join(lines)


def test_a_build_its_edit_and_its_values(sandbox: Sandbox, places: str) -> None:
    write_layers(sandbox, N, WIDTH, extra=places)
    first = sandbox.build()
    assert first.status == "ok", first.errors
    assert len(first.ran) == N
    check_values(sandbox, N, WIDTH)
    assert sandbox.build().status == "current"
    if "s3" in places:
        assert not list((sandbox.root / ".whence").glob("store/*")), "values belong in the bucket"
    if "postgres" in places:
        assert not (sandbox.root / ".whence/catalog.db").exists()
    # The last node alone.
    text = sandbox.path("many.py").read_text()
    at = text.index("ran('n0079'")
    sandbox.path("many.py").write_text(text[:at] + text[at:].replace("'pad'", "'p' 'ad'"))
    assert sandbox.build().ran <= {"n0079"}
    sandbox.path("many.py").write_text(text[:at] + text[at:].replace("+ 79", "+ 80"))
    assert sandbox.build().ran == {"n0079"}


def test_another_machine_finds_it_all(sandbox: Sandbox, places: str) -> None:
    """A second checkout with nothing of its own runs nothing."""
    if "catalog" not in places:
        pytest.skip("without a shared catalog nothing is shared")
    write_layers(sandbox, N, WIDTH, extra=places)
    sandbox.build()
    other = Sandbox(sandbox.root.parent / "elsewhere" / "project", sandbox.monkeypatch)
    for name in ("many.py", "log.py", "pyproject.toml"):
        other.path(name).write_text(sandbox.path(name).read_text())
    if "store" not in places:
        with other.path("pyproject.toml").open("a") as file:
            file.write(f'store = "{sandbox.root}/.whence/store"\n')
    made = other.build()
    assert made.status in ("ok", "current"), made.errors
    assert made.ran == set()
    assert made["n0079"] == sandbox.build()["n0079"]


def test_two_builders_share_the_work(sandbox: Sandbox, places: str) -> None:
    write_layers(sandbox, N, WIDTH, pause=0.01, extra=places)
    running = [start_driver(sandbox.root, jobs=WORKERS) for _ in range(2)]
    for process in running:
        finish(process)
    assert sum(executions(sandbox).values()) <= N + WORKERS
    check_values(sandbox, N, WIDTH)


def test_kill_in_the_middle(sandbox: Sandbox, places: str) -> None:
    write_layers(sandbox, N, WIDTH, pause=0.01, extra=places)
    process = start_driver(sandbox.root, jobs=WORKERS)
    wait_for(lambda: sum(executions(sandbox).values()) >= N // 2)
    kill_group(process)
    before = sum(executions(sandbox).values())
    finish(start_driver(sandbox.root, jobs=WORKERS))
    assert sum(executions(sandbox).values()) - before <= N - before + WORKERS
    check_values(sandbox, N, WIDTH)


def test_a_stopped_owner_on_postgres(sandbox: Sandbox, postgres_url: str) -> None:
    write_layers(sandbox, N, WIDTH, pause=0.03, extra=f'catalog = "{postgres_url}"\n')
    quick = {"WHENCE_HEARTBEAT_S": "0.2"}
    first = start_driver(sandbox.root, jobs=WORKERS, env=quick)
    wait_for(lambda: sum(executions(sandbox).values()) >= 10)
    os.killpg(first.pid, signal.SIGSTOP)
    try:
        finish(start_driver(sandbox.root, jobs=WORKERS, env=quick))
    finally:
        os.killpg(first.pid, signal.SIGCONT)
    first.communicate(timeout=60)
    assert first.returncode == 0
    check_values(sandbox, N, WIDTH)


def test_gc_on_every_backend(sandbox: Sandbox, places: str) -> None:
    from whence.store.gc import collect

    write_layers(sandbox, N, WIDTH, extra=places)
    sandbox.build()
    sandbox.replace("many.py", "% 1000003", "% 1009")
    second = sandbox.build()
    with Project.open(sandbox.root) as project:
        report = collect(
            project.stores.catalog, project.stores.blobs, keep_builds=1, keep_days=0.0, grace_s=0.0
        )
        assert report.blobs > 0
        assert project.load("latest", "n0079") == second["n0079"]


def test_why_on_every_backend(sandbox: Sandbox, places: str) -> None:
    """Mixes are made by several threads on one catalog, whichever it is."""
    sandbox.write(FILES)
    sandbox.configure(["pipe"], f'vendored = ["vendored_lib"]\n{places}')
    sandbox.build("total")
    for edit in (data, constant, code, library):
        edit(sandbox)
    sandbox.build("total")
    with Project.open(sandbox.root) as project:
        answer = explain(project, "total", "b1", "b2", jobs=3)
        assert [build.id for build in project.builds()] == ["b2", "b1"]
    assert answer.verdict == "explained"
    blamed = {change for cause in answer.causes for change in cause.changes}
    assert {"source:rows", "distribution:vendored_lib"} <= blamed
    assert answer.remainder.mean == pytest.approx(0.0, abs=1e-9)
