"""What is wrong is said with its fix, never as a traceback, and the exit code says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.support import Shell, _built, built, small

__all__ = ["_built", "built", "small"]

# Arguments -> exit code, what the cause says, what the fix says.
WRONG = {
    "unknown verb": (["biuld"], 2, "no verb 'biuld'", "whence build"),
    "verb like no other": (["xyzzy"], 2, "no verb 'xyzzy'", "whence --help"),
    "unknown option": (["build", "--jbos", "2"], 2, "--jbos", "--help"),
    "bad number": (["build", "--jobs", "many"], 2, "'many' is not a valid", "--help"),
    "too few jobs": (["build", "--jobs", "0"], 2, "0 is not in the range", "--help"),
    "missing argument": (["trace"], 2, "Missing argument 'WHAT'", "--help"),
    "unknown target": (["build", "countz"], 2, "'countz'", "counts"),
    "unknown target of status": (["status", "countz"], 2, "'countz'", "counts"),
    "unknown target of graph": (["graph", "countz"], 2, "'countz'", "counts"),
    "unknown target of check": (["check", "--determinism", "countz"], 2, "'countz'", "counts"),
    "no value in --set": (["build", "--set", "at_least"], 2, "no value", "name=value"),
    "no name in --set": (["build", "--set", "=3"], 2, "no name", "name=value"),
    "unknown param": (["build", "--set", "at_lest=3"], 2, "at_lest", "at_least"),
    "unknown profile": (["build", "--profile", "fast"], 2, "profile.fast", "profiles"),
    "nothing to refresh": (["build", "--refresh", "counts"], 2, "deterministic=False", "none"),
    "no build by that name": (["log", "yesterday"], 2, "not a build", "whence runs"),
    "no such build": (["log", "b99"], 2, "99", "whence runs"),
    "no such build to rebuild": (["rebuild", "b99"], 2, "99", "whence runs"),
    "no such build to show": (["show", "counts@b99"], 2, "99", "whence runs"),
    "no such build to accept": (["accept", "b99"], 2, "99", "whence runs"),
    "no such build to compare": (["diff", "b1", "b99"], 2, "99", "whence runs"),
    "no such build to trace": (["trace", "counts@b99"], 2, "99", "whence runs"),
    "no such word": (["trace", "counts@soon"], 2, "soon", "whence runs"),
    "unknown node": (["show", "countz"], 2, "countz", "counts"),
    "unknown node of log": (["log", "latest", "countz"], 2, "countz", "counts"),
    "unknown node of trace": (["trace", "countz"], 2, "countz", "counts"),
    "unknown partition": (["show", "words", "--partition", "z"], 2, "'z'", "a, b, c"),
    "nothing accepted": (["show", "counts@accepted"], 2, "accepted", "whence accept"),
    "unknown shell": (["completion", "tcsh"], 2, "tcsh", "--help"),
    "unknown service": (["serve", "counts"], 2, "accepted", "whence accept"),
    "no folder": (
        ["graph", "--format", "svg", "--out", "/nowhere/at/all.svg"],
        2,
        "/nowhere/at/all.svg",
        "path",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_command_says_what_to_do(built: Shell, case: str) -> None:
    args, code, cause, fix = WRONG[case]
    done = built(*args)
    assert done.code == code, done.err
    assert done.out == "" and "Traceback" not in done.err
    first, _, second = done.err.partition("  fix: ")
    assert first.startswith("error: ") and cause in first, done.err
    assert fix in second, done.err


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_command_says_it_as_json(built: Shell, case: str) -> None:
    args, code, cause, fix = WRONG[case]
    document = built.json(*args, code=code)["error"]
    assert cause in document["cause"] and fix in document["fix"]


def test_no_project_here(tmp_path: Path, built: Shell) -> None:
    done = Shell(tmp_path, built._capfd)("status")
    assert done.code == 2 and "No project here" in done.err and "whence init" in done.err


@pytest.mark.parametrize("verb", ["show", "trace", "log", "diff", "accept"])
def test_before_the_first_build(small: Shell, verb: str) -> None:
    done = small(*([verb, "counts"] if verb == "trace" else [verb]))
    assert done.code == 2 and "Traceback" not in done.err
    assert "whence build" in done.err or verb == "trace"


def test_before_the_first_build_there_are_no_runs(small: Shell) -> None:
    assert "whence build" in small("runs").out
    assert small.json("runs") == {"builds": []}


def test_debug_shows_the_traceback(built: Shell) -> None:
    done = built("show", "countz", "--debug")
    assert "Traceback" in done.err and "error: " in done.err


def test_a_fault_of_our_own_is_told_apart(built: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    from whence.engine.project import Project

    def broken(*_: object) -> None:
        raise ZeroDivisionError("whoops")

    monkeypatch.setattr(Project, "builds", broken)
    done = built("runs")
    assert done.code == 70
    assert "ZeroDivisionError" in done.err and "report it" in done.err


def test_ctrl_c_is_one_line(built: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    from whence.engine.project import Project

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Project, "builds", interrupted)
    done = built("runs")
    assert done.code == 130 and done.out == ""
    assert done.err.strip().startswith("interrupted") and "\n" not in done.err.strip()


@pytest.mark.parametrize("args", [["show"], ["runs", "--json"], ["build"], ["--help"]])
def test_a_reader_that_leaves_is_no_error(built: Shell, args: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "whence", *args],
        cwd=built.root,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")
