"""Every verb on a real project: what people read, and what programs read."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from tests.cli.support import Shell, _built, built, check_golden, small, validate

__all__ = ["_built", "built", "small"]

READING = {
    "status": ["status"],
    "status_all": ["status", "--all"],
    "show": ["show"],
    "show_text": ["show", "report"],
    "show_partitions": ["show", "words", "--recipe"],
    "show_number": ["show", "variety@b1"],
    "graph": ["graph", "--status"],
    "graph_mermaid": ["graph", "--format", "mermaid"],
    "graph_dot": ["graph", "report", "--format", "dot"],
    "runs": ["runs"],
    "diff": ["diff", "b1", "b2"],
    "diff_text": ["diff", "--text"],
    "trace": ["trace", "report"],
    "trace_build": ["trace", "b1", "--depth", "1"],
    "log": ["log"],
    "log_node": ["log", "latest", "words"],
    "gc_dry_run": ["gc", "--dry-run"],
    "check": ["check"],
}


@pytest.mark.parametrize("name", READING)
def test_what_people_read(built: Shell, name: str) -> None:
    done = built(*READING[name])
    assert (done.code, done.err) == (0, "")
    check_golden(name, done.out)


@pytest.mark.parametrize("name", [n for n in READING if "mermaid" not in n and "dot" not in n])
def test_what_programs_read(built: Shell, name: str) -> None:
    built.json(*READING[name])


def test_build_says_what_it_did(small: Shell) -> None:
    first = small("build")
    assert first.code == 0
    check_golden("build", first.out)
    again = small("build")
    assert again.out == "Nothing to do: all 10 tasks are as build b1 left them.\n"
    quick = small.json("build")["build"]
    assert (quick["id"], quick["status"], quick["hit"], quick["targets"]) == (
        "b1",
        "current",
        10,
        [],
    )
    part = small.json("build", "common", "--set", "at_least=1")["build"]
    assert (part["ran"], part["targets"]) == (1, ["common"])
    assert small.json("build", "common")["build"]["targets"] == ["common"]
    assert small.json("build", "common")["build"]["targets"] == ["common"]  # from the receipt


def test_a_failure_is_told_and_exits_with_1(small: Shell) -> None:
    words = small.root / "small" / "words.py"
    words.write_text(words.read_text().replace("    found = {}\n", "    found = {}['nothing']\n"))
    done = small("build")
    assert done.code == 1
    check_golden("build_failed", done.out)
    document = small.json("build", code=1)["build"]
    failed = next(task for task in document["tasks"] if task["status"] == "failed")
    assert failed["node"] == "counts" and "KeyError: 'nothing'" in failed["error"]
    log = small("log", "last", "counts")
    assert "KeyError: 'nothing'" in log.out and log.code == 0
    assert small.json("log", "last")["log"]["status"] == "failed"
    assert small.json("runs")["builds"][0]["status"] == "failed"
    value = small("show", "counts")
    assert value.code == 2 and "error:" in value.err


def test_a_source_that_is_not_there_is_in_the_log(small: Shell) -> None:
    for path in (small.root / "data").iterdir():
        path.unlink()
    assert small("build").code == 1
    check_golden("log_failed", small("log", "last").out)
    assert "data/*.txt" in small("log", "last", "pages").out
    (task,) = small.json("log", "last", "pages")["log"]["tasks"]
    assert task["status"] == "failed" and "data/*.txt" in task["error"]


def test_status_names_the_reason(small: Shell) -> None:
    small("build")
    words = small.root / "small" / "words.py"
    words.write_text(words.read_text().replace('".,;"', '".,;:"').replace("n >= at", "n > at"))
    (small.root / "data" / "a.txt").write_text("A cat.\n")
    (small.root / "data" / "d.txt").write_text("A mouse.\n")
    check_golden("status_stale", small("status").out)
    states = {(t["node"], t["partition"]): t for t in small.json("status")["status"]["tasks"]}
    assert [c["name"] for c in states["words", "b"]["changes"]] == ["small.words.split"]
    assert [c["name"] for c in states["common", ""]["changes"]] == ["small.words.common"]
    assert states["pages", "d"]["state"] == "new"
    assert states["variety", ""]["state"] == "waiting"


def test_rebuild_accept_gc_and_check(small: Shell) -> None:
    small("build")
    words = small.root / "small" / "words.py"
    words.write_text(words.read_text().replace("at_least=2", "at_least=1"))
    rebuilt = small("rebuild", "b1", "--from-scratch")
    assert rebuilt.code == 0
    check_golden("rebuild", rebuilt.out)
    assert small.json("rebuild", "1")["differences"] == []
    assert small.json("accept", "b1", "--note", "good")["accepted"] == "b1"
    assert small("accept").out.startswith("✓ b2 is the accepted build")
    assert [b["id"] for b in small.json("runs")["builds"] if b["accepted"]] == ["b2"]
    assert "★" in small("runs").out
    gone = small.json("gc", "--keep", "1", "--days", "0")["gc"]
    assert gone["kept"].get("b2") and not gone["dry_run"]
    assert small("build", "--quiet").out == ""
    document = small.json("check", "--determinism")["check"]
    assert all(rerun["same"] for rerun in document["determinism"]["reruns"])
    assert document["store"] is None


def test_a_node_that_changes_its_mind_is_found(small: Shell) -> None:
    words = small.root / "small" / "words.py"
    text = words.read_text().replace(
        "import whence as wh\n", "import time\n\nimport whence as wh\n"
    )
    words.write_text(text.replace("return found", "return {**found, 'now': -time.time_ns()}"))
    small("build")
    done = small("check", "--determinism")
    assert done.code == 1
    assert "✗ counts made another value when it ran again" in done.out


def test_drawings_are_files(built: Shell, tmp_path: Path) -> None:
    for form in ("svg", "mermaid", "dot", "tree"):
        out = tmp_path / f"graph.{form}"
        assert built("graph", "--format", form, "--out", str(out)).code == 0
        assert "variety" in out.read_text(encoding="utf-8")
    picture = ET.fromstring((tmp_path / "graph.svg").read_text())
    assert picture.tag.endswith("svg")


def test_a_text_is_written_to_a_file(built: Shell, tmp_path: Path) -> None:
    out = tmp_path / "report.txt"
    document = built.json("show", "report", "--out", str(out))
    assert document["node"]["written"] == str(out)
    assert out.read_text().startswith("variety 0.")
    refused = built("show", "counts", "--out", str(tmp_path / "x.png"))
    assert refused.code == 2 and "cannot be written" in refused.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(built: Shell, shell: str) -> None:
    assert built.json("completion", shell)["shell"] == shell
    assert "_WHENCE_COMPLETE" in built("completion", shell).out


def test_init_makes_a_project(small: Shell, tmp_path: Path) -> None:
    target = tmp_path / "made"
    done = Shell(tmp_path, small._capfd).json("init", "made")
    assert "pyproject.toml" in done["files"] and (target / ".gitignore").exists()
    again = Shell(tmp_path, small._capfd)("init", "made")
    assert again.code == 2 and "is not empty" in again.err


def test_the_documents_of_serve() -> None:
    validate("serve", {"service": "delay", "release": "b3", "address": "http://127.0.0.1:8000"})
