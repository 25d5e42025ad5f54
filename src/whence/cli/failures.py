"""What the command line prints, and exits with, when a command fails."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import click

from whence.errors import WhenceError

FAILED = 1  # a node failed, a check found something
USAGE = 2  # the command, the project or its data is wrong
STORE = 3  # the store or the catalog cannot be used
OUR_BUG = 70  # an exception that nobody meant to raise
INTERRUPTED = 130
PIPE_CLOSED = 141  # what a shell reports for a program that SIGPIPE ended


class UsageFault(WhenceError):
    """The command line was written wrongly."""


@dataclass(frozen=True, slots=True)
class Reporter:
    """Prints failures in the way that the command line asked for."""

    as_json: bool
    debug: bool

    @staticmethod
    def of(args: Sequence[str]) -> Reporter:
        # Read from the raw arguments: a usage error comes before any option is parsed.
        words = list(args)
        if "--" in words:
            words = words[: words.index("--")]
        debug = "--debug" in words or os.environ.get("WHENCE_DEBUG", "") not in ("", "0")
        return Reporter("--json" in words, debug)

    def failed(self, error: Exception) -> int:
        """Report `error`; returns the exit code for it."""
        if isinstance(error, WhenceError):
            if self.debug:
                self._traceback(error)
            self._say(type(error).__name__, error.cause, error.fix)
            return error.exit_code
        if isinstance(error, click.UsageError):
            command = error.ctx.command_path if error.ctx is not None else "whence"
            message = error.format_message()
            self._say("UsageError", message, f"`{command} --help` shows how it is used.")
            return USAGE
        if isinstance(error, click.ClickException):
            self._say(type(error).__name__, error.format_message(), "correct it and run again.")
            return USAGE
        if isinstance(error, OSError) and error.filename is not None:
            cause = f"{error.filename}: {error.strerror}."
            if self.debug:
                self._traceback(error)
            self._say(type(error).__name__, cause, "check the path, its owner and its rights.")
            return USAGE
        self._traceback(error)
        cause = f"whence met a fault of its own: {type(error).__name__}: {error}"
        self._say("InternalError", cause, "please report it with the traceback above.")
        return OUR_BUG

    def interrupted(self) -> int:
        """Ctrl-C: one line, and the code that shells expect."""
        if self.as_json:
            self._say("Interrupted", "Interrupted.", "run the command again to go on.")
        else:
            sys.stderr.write("\ninterrupted: what was finished is kept; run it again to go on.\n")
        return INTERRUPTED

    def pipe_closed(self) -> int:
        """Whoever read our output has left: say nothing, not even at interpreter shutdown."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        return PIPE_CLOSED

    def _say(self, kind: str, cause: str, fix: str) -> None:
        if self.as_json:
            document = {"error": {"kind": kind, "cause": cause, "fix": fix}}
            sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
            return
        # click.style on a terminal only: a log file gets the plain words.
        colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
        error = click.style("error:", fg="red", bold=True) if colour else "error:"
        cure = click.style("fix:", fg="green", bold=True) if colour else "fix:"
        sys.stderr.write(f"{error} {cause}\n  {cure} {fix}\n")

    @staticmethod
    def _traceback(error: Exception) -> None:
        import traceback

        traceback.print_exception(error, file=sys.stderr)
