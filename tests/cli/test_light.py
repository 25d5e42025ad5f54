"""What must be quick imports nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.support import copy_small

HEAVY = {"click", "rich", "dataclasses", "inspect", "importlib.metadata", "pyarrow", "numpy"}
REPORT = "import sys, json; sys.stderr.write(json.dumps(sorted(sys.modules)))"


def modules(code: str, cwd: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{REPORT}"], cwd=cwd, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = copy_small(tmp_path_factory.mktemp("light") / "project")
    code = "from whence.engine import receipts; receipts.GRANULARITY_NS = 0; import whence.cli as c"
    modules(f"{code}; assert c.main(['build']) == 0", root)  # leaves a receipt
    return root


def test_importing_whence_is_light(project: Path) -> None:
    before = modules("pass", project)
    for code in ("import whence", "import whence.cli"):
        assert not (modules(code, project) - before) & HEAVY


@pytest.mark.parametrize("args", [["build"], ["build", "--json"], ["build", "-q"]])
def test_nothing_to_do_imports_nothing(project: Path, args: list[str]) -> None:
    code = f"import sys; import whence.cli as c; assert c.main({args}) == 0"
    found = modules(code, project) - modules("pass", project)
    assert not found & HEAVY
    assert {name for name in found if name.startswith("whence")} <= {
        "whence",
        "whence.cli",
        "whence.engine",
        "whence.engine.noop",
        "whence.store",
        "whence.store.catalog",
        "whence.store.catalog.peek",
    }


def test_help_imports_no_engine(project: Path) -> None:
    found = modules("import whence.cli as c; assert c.main(['--help']) == 0", project)
    assert not found & {"rich", "pyarrow", "numpy", "whence.engine.project", "importlib.metadata"}
