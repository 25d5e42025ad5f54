"""Where a verb's result goes: one JSON document, or a picture for people on the terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

#: Columns where the output is no terminal: a table in a log file is cut at no narrow window.
PLAIN_WIDTH = 120

STYLES = {
    "ok": "green",
    "bad": "bold red",
    "warn": "yellow",
    "quiet": "dim",
    "name": "bold",
    "kind": "cyan",
    "digest": "magenta",
}


def deliver(
    document: Mapping[str, Any], as_json: bool, view: Callable[[Mapping[str, Any]], RenderableType]
) -> None:
    """Print `document` as JSON, or as `view` draws it: both show the same facts."""
    if as_json:
        write_json(document)
    else:
        console().print(view(document))


def write_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document on standard output."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=_plain) + "\n")


def console(file: IO[str] | None = None) -> Console:
    """A console in whence's colours on `file`, standard output by default."""
    from rich.console import Console
    from rich.theme import Theme

    class Ours(Console):
        def on_broken_pipe(self) -> None:  # rich would end the process with 1
            raise BrokenPipeError

    out = file if file is not None else sys.stdout
    width = None if out.isatty() or "COLUMNS" in os.environ else PLAIN_WIDTH
    return Ours(
        file=out, theme=Theme(STYLES), highlight=False, markup=False, emoji=False, width=width
    )


def _plain(value: object) -> object:
    """JSON for what the engine's values hold beyond JSON: paths, dates, sets."""
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    return str(value)
