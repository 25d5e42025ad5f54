"""Between the command line and a shell: Ctrl-C, a terminal, completion, a first project."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.support import Shell, _built, built, small

__all__ = ["_built", "built", "small"]

SLOW = """

@wh.node
def slow(counts):
    import pathlib, time
    pathlib.Path({mark!r}).touch()
    time.sleep(60)
    return 1
"""


def whence(*args: str) -> list[str]:
    return [sys.executable, "-m", "whence", *args]


def wait_for(path: Path, limit_s: float = 30) -> None:
    began = time.monotonic()
    while not path.exists():
        assert time.monotonic() - began < limit_s, f"{path} did not appear"
        time.sleep(0.02)


def test_ctrl_c_during_a_build(small: Shell, tmp_path: Path) -> None:
    mark = tmp_path / "running"
    words = small.root / "small" / "words.py"
    text = words.read_text()
    words.write_text(text + SLOW.format(mark=str(mark)))
    process = subprocess.Popen(
        whence("build"),
        cwd=small.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(mark)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == "" and "Traceback" not in err
    assert [line for line in err.splitlines() if line] == [
        "interrupted: what was finished is kept; run it again to go on."
    ]
    assert small.json("runs")["builds"][0]["status"] == "interrupted"
    assert small("check", "--store").code == 0
    words.write_text(text)
    made = small.json("build")["build"]
    assert made["status"] == "ok" and made["hit"] >= 4


def test_a_terminal_shows_what_runs_and_no_trace_of_it_stays(small: Shell, tmp_path: Path) -> None:
    mark = tmp_path / "running"
    words = small.root / "small" / "words.py"
    words.write_text(words.read_text() + SLOW.format(mark=str(mark)).replace("60", "1.5"))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        whence("build"),
        cwd=small.root,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    said = b""
    while process.poll() is None or select.select([ours], [], [], 0.2)[0]:
        try:
            said += os.read(ours, 65536)
        except OSError:  # Linux: the other side is closed
            break
    os.close(ours)
    text = said.decode()
    assert process.wait(timeout=30) == 0, text
    assert "slow" in text and "from the store" in text and "\x1b[2K" in text
    assert "✓ b1: 11 ran" in text.rpartition("\x1b[2K")[2]


@pytest.mark.skipif(shutil.which("bash") is None, reason="NOT TESTED: there is no bash here")
def test_bash_completes(built: Shell) -> None:
    script = """
        whence() { "$PYTHON" -m whence "$@"; }
        eval "$(whence completion bash | sed 's/ \\$1)/ "$PYTHON" -m whence)/')"
        try() {
            COMP_WORDS=("$@"); COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 )); COMPREPLY=()
            _whence_completion whence; echo "${COMPREPLY[*]}"
        }
        try whence s; try whence build c; try whence build --j; try whence graph --format s
        """
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=built.root,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == [
        "status show serve",
        "common counts",
        "--jobs --json",
        "svg",
    ], done.stderr


@pytest.mark.system
def test_the_first_project_builds(tmp_path: Path, small: Shell) -> None:
    assert Shell(tmp_path, small._capfd)("init", "made").code == 0
    made = Shell(tmp_path / "made", small._capfd)
    done = made("build")
    assert done.code == 0, done.out + done.err
    assert made("status").out.rstrip().endswith("up to date")
    for verb in (["show"], ["graph"], ["log"], ["check"], ["runs"]):
        assert made(*verb).code == 0
        made.json(*verb)
    nodes = made.json("show")["values"]
    for name in {value["node"] for value in nodes}:
        assert made("show", name).code == 0
        made.json("trace", name)
