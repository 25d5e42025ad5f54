"""The command line: thin, one file a verb.

Main path: `main` here -> `app.py` (which verb, and what happens to errors) -> `verbs/NAME.py` (its
options, what `--json` prints, and the same document for people). Beside it: `options.py`,
`words.py`, `output.py` and `progress.py` (what verbs share), `drawing/` (graphs as pictures).

`whence build` with nothing to do ends in this file: it asks the engine's no-op check before
anything of the command line is imported.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: "Sequence[str] | None" = None) -> int:
    """Run the command line and return its exit code (see `docs/cli.md`).

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments after the program's name; by default those of the process.
    """
    if argv is None:
        import sys

        argv = sys.argv[1:]
    args = list(argv)
    if args[:1] == ["build"]:
        from whence.engine.noop import try_noop

        code = try_noop(args[1:])
        if code is not None:
            return _flushed(code)
    from whence.cli.app import run

    return run(args)


def _flushed(code: int) -> int:
    """`code`, or what a shell expects where the reader of our output has left."""
    import os
    import sys

    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code


__all__ = ["main"]
