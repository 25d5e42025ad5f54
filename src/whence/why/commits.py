"""Builds of git commits: the code and settings of a commit on the data that is here now."""

from __future__ import annotations

import os
import subprocess
import tarfile
import tempfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

from whence.engine.config import read_config
from whence.engine.project import Project
from whence.engine.session import Stores
from whence.errors import ConfigError, UnknownId

#: Ignored folders that hold no data of the project.
_NO_DATA = {".whence", ".venv", "venv", "node_modules", "__pycache__", ".git", ".mypy_cache"}


def build_commit(project: Project, commit: str, metric: str, jobs: int | None = None) -> str:
    """Build the metric as a git commit has it, in the project's own store.

    Files that git does not track, the data above all, are those of the working tree.

    Returns
    -------
    str
        The build's id.

    Raises
    ------
    ConfigError
        The project is in no git repository, or the metric fails at that commit.
    UnknownId
        git knows no such commit.
    """
    root = project.config.root
    name = _git(root, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}").decode().strip()
    if not name:
        raise UnknownId(f"git knows no commit '{commit}' in {root}.", "`git log` lists them.")
    with tempfile.TemporaryDirectory(prefix="whence-commit-") as folder:
        place = Path(folder) / root.name
        place.mkdir()
        with tarfile.open(fileobj=BytesIO(_git(root, "archive", name, "."))) as archive:
            archive.extractall(place, filter="data")
        _link_untracked(root, place)
        own = project.config
        config = replace(read_config(place, project.profile), store=own.store, catalog=own.catalog)
        with Project(Stores.open(config), project.profile) as opened:
            made = opened.build(metric, jobs=jobs, argv=("why", metric, commit))
            if not made.ok:
                failed = next((t for t in made.tasks if t.error), None)
                what = f"{failed.label}: {failed.error.splitlines()[-1]}" if failed else made.status
                raise ConfigError(
                    f"'{metric}' cannot be built at commit {commit}: {what}.",
                    f"`whence log {made.id}` shows the log; choose another commit.",
                )
            return made.id


def _git(root: Path, *words: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, check=False)
    except FileNotFoundError:
        raise ConfigError("git is not installed.", "install it, or name builds.") from None
    if done.returncode and b"not a git repository" in done.stderr:
        raise ConfigError(
            f"{root} is in no git repository, so commits cannot be compared.",
            "name two builds instead: `whence runs` lists them.",
        )
    if done.returncode and words[0] != "rev-parse":
        raise ConfigError(
            f"git {words[0]} failed: {done.stderr.decode(errors='replace').strip()}.",
            "run that command by hand to see why.",
        )
    return done.stdout


def _link_untracked(root: Path, place: Path) -> None:
    """Make files that git does not hold appear beside the commit's: data, as it is now."""
    ignored = _git(root, "ls-files", "-z", "--others", "--ignored", "--exclude-standard",
                   "--directory")  # fmt: skip
    others = _git(root, "ls-files", "-z", "--others", "--exclude-standard", "--directory")
    for path in sorted({*ignored.split(b"\0"), *others.split(b"\0")} - {b""}):
        name = os.fsdecode(path).rstrip("/")
        target = place / name
        if _NO_DATA & set(Path(name).parts) or name.endswith(".py") or target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(root / name)
