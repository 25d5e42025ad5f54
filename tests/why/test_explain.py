"""`whence why` on real builds: what it says, and what it says where it cannot."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.support import validate
from tests.engine.project_fixture import Sandbox, put, sandbox
from tests.why.test_mixing import code, constant, data, library, start

from whence.cli.drawing.why import html, view
from whence.cli.output import console
from whence.engine.project import Project
from whence.errors import ConfigError, GraphError, UnknownId, ValueFault, WhenceError
from whence.why import Explanation, build_commit, build_without, explain

__all__ = ["put", "sandbox"]


def two_builds(sandbox: Sandbox, *edits: object, target: str = "total") -> None:
    sandbox.build(target)
    for edit in edits:
        assert callable(edit)
        edit(sandbox)
    sandbox.build(target)


def why(sandbox: Sandbox, metric: str = "total", **options: object) -> Explanation:
    with Project.open(sandbox.root) as project:
        return explain(project, metric, "b1", "b2", jobs=2, **options)  # type: ignore[arg-type]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    return start(tmp_path, monkeypatch)


def states(answer: Explanation) -> dict[str, str]:
    return {change.id: change.state for change in answer.changes}


def test_a_cause_among_innocents(project: Sandbox) -> None:
    def harmless(sandbox: Sandbox) -> None:
        sandbox.replace("prep.py", "return [min(v, LIMIT)", "return [min(LIMIT, v)")

    two_builds(project, data, harmless)
    answer = why(project)
    assert answer.verdict == "explained"
    assert [(c.kind, c.changes) for c in answer.causes] == [("cause", ("source:rows",))]
    assert states(answer) == {"source:rows": "cause", "code:prep.clean": "inert"}
    (inside,) = answer.causes[0].refinements
    assert inside.columns == ("x",)
    assert inside.verified
    assert answer.explained == pytest.approx(1.0)
    assert answer.cost.executions < answer.cost.mixes * 4
    assert json.loads(json.dumps(answer.to_json()))["verdict"] == "explained"


def test_taking_the_culprit_back(project: Sandbox) -> None:
    two_builds(project, data, library)
    with Project.open(project.root) as opened:
        before = opened.get_build("b1")["total"]
        made = build_without(
            opened, "total", "b1", "b2", ["source:rows", "distribution:vendored_lib"]
        )
        assert made.ok
        assert made["total"] == before
        half = build_without(opened, "total", "b1", "b2", ["source:rows"])
        assert half["total"] == pytest.approx(before + 3 * 2)
        assert opened.row("latest").id == half.id  # a build like any other
        with pytest.raises(ConfigError, match=r"no change 'source:row'.*that can be mixed"):
            build_without(opened, "total", "b1", "b2", ["source:row"])


def test_nothing_changed(project: Sandbox) -> None:
    def comment(sandbox: Sandbox) -> None:
        sandbox.replace("prep.py", "LIMIT = 50", "# the limit\nLIMIT = 50")
        sandbox.replace("pipe.py", "return sum(scaled) + noise", "return noise + sum(scaled)")

    two_builds(project, comment)
    answer = why(project)
    assert answer.verdict == "unchanged"
    assert answer.causes == ()


def test_another_seed_is_noise(project: Sandbox) -> None:
    project.build("total", seed=1)
    project.build("total", seed=2)
    answer = why(project)
    assert answer.verdict == "unchanged"  # at common seeds nothing differs
    assert answer.changes == ()


def test_hidden_randomness_is_found_and_blames_nobody(project: Sandbox) -> None:
    project.replace(
        "pipe.py",
        "import random\n    return random.Random(seed).random() / 1000",
        "import random\n    return random.SystemRandom().random() * 10 + 0 * seed",
    )

    def harmless(sandbox: Sandbox) -> None:
        sandbox.replace("pipe.py", "* 10 + 0 * seed", "* 10.0 + 0 * seed")

    two_builds(project, harmless)
    answer = why(project)
    assert answer.verdict == "noise"
    assert states(answer)["randomness:noise"] == "unmixable"
    validate("why", json.loads(json.dumps({"why": answer.to_json()})))
    console(io.StringIO()).print(view({"why": answer.to_json()}))
    assert "noise" in html({"why": answer.to_json()})
    assert any("noise gave another value" in note for note in answer.notes)


TESTED = """
    import pandas as pd
    from whence.models import proportion_interval

    rows = wh.files("rows.csv")

    @wh.table(key="id")
    def holdout(rows: pd.DataFrame) -> pd.DataFrame:
        return rows[rows["id"] % 2 == 0]

    @wh.metric(better="higher")
    def accuracy(holdout: pd.DataFrame):
        return proportion_interval(holdout["hit"])
"""


def hits(ids: range, every: int) -> str:
    return "id,hit\n" + "".join(f"{i},{int(i // 2 % every > 0)}\n" for i in ids)


def test_other_test_rows_are_noise_unless_the_difference_is_large(sandbox: Sandbox) -> None:
    sandbox.write({"pipe.py": TESTED, "rows.csv": hits(range(400), 5)})
    sandbox.configure(["pipe"])
    sandbox.build("accuracy")
    sandbox.write({"rows.csv": hits(range(1000, 1400), 6)})
    sandbox.build("accuracy")
    assert why(sandbox, "accuracy").verdict == "noise"
    # The same difference on the same rows is what the change did.
    sandbox.write({"rows.csv": hits(range(400), 6)})
    sandbox.build("accuracy")
    with Project.open(sandbox.root) as opened:
        assert explain(opened, "accuracy", "b1", "b3").verdict == "explained"
    sandbox.write({"rows.csv": hits(range(2000, 2400), 2)})
    sandbox.build("accuracy")
    with Project.open(sandbox.root) as opened:
        assert explain(opened, "accuracy", "b1", "b4").verdict == "explained"


def test_a_candidate_that_fails(project: Sandbox) -> None:
    def broken(sandbox: Sandbox) -> None:
        sandbox.write({"rows.csv": "y\n1\n"})

    two_builds(project, broken, constant)
    answer = why(project)
    assert answer.verdict == "failure"
    assert [c.changes for c in answer.causes] == [("source:rows",)]
    assert "KeyError" in answer.candidate.error


def test_a_change_that_crashes_without_its_partner(project: Sandbox) -> None:
    def migrate(sandbox: Sandbox) -> None:
        sandbox.write({"rows.csv": "y\n2\n20\n55\n"})
        sandbox.replace("pipe.py", 'column("x")', 'column("y")')

    two_builds(project, migrate)
    answer = why(project)
    assert [(c.kind, set(c.changes)) for c in answer.causes] == [
        ("inseparable", {"source:rows", "code:pipe.cleaned"})
    ]


def test_a_budget_that_is_too_small(project: Sandbox) -> None:
    two_builds(project, data, constant, library, code)
    answer = why(project, budget=0.0)
    assert answer.verdict == "out of budget"
    assert any("budget" in note for note in answer.notes)
    assert "--budget" in answer.next[0]


def test_what_a_source_held_is_gone(project: Sandbox) -> None:
    project.configure(["pipe"], 'vendored = ["vendored_lib"]\n')
    big = "x\n" + "\n".join(str(i % 97) for i in range(60_000))
    project.write({"rows.csv": big + "\n"})
    project.build("total")
    project.write({"rows.csv": big + "\n5\n"})
    project.replace("prep.py", "LIMIT = 50", "LIMIT = 60")
    project.build("total")
    with Project.open(project.root) as opened:
        blob = opened.artifact("b1", "rows").blob
        assert blob is not None
        opened.stores.blobs.delete(blob)
    answer = why(project)
    assert states(answer)["source:rows"] == "unmixable"
    assert any("no longer in the store" in note for note in answer.notes)
    assert [c.changes for c in answer.causes] == [("code:prep.LIMIT",)]


def bad_inputs(sandbox: Sandbox) -> list[tuple[dict[str, str], type[WhenceError], str]]:
    return [
        ({"before": "b1", "after": "b9"}, UnknownId, r"There is no build 'b9'"),
        ({"before": "b1", "after": "b1"}, ConfigError, r"the same build, b1"),
        ({"metric": "totl"}, GraphError, r"no node 'totl'(.|\n)*did you mean 'total'"),
        ({"metric": "scaled"}, ValueFault, r"'scaled' is list .* not a number"),
        ({"after": "b3"}, ConfigError, r"Build b3 did not build 'total'"),
    ]


def test_bad_input(project: Sandbox) -> None:
    two_builds(project, data)
    project.build("cleaned")
    constant(project)
    project.build("cleaned")
    with Project.open(project.root) as opened:
        for options, error, text in bad_inputs(project):
            asked = {"metric": "total", "before": "b1", "after": "b2", **options}
            with pytest.raises(error, match=text):
                explain(opened, asked["metric"], asked["before"], asked["after"])


def test_builds_of_two_projects(project: Sandbox) -> None:
    project.build("total")
    for name in ("pipe.py", "prep.py"):
        project.path(name).rename(project.path(f"other_{name}"))
    project.replace("other_pipe.py", "from prep", "from other_prep")
    project.configure(["other_pipe"], 'vendored = ["vendored_lib"]\n')
    project.build("total")
    with pytest.raises(ConfigError, match="no module in common"):
        why(project)


def git(root: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


def test_commits_are_compared(project: Sandbox) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    root = project.root
    project.write({".gitignore": ".whence/\nrows.csv\n"})
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    constant(project)
    git(root, "commit", "-qam", "two")
    code(project)  # not committed: no part of it
    with Project.open(root) as opened:
        first, second = (build_commit(opened, name, "total") for name in ("HEAD~1", "HEAD"))
        answer = explain(opened, "total", first, second)
        assert [c.changes for c in answer.causes] == [("code:prep.LIMIT",)]
        with pytest.raises(UnknownId, match="git knows no commit 'nope'"):
            build_commit(opened, "nope", "total")


def test_the_command(project: Sandbox) -> None:
    project.build("total")
    run = [sys.executable, "-m", "whence", "why", "total"]
    asked = subprocess.run([*run], cwd=project.root, capture_output=True, text=True, check=False)
    assert asked.returncode == 2
    assert "There is no accepted build" in asked.stderr
    subprocess.run([sys.executable, "-m", "whence", "accept", "b1"], cwd=project.root, check=True)
    data(project)
    page = project.root / "why.html"
    done = subprocess.run(
        [*run, "--json", "--html", str(page)], cwd=project.root, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    answer = json.loads(done.stdout)["why"]
    assert answer["causes"][0]["changes"] == ["source:rows"]
    assert "source:rows" in page.read_text()
    shown = subprocess.run([*run, "b1", "b2"], cwd=project.root, capture_output=True, text=True,
                           check=True)  # fmt: skip
    assert "rows" in shown.stdout
    assert "b2 without source:rows" in subprocess.run(
        [*run, "b1", "b2", "--apply", "source:rows"], cwd=project.root, capture_output=True,
        text=True, check=True,
    ).stdout  # fmt: skip


def test_asking_again_runs_nothing(project: Sandbox) -> None:
    two_builds(project, data, constant)
    first = why(project)
    again = why(project)
    assert first.cost.executions > 0
    assert again.cost.executions == 0
    assert again.cost.rebuilds == again.cost.refinement_rebuilds == 0.0
    told = [[(c.kind, c.changes, c.effect, c.share) for c in a.causes] for a in (first, again)]
    assert told[0] == told[1]
