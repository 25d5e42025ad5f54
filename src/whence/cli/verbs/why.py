"""`whence why`: which change moved a metric."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from whence.cli import options
from whence.cli.failures import UsageFault

if TYPE_CHECKING:
    from whence.engine.project import Project


@click.command("why")
@click.argument("metric", shell_complete=options.complete_nodes)
@click.argument("before", required=False)
@click.argument("after", required=False)
@click.option(
    "--budget",
    type=click.FloatRange(min=0),
    default=20.0,
    show_default=True,
    help="Rebuilds of the metric that may be spent.",
)
@click.option(
    "--seeds",
    type=click.IntRange(2, 64),
    help="Exactly so many replicates; by default as many as the noise demands.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=0.0,
    help="A difference up to this is of no interest.",
)
@click.option("--no-refine", is_flag=True, help="Do not look inside guilty changes.")
@click.option(
    "--apply",
    "without",
    multiple=True,
    metavar="CHANGE",
    help="Build AFTER without this change instead, as a build of its own.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", "markdown"]),
    default="terminal",
    help="Markdown is for a comment on a pull request.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write the whole answer as one page, too.",
)
@click.option(
    "--since",
    metavar="MOMENT",
    help="Nothing changed but the world: compare logged rows before and since then.",
)
@click.option("--until", metavar="MOMENT", help="With --since: leave out rows from then on.")
@click.option("--table", metavar="NODE", help="With --since: the table of logged rows.")
@click.option("--time", metavar="COLUMN", help="With --since: the column with their time.")
@click.option("--label", metavar="COLUMN", help="With --since: the column with the truth.")
@click.option(
    "--replayed",
    metavar="NODE",
    help="With --since: the same rows with features made again from raw inputs.",
)
@click.option("--jobs", "-j", type=click.IntRange(1), help="Mixes that are made at once.")
@click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
@options.common
def command(
    metric: str,
    before: str | None,
    after: str | None,
    budget: float,
    seeds: int | None,
    tolerance: float,
    no_refine: bool,
    without: tuple[str, ...],
    form: str,
    html: str | None,
    since: str | None,
    until: str | None,
    table: str | None,
    time: str | None,
    label: str | None,
    replayed: str | None,
    jobs: int | None,
    quiet: bool,
    project: str,
    as_json: bool,
) -> int:
    """Say which changes moved METRIC between the builds BEFORE and AFTER.

    Both are builds (b3, latest, accepted), or commits written as OLD..NEW. Without them: the
    accepted build against the working tree. With --since: what happened to a live metric.
    """
    from whence.cli.drawing import why as drawing
    from whence.cli.output import console, deliver, write_json
    from whence.engine.project import Project
    from whence.why import build_without, explain

    def say(line: str) -> None:
        if not quiet and not as_json:
            sys.stderr.write(f"  {line}\n")

    if since is not None and (html or without or form != "terminal" or before or no_refine):
        raise UsageFault(
            "--since compares windows of one table: it takes no builds, and no --html, --apply, "
            "--format or --no-refine.",
            "leave these out; --json gives everything that was found.",
        )
    if since is not None:
        return _live(
            project, metric, as_json, since=since, until=until, table=table, time=time,
            label=label, replayed=replayed, jobs=jobs,
        )  # fmt: skip
    with Project.open(project) as opened:
        sides = _sides(opened, metric, before, after, jobs)
        if without:
            made = build_without(opened, metric, *sides, without, jobs=jobs)
            if as_json:
                write_json({"build": made.to_json()})
            else:
                left = ", ".join(without)
                value = f"{metric} = {made[metric]}" if made.ok else "failed"
                console().print(f"{made.id}: {sides[1]} without {left}: {value}")
                if not made.ok:
                    console().print(f"`whence log {made.id}` shows why.")
            return 0 if made.ok else 1
        answer = explain(
            opened,
            metric,
            *sides,
            budget=budget,
            seeds=seeds,
            tolerance=tolerance,
            refine=not no_refine,
            jobs=jobs,
            progress=say,
        )
    document = {"why": answer.to_json()}
    if html:
        Path(html).write_text(drawing.html(document), encoding="utf-8")
    if form == "markdown" and not as_json:
        sys.stdout.write(drawing.markdown(document) + "\n")
    else:
        deliver(document, as_json, drawing.view)
    return 0


def _live(project: str, metric: str, as_json: bool, **options: Any) -> int:
    """Diagnose a metric that moved while nothing changed but the world."""
    from whence.cli.drawing.why_live import view
    from whence.cli.output import deliver
    from whence.engine.project import Project
    from whence.why.live import explain_live

    with Project.open(project) as opened:
        found = explain_live(opened, metric, **options)
    deliver({"live": found.to_json()}, as_json, view)
    return 0


def _sides(
    project: Project, metric: str, before: str | None, after: str | None, jobs: int | None
) -> tuple[str, str]:
    """The two builds that are meant; made where they are commits or the working tree."""
    from whence.why import build_commit

    if before is not None and ".." in before and after is None:
        old, _, new = before.partition("..")
        new = new.lstrip(".")
        commits = (old or "HEAD", new or "HEAD")
        first, second = (build_commit(project, commit, metric, jobs) for commit in commits)
        return first, second
    if before is None:
        first = project.row("accepted").id
    else:
        first = project.row(options.build_name(before)).id
    if after is not None:
        return first, project.row(options.build_name(after)).id
    return first, project.build(metric, jobs=jobs, argv=("why", metric)).id
