"""Tasks: a node, or one partition of it, with what it needs and the recipe it makes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from whence.engine.jobs import Argument, Job, load_dotted
from whence.engine.session import Session
from whence.engine.source import Context, Probe
from whence.errors import GraphError, SourceError
from whence.graph.binding import Input, Node
from whence.graph.digest import Digest, canonical_json, digest_text
from whence.graph.partitions import neighbours, order_partitions
from whence.graph.recipe import Recipe, digest_union, fingerprint
from whence.store.artifact import Artifact, content_digest

Key = tuple[str, str]  # node, partition


@dataclass(slots=True)
class Task:
    """One thing to make, as far as it is known."""

    node: Node
    partition: str
    index: int  # place in the plan's order
    needs: list[Key] = field(default_factory=list)
    waiting_for: int = 0
    recipe: Recipe | None = None
    static_key: str = ""
    artifact: Artifact | None = None
    observed_key: str = ""
    status: str = ""  # "", "hit", "ran", "failed", "skipped"
    reason: str = ""
    error: str = ""
    fix: str = ""
    duration_s: float = 0.0
    peak_bytes: int = 0
    run_id: int | None = None
    warnings: tuple[str, ...] = ()
    replace: bool = False
    attempts: int = 0

    @property
    def key(self) -> Key:
        return self.node.name, self.partition

    @property
    def label(self) -> str:
        return f"{self.node.name}[{self.partition}]" if self.partition else self.node.name


class Planner:
    """Turns nodes into tasks as the shapes of their inputs become known, and makes recipes.

    A node's shape is the tuple of its partitions; `("",)` where it has none. Shapes of files are
    known at once, those of sources that split by column only when they were read.
    """

    def __init__(self, session: Session, selected: tuple[str, ...]) -> None:
        self.session = session
        self.selected = selected
        self.shapes: dict[str, tuple[str, ...]] = {}
        self.probes: dict[str, Probe] = {}
        self.tasks: dict[Key, Task] = {}
        self.artifacts: dict[Key, Artifact] = {}  # values by partition, split sources expanded
        self.probe_errors: dict[str, SourceError] = {}
        self._probe_sources()

    # -- sources ------------------------------------------------------------------------------

    def _probe_sources(self) -> None:
        session = self.session
        context = Context(session.config.root, session.stores.stats.blake3)
        for name in self.selected:
            spec = session.graph.nodes[name].spec
            if spec.kind != "source":
                continue
            if session.pinned is not None:
                self.probes[name] = _pinned_probe(session, name)
                continue
            reader = load_dotted(spec.reader or "")(spec.options)
            try:
                self.probes[name] = reader.probe(context)
            except SourceError as error:
                self.probe_errors[name] = error

    def data(self) -> dict[str, dict[str, str]]:
        """The data coordinate of the world: digest of each unit of each source."""
        return {
            name: {unit: part.digest for unit, part in probe.units.items()}
            for name, probe in self.probes.items()
        }

    def files(self) -> dict[str, dict[str, Any]]:
        """Which files each unit of each source was read from, for lineage."""
        return {
            name: {unit: list(part.files) for unit, part in probe.units.items()}
            | ({"": {"splits": True, "files": list(probe.units[""].files)}} if probe.splits else {})
            for name, probe in self.probes.items()
        }

    # -- shapes and tasks ---------------------------------------------------------------------

    def expand(self, name: str) -> list[Task] | None:
        """The tasks of a node, or None while the shape of an input is not known.

        Raises
        ------
        GraphError
            If a partitioned node has no partitioned input, or an input lacks a partition.
        """
        node = self.session.graph.nodes[name]
        spec = node.spec
        index = len(self.tasks)
        if spec.kind == "source":
            tasks = self._expand_source(node, index)
        elif any(edge.node not in self.shapes for edge in node.inputs):
            return None
        else:
            tasks = self._expand_node(node, index)
        for task in tasks:
            self.tasks[task.key] = task
        return tasks

    def _expand_source(self, node: Node, index: int) -> list[Task]:
        name = node.name
        if name in self.probe_errors:
            error = self.probe_errors[name]
            return [Task(node, "", index, status="failed", error=error.cause, fix=error.fix)]
        probe = self.probes[name]
        if not probe.splits:
            self.shapes[name] = tuple(probe.units)
        return [Task(node, unit, index + i) for i, unit in enumerate(probe.units)]

    def _expand_node(self, node: Node, index: int) -> list[Task]:
        partitioned = [edge for edge in node.inputs if self.shapes[edge.node] != ("",)]
        if not node.spec.partitioned:
            self.shapes[node.name] = ("",)
            needs = [(e.node, p) for e in node.inputs for p in self.shapes[e.node]]
            return [Task(node, "", index, needs)]
        if not partitioned:
            raise GraphError(
                f"Node '{node.name}' is partitioned, but none of its inputs is.",
                "drop partitioned=True, or give a source it comes from partition_by=…",
            )
        shape = order_partitions({p for edge in partitioned for p in self.shapes[edge.node]})
        self.shapes[node.name] = tuple(shape)
        tasks = []
        for i, partition in enumerate(shape):
            task = Task(node, partition, index + i)
            for edge in node.inputs:
                parts = self.parts_for(node, edge, partition)
                if not parts and edge.window is None:
                    task.status = "failed"
                    task.error = (
                        f"Input '{edge.node}' has no partition '{partition}' "
                        f"(it has {_some(self.shapes[edge.node])})."
                    )
                    task.fix = f"add that partition to '{edge.node}', or do not partition it."
                task.needs += [(edge.node, p) for p in parts]
            tasks.append(task)
        return tasks

    def parts_for(self, node: Node, edge: Input, partition: str) -> tuple[str, ...]:
        """The partitions of `edge`'s node that the task of `partition` receives, in order."""
        shape = self.shapes[edge.node]
        if shape == ("",) or not node.spec.partitioned:
            return shape
        if edge.window is not None:
            return tuple(neighbours(shape, partition, edge.window))
        return (partition,) if partition in shape else ()

    def settle(self, task: Task, artifact: Artifact) -> None:
        """Note a task's value; a source that splits gets its shape here."""
        task.artifact = artifact
        name = task.node.name
        if artifact.format == PARTS:
            rows = json.loads(artifact.inline or b"[]")
            self.shapes[name] = tuple(key for key, _ in rows)
            found = self.session.stores.catalog.get_artifacts([digest for _, digest in rows])
            for key, digest in rows:
                self.artifacts[name, key] = found[Digest(digest)]
        else:
            self.artifacts[task.key] = artifact

    def make_job(self, task: Task) -> Job:
        """What a worker needs to run a task whose inputs are all settled."""
        node = task.node
        arguments = []
        children: dict[str, Artifact] = {}
        for edge in node.inputs:
            parts = self.parts_for(node, edge, task.partition)
            chosen = tuple((part, self.artifacts[edge.node, part]) for part in parts)
            union = self.shapes[edge.node] != ("",) and (
                not node.spec.partitioned or edge.window is not None
            )
            arguments.append(Argument(edge.parameter, edge.form, chosen, union))
            for _, artifact in chosen:
                self._add_children(artifact, children)
        params = dict(node.params)
        if node.takes_partition:
            params["partition"] = task.partition
        is_source = node.spec.kind == "source"
        return Job(
            spec=node.spec,
            partition=task.partition,
            arguments=tuple(arguments),
            params=params,
            children=children,
            seed=self.session.seed or 0,
            modules=frozenset() if is_source else self.session.closure(node.name).modules,
            unit_digest=self.probes[node.name].units[task.partition].digest if is_source else "",
        )

    def _add_children(self, artifact: Artifact, children: dict[str, Artifact]) -> None:
        missing = [digest for digest in artifact.children if digest not in children]
        if missing:
            found = self.session.stores.catalog.get_artifacts(missing)
            for digest, child in found.items():
                children[digest] = child
                self._add_children(child, children)

    # -- recipes ------------------------------------------------------------------------------

    def make_recipe(self, task: Task) -> Recipe:
        """The recipe of a task whose inputs are all settled; kept on the task."""
        spec = task.node.spec
        if spec.kind == "source":
            recipe = self._source_recipe(task)
        else:
            recipe = self._node_recipe(task)
        task.recipe = recipe
        task.static_key = fingerprint(recipe)
        return recipe

    def _source_recipe(self, task: Task) -> Recipe:
        spec = task.node.spec
        reader = load_dotted(spec.reader or "")(spec.options)
        unit = self.probes[task.node.name].units[task.partition]
        environment, digest = self.session.reach(reader.libraries)
        return Recipe(
            code=digest_text("reader", spec.reader or "", reader.version),
            definitions={},
            inputs={"content": unit.digest},
            params={"options": canonical_json(dict(spec.options))},
            slots={},
            environment=environment,
            environment_digest=digest,
            traits={"key": ",".join(spec.key)},
        )

    def _node_recipe(self, task: Task) -> Recipe:
        node, session = task.node, self.session
        spec = node.spec
        closure = session.closure(node.name)
        inputs: dict[str, str] = {}
        traits: dict[str, str] = {}
        externals = set(closure.externals)
        refs: set[str] = set()
        for edge in node.inputs:
            parts = self.parts_for(node, edge, task.partition)
            artifacts = [self.artifacts[edge.node, part] for part in parts]
            whole = dict(zip(parts, (a.digest for a in artifacts), strict=True))
            inputs[edge.parameter] = digest_union(whole)
            # How the value is decoded counts too, so that a new codec's values are made anew.
            codecs = {f"{a.format}/{a.version}" for a in artifacts}
            traits[edge.parameter] = f"{edge.form or 'natural'} from {' '.join(sorted(codecs))}"
            if edge.form and "." in edge.form:  # "str" and "bytes" need no library
                externals.add(edge.form.partition(".")[0])
            for artifact in artifacts:
                externals.update(_DECODERS.get(artifact.format, ()))
                externals.update(artifact.distributions)
                refs.update(artifact.code_refs)
        code = closure.digest
        definitions: dict[str, str] = {"<node>": closure.root, **closure.definitions}
        if refs:
            # A value can carry methods of the project's classes, which run here.
            for ref in sorted(refs):
                module, _, qualname = ref.partition(":")
                reached = session.code.closure(module, qualname.partition(".")[0])
                definitions[f"{module}.{qualname}"] = reached.root
                definitions.update(reached.definitions)
                externals.update(reached.externals)
                code = digest_text("code", code, ref, reached.digest)
        for module in sorted(closure.modules):
            for seen in session.imports.get(module, ()):
                traits[f"{module} reads {seen.kind} {seen.name}"] = seen.digest
        if not spec.deterministic:
            # A recorded value is not shared with a node of equal code that is made anew each time.
            traits["value"] = "recorded"
        if spec.key:
            traits["key"] = ",".join(spec.key)
        if spec.finish:
            traits["kind"] = f"{spec.kind} {canonical_json(dict(spec.options))}"
        params = {name: canonical_json(value) for name, value in node.params.items()}
        if node.takes_partition:
            params["partition"] = canonical_json(task.partition)
        environment, environment_digest = session.reach(externals)
        return Recipe(
            code=code,
            definitions=definitions,
            inputs=inputs,
            params=params,
            slots=closure.slots,
            environment=environment,
            environment_digest=environment_digest,
            traits=traits,
        )


#: Libraries that decode a format when no form is asked for; whether they are there counts too.
_DECODERS = {"table": ("pandas", "pyarrow"), "numpy": ("numpy",), "tensors": ("torch",)}

#: Format of what a source that splits by column comes to: its partitions' artifacts by key.
PARTS = "parts"


def parts_artifact(parts: list[tuple[str, Artifact]]) -> Artifact:
    """The artifact that lists the partitions of a source that splits."""
    rows = [[key, artifact.digest] for key, artifact in parts]
    text = json.dumps(rows, separators=(",", ":"))
    return Artifact(
        digest=content_digest(PARTS, text),
        format=PARTS,
        version=1,
        size_bytes=len(text.encode()),
        inline=text.encode(),
        blob=None,
        encoding="json",
        summary={"type": "partitions", "partitions": len(rows)},
        children=tuple(artifact.digest for _, artifact in parts),
    )


_encode = json.JSONEncoder(separators=(",", ":")).encode


def recipe_text(recipe: Recipe) -> tuple[Digest, str]:
    """Digest and text of a recipe, without its environment, which many recipes share."""
    body = recipe.to_json()
    del body["environment"]
    text = _encode(body)
    return digest_text("recipe", text), text


def load_recipes(texts: Mapping[str, str], environments: Mapping[str, str]) -> dict[str, Recipe]:
    """Recipes by the digest of their text."""
    out: dict[str, Recipe] = {}
    for digest, text in texts.items():
        body = json.loads(text)
        body["environment"] = json.loads(environments.get(body["environment_digest"], "{}"))
        out[digest] = Recipe.from_json(body)
    return out


def _pinned_probe(session: Session, name: str) -> Probe:
    from whence.engine.source import Unit

    assert session.pinned is not None
    world = session.pinned
    files = world.files.get(name, {})
    units = {}
    splits = False
    for unit, digest in world.data.get(name, {}).items():
        known = files.get(unit, ())
        if isinstance(known, dict):
            splits, known = True, known["files"]
        units[unit] = Unit(digest, tuple(known))
    return Probe(units, splits=splits)


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:6]) + (" …" if len(names) > 6 else "")
