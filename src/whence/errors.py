"""Errors that whence raises on purpose: what is wrong, with the values seen, then the fix."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class WhenceError(Exception):
    """An error whence raises on purpose: what is wrong, then how to put it right.

    Parameters
    ----------
    cause : str
        What is wrong, where, with the values seen.
    fix : str
        What the user can do about it.
    """

    #: Exit code of the command line for this kind of error (see `docs/cli.md`).
    exit_code = 2

    def __init__(self, cause: str, fix: str) -> None:
        super().__init__(cause, fix)  # args == parameters: survives pickling to a worker
        self.cause, self.fix = cause, fix

    def __str__(self) -> str:
        return f"{self.cause}\n  Fix: {self.fix}"


def did_you_mean(wanted: str, known: Iterable[str]) -> str | None:
    """The closest of `known` to `wanted`, or None where nothing is near."""
    from difflib import get_close_matches

    near = get_close_matches(wanted, list(known), n=1)
    return near[0] if near else None


class ConfigError(WhenceError):
    """`[tool.whence]` in pyproject.toml, or an option of a command, is wrong."""


class GraphError(WhenceError):
    """The nodes do not make a graph: unknown input, cycle, duplicate name, missing value."""


class ImportFault(WhenceError):
    """A module of the project cannot be parsed or imported."""


class SourceError(WhenceError):
    """A declared source is missing, unreadable or empty."""


class ValueFault(WhenceError):
    """A node returned something that cannot be stored, or an input cannot be converted."""


class StoreError(WhenceError):
    """The store or the catalog cannot be used."""

    exit_code = 3


class StoreTooNew(StoreError):
    """The store was written by a newer whence."""


class StoreFull(StoreError):
    """No space is left where the store lives."""


class StoreUnwritable(StoreError):
    """The store's directory cannot be written."""


class CorruptBlob(StoreError):
    """A stored artifact's bytes do not match their digest."""


class CorruptCatalog(StoreError):
    """The catalog database is damaged."""


class UnknownId(WhenceError):
    """No build, artifact or prediction has the given id."""
