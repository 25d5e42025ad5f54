"""A world: everything that a build is a function of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from whence.graph.digest import Digest


@dataclass(frozen=True, slots=True)
class World:
    """Code, data, params, environment and seed, each pinned.

    Attributes
    ----------
    tree : Digest
        Of the snapshot of the project's own source files.
    data : mapping
        Source -> partition -> content digest of what was read.
    params : mapping
        Values that were set, "node.param" or bare name -> JSON; defaults are in the code.
    environment : mapping
        All installed distributions -> version.
    interpreter : mapping
        "python" and "platform".
    seed : int or None
        The world's seed where one was set.
    graph : Digest
        Of the text that lists the nodes as discovery found them.
    files : mapping
        Source -> unit -> the files that it was read from.
    imports : mapping
        Module -> what it was seen to read while it was imported.
    """

    tree: Digest
    data: Mapping[str, Mapping[str, str]]
    params: Mapping[str, Any]
    environment: Mapping[str, str]
    interpreter: Mapping[str, str]
    seed: int | None
    graph: Digest
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    imports: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "tree": self.tree,
            "data": {name: dict(parts) for name, parts in self.data.items()},
            "params": dict(self.params),
            "environment": dict(self.environment),
            "interpreter": dict(self.interpreter),
            "seed": self.seed,
            "graph": self.graph,
            "files": {name: dict(units) for name, units in self.files.items()},
            "imports": dict(self.imports),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> World:
        return World(**data)
