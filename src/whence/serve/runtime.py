"""A service of the accepted build, loaded: code from its snapshot, inputs by their digest."""

from __future__ import annotations

import json
import time
import typing
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from whence.engine import loader
from whence.engine.discovery import import_pipeline
from whence.engine.history import specs_of, world_of
from whence.engine.session import Session, make_setup, open_world
from whence.engine.worker import find_function
from whence.errors import ConfigError, UnknownId, ValueFault, did_you_mean
from whence.graph.diff import compare
from whence.store.artifact import Artifact
from whence.store.catalog.records import PredictionRecord

if TYPE_CHECKING:
    from pydantic import BaseModel

    from whence.engine.project import Project
    from whence.graph.binding import Node


@dataclass(frozen=True, slots=True)
class Answer:
    """One prediction, persisted."""

    prediction_id: str
    release: str
    answer: Any

    def to_json(self) -> dict[str, Any]:
        return {
            "prediction_id": self.prediction_id,
            "release": self.release,
            "answer": self.answer,
        }


class Runtime:
    """What one service needs to answer, in memory. Threads may share it.

    Attributes
    ----------
    service : str
    release : str
        The build that answers: "b12".
    request_model : type
        The pydantic model of a request.
    inputs : mapping of str to str
        Node -> digest of the value in use.
    """

    def __init__(
        self,
        project: Project,
        service: str,
        build_id: int,
        function: Callable[..., Any],
        request_model: type[BaseModel],
        arguments: Mapping[str, Any],
        inputs: Mapping[str, str],
    ) -> None:
        self.service, self.release, self.request_model = service, f"b{build_id}", request_model
        self.inputs, self.doc = inputs, (function.__doc__ or "").strip()
        self._catalog, self._build_id = project.stores.catalog, build_id
        self._function, self._arguments = function, arguments

    def predict(self, request: BaseModel) -> Answer:
        """Answer a valid request. The prediction is in the catalog before this returns.

        Raises
        ------
        ValueFault
            If the function's answer cannot be JSON.
        """
        started = time.perf_counter()
        answer = self._as_json(self._function(**self._arguments, request=request))
        latency_ms = (time.perf_counter() - started) * 1000
        made = Answer(uuid.uuid4().hex, self.release, answer)
        record = PredictionRecord(
            made.prediction_id,
            self.service,
            self._build_id,
            time.time(),
            request.model_dump_json(),
            json.dumps(answer),
            latency_ms,
        )
        self._catalog.add_predictions([record])
        return made

    def _as_json(self, answer: Any) -> Any:
        from pydantic_core import PydanticSerializationError, to_jsonable_python

        try:
            plain = to_jsonable_python(answer, fallback=_unwrap)
            json.dumps(plain, allow_nan=False)
        except (PydanticSerializationError, TypeError, ValueError) as error:
            raise ValueFault(
                f"Service '{self.service}' gave an answer that is no JSON: {error}.",
                "return plain numbers (not NaN), texts, lists and dicts, or a pydantic model.",
            ) from error
        return plain


def _unwrap(value: Any) -> Any:
    """A NumPy scalar or array as plain Python."""
    unwrap = getattr(value, "tolist", None)
    if unwrap is None:
        kind = type(value)
        raise TypeError(f"a {kind.__module__}.{kind.__qualname__} is in it")
    return unwrap()


def open_runtime(project: Project, service: str) -> Runtime:
    """Load a service of the accepted build.

    From now on this process imports the project's modules from that build's snapshot: open one
    runtime per process.

    Raises
    ------
    UnknownId
        No build is accepted, or the accepted one has no such service or lacks a node it needs.
    ConfigError
        The service's function does not say what a request is, or the packages that it reaches
        are installed in other versions than the build was made with.
    """
    catalog = project.stores.catalog
    row = catalog.accepted()
    if row is None:
        raise UnknownId(
            "No build is accepted, so there is nothing to serve.",
            "`whence build`, look at its metrics, then `whence accept latest`.",
        )
    session = open_world(project.stores, world_of(catalog, row))
    services = [spec.name for spec in session.specs if spec.kind == "service"]
    if service not in services:
        near = did_you_mean(service, services)
        known = ", ".join(services) or "it has none"
        raise UnknownId(
            f"The accepted build {row.id} has no service '{service}'.",
            f"did you mean '{near}'?"
            if near
            else f"its services: {known}. A new one needs a newer build, accepted.",
        )
    node = session.graph.nodes[service]
    parts = _inputs_of(project, row.id, node)
    _refuse_other_packages(session, row.id, service, parts)
    arguments, inputs = _load_inputs(project, row.id, node, parts)
    setup = make_setup(project.stores, session.tree_digest)
    loader.install(setup.snapshot, setup.root, list(setup.roots))
    import_pipeline(setup.pipeline, lambda name: name.startswith(setup.root))
    function = find_function(node.spec)
    model = _request_model(service, function)
    return Runtime(project, service, row.build_id, function, model, arguments, inputs)


_Parts = Mapping[str, list[tuple[str, Artifact]]]


def _inputs_of(project: Project, build: str, node: Node) -> _Parts:
    """The artifacts of each node that the service takes, by partition."""
    found = {}
    for edge in node.inputs:
        try:
            found[edge.node] = project.partitions(build, edge.node)
        except UnknownId as error:
            raise UnknownId(
                f"Service '{node.name}' needs '{edge.node}', which build {build} lacks: "
                f"{error.cause}",
                "`whence build` (all nodes), then accept that build.",
            ) from error
    return found


def _refuse_other_packages(session: Session, build: str, service: str, inputs: _Parts) -> None:
    """Raise where what the service reaches is installed in another version than it was built with.

    A model would load all the same, and might answer otherwise than its metrics say.
    """
    externals = set(session.closure(service).externals)
    for parts in inputs.values():
        externals.update(name for _, artifact in parts for name in artifact.distributions)
    now, _ = session.reach(externals)
    assert session.pinned is not None
    then = {**session.pinned.environment, **session.pinned.interpreter}
    known = [name for name in now if name in then]
    differing = compare(
        "distribution", {name: then[name] for name in known}, {name: now[name] for name in known}
    )
    if differing:
        listed = "\n".join(f"    {change}" for change in differing)
        raise ConfigError(
            f"The accepted build {build} was made with other packages than are installed here:\n"
            f"{listed}",
            "install those versions, or `whence build`, look at the metrics and accept that build.",
        )


def _load_inputs(
    project: Project, build: str, node: Node, inputs: _Parts
) -> tuple[dict[str, Any], dict[str, str]]:
    arguments: dict[str, Any] = dict(node.params)
    digests: dict[str, str] = {}
    for edge in node.inputs:
        parts = inputs[edge.node]
        arguments[edge.parameter] = project.load(build, edge.node, form=edge.form)
        digests[edge.node] = parts[0][1].digest if len(parts) == 1 else f"{len(parts)} partitions"
    return arguments, digests


def _request_model(service: str, function: Callable[..., Any]) -> type[BaseModel]:
    from pydantic import BaseModel

    annotation = typing.get_type_hints(function).get("request")
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    said = "has no annotation" if annotation is None else f"is annotated with {annotation!r}"
    raise ConfigError(
        f"Service '{service}' ({function.__module__}.{function.__qualname__}) does not say what a "
        f"request is: its parameter `request` {said}.",
        "annotate it with a pydantic model: `request: Departure`.",
    )


def services_of(project: Project) -> list[str]:
    """Names of the accepted build's services; empty where no build is accepted."""
    row = project.stores.catalog.accepted()
    if row is None:
        return []
    specs = specs_of(project.stores.catalog, world_of(project.stores.catalog, row))
    return [spec.name for spec in specs if spec.kind == "service"]


__all__ = ["Answer", "Runtime", "open_runtime", "services_of"]
