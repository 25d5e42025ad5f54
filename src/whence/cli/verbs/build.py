"""`whence build`: bring targets up to date."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from whence.cli import options
from whence.cli.failures import FAILED

if TYPE_CHECKING:
    from whence.cli.progress import Progress
    from whence.engine.project import Build


@click.command("build")
@click.argument("targets", nargs=-1, shell_complete=options.complete_nodes)
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Give a param a value."
)
@click.option("--profile", metavar="NAME", help="Use [tool.whence.profile.NAME].")
@click.option("--seed", type=int, help="The world's seed.")
@click.option("--jobs", "-j", type=click.IntRange(1), help="Most worker processes at once.")
@click.option("--refresh", multiple=True, metavar="NODE", help="Make a recorded value again.")
@click.option("--in-process", is_flag=True, help="Run in this process, for debuggers.")
@click.option("--quiet", "-q", is_flag=True, help="Print only failures.")
@options.common
def command(
    targets: tuple[str, ...],
    settings: tuple[str, ...],
    profile: str | None,
    seed: int | None,
    jobs: int | None,
    refresh: tuple[str, ...],
    in_process: bool,
    quiet: bool,
    project: str,
    as_json: bool,
) -> int:
    """Bring TARGETS (all nodes by default) up to date; only what changed runs."""
    from whence.cli.progress import Progress
    from whence.engine.project import Project

    params = options.parse_settings(settings)
    began = time.monotonic()
    with Project.open(project, profile) as opened, Progress(quiet=quiet or in_process) as progress:
        made = opened.build(
            targets,
            params=params,
            seed=seed,
            jobs=jobs,
            refresh=refresh,
            in_process=in_process,
            progress=progress,
            argv=("build", *targets),
        )
    report(made, time.monotonic() - began, as_json, quiet, progress)
    return 0 if made.ok else FAILED


def report(made: Build, seconds: float, as_json: bool, quiet: bool, progress: Progress) -> None:
    """Say what a build did."""
    from whence.cli.output import console, write_json

    if as_json:
        write_json({"build": made.to_json()})
        return
    out = console()
    for task in made.tasks:
        if task.status == "failed":
            _show_failure(out, task)
    if quiet:
        return
    _show_skipped(out, made)
    for task in made.tasks:
        for warning in task.warnings if task.status == "ran" else ():
            out.print(f"{task.label}: {warning}", style="warn")
        if task.status == "ran" and task.reason:
            out.print(f"{task.label}: {task.reason}", style="warn")
    _show_summary(out, made, seconds)


def _show_failure(out: Any, task: Any) -> None:
    out.print(f"✗ {task.label} failed", style="bad")
    for line in task.error.rstrip().splitlines():
        out.print(f"  {line}", soft_wrap=True)
    if task.fix:
        out.print(f"  fix: {task.fix}", soft_wrap=True)


def _show_skipped(out: Any, made: Build) -> None:
    from whence.cli import words

    by_reason: dict[str, list[str]] = {}
    for task in made.tasks:
        if task.status == "skipped":
            by_reason.setdefault(task.reason, []).append(task.label)
    for reason, labels in by_reason.items():
        out.print(f"- {words.listed(labels)}: skipped, {reason}", style="warn", soft_wrap=True)


def _show_summary(out: Any, made: Build, seconds: float) -> None:
    from whence.cli import words

    counts = made.counts
    if made.status == "current":
        out.print(f"Nothing to do: all {counts['hit']} tasks are as build {made.id} left them.")
        return
    parts = [f"{counts['ran']:,} ran", f"{counts['hit']:,} from the store"]
    parts += [f"{counts[k]:,} {k}" for k in ("failed", "skipped") if counts[k]]
    mark, style = ("✓", "ok") if made.ok else ("✗", "bad")
    out.print(f"{mark} {made.id}: {', '.join(parts)} in {words.duration(seconds)}", style=style)
    slowest = sorted((t for t in made.tasks if t.status == "ran"), key=lambda t: -t.duration_s)
    if slowest and slowest[0].duration_s > 1:
        named = ", ".join(f"{t.label} {words.duration(t.duration_s)}" for t in slowest[:3])
        out.print(f"  longest: {named}", style="quiet")
    if not made.ok:
        failed = next(t for t in made.tasks if t.status != "hit" and t.status != "ran")
        out.print(f"  next: whence log {made.id} {failed.node}", style="quiet")
