"""The answer of `whence why` as people see it: on a terminal, in a comment, as a page."""

from __future__ import annotations

import io

import pytest
from tests.cli.support import check_golden, validate
from tests.cli.why_samples import SAMPLES, document

from whence.cli.drawing import why
from whence.cli.output import console


def on_terminal(name: str, width: int) -> str:
    """What a terminal of `width` columns shows, without the padding at the ends of lines."""
    out = io.StringIO()
    shown = console(out)
    shown.width = width
    shown.print(why.view(document(name)))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


@pytest.mark.parametrize("name", SAMPLES)
def test_the_document_is_what_the_schema_says(name: str) -> None:
    validate("why", document(name))


@pytest.mark.parametrize("name", SAMPLES)
def test_terminal(name: str) -> None:
    check_golden(f"why_{name}", on_terminal(name, 80))


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", SAMPLES)
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    assert max(map(len, on_terminal(name, width).splitlines())) <= width
