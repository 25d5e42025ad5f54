"""Runs a project without whence: its nodes are plain functions, called in order.

A module `whence` that only collects functions stands in for the real one, so that what is
measured here owes nothing to the engine that is judged by it. Every mix is a fresh copy of the
project's folder and runs in a process of its own, forked from one that has loaded the libraries.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import os
import resource
import signal
import sys
import time
import tomllib
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECONDS = 120  # for one mix


@dataclass
class Files:
    """A declared source."""

    pattern: str
    partition_by: str | None = None
    key: str | None = None


@dataclass
class Registry:
    """What the project's modules declared while they were imported."""

    nodes: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)


@dataclass
class Estimate:
    """A number with an interval."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass
class Setting:
    """A project-wide param."""

    default: Any


def stand_in(registry: Registry) -> types.ModuleType:
    """A module with the names of whence that the projects use."""

    def mark(function: Callable[..., Any] | None = None, **options: Any) -> Any:
        def keep(one: Callable[..., Any]) -> Callable[..., Any]:
            registry.nodes[options.get("name") or one.__name__] = (one, options)
            return one

        return keep(function) if function is not None else keep

    module = types.ModuleType("whence")
    for kind in ("node", "table", "model", "metric"):
        setattr(module, kind, mark)
    module.files = lambda pattern, **o: Files(pattern, o.get("partition_by"), o.get("key"))  # type: ignore[attr-defined]
    module.param = Setting  # type: ignore[attr-defined]
    module.Estimate = Estimate  # type: ignore[attr-defined]
    return module


def read(root: Path, source: Files) -> Any:
    """The table of a source; of a partitioned one a table for each file."""
    import pandas as pd

    parts = {path.stem: pd.read_parquet(path) for path in sorted(root.glob(source.pattern))}
    if source.partition_by:
        return parts
    table = pd.concat(parts.values(), ignore_index=True)
    return table.sort_values(source.key, ignore_index=True) if source.key else table


class Run:
    """One world: the project in `root`, evaluated at several seeds."""

    def __init__(self, root: Path) -> None:
        self.root = root
        settings = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["whence"]
        self.settings: dict[str, Any] = settings.get("params", {})
        registry = Registry()
        sys.modules["whence"] = stand_in(registry)
        sys.path.insert(0, str(root))
        sys.dont_write_bytecode = True
        os.chdir(root)
        package = importlib.import_module(settings["pipeline"])
        folder = Path(str(package.__file__)).parent
        self.sources: dict[str, Files] = {}
        self.shared: dict[str, Any] = {}
        for path in sorted(folder.glob("*.py")):
            module = importlib.import_module(f"{package.__name__}.{path.stem}")
            for name, value in vars(module).items():
                if isinstance(value, Files):
                    self.sources[name] = value
                if isinstance(value, Setting):
                    self.shared[name] = self.settings.get(name, value.default)
        self.nodes = registry.nodes
        self.kept: dict[str, Any] = {}

    def depends_on_seed(self, name: str) -> bool:
        if name not in self.nodes:
            return False
        arguments = inspect.signature(self.nodes[name][0]).parameters
        return "seed" in arguments or any(self.depends_on_seed(a) for a in arguments)

    def value(self, name: str, seed: int, made: dict[str, Any]) -> Any:
        """The value of a node or source; what the seed cannot reach is made once."""
        kept = made if self.depends_on_seed(name) else self.kept
        if name not in kept:
            kept[name] = self._make(name, seed, made)
        return kept[name]

    def _make(self, name: str, seed: int, made: dict[str, Any]) -> Any:
        import pandas as pd

        if name in self.sources:
            return read(self.root, self.sources[name])
        function, options = self.nodes[name]
        own = self.settings.get(name, {})
        given: dict[str, Any] = {}
        parts: dict[str, Mapping[str, Any]] = {}
        for argument, spec in inspect.signature(function).parameters.items():
            if argument == "seed":
                given[argument] = seed
            elif argument in self.shared:
                given[argument] = self.shared[argument]
            elif argument in self.nodes or argument in self.sources:
                value = self.value(argument, seed, made)
                split = isinstance(value, dict)
                if split and options.get("partitioned"):
                    parts[argument] = value
                else:
                    given[argument] = (
                        pd.concat(value.values(), ignore_index=True) if split else value
                    )
            elif argument in own:
                given[argument] = own[argument]
            elif spec.default is not spec.empty:
                given[argument] = spec.default
            else:
                raise LookupError(f"node {name}: nothing is called {argument}")
        if parts:
            keys = sorted({key for part in parts.values() for key in part})
            return {
                key: function(**given, **{a: part[key] for a, part in parts.items()})
                for key in keys
            }
        value = function(**given)
        key = options.get("key")
        if key and hasattr(value, "sort_values"):
            if value[key].duplicated().any():
                raise ValueError(f"node {name}: {key} is not unique")
            value = value.sort_values(key, ignore_index=True)
        return value

    def metric(self, name: str, seeds: Sequence[int]) -> list[float]:
        found = []
        for seed in seeds:
            value = self.value(name, seed, {})
            found.append(float(getattr(value, "value", value)))
        return found


@dataclass(frozen=True)
class Answer:
    """Values by seed, or why there are none."""

    values: tuple[float, ...] | None
    error: str = ""
    cpu_s: float = 0.0


def preload() -> None:
    """Load the libraries once, single-threaded, before processes are forked."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    import pandas  # noqa: F401
    import pyarrow  # noqa: F401
    import sklearn.ensemble
    import sklearn.linear_model  # noqa: F401


def evaluate(root: Path, metric: str, seeds: Sequence[int]) -> Answer:
    """The metric of the project in `root`, at each seed, made in a forked process."""
    receive, send = os.pipe()
    began = time.perf_counter()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(receive)
            signal.alarm(SECONDS)
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            try:
                reply: dict[str, Any] = {"values": Run(root.resolve()).metric(metric, seeds)}
            except Exception as error:  # noqa: BLE001  the project's own code may raise anything
                reply = {"error": f"{type(error).__name__}: {error}"[:300]}
            used = resource.getrusage(resource.RUSAGE_SELF)
            reply["cpu_s"] = used.ru_utime + used.ru_stime
            with os.fdopen(send, "w") as pipe:
                json.dump(reply, pipe)
            status = 0
        finally:
            os._exit(status)
    os.close(send)
    with os.fdopen(receive) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    if not text:
        return Answer(None, "the process died", time.perf_counter() - began)
    reply = json.loads(text)
    values = reply.get("values")
    if values is not None and not all(v == v for v in values):
        return Answer(None, "the metric is not a number", reply["cpu_s"])
    return Answer(None if values is None else tuple(values), reply.get("error", ""), reply["cpu_s"])


def digest(text: str) -> str:
    """Short, for names of files."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
