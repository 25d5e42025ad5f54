"""The truth of `bench/why` owes nothing to whence, and yet both see the same numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import whence as wh

WHY = Path(__file__).parent.parent.parent / "bench" / "why"

pytestmark = pytest.mark.system

PLAIN = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import classes, plain
plain.preload()
made = classes.scenario("code", sys.argv[3], 1)
root = Path(sys.argv[2])
made.write_base(root)
before = plain.evaluate(root, made.metric, [3])
made.apply(root, range(len(made.changes)))
after = plain.evaluate(root, made.metric, [3])
print(json.dumps([made.metric, before.values, after.values]))
"""


@pytest.mark.parametrize("domain", ["flights", "subscriptions"])
def test_plain_runs_and_builds_agree(domain: str, tmp_path: Path) -> None:
    root = tmp_path / "project"
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, str(WHY), str(root), domain],
        capture_output=True,
        text=True,
        check=True,
    )
    metric, before, after = json.loads(done.stdout)
    built = wh.Project.open(root).build([metric], seed=3, jobs=1)
    assert built.ok
    assert float(built[metric]) == pytest.approx(after[0], abs=1e-12)
    assert before[0] != after[0]
