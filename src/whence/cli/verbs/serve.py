"""`whence serve`: one service of the accepted build, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from whence.cli import options

if TYPE_CHECKING:
    from whence.serve.runtime import Runtime


@click.command("serve")
@click.argument("service", shell_complete=options.complete_nodes)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, help="Port; 0 takes a free one.")
@options.common
def command(service: str, host: str, port: int, project: str, as_json: bool) -> int:
    """Serve SERVICE of the accepted build until interrupted."""
    from whence.cli.output import console, write_json
    from whence.engine.project import Project
    from whence.serve.app import serve

    def announce(address: str, runtime: Runtime) -> None:
        if as_json:
            write_json({"service": service, "release": runtime.release, "address": address})
        else:
            out = console()
            out.print(f"Serving {service} of {runtime.release} at {address}", style="ok")
            out.print(f"  POST {address}/v1/{service}/predict   ask", style="quiet")
            out.print(f"  GET  {address}/v1/{service}           what a request is", style="quiet")
            out.print("  Ctrl-C stops it.", style="quiet")

    with Project.open(project) as opened:
        serve(opened, service, host=host, port=port, announce=announce)
    return 0
