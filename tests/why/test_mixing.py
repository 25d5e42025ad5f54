"""A mixed world gives what a project edited by hand in the same way gives."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.engine.project_fixture import Sandbox

from whence.engine.project import Project
from whence.engine.session import scan_environment
from whence.why.changes import Differences, find_changes
from whence.why.environments import Environments
from whence.why.game import Mix
from whence.why.laboratory import Laboratory
from whence.why.mixing import Mixer, seedings
from whence.why.sides import open_side

Edit = Callable[[Sandbox], None]

FILES = {
    "pipe.py": """
        import pyarrow as pa
        from prep import clean
        import vendored_lib

        rows = wh.files("rows.csv")

        @wh.node
        def cleaned(rows: pa.Table):
            return clean(rows.column("x").to_pylist())

        @wh.node
        def scaled(cleaned, factor: float = 2.0):
            return [vendored_lib.scale(v) * factor for v in cleaned]

        @wh.node
        def noise(seed: int):
            import random
            return random.Random(seed).random() / 1000

        @wh.metric(better="higher")
        def total(scaled, noise):
            return sum(scaled) + noise
    """,
    "prep.py": """
        LIMIT = 50

        def clean(values):
            return [min(v, LIMIT) for v in values]
    """,
    "vendored_lib/__init__.py": "__version__ = '1.0'\ndef scale(v):\n    return v\n",
    "rows.csv": "x\n1\n20\n300\n",
}


def code(sandbox: Sandbox) -> None:
    sandbox.replace(
        "prep.py",
        "def clean(values):\n    return [min(v, LIMIT)",
        "def floor(v):\n    return max(v, 5)\n\n"
        "def clean(values):\n    return [min(floor(v), LIMIT)",
    )


def constant(sandbox: Sandbox) -> None:
    sandbox.replace("prep.py", "LIMIT = 50", "LIMIT = 60  # more")


def data(sandbox: Sandbox) -> None:
    sandbox.write({"rows.csv": "x\n2\n20\n55\n"})


def param(sandbox: Sandbox) -> None:
    sandbox.configure(["pipe"], 'vendored = ["vendored_lib"]\nparams = {"scaled.factor" = 3.0}\n')


def library(sandbox: Sandbox) -> None:
    sandbox.write(
        {"vendored_lib/__init__.py": "__version__ = '1.1'\ndef scale(v):\n    return v + 1\n"}
    )


EDITS: dict[str, Edit] = {
    "source:rows": data,
    "code:prep.LIMIT": constant,
    "code:prep.clean": code,
    "param:scaled.factor": param,
    "distribution:vendored_lib": library,
}


def start(root: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    sandbox = Sandbox(root, monkeypatch)
    sandbox.write(FILES)
    sandbox.configure(["pipe"], 'vendored = ["vendored_lib"]\n')
    return sandbox


def differences(project: Project, metric: str = "total") -> tuple[Mixer, Differences]:
    environment = scan_environment(project.stores)
    a, b = (open_side(project.stores, project.row(n), metric, environment) for n in ("b1", "b2"))
    environments = Environments(project.stores, environment)
    found = find_changes(a, b, project.config.vendored, environments)
    return Mixer(a, b, found, metric, environments), found


def laboratory(mixer: Mixer, seeds: int = 2) -> Laboratory:
    replicates = seedings(mixer.a, mixer.b, seeds)
    return Laboratory(mixer, replicates, rebuild_cpu_s=1.0, budget=1e9, jobs=2)


def test_every_mix_is_what_editing_by_hand_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = start(tmp_path / "one", monkeypatch)
    assert sandbox.build("total").status == "ok"
    for edit in EDITS.values():
        edit(sandbox)
    assert sandbox.build("total").status == "ok"
    by_hand = start(tmp_path / "two", monkeypatch)
    with Project.open(sandbox.root) as project:
        mixer, found = differences(project)
        names = [found.changes[i].id for (i,) in found.units]
        assert set(names) == set(EDITS)
        assert names[0] == "source:rows"  # in topological order
        lab = laboratory(mixer)
        sets = [
            frozenset(chosen)
            for size in range(len(names) + 1)
            for chosen in itertools.combinations(range(len(names)), size)
        ]
        outcomes = dict(zip(sets, lab.evaluate([Mix(flipped, 0) for flipped in sets]), strict=True))
        lab.close()
        assert len(project.builds()) == 2  # mixes are no builds that a user asked for
        assert project.row("latest").id == "b2"
        assert project.build("total").id == "b2"  # nothing to do, whatever was mixed
        assert {t.node for t in project.status().tasks if t.state == "stale"} == set()
    for flipped in sets[::3]:
        by_hand.write(FILES)
        by_hand.configure(["pipe"], 'vendored = ["vendored_lib"]\n')
        for place in sorted(flipped, key=lambda i: names[i] == "code:prep.clean"):
            EDITS[names[place]](by_hand)
        assert outcomes[flipped].value == by_hand.build("total")["total"], sorted(flipped)


def test_an_innocent_mix_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = start(tmp_path, monkeypatch)
    sandbox.build("total")
    # A comment, a new helper that nobody calls, a constant of the same value, a moved definition.
    sandbox.replace("prep.py", "LIMIT = 50", "import math\n\n# limit\nLIMIT = 49 + 1\n")
    sandbox.replace("prep.py", "return [min", "return list(values) and [min")
    sandbox.replace("pipe.py", "import vendored_lib", "import vendored_lib\n\nUNUSED = 1")
    sandbox.build("total")
    with Project.open(sandbox.root) as project:
        mixer, found = differences(project)
        assert {c.id for c in found.changes} == {"code:prep.LIMIT", "code:prep.clean"}
        lab = laboratory(mixer)
        none, both = lab.evaluate([Mix(frozenset(), 0), Mix(frozenset([0, 1]), 0)])
        assert none.executions == both.executions == 0
        one, other = lab.evaluate([Mix(frozenset([0]), 0), Mix(frozenset([1]), 0)])
        assert one.digest == other.digest == none.digest == both.digest
        assert max(one.executions, other.executions) == 1  # `cleaned`; what follows is a hit
        lab.close()


def test_seeds_are_common(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = start(tmp_path, monkeypatch)
    sandbox.build("total", seed=3)
    sandbox.build("total", seed=4)
    with Project.open(sandbox.root) as project:
        mixer, found = differences(project)
        assert found.changes == []
        lab = laboratory(mixer, 3)
        assert [seeding.label for seeding in lab.seedings] == [3, 4, 5]
        first, second, third = lab.evaluate([Mix(frozenset(), seed) for seed in range(3)])
        assert first.executions == second.executions == 0  # the two builds themselves
        assert third.executions == 2
        assert len({first.value, second.value, third.value}) == 3
        lab.close()


def test_a_node_that_only_one_side_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = start(tmp_path, monkeypatch)
    sandbox.build("total")
    sandbox.replace("pipe.py", "def total(scaled, noise):", "def total(scaled, noise, extra):")
    sandbox.replace("pipe.py", "return sum(scaled) + noise", "return sum(scaled) + noise + extra")
    sandbox.replace(
        "pipe.py",
        '@wh.metric(better="higher")',
        "@wh.node\ndef extra(cleaned, weight: int):\n    return weight * len(cleaned)\n\n\n"
        '@wh.metric(better="higher")',
    )
    constant(sandbox)
    sandbox.configure(["pipe"], 'vendored = ["vendored_lib"]\nparams = {"extra.weight" = 7}\n')
    assert sandbox.build("total").status == "ok"
    with Project.open(sandbox.root) as project:
        mixer, found = differences(project)
        assert {c.id for c in found.changes} == {"code:pipe.total", "code:prep.LIMIT"}
        assert found.companions["code:pipe.total"] == ("pipe.extra",)
        lab = laboratory(mixer)
        ids = [found.changes[i].id for (i,) in found.units]
        flip = ids.index("code:pipe.total")
        none, one = lab.evaluate([Mix(frozenset(), 0), Mix(frozenset([flip]), 0)])
        assert one.value is not None and none.value is not None
        assert one.value - none.value == pytest.approx(21)
        lab.close()


def test_a_mix_that_crashes_is_infeasible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = start(tmp_path, monkeypatch)
    sandbox.build("total")
    sandbox.write({"rows.csv": "y\n1\n20\n300\n"})
    sandbox.replace("pipe.py", 'column("x")', 'column("y")')
    assert sandbox.build("total").status == "ok"
    with Project.open(sandbox.root) as project:
        mixer, _ = differences(project)
        lab = laboratory(mixer)
        outcomes = lab.evaluate([Mix(frozenset(s), 0) for s in ([], [0], [1], [0, 1])])
        assert [o.feasible for o in outcomes] == [True, False, False, True]
        assert outcomes[1].error.startswith("cleaned: KeyError")
        lab.close()
