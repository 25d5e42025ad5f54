"""Options that verbs share, and the parsing of `--set name=value`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from whence.cli.failures import UsageFault

F = TypeVar("F", bound=Callable[..., Any])


def common(function: F) -> F:
    """Add `--json`, `--project` and `--debug`, which every verb has."""
    for option in (
        click.option(
            "--debug", is_flag=True, expose_value=False, help="Show tracebacks of errors."
        ),
        click.option(
            "--project",
            type=click.Path(file_okay=False),
            default=".",
            metavar="PATH",
            help="A folder of the project; by default the current one.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document, no more."),
    ):
        function = option(function)
    return function


def build_name(text: str) -> str:
    """A build as the engine names it: "b12", from "b12" or "12"; latest, last, accepted.

    Raises
    ------
    UsageFault
        If the text is none of these.
    """
    word = text.strip()
    if word in ("latest", "last", "accepted"):
        return word
    digits = word.removeprefix("b")
    if not digits.isascii() or not digits.isdigit():
        raise UsageFault(
            f"'{text}' is not a build.",
            "write its number, such as b12, or latest, last, accepted; `whence runs` lists them.",
        )
    return f"b{int(digits)}"


def complete_nodes(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Names of nodes for the shell: of the latest build, so that nothing needs to be imported."""
    from whence.engine.project import Project
    from whence.errors import WhenceError

    try:
        with Project.open(ctx.params.get("project") or ".") as project:
            nodes = {task.node for task in project.get_build("last").tasks}
    except WhenceError:
        return []  # no project or no build yet: there is nothing to complete with
    return sorted(name for name in nodes if name.startswith(incomplete))


def parse_settings(texts: Iterable[str]) -> dict[str, Any]:
    """Params from `name=value` texts: a value that reads as JSON is JSON, the rest is text.

    Raises
    ------
    UsageFault
        If a text has no "=" or no name.

    Examples
    --------
    >>> parse_settings(["rate=0.05", "model.depth=3", "kind=tree"])
    {'rate': 0.05, 'model.depth': 3, 'kind': 'tree'}
    """
    settings: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise UsageFault(
                f"--set {text} has no {'name' if sign else 'value'}.",
                "write --set name=value, as in --set delay_model.learning_rate=0.05.",
            )
        try:
            settings[name.strip()] = json.loads(value)
        except json.JSONDecodeError:
            settings[name.strip()] = value
    return settings
