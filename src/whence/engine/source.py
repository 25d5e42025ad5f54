"""The protocol between the engine and the readers of declared sources.

A reader is asked twice. `probe` says, cheaply and without heavy imports, what is there now: one
digest per unit (a file, a folder, a whole source). `read` turns a unit into values and runs in a
worker, only for units whose digest is new. A source's key is made of the unit's digest, the
reader's version and options, and the versions of the libraries that read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol


class Unit(NamedTuple):
    """A part of a source that is read as a whole."""

    digest: str  # of its content now
    files: tuple[str, ...] = ()  # project-relative or absolute, for lineage
    size_bytes: int = 0


class Probe(NamedTuple):
    """What a source holds now, by partition key ("" where it has no partitions), in order.

    `watch` lists files and directories whose stat must stay as it is for the source to be
    unchanged. Where `splits` is true each unit's read returns a mapping of partition to value.
    """

    units: Mapping[str, Unit]
    watch: tuple[str, ...] = ()
    splits: bool = False


class Context(NamedTuple):
    """What readers may use: the project's root and digests of files through the stat cache."""

    root: Path
    digest_file: Callable[[Path], str]
    key: tuple[str, ...] = ()


class Reader(Protocol):
    """What a source's `reader` ("module:class") must offer. Its options arrive as JSON."""

    version: str
    libraries: tuple[str, ...]  # modules that decide what is read; their versions count

    def __init__(self, options: Mapping[str, Any]) -> None: ...

    def probe(self, context: Context) -> Probe:
        """What is there now. Raises SourceError where nothing is, or it cannot be read."""
        ...

    def read(self, unit: str, context: Context) -> Any:
        """The value of one unit, or partition -> value where the probe `splits`."""
        ...
