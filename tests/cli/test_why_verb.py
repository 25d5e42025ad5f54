"""`whence why` from the command line, on a project where old code cannot read new data."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.support import Shell, small  # noqa: F401

PLAIN = "    return [word.strip"
GUARDED = '    assert "!" not in text\n' + PLAIN
CODE, DATA = "code:small.words.split", "source:pages"


@pytest.fixture
def changed(small: Shell) -> Shell:  # noqa: F811
    """b1 refuses exclamation marks; b2 has some, and code that takes them."""
    words = small.root / "small" / "words.py"
    old = words.read_text()
    words.write_text(old.replace(PLAIN, GUARDED))
    assert small("build", "variety", "--quiet").code == 0
    words.write_text(old)
    (small.root / "data" / "d.txt").write_text("Mouse! Mouse! Mouse! Mouse!\n")
    assert small("build", "variety", "--quiet").code == 0
    return small


def test_why_explains_and_takes_back(changed: Shell, tmp_path: Path) -> None:
    page = tmp_path / "why.html"
    why = changed.json("why", "variety", "b1", "b2", "--html", str(page))["why"]
    assert why["verdict"] == "explained"
    assert {name for cause in why["causes"] for name in cause["changes"]} >= {DATA}
    assert why["sentence"].partition(" ")[0] in page.read_text(encoding="utf-8")

    made = changed.json("why", "variety", "b1", "b2", "--apply", DATA)["build"]
    assert (made["id"], made["status"]) == ("b3", "ok")
    old, new = (changed.json("show", f"variety@{b}")["node"]["values"][0] for b in ("b1", "b3"))
    assert new["summary"] == old["summary"]


def test_a_candidate_that_fails_without_a_change_is_told(changed: Shell) -> None:
    done = changed("why", "variety", "b1", "b2", "--apply", CODE)
    assert done.code == 1
    assert done.out.splitlines()[0] == f"b3: b2 without {CODE}: failed"
    assert "whence log b3" in done.out
    assert "AssertionError" in changed("log", "b3", "words").out


def test_unknown_changes_and_builds_are_usage_faults(changed: Shell) -> None:
    done = changed("why", "variety", "b1", "b2", "--apply", "source:page")
    assert done.code == 2
    assert f"did you mean '{DATA}'?" in done.err
    assert changed("why", "variety", "b1", "b1").code == 2
