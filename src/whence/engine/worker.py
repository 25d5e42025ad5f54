"""The worker process: discovers a project and runs its tasks, from a snapshot of the code.

Talks to the coordinator over one channel. Messages are pickled between two processes of one user;
nothing of them is ever stored.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from whence.engine import discovery, loader, seeding
from whence.engine.channel import Channel
from whence.engine.jobs import (
    Argument,
    Job,
    Outcome,
    Setup,
    load_dotted,
    pack_outcome,
    unpack_job,
)
from whence.engine.leftovers import Leftovers
from whence.engine.observe import Recorder
from whence.engine.source import Context
from whence.engine.stats import StatCache
from whence.errors import SourceError, WhenceError
from whence.graph.nodes import MARK, NodeSpec
from whence.graph.observation import Observation
from whence.store.artifact import Artifact
from whence.store.blobs import Blobs
from whence.store.formats import decode, decode_union, encode
from whence.store.opening import open_blobs

#: A task that takes less is tiny: nothing about it is worth a millisecond of its own.
TINY_S = 0.005


class Worker:
    """Imports the project once and runs its tasks one after the other."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.root = Path(setup.root)
        self.blobs: Blobs = open_blobs(setup.store, Path(setup.cache_dir))
        self.stats = StatCache()
        self.recorder = Recorder(
            root=self.root,
            snapshot=Path(setup.snapshot),
            salt=setup.salt,
            secrets=setup.secrets,
            ignored=setup.ignored,
            stats=self.stats,
        )
        self._imported = False
        self._resident = 0  # memory held after the last task that was not tiny
        self._known: frozenset[str] = frozenset()  # modules whose reads discovery has reported
        self._functions: dict[tuple[str, str], Callable[..., Any]] = {}
        self._leftovers = Leftovers(self.is_user_file)
        self._log = _Log() if setup.capture_logs else None
        self._before = Path.cwd()
        os.chdir(self.root)
        self._forget_modules()
        self._loader = loader.install(Path(setup.snapshot), self.root, list(setup.roots))
        self.recorder.install()

    def close(self) -> None:
        """Undo what was done to this process, where it is not the worker's own."""
        self.recorder.uninstall()
        self._loader.uninstall()
        self._forget_modules()
        os.chdir(self._before)

    def _forget_modules(self) -> None:
        # One imported earlier is of another tree: its code is not what was fingerprinted.
        for name, module in list(sys.modules.items()):
            if name != "__main__" and self.is_user_file(getattr(module, "__file__", None) or ""):
                del sys.modules[name]

    def is_user_file(self, name: str) -> bool:
        """Whether a file of a traceback is the user's own."""
        inside = name.startswith((self.setup.root + os.sep, self.setup.snapshot + os.sep))
        return inside and "site-packages" not in name

    def discover(self, known: dict[str, NodeSpec] | None = None) -> dict[str, Any]:
        """Node specifications, and what each module read while it was imported.

        Specifications that need not be sent back with a task are put into `known`, too.
        """
        modules = self._import_pipeline()
        specs = discovery.collect(modules)
        if known is not None:  # but for options, which are objects that the project could change
            known.update((spec.name, spec) for spec in specs if not spec.options)
        return {
            "specs": [spec.to_json() for spec in specs],
            "imports": {
                name: [(o.kind, o.name, o.digest) for o in seen]
                for name, seen in self.recorder.imports.items()
                if seen
            },
        }

    def run(self, job: Job) -> Outcome:
        """Run one job; errors of the user's code come back as text, never as exceptions."""
        outcome = Outcome(started=time.time())
        wall, cpu = time.perf_counter(), time.process_time()
        with self._log.section() if self._log else contextlib.nullcontext() as log:
            try:
                if job.spec.kind == "source":
                    self._read_source(job, outcome)
                else:
                    self._call_node(job, outcome)
            except WhenceError as error:
                outcome.error, outcome.fix = error.cause, error.fix
                outcome.error_kind = type(error).__name__
            except MemoryError:
                outcome.error, outcome.error_kind = "The task ran out of memory.", "MemoryError"
                outcome.fix = "give it less at once (partitions), or run with fewer --jobs."
            except BaseException as error:
                # Also SystemExit and the like, which are no reason for a worker to end; but Ctrl-C
                # is, where this is the process that the user sees. Workers never receive it.
                if isinstance(error, KeyboardInterrupt) and not self.setup.capture_logs:
                    raise
                outcome.error = discovery.user_traceback(error, self.is_user_file)
                outcome.error_kind = type(error).__name__
                outcome.fix = f"correct {job.spec.where}, then `whence build` again."
        outcome.duration_s = time.perf_counter() - wall
        outcome.cpu_s = time.process_time() - cpu
        outcome.peak_bytes = self._peak_of(outcome.duration_s)
        if log is not None:
            outcome.log = log.text
        return outcome

    def _peak_of(self, duration_s: float) -> int:
        """Peak memory of the task that just ended.

        A task too short to be worth two looks at the kernel is given what the process held.
        """
        if duration_s < TINY_S and self._resident:
            return self._resident
        peak = _peak_bytes()
        _reset_peak()
        self._resident = _peak_bytes()
        return peak

    def _call_node(self, job: Job, outcome: Outcome) -> None:
        spec = job.spec
        function = self._function(spec)
        self._leftovers.begin()
        seeding.seed_all(job.seed, spec.name, job.partition)
        observed: list[Observation] = []
        try:
            with self.recorder.task(spec.name) as seen:
                arguments = {a.parameter: self._load(a, job.children) for a in job.arguments}
                arguments.update(job.params)
                value = function(**arguments)
                value = apply_finish(spec, value)
                outcome.artifact, outcome.children = encode(
                    value,
                    self.blobs,
                    key=spec.key,
                    node=spec.name,
                    allow_pickle=spec.allow_pickle,
                    is_project=self._is_project_module,
                )
        finally:
            observed += [*seen.observations, *self._late_reads(job)]
            if seeding.consumed():
                observed.append(Observation("seed", spec.name, seed_digest(job)))
            read = any(found.kind != "distribution" for found in observed)
            outcome.spoiled = self._leftovers.end(read)
        outcome.observations = tuple(observed)
        outcome.warnings, outcome.unstable = tuple(seen.warnings), seen.unstable

    def _read_source(self, job: Job, outcome: Outcome) -> None:
        spec = job.spec
        reader = load_dotted(spec.reader or "")(spec.options)
        context = Context(self.root, lambda p: self.stats.blake3(p), spec.key)
        value = reader.read(job.partition, context)
        probe = reader.probe(context)
        now = probe.units.get(job.partition)
        if now is None or now.digest != job.unit_digest:
            files = ", ".join(now.files if now else ())
            raise SourceError(
                f"Source '{spec.name}' changed while it was read: {files}.",
                "build again when it is written completely.",
            )
        if probe.splits:
            outcome.splits = []
            for key, part in value.items():
                artifact, children = self._store(spec, part)
                outcome.splits.append((key, artifact))
                outcome.children += children
        else:
            outcome.artifact, outcome.children = self._store(spec, value)

    def _store(self, spec: NodeSpec, value: Any) -> tuple[Artifact, list[Artifact]]:
        return encode(
            value, self.blobs, key=spec.key, node=spec.name, is_project=self._is_project_module
        )

    def _load(self, argument: Argument, children: Mapping[str, Artifact]) -> Any:
        lookup = children.__getitem__
        if argument.union:
            return decode_union(argument.parts, self.blobs, argument.form, lookup)
        return decode(argument.parts[0][1], self.blobs, argument.form, lookup)

    def _function(self, spec: NodeSpec) -> Callable[..., Any]:
        if not self._imported:
            # All modules of the pipeline, so that what they do at import happens in each worker.
            self._import_pipeline()
        key = (spec.module, spec.qualname)
        found = self._functions.get(key)
        if found is None:
            found = self._functions[key] = find_function(spec)
        return found

    def _import_pipeline(self) -> list[ModuleType]:
        modules = discovery.import_pipeline(self.setup.pipeline, self.is_user_file)
        self._imported = True
        self._known = frozenset(self.recorder.imports)
        return modules

    def _late_reads(self, job: Job) -> list[Observation]:
        """What modules read that were first imported inside a task, this one or an earlier one."""
        late = self.recorder.imports
        return [
            seen
            for module, found in late.items()
            if module in job.modules and module not in self._known
            for seen in found
        ]

    def _is_project_module(self, name: str) -> bool:
        file = getattr(sys.modules.get(name), "__file__", None) or ""
        return name == "__main__" or self.is_user_file(file)


def seed_digest(job: Job) -> str:
    """What a task that draws from a global generator depends on."""
    return f"{job.seed}/{job.spec.name}/{job.partition}"


def apply_finish(spec: NodeSpec, value: Any) -> Any:
    """Let the node's kind check or complete the value."""
    return load_dotted(spec.finish)(value, spec) if spec.finish else value


def find_function(spec: NodeSpec) -> Callable[..., Any]:
    """The function of a node: by its name, or by its mark where a factory made it."""
    module = sys.modules.get(spec.module) or importlib.import_module(spec.module)
    value: Any = module
    for name in spec.qualname.split("."):
        value = getattr(value, name, None) if name != "<locals>" else None
        if value is None:
            break
    if value is None:
        for candidate in vars(module).values():
            mark = getattr(candidate, "__dict__", {}).get(MARK)
            if mark is not None and (mark.name or candidate.__name__) == spec.name:
                return candidate  # type: ignore[no-any-return]
        raise WhenceError(
            f"The function of node '{spec.name}' ({spec.where}) is no longer where discovery "
            "found it.",
            "bind it to a name at the top level of its module.",
        )
    return value  # type: ignore[no-any-return]


class _Section:
    text = ""


class _Log:
    """Everything written to file descriptors 1 and 2, cut into sections by task."""

    LIMIT = 256 * 1024

    def __init__(self) -> None:
        handle, name = tempfile.mkstemp(prefix="whence-log-")
        os.unlink(name)
        self._file = handle
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        self._offset = 0

    @contextlib.contextmanager
    def section(self) -> Iterator[_Section]:
        section = _Section()
        try:
            yield section
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            end = os.lseek(self._file, 0, os.SEEK_END)
            if end > self._offset:
                start = max(self._offset, end - self.LIMIT)
                data = os.pread(self._file, end - start, start)
                section.text = data.decode("utf-8", "replace")
                self._offset = end


def _reset_peak() -> None:
    # Linux: 5 resets VmHWM, so that a peak belongs to one task.
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "wb", 0) as file:
        file.write(b"5")


def _peak_bytes() -> int:
    try:
        with open("/proc/self/status", "rb", 0) as file:
            status = file.read()
        start = status.index(b"VmHWM:") + 6
        return int(status[start : status.index(b"kB", start)]) * 1024
    except (OSError, ValueError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def main(argv: Sequence[str]) -> None:
    """Serve the coordinator at the file descriptor named on the command line."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the coordinator decides what Ctrl-C means
    channel = Channel(int(argv[0]))
    try:
        worker = Worker(channel.receive())
        specs: dict[str, NodeSpec] = {}
        while (message := channel.receive()) is not None:
            kind, payload = message
            reply: Any
            try:
                if kind == "discover":
                    reply = worker.discover(specs)
                else:
                    reply = pack_outcome(worker.run(unpack_job(payload, specs)))
            except WhenceError as error:
                reply = error
            channel.send(reply)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the coordinator is gone: so are we
    os._exit(0)  # libraries' exit handlers may hang, and there is nothing left to flush
