"""The command `whence`: finds the verb, runs it, and turns errors into text and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from whence.cli import failures

if TYPE_CHECKING:
    from click.formatting import HelpFormatter

#: Verb -> one line of help. `whence --help` reads this table and imports no verb.
VERBS = {
    "init": "Make a small project that runs.",
    "build": "Bring targets up to date; only what changed runs.",
    "status": "Say what is stale, and why.",
    "show": "Show a node's value, schema, picture and recipe.",
    "graph": "Draw the graph: tree, Mermaid, SVG or DOT.",
    "runs": "List the builds.",
    "diff": "Compare two builds: what changed, and what came of it.",
    "why": "Say which change moved a metric.",
    "trace": "Trace a value or a prediction to data, code and packages.",
    "log": "Show a build's nodes: log, duration, peak memory.",
    "rebuild": "Build a past build again from its snapshot.",
    "accept": "Mark a build as the accepted baseline.",
    "serve": "Serve a service of an accepted build over HTTP.",
    "check": "Check the store, and that nodes are deterministic.",
    "gc": "Free what no kept build, release or prediction needs.",
    "completion": "Print the shell's completion script.",
}


class Verbs(click.Group):
    """The group of verbs; each is imported when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command = import_module(f"whence.cli.verbs.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from whence.errors import did_you_mean

            near = did_you_mean(args[0], VERBS)
            hint = f"did you mean 'whence {near}'?" if near else "`whence --help` lists the verbs."
            raise failures.UsageFault(f"There is no verb '{args[0]}'.", hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        found = [CompletionItem(n, help=h) for n, h in VERBS.items() if n.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import PackageNotFoundError, version

        try:
            click.echo(f"whence {version('whence')}")
        except PackageNotFoundError:  # run from a source tree that was never installed
            click.echo("whence (not installed)")
        ctx.exit()


@click.group(
    "whence",
    cls=Verbs,
    no_args_is_help=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every verb takes --json, --project PATH and --help.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
@click.pass_context
def application(ctx: click.Context) -> None:
    """Build a graph of plain Python functions; trace whatever comes out to its source."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(args: Sequence[str]) -> int:
    """Run the command line with `args`; returns the exit code."""
    if instruction := os.environ.get("_WHENCE_COMPLETE"):
        from click.shell_completion import shell_complete

        return shell_complete(application, {}, "whence", "_WHENCE_COMPLETE", instruction)
    reporter = failures.Reporter.of(args)
    try:
        with application.make_context("whence", list(args)) as ctx:
            code = application.invoke(ctx)
        sys.stdout.flush()
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except (KeyboardInterrupt, click.Abort):
        return reporter.interrupted()
    except BrokenPipeError:
        return reporter.pipe_closed()
    except Exception as error:  # noqa: BLE001 - the outermost frame: everything ends here
        return reporter.failed(error)
    return code if isinstance(code, int) else 0
