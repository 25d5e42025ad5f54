"""A catalog on each of the two databases, and real processes that use it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.postgres import postgres_server, postgres_url

import whence
from whence.store.catalog import Catalog, Owner, open_catalog

__all__ = ["postgres_server", "postgres_url"]

ACTORS = Path(__file__).with_name("actors.py")
BOTH = ["sqlite", pytest.param("postgres", marks=pytest.mark.system)]


@pytest.fixture(params=BOTH)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a catalog that does not exist yet."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return str(tmp_path / "store" / "catalog.db")


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    with open_catalog(url) as opened:
        yield opened


@pytest.fixture
def owner() -> Owner:
    return Owner.current()


@pytest.fixture
def act(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a process that plays one of the parts in `actors.py`."""
    started: list[subprocess.Popen[str]] = []
    # `whence` may be one of several folders on the path, or installed.
    source = str(Path(next(iter(whence.__path__))).parent)
    root = str(Path(__file__).parents[3])

    def start(*arguments: object) -> subprocess.Popen[str]:
        path = os.pathsep.join([source, root])
        process = subprocess.Popen(
            [sys.executable, str(ACTORS), *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
