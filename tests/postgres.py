"""A real PostgreSQL server for the tests that ask for one: made, used and thrown away.

Import `postgres_server` and `postgres_url` into a `conftest.py` to use them.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

#: Where distributions put the server's programs, which are often not on the PATH.
_PLACES = ("/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/usr/local/opt")


def _program(name: str) -> str | None:
    if found := shutil.which(name):
        return found
    for place in _PLACES:
        for path in sorted(Path(place).glob(f"*/bin/{name}"), reverse=True):
            return str(path)
    return None


def _account() -> dict[str, str]:
    """Root may not run the server: use an account that may."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": name}
    pytest.skip("PostgreSQL refuses to run as root, and there is no other account to use")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Address of a server's database, on a socket in a folder of its own."""
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("no PostgreSQL server here: install its initdb and pg_ctl (postgresql)")
    account = _account()
    # Not pytest's folder: other accounts cannot enter it, and a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="whence-pg-"))
    data, log = folder / "data", folder / "log"
    if account:
        shutil.chown(folder, account["user"])
    quiet = {"stdout": subprocess.DEVNULL, "cwd": folder, "check": True, "timeout": 120, **account}
    try:
        subprocess.run(
            [initdb, "-D", data, "-U", "whence", "-A", "trust", "-E", "UTF8", "-N"], **quiet
        )
        options = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=60"
        subprocess.run([pg_ctl, "-D", data, "-l", log, "-w", "-o", options, "start"], **quiet)
        try:
            yield f"postgresql://whence@/postgres?host={folder}"
        finally:
            subprocess.run([pg_ctl, "-D", data, "-m", "immediate", "-w", "stop"], **quiet)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """Address of an empty catalog: a schema that no other test uses."""
    return f"{postgres_server}&schema=t_{uuid.uuid4().hex[:12]}"
