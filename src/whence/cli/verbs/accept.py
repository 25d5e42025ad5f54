"""`whence accept`: mark a build as the baseline that services serve."""

from __future__ import annotations

import click

from whence.cli import options


@click.command("accept")
@click.argument("build", default="latest")
@click.option("--note", default="", help="Why, for the record.")
@options.common
def command(build: str, note: str, project: str, as_json: bool) -> int:
    """Mark BUILD (the latest by default) as the accepted baseline; services serve it."""
    from whence.cli.output import console, write_json
    from whence.engine.project import Project

    with Project.open(project) as opened:
        accepted = opened.accept(options.build_name(build), note)
    if as_json:
        write_json({"accepted": accepted, "note": note})
    else:
        console().print(f"✓ {accepted} is the accepted build; services serve it from now on.")
    return 0
