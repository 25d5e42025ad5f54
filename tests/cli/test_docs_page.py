"""`docs/cli.md` and `docs/json.md` say what the verbs take and print: no more, no less."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click
import pytest
from tests.cli.support import SCHEMAS

from whence.cli.app import VERBS, application

PAGE = (Path(__file__).parent.parent.parent / "docs" / "cli.md").read_text(encoding="utf-8")
COMMON = {"--json", "--project", "--debug", "-h", "--help"}


def section(title: str) -> str:
    """The text under a heading of the page, up to the next one."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/cli.md has no section '{title}'"
    return found[1]


def options_in(text: str) -> set[str]:
    """Options in the first cells of a section's tables."""
    cells = re.findall(r"^\| (`-.*?) \|", text, re.MULTILINE)
    return {word for cell in cells for word in re.findall(r"(?<![\w-])--?[a-z][\w-]*", cell)}


def options_of(verb: str) -> set[str]:
    command = application.get_command(click.Context(application), verb)
    assert command is not None
    found = {o for p in command.params if isinstance(p, click.Option) for o in p.opts}
    assert {"--json", "--project", "--debug"} <= found
    return found - COMMON


@pytest.mark.parametrize("verb", VERBS)
def test_the_options_of_a_verb_are_in_the_page(verb: str) -> None:
    assert options_in(section(f"`whence {verb}`")) == options_of(verb)


def test_the_options_of_every_verb_are_in_the_page() -> None:
    assert options_in(section("Options of every verb")) == COMMON


def test_exit_codes_are_in_the_page() -> None:
    from whence.cli import failures

    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", section("Exit codes"), re.MULTILINE)}
    ours = {v for k, v in vars(failures).items() if k.isupper() and isinstance(v, int)}
    assert codes == {0, *ours}


def test_every_verb_has_a_schema() -> None:
    from jsonschema import Draft202012Validator

    assert {p.name.partition(".")[0] for p in SCHEMAS.glob("*.json")} == {
        *VERBS,
        "error",
        "why-live",
    }
    text = (SCHEMAS.parent / "json.md").read_text(encoding="utf-8")
    for path in SCHEMAS.glob("*.json"):
        Draft202012Validator.check_schema(json.loads(path.read_text()))
        assert f"(schemas/{path.name})" in text
