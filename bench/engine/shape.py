"""The synthetic graph that every engine builds: layers of tiny nodes, each with two upstreams.

Node i of a layer takes nodes i and i + 1 of the layer above it (the first layer takes nothing, or
declared files), so a change at the top reaches every later layer. Values are small dicts.
"""

from dataclasses import dataclass

FILE_DOC = '"""Nodes of one layer."""\n'


@dataclass(frozen=True)
class Node:
    """One node: its name, the module that holds it, and its upstream nodes and files."""

    name: str
    module: str
    inputs: tuple[str, ...]
    files: tuple[str, ...] = ()
    param: str | None = None
    index: int = 0


@dataclass(frozen=True)
class Shape:
    """`n_nodes` nodes in `n_modules` layers, over `n_files` declared files and `n_params` params."""

    n_nodes: int
    n_modules: int = 20
    n_files: int = 0
    n_params: int = 0

    @property
    def width(self) -> int:
        return self.n_nodes // self.n_modules

    @property
    def nodes(self) -> list[Node]:
        found = []
        for index in range(self.width * self.n_modules):
            layer, at = divmod(index, self.width)
            above = (layer - 1) * self.width
            inputs: tuple[str, ...] = ()
            files: tuple[str, ...] = ()
            if layer:
                inputs = (f"n_{above + at}", f"n_{above + (at + 1) % self.width}")
            else:
                files = tuple(f"s_{f}" for f in range(at, self.n_files, self.width))
            param = (
                f"p_{index % self.n_params}" if self.n_params and index < self.n_params else None
            )
            found.append(Node(f"n_{index}", f"layer_{layer:02}", inputs, files, param, index))
        return found

    @property
    def modules(self) -> dict[str, list[Node]]:
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            found.setdefault(node.module, []).append(node)
        return found

    @property
    def last(self) -> list[str]:
        return [node.name for node in self.nodes[-self.width :]]


def body(node: Node, inputs: list[str]) -> str:
    """The one expression that a node returns, over the values named `inputs`."""
    terms = [f'{name}["value"]' for name in inputs] + ([node.param] if node.param else [])
    total = " + ".join([*terms, str(node.index % 7)])
    return f'{{"name": "{node.name}", "value": ({total}) % 97}}'
