"""Binding: which node or value each parameter of each node stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from whence.errors import ConfigError, GraphError, did_you_mean
from whence.graph.nodes import RESERVED, NodeSpec, Window


class Input(NamedTuple):
    """A parameter bound to an upstream node."""

    parameter: str
    node: str
    form: str | None
    window: Window | None


class Node(NamedTuple):
    """A node with each parameter bound."""

    spec: NodeSpec
    inputs: tuple[Input, ...]
    params: Mapping[str, Any]  # values by parameter name
    takes_seed: bool
    takes_partition: bool

    @property
    def name(self) -> str:
        return self.spec.name


@dataclass(frozen=True, slots=True)
class Graph:
    """All nodes of a project, bound; `order` lists them so that inputs come first."""

    nodes: Mapping[str, Node]
    order: tuple[str, ...]
    downstream: Mapping[str, tuple[str, ...]]

    def select(self, targets: Iterable[str]) -> tuple[str, ...]:
        """The targets and everything they need, in order; all nodes where no target is given.

        Of a service, what it uses: it has no value of its own.

        Raises
        ------
        GraphError
            If a target is not a node.
        """
        wanted = list(targets)
        if not wanted:
            return tuple(n for n in self.order if self.nodes[n].spec.kind != "service")
        needed: set[str] = set()
        while wanted:
            name = wanted.pop()
            if name in needed:
                continue
            if name not in self.nodes:
                near = did_you_mean(name, self.nodes)
                fix = f"did you mean '{near}'?" if near else "`whence graph` lists the nodes."
                raise GraphError(f"No node is called '{name}'.", fix)
            needed.add(name)
            wanted.extend(edge.node for edge in self.nodes[name].inputs)
        return tuple(
            name
            for name in self.order
            if name in needed and self.nodes[name].spec.kind != "service"
        )

    def after(self, names: Iterable[str]) -> frozenset[str]:
        """Everything downstream of `names`, themselves excluded."""
        seen: set[str] = set()
        todo = list(names)
        while todo:
            for name in self.downstream.get(todo.pop(), ()):
                if name not in seen:
                    seen.add(name)
                    todo.append(name)
        return frozenset(seen)


def bind(specs: Iterable[NodeSpec], settings: Mapping[str, Any], seed: int | None = None) -> Graph:
    """Bind every parameter of every node.

    Parameters
    ----------
    specs : iterable of NodeSpec
    settings : mapping
        Values of params: "node.param" or a bare name -> JSON value.
    seed : int, optional
        The world's seed, given to parameters called `seed` that are not set on their own.

    Raises
    ------
    GraphError
        Duplicate name, unknown input, parameter without value, cycle.
    ConfigError
        A setting that no node takes, or a bare name that several nodes have.
    """
    by_name: dict[str, NodeSpec] = {}
    for spec in specs:
        if spec.name in RESERVED:
            raise GraphError(
                f"A node is called '{spec.name}' ({spec.where}), which stands for "
                f"{RESERVED[spec.name]}.",
                "rename the function.",
            )
        if other := by_name.get(spec.name):
            raise GraphError(
                f"Two nodes are called '{spec.name}': {other.where} (line {other.line}) and "
                f"{spec.where} (line {spec.line}).",
                "rename one, or give it a name of its own: @wh.node(name=…).",
            )
        by_name[spec.name] = spec
    values = _Settings(settings, by_name)
    nodes = {
        name: _bind_node(spec, by_name, values, seed)
        for name, spec in by_name.items()
        if spec.kind != "param"
    }
    values.check_all_used()
    downstream: dict[str, list[str]] = {}
    for node in nodes.values():
        for edge in node.inputs:
            downstream.setdefault(edge.node, []).append(node.name)
    order = _order(nodes, downstream)
    return Graph(nodes, order, {name: tuple(names) for name, names in downstream.items()})


class _Settings:
    """Values given to params, checked for names that nothing takes."""

    def __init__(self, settings: Mapping[str, Any], specs: Mapping[str, NodeSpec]) -> None:
        self.given = dict(settings)
        self.used: set[str] = set()
        self.owners: dict[str, list[str]] = {}  # param name -> nodes that have it as their own
        for spec in specs.values():
            if spec.kind == "param":
                continue
            for parameter in spec.parameters:
                name = parameter.name
                if parameter.window is None and name not in specs and name != "partition":
                    self.owners.setdefault(name, []).append(spec.name)
        self.shared = {name for name, spec in specs.items() if spec.kind == "param"}

    def of_node(self, node: str, param: str) -> tuple[bool, Any]:
        full = f"{node}.{param}"
        if full in self.given:
            self.used.add(full)
            return True, self.given[full]
        if param in self.given and param not in self.shared and param != "seed":
            owners = self.owners.get(param, [])
            if len(owners) > 1:
                raise ConfigError(
                    f"Param '{param}' is set, but {len(owners)} nodes have one of that name.",
                    "say which: " + ", ".join(f"{owner}.{param}" for owner in sorted(owners)) + ".",
                )
            self.used.add(param)
            return True, self.given[param]
        return False, None

    def of_project(self, name: str, default: Any) -> Any:
        if name in self.given:
            self.used.add(name)
            return self.given[name]
        return default

    def check_all_used(self) -> None:
        for name in self.given:
            if name in self.used or name in self.shared:
                continue
            known = sorted(self.shared) + [
                f"{node}.{param}" for param, owners in self.owners.items() for node in owners
            ]
            near = did_you_mean(name, [*known, *self.owners])
            fix = f"did you mean '{near}'?" if near else f"known params: {', '.join(known)}."
            raise ConfigError(f"No node takes a param '{name}'.", fix)


def _bind_node(
    spec: NodeSpec, specs: Mapping[str, NodeSpec], values: _Settings, seed: int | None
) -> Node:
    inputs: list[Input] = []
    params: dict[str, Any] = {}
    takes_seed = takes_partition = False
    for parameter in spec.parameters:
        name = parameter.name
        if name == "partition":
            takes_partition = True
            if not spec.partitioned:
                raise GraphError(
                    f"Node '{spec.name}' takes `partition` but is not partitioned.",
                    "declare it with partitioned=True, or rename the parameter.",
                )
        elif name == "seed":
            takes_seed = True
            given, value = values.of_node(spec.name, "seed")
            if given:
                params[name] = value
            elif seed is not None or not parameter.has_default:
                params[name] = seed or 0
            else:
                params[name] = parameter.default
        elif name == "request" and spec.kind == "service":
            continue
        elif name in specs and specs[name].kind == "param":
            params[name] = values.of_project(name, specs[name].options.get("default"))
        elif name in specs:
            if parameter.has_default and parameter.window is None:
                raise GraphError(
                    f"Parameter '{name}' of node '{spec.name}' has a default value, so it is a "
                    f"param, but '{name}' is also a node ({specs[name].where}).",
                    "drop the default to take the node as input, or rename one of the two.",
                )
            if specs[name].kind == "service":
                raise GraphError(
                    f"Node '{spec.name}' takes service '{name}' as input; a service has no value.",
                    "take the nodes that the service uses instead.",
                )
            inputs.append(Input(name, name, parameter.form, parameter.window))
        elif parameter.has_default:
            given, value = values.of_node(spec.name, name)
            params[name] = value if given else parameter.default
        elif parameter.window is not None:
            raise _unknown_input(spec, name, specs)
        else:
            given, value = values.of_node(spec.name, name)
            if not given:
                raise _unknown_input(spec, name, specs)
            params[name] = value
    return Node(spec, tuple(inputs), params, takes_seed, takes_partition)


def _unknown_input(spec: NodeSpec, wanted: str, specs: Mapping[str, NodeSpec]) -> GraphError:
    cause = (
        f"Node '{spec.name}' ({spec.where}, line {spec.line}) asks for '{wanted}', but no node or "
        "source has that name and it has no value as a param."
    )
    near = did_you_mean(wanted, [name for name in specs if name != spec.name])
    if near:
        return GraphError(cause, f"rename the parameter to '{near}', or give it a default value.")
    known = ", ".join(sorted(specs)[:12])
    return GraphError(
        cause,
        f"add a node '{wanted}', give it a default or a value in [tool.whence.params], or use one "
        f"of: {known}.",
    )


def _order(nodes: Mapping[str, Node], downstream: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Kahn's order, stable by name; raises with the path where there is a cycle."""
    waiting = {name: len({edge.node for edge in node.inputs}) for name, node in nodes.items()}
    ready = sorted((name for name, count in waiting.items() if count == 0), reverse=True)
    order: list[str] = []
    while ready:
        name = ready.pop()
        order.append(name)
        freed = []
        for below in set(downstream.get(name, ())):
            waiting[below] -= 1
            if waiting[below] == 0:
                freed.append(below)
        ready.extend(sorted(freed, reverse=True))
    if len(order) == len(nodes):
        return tuple(order)
    left = {name for name in nodes if name not in set(order)}
    path = _cycle(nodes, left)
    raise GraphError(
        "The graph has a cycle: " + " → ".join(path) + ".",
        "break it: one of these nodes must not need the next.",
    )


def _cycle(nodes: Mapping[str, Node], left: set[str]) -> list[str]:
    name = min(left)
    path: list[str] = []
    while name not in path:
        path.append(name)
        name = min(edge.node for edge in nodes[name].inputs if edge.node in left)
    loop = [*path[path.index(name) :], name]
    return loop[::-1]
