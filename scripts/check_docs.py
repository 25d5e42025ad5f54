"""Run the commands that the docs show, so that what they show is true.

    python scripts/check_docs.py [PAGE...]

Every block fenced ```console is run: its lines that start with `$ ` (continued by a final
backslash) are commands, the rest is output, which is not compared. The blocks of a page run in
order, in one shell, in an empty temporary folder; `<!-- run in: examples/flights -->` anywhere in
the page starts in a copy of that folder instead. A command must succeed, unless its line ends with
`# exits N`. What is not meant to be run is fenced ```sh or ```text.
"""

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```console[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
WITHIN = re.compile(r"<!-- run in: (\S+) -->")
EXITS = re.compile(r"#\s*exits (\d+)\s*$")
LIMIT_S = 600
LEFT_OUT = shutil.ignore_patterns(".whence", "__pycache__", ".venv*")


def commands(text: str) -> list[str]:
    """The commands of a page's console blocks, in order."""
    found: list[str] = []
    for block in BLOCK.findall(text):
        continued = False
        for line in block.splitlines():
            if continued:
                found[-1] += "\n" + line
            elif line.startswith("$ "):
                found.append(line[2:])
            else:
                continue
            continued = line.endswith("\\")
    return found


def script(lines: list[str]) -> str:
    """A shell script that runs `lines` and stops at the first unexpected exit code."""
    steps = []
    for line in lines:
        expected = EXITS.search(line)
        want = int(expected[1]) if expected else 0
        shown = shlex.quote(f"$ {line}")
        steps.append(
            f"printf '%s\\n' {shown}\n{line}\ncode=$?\n"
            f'[ "$code" = {want} ] || '
            f'{{ echo "exit code $code, not {want}: "{shown} >&2; exit 97; }}\n'
        )
    return "".join(steps)


def run_page(page: Path) -> str:
    """Run one page; its trouble, or the empty text."""
    text = page.read_text(encoding="utf-8")
    lines = commands(text)
    if not lines:
        return ""
    with tempfile.TemporaryDirectory(prefix="whence-docs-") as folder:
        where = Path(folder) / "here"
        if start := WITHIN.search(text):
            shutil.copytree(ROOT / start[1], where, ignore=LEFT_OUT)
        else:
            where.mkdir()
        environment = dict(os.environ)
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        log = Path(folder) / "output"
        with log.open("wb") as sink:
            shell = subprocess.Popen(
                ["bash", "-c", script(lines)],
                cwd=where,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = shell.wait(timeout=LIMIT_S)
            except subprocess.TimeoutExpired:
                code = 124
        # A page may leave a service running in the background.
        try:
            os.killpg(shell.pid, signal.SIGTERM)
            time.sleep(0.5)
            os.killpg(shell.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        shell.wait()
        return (
            "" if code == 0 else log.read_text(errors="replace")[-4000:] + f"\n(ended with {code})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pages", nargs="*", type=Path, help="default: README.md and docs/**/*.md")
    pages = parser.parse_args().pages or [
        ROOT / "README.md",
        *sorted((ROOT / "docs").rglob("*.md")),
    ]
    failed = 0
    for page in pages:
        count = len(commands(page.read_text(encoding="utf-8")))
        if not count:
            continue
        started = time.monotonic()
        trouble = run_page(page)
        seconds = time.monotonic() - started
        verdict = "FAILED" if trouble else "ok"
        print(f"{verdict:<7}{page} ({count} commands, {seconds:.1f}s)", flush=True)
        if trouble:
            failed += 1
            print(trouble)
    if failed:
        sys.exit(f"{failed} page(s) show commands that do not work as shown.")


if __name__ == "__main__":
    main()
