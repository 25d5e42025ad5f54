"""From a build to a traced prediction, over HTTP and in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import whence
from whence.engine.project import Project
from whence.errors import UnknownId
from whence.serve.runtime import open_runtime, services_of

PIPELINE = """
import whence as wh
from pydantic import BaseModel

FACTOR = 2

class Order(BaseModel):
    amount: int

@wh.node
def base(start: int = 40) -> int:
    return start

@wh.node
def other() -> int:
    return 1

@wh.service
def total(base: int, request: Order, times: int = 1) -> dict:
    return {"sum": (base + request.amount * FACTOR) * times}

@wh.service
def vague(base: int, request: dict) -> dict:
    return {}
"""

SERVER = """
import sys
from whence.engine.project import Project
from whence.errors import WhenceError
from whence.serve.app import serve

if __name__ == "__main__":
    with Project.open(sys.argv[1]) as project:
        try:
            serve(project, sys.argv[2], port=0, announce=lambda url, _: print(url, flush=True))
        except WhenceError as error:
            sys.exit(str(error))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text('[tool.whence]\npipeline = "pipe"\n')
    (folder / "pipe.py").write_text(PIPELINE)
    (tmp_path / "server.py").write_text(SERVER)
    return folder


def command(root: Path, service: str) -> tuple[list[str], dict[str, str]]:
    source = str(Path(next(iter(whence.__path__))).parent)
    env = os.environ | {"PYTHONPATH": source}
    return [sys.executable, str(root.parent / "server.py"), str(root), service], env


@contextmanager
def served(root: Path, service: str) -> Iterator[str]:
    argv, env = command(root, service)
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            process.wait(timeout=20)


def post(url: str, body: Any) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)


def test_the_accepted_build_answers_whatever_the_working_tree_became(root: Path) -> None:
    with Project.open(root) as project:
        build = project.build(jobs=1)
        assert project.accept(build.id) == "b1" and services_of(project) == ["total", "vague"]
        source = root / "pipe.py"
        source.write_text(PIPELINE.replace("FACTOR = 2", "FACTOR = 100").replace("40", "50"))
        project.build(jobs=1)  # a newer build, not accepted
    with served(root, "total") as url:
        reply = post(f"{url}/v1/total/predict", {"amount": 1})
    assert reply["answer"] == {"sum": 42} and reply["release"] == "b1"
    with Project.open(root) as project:
        trace = project.trace(reply["prediction_id"][:12])
        assert (trace.kind, trace.name) == ("prediction", reply["prediction_id"])
        (build_node,) = trace.parents
        assert build_node.name == "b1"
        assert any(parent.name == "base" for parent in build_node.parents)


def test_what_cannot_be_served(root: Path) -> None:
    with Project.open(root) as project:
        with pytest.raises(UnknownId, match="No build is accepted"):
            open_runtime(project, "total")
        project.accept(project.build("other", jobs=1).id)
        with pytest.raises(UnknownId, match=r"no service 'totl'(?s:.)*did you mean 'total'"):
            open_runtime(project, "totl")
        with pytest.raises(UnknownId, match="'total' needs 'base', which build b1 lacks"):
            open_runtime(project, "total")


def test_a_request_needs_a_model(root: Path) -> None:
    with Project.open(root) as project:
        project.accept(project.build(jobs=1).id)
    argv, env = command(root, "vague")
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "does not say what a request is" in done.stderr and "pydantic model" in done.stderr


def test_other_packages_than_the_build_was_made_with_are_refused(root: Path) -> None:
    library = root.parent / "site"
    install_tiny(library, "1.0")
    pipeline = PIPELINE.replace("import whence as wh", "import tiny\nimport whence as wh")
    (root / "pipe.py").write_text(pipeline.replace("base + request", "tiny.ONE + base + request"))
    argv, env = command(root, "total")
    env["PYTHONPATH"] = os.pathsep.join([env["PYTHONPATH"], str(library)])
    make = "import sys, whence; p = whence.Project.open(sys.argv[1]); p.accept(p.build().id)"
    subprocess.run([sys.executable, "-c", make, str(root)], env=env, check=True)

    install_tiny(library, "2.0")
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1 and done.stdout == ""
    assert "made with other packages than are installed here" in done.stderr
    assert "tiny 1.0 → 2.0" in done.stderr


def install_tiny(library: Path, version: str) -> None:
    shutil.rmtree(library, ignore_errors=True)
    info = library / f"tiny-{version}.dist-info"
    info.mkdir(parents=True)
    (library / "tiny.py").write_text("ONE = 1\n")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n")
    (info / "RECORD").write_text("tiny.py,,\n")
    (info / "top_level.txt").write_text("tiny\n")
