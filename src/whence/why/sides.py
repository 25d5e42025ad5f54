"""One of the two worlds that are compared, opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from whence.engine.environment import Environment
from whence.engine.history import recipes_of, world_of
from whence.engine.session import Session, Stores, open_world
from whence.engine.tasks import Key
from whence.errors import GraphError, did_you_mean
from whence.graph.code.model import USES_DOC
from whence.graph.digest import Digest
from whence.graph.recipe import Recipe
from whence.graph.world import World
from whence.store.catalog.records import BuildRow, TaskRow
from whence.why.statements import Statement, split

#: What storing and loading values of a format imports, where that takes long.
_CODECS = {"table": ("pandas", "pyarrow"), "skops": ("skops.io",), "tensors": ("torch",)}


@dataclass(slots=True)
class Side:
    """A recorded build's world, as far as the metric depends on it.

    Attributes
    ----------
    selected : tuple of str
        The metric and everything that it needs, inputs first.
    tasks : list of TaskRow
        What the build recorded of these.
    statements : mapping
        Module -> its top-level statements.
    reached : mapping
        Dotted name of a definition -> the selected nodes whose code reaches it.
    """

    row: BuildRow
    world: World
    session: Session
    selected: tuple[str, ...]
    tasks: list[TaskRow]
    recipes: Mapping[str, Recipe]
    statements: dict[str, list[Statement]] = field(default_factory=dict)
    reached: dict[str, set[str]] = field(default_factory=dict)

    def text(self, path: str) -> str:
        """A file of the tree."""
        content = self.session.stores.catalog.get_content(self.session.tree.files[path].digest)
        return content.decode("utf-8-sig", "replace")

    def paths(self) -> dict[str, str]:
        """Module -> the file that holds it."""
        return {name: summary.path for name, summary in self.session.code.modules.items()}

    def libraries(self) -> set[str]:
        """Modules outside the project that running the selected nodes imports."""
        nodes = self.session.graph.nodes
        catalog = self.session.stores.catalog
        kept = catalog.get_artifacts([task.output for task in self.tasks if task.output])
        formats = {artifact.format for artifact in kept.values()}
        return {module for name in formats for module in _CODECS.get(name, ())} | {
            module
            for name in self.selected
            if nodes[name].spec.kind != "source"
            for module in self.session.closure(name).externals
            if not any(
                module == own or module.startswith(f"{own}.")
                for own in ("whence", *self.session.vendored)
            )
        }

    def outputs(self, node: str) -> dict[Key, Digest]:
        """The values that the build recorded of a node, by partition."""
        return {(t.node, t.partition): t.output for t in self.tasks if t.node == node and t.output}

    def has_kept(self, node: str) -> bool:
        """Whether the recorded values of a node are still in the store."""
        catalog, stores = self.session.stores.catalog, self.session.stores
        todo = list(self.outputs(node).values())
        while todo:
            found = catalog.get_artifacts(todo)
            if len(found) < len(set(todo)):
                return False
            if not all(a.blob is None or stores.is_whole(a.blob) for a in found.values()):
                return False
            todo = [child for artifact in found.values() for child in artifact.children]
        return True


def open_side(stores: Stores, row: BuildRow, metric: str, environment: Environment) -> Side:
    """Open the world of a recorded build.

    Raises
    ------
    GraphError
        If the metric is no node there.
    UnknownId
        If its snapshot is no longer kept.
    """
    world = world_of(stores.catalog, row)
    session = open_world(stores, world, environment)
    if metric not in session.graph.nodes:
        near = did_you_mean(metric, session.graph.nodes)
        numbers = [n for n, x in session.graph.nodes.items() if x.spec.kind == "metric"]
        raise GraphError(
            f"Build {row.id} has no node '{metric}'.",
            f"did you mean '{near}'?"
            if near
            else f"its metrics: {', '.join(numbers) or 'none'}; compare one that both builds have.",
        )
    selected = session.graph.select([metric])
    wanted = set(selected)
    tasks = [task for task in stores.catalog.tasks_of(row.build_id) if task.node in wanted]
    side = Side(row, world, session, selected, tasks, recipes_of(stores.catalog, tasks))
    for node in selected:
        for name in _definitions_of(session, node):
            side.reached.setdefault(name, set()).add(node)
    return side


def read_statements(*sides: Side) -> None:
    """Split the modules of all sides into statements, by one rule for docstrings."""
    modules = [m for side in sides for m in side.session.code.modules.values()]
    documented = any(d.flags & USES_DOC for m in modules for d in m.definitions)
    for side in sides:
        for name, summary in side.session.code.modules.items():
            side.statements[name] = split(side.text(summary.path), summary, documented)


def _definitions_of(session: Session, node: str) -> set[str]:
    spec = session.graph.nodes[node].spec
    own = {f"{spec.module}.{spec.qualname.partition('.')[0]}"}
    taken = {
        f"{known.module}.{known.qualname}"  # params of the whole project that it takes
        for known in session.specs
        if known.kind == "param" and known.name in {p.name for p in spec.parameters}
    }
    if spec.kind == "source":
        return own
    closure = session.closure(node)
    captured = {
        value.split(":", 2)[1] + "." + value.split(":", 2)[2].partition(".")[0]
        for value in spec.captured.values()
        if value.startswith("ref:")
    }
    return own | taken | captured | set(closure.definitions)
