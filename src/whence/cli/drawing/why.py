"""The answer of `whence why` in its forms; each is made only when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from whence.cli.drawing.why_reading import Json


def view(document: Json) -> RenderableType:
    """The answer on a terminal.

    Parameters
    ----------
    document : mapping
        What `whence why --json` prints: `{"why": …}`.
    """
    from whence.cli.drawing.why_terminal import view

    return view(document)


def markdown(document: Json) -> str:
    """The answer as a comment on a pull request; `document` as in `view`."""
    from whence.cli.drawing.why_markdown import markdown

    return markdown(document)


def html(document: Json) -> str:
    """The answer as one self-contained page; `document` as in `view`."""
    from whence.cli.drawing.why_page import html

    return html(document)
