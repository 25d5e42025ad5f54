"""`whence rebuild`: a past build again, from its snapshot."""

from __future__ import annotations

import time
from typing import Any

import click

from whence.cli import options
from whence.cli.failures import FAILED


@click.command("rebuild")
@click.argument("build")
@click.option(
    "--from-scratch", is_flag=True, help="Run every node again; take none from the store."
)
@click.option("--jobs", "-j", type=click.IntRange(1), help="Most worker processes at once.")
@click.option("--quiet", "-q", is_flag=True, help="Print only failures and differences.")
@options.common
def command(
    build: str, from_scratch: bool, jobs: int | None, quiet: bool, project: str, as_json: bool
) -> int:
    """Build BUILD again from its snapshot, whatever the working tree is now."""
    from whence.cli import words
    from whence.cli.output import console, write_json
    from whence.cli.progress import Progress
    from whence.cli.verbs.build import report
    from whence.engine.project import Project

    began = time.monotonic()
    with Project.open(project) as opened, Progress(quiet=quiet) as progress:
        made, differing = opened.rebuild(
            options.build_name(build), from_scratch=from_scratch, jobs=jobs, progress=progress
        )
    if as_json:
        document: dict[str, Any] = {"build": made.to_json()}
        document["differences"] = [change.to_json() for change in differing]
        write_json(document)
    else:
        report(made, time.monotonic() - began, False, quiet, progress)
        out = console()
        if differing:
            names = words.listed(change.name for change in differing)
            out.print(f"✗ {len(differing)} values differ from {build}'s: {names}", style="bad")
        elif made.ok and not quiet:
            out.print(f"✓ every value is {build}'s", style="ok")
    return 0 if made.ok and not differing else FAILED
