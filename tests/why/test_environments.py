"""Mixes of packages that are installed in one version only: the other is laid over it."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.engine.project_fixture import Sandbox, driver_env, sandbox
from tests.engine.test_staleness_packages import install

__all__ = ["sandbox"]

PIPELINE = """
    import toykit

    @wh.node
    def base():
        return 2.0

    @wh.node
    def scaled(base):
        return toykit.scale(base)

    @wh.node
    def shown(base):
        return f"{base}"

    @wh.metric(better="higher")
    def total(scaled, shown, offset: float = 1.0):
        return scaled + float(shown) + offset
"""
ASK = """\
import json, sys
from whence.engine.project import Project
from whence.why import explain
with Project.open(sys.argv[1]) as project:
    if len(sys.argv) > 2:
        print(json.dumps(project.build("total", jobs=1)["total"]))
    else:
        print(json.dumps(explain(project, "total", "b1", "b2", jobs=2).to_json()))
"""


def run(sandbox: Sandbox, place: Path, *words: str, wheels: Path | None = None) -> Any:
    env = driver_env()
    env["PYTHONPATH"] = f"{place}:{env['PYTHONPATH']}"
    env |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels or sandbox.root / "no wheels")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", ASK, str(sandbox.root), *words],
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def make_wheel(folder: Path, version: str, body: str) -> None:
    folder.mkdir(exist_ok=True)
    info = f"toykit-{version}.dist-info"
    with zipfile.ZipFile(folder / f"toykit-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("toykit/__init__.py", body)
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: toykit\nVersion: {version}\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
            "Tag: py3-none-any\n",
        )  # fmt: skip
        wheel.writestr(
            f"{info}/RECORD",
            f"toykit/__init__.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n",
        )


def body(factor: int) -> str:
    return f"def scale(x):\n    return x * {factor}\n"


@pytest.fixture
def two_versions(sandbox: Sandbox, tmp_path: Path) -> tuple[Sandbox, Path]:
    """Build b1 with toykit 1.0 and b2 with 2.0 and another offset; the place of 2.0."""
    sandbox.write({"pipe.py": PIPELINE})
    sandbox.configure(["pipe"])
    places = [tmp_path / "old", tmp_path / "new"]
    install(places[0], "toykit", "1.0", body(3))
    install(places[1], "toykit", "2.0", body(10))
    assert run(sandbox, places[0], "build") == 9.0
    sandbox.replace("pipe.py", "offset: float = 1.0", "offset: float = 5.0")
    assert run(sandbox, places[1], "build") == 27.0
    return sandbox, places[1]


def test_a_package_is_mixed_by_laying_its_other_version_over_it(
    two_versions: tuple[Sandbox, Path], tmp_path: Path
) -> None:
    sandbox, place = two_versions
    make_wheel(tmp_path / "wheels", "1.0", body(3))
    answer = run(sandbox, place, wheels=tmp_path / "wheels")
    assert answer["verdict"] == "explained"
    assert [(c["changes"], c["effect"]["mean"]) for c in answer["causes"]] == [
        (["distribution:toykit"], 14.0),
        (["code:pipe.total"], 4.0),
    ]
    change = next(c for c in answer["changes"] if c["id"] == "distribution:toykit")
    assert (change["before"], change["after"], change["state"]) == ("1.0", "2.0", "cause")
    assert not any("other packages" in note for note in answer["notes"])
    # Only what reaches the package ran in the other version: both sides' values were there.
    assert answer["cost"]["executions"] <= 8
    again = run(sandbox, place)  # the environment is kept: no installer is asked again
    assert again["causes"] == answer["causes"]


def test_a_package_that_cannot_be_had_is_said(two_versions: tuple[Sandbox, Path]) -> None:
    sandbox, place = two_versions
    answer = run(sandbox, place)
    change = next(c for c in answer["changes"] if c["id"] == "distribution:toykit")
    assert change["state"] == "unmixable"
    assert "toykit==1.0 cannot be installed" in change["reason"]
    assert any("distribution:toykit could not be mixed" in note for note in answer["notes"])
    assert [c["changes"] for c in answer["causes"]] == [["code:pipe.total"]]
