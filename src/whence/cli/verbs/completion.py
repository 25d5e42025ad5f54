"""`whence completion SHELL`: the script that makes a shell complete verbs, nodes and options."""

from __future__ import annotations

import click

from whence.cli import options

_HINTS = {
    "bash": 'eval "$(whence completion bash)"   # in ~/.bashrc',
    "zsh": 'eval "$(whence completion zsh)"    # in ~/.zshrc',
    "fish": "whence completion fish > ~/.config/fish/completions/whence.fish",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(_HINTS)))
@options.common
def command(shell: str, project: str, as_json: bool) -> int:
    """Print the completion script of SHELL.

    \b
    bash:  eval "$(whence completion bash)"   in ~/.bashrc
    zsh:   eval "$(whence completion zsh)"    in ~/.zshrc
    fish:  whence completion fish > ~/.config/fish/completions/whence.fish
    """
    from click.shell_completion import get_completion_class

    from whence.cli.output import write_json

    chosen = get_completion_class(shell)
    assert chosen is not None  # the choice above admits only shells that click knows
    application = click.get_current_context().find_root().command
    script = chosen(application, {}, "whence", "_WHENCE_COMPLETE").source()
    if as_json:
        write_json({"shell": shell, "script": script, "install": _HINTS[shell]})
    else:
        click.echo(script)
    return 0
