"""See what a running task depends on beyond what it declares.

An audit hook sees Python's own opens and listings; wrapped functions see probes (`os.stat`),
environment variables and the readers of DuckDB, pyarrow, pandas and Polars, which open files
outside Python. `docs/model.md` says what is seen, what is ignored, and what cannot be seen.

Main path: an event -> `Recorder._where` (whose code is this?) -> `Recorder._note`.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from types import FrameType
from typing import Any, Final

from whence.engine import observe_readers
from whence.engine.observe_env import ALL, HOUSEKEEPING, env_digest, is_left_out, value_digest
from whence.engine.observe_paths import (
    PROBED_BYTES,
    ObserveContext,
    Paths,
    current_digest,
    file_now,
    kind_now,
    listing_now,
)
from whence.engine.stats import StatCache
from whence.graph.observation import Observation

__all__ = ["Observation", "ObserveContext", "Recorder", "Seen", "current_digest"]

_stat, _lstat, _access = os.stat, os.lstat, os.access
_abspath, _join = os.path.abspath, os.path.join
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC

_EVENTS: Final = frozenset({
    "open", "os.listdir", "os.scandir", "os.mkdir", "os.rename", "os.link", "os.symlink",
    "sqlite3.connect", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork",
    "socket.connect", "socket.getaddrinfo", "ctypes.dlopen",
})  # fmt: skip

# What a frame's file says about who is asking.
_OTHER, _PROJECT, _IMPORT, _OWN, _TEXT, _SELF = range(6)
_HERE = os.path.dirname(__file__) + os.sep
_STDLIB = os.path.dirname(os.__file__) + os.sep
_STORE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "store") + os.sep


class Seen:
    """What was seen during one task.

    Attributes
    ----------
    observations : list of Observation
        Sorted; complete once the task's `with` block is left.
    warnings : list of str
        Connections, commands and native libraries: noticed, but no part of any key.
    unstable : bool
        Whether a file that was read changed before the task ended.
    """

    def __init__(self, scope: str) -> None:
        self.scope = scope
        self.observations: list[Observation] = []
        self.unstable = False
        self.found: dict[tuple[str, str], str] = {}
        self.places: dict[str, tuple[str, int]] = {}  # file name -> (path read, its ctime_ns)
        self.written: set[str] = set()
        self.made: set[str] = set()  # folders
        self.library_probes: dict[tuple[str, str], str] = {}  # -> path
        self.alerts: dict[str, None] = {}
        self.imported: set[str] = set()
        self.env_before: dict[str, str | None] = {}
        self.hosts: set[object] = set()  # ports whose host was already named
        self.started_ns = 0

    @property
    def warnings(self) -> list[str]:
        return list(self.alerts)

    def is_own(self, path: str) -> bool:
        """Whether the task itself wrote the file, or made the folder that it lies in."""
        if path in self.written:
            return True
        if self.made:
            folder = path
            while len(folder) > 1:
                if folder in self.made:
                    return True
                folder = os.path.dirname(folder)
        return False


class Recorder:
    """Records what the tasks of this process depend on; one per process, one task at a time.

    Parameters
    ----------
    root, snapshot : path
        The project, and the copy of its tree that the process runs from (None: in place).
    salt : str
        The store's id, for digests of environment variables.
    secrets : sequence of str
        Environment variables that are never recorded.
    ignored : iterable of path
        Folders never observed: the store, whence's own state.
    stats : StatCache, optional
        Digests of files that did not change.
    """

    def __init__(
        self,
        root: str | Path,
        snapshot: str | Path | None = None,
        salt: str = "",
        secrets: Sequence[str] = (),
        ignored: Iterable[str | Path] = (),
        stats: StatCache | None = None,
    ) -> None:
        self.paths = Paths(root, snapshot, ignored)
        self.salt, self.secrets = salt, frozenset(secrets)
        self.stats = stats if stats is not None else StatCache()
        self._seen: Seen | None = None
        self._at_import: dict[str, dict[tuple[str, str], str]] = {}
        self._busy: set[int] = set()
        self._files: dict[str, int] = {}
        self._env_set: set[str] = set()  # by code of this process, so no longer an input
        self._env_pass: tuple[int, int] | None = None
        self._active = False
        self._loading: list[str] = []
        self._own_import = 0
        self._n_importing = 0
        self._project_tops: dict[str, bool] = {}
        self._loads: dict[str, set[str]] = {}
        self._undo: list[Callable[[], None]] = []
        self._handlers: dict[str, Callable[[tuple[Any, ...]], None]] = {
            "open": self._on_open,
            "os.listdir": self._on_listing,
            "os.scandir": self._on_listing,
            "os.mkdir": self._on_mkdir,
            "os.rename": self._on_second,
            "os.link": self._on_second,
            "os.symlink": self._on_second,
            "sqlite3.connect": self._on_sqlite,
            "subprocess.Popen": self._on_popen,
            "os.system": self._on_system,
            "os.exec": self._on_popen,
            "os.posix_spawn": self._on_popen,
            "os.fork": self._on_fork,
            "socket.connect": self._on_connect,
            "socket.getaddrinfo": self._on_resolve,
            "ctypes.dlopen": self._on_native,
        }

    # -- life ---------------------------------------------------------------------------------

    def install(self) -> None:
        """Start seeing, in this process. Imports of project modules are recorded from now on."""
        if self._active:
            return
        if (before := observe_readers.current.recorder) is not None:
            before.uninstall()
        self._active = True
        _hook_process()
        self._wrap_probes()
        self._wrap_environ()
        self._wrap_imports()
        observe_readers.install(self)

    def on_event(self, event: str, args: tuple[Any, ...]) -> None:
        """An audit event; all but a few are none of ours."""
        handler = self._handlers.get(event)
        if handler is not None and get_ident() not in self._busy:
            handler(args)

    def uninstall(self) -> None:
        """Stop seeing. The audit hook itself cannot be taken out, and does nothing any more."""
        self._active = False
        if observe_readers.current.recorder is self:
            observe_readers.current.recorder = None
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()

    @contextmanager
    def task(self, scope: str) -> Iterator[Seen]:
        """Record everything until the block ends as the doing of one task."""
        seen = Seen(scope)
        seen.started_ns = time.time_ns()
        self._seen = seen
        try:
            yield seen
        finally:
            self._seen = None
            self._finish(seen)

    @property
    def imports(self) -> Mapping[str, list[Observation]]:
        """What each module of the project read while it was imported, in this process."""
        return {
            module: sorted(Observation(*key, digest) for key, digest in found.items())
            for module, found in self._at_import.items()
        }

    def loads_of(self, modules: Iterable[str]) -> set[str]:
        """Top-level modules that importing `modules` was seen to load, transitively."""
        todo, done = [name.partition(".")[0] for name in modules], set()
        while todo:
            top = todo.pop()
            if top not in done:
                done.add(top)
                todo.extend(self._loads.get(top, ()))
        return done

    def _finish(self, seen: Seen) -> None:
        for name, value in seen.env_before.items():
            # What one task sets must not be an input of the next one.
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
            self._env_set.discard(name)
        if seen.imported:
            self._add_distributions(seen)
        for key, path in seen.library_probes.items():
            if path in seen.written:
                seen.found.pop(key, None)
        if seen.places:
            self._busy.add(get_ident())
            try:
                self._check_files(seen)
            finally:
                self._busy.discard(get_ident())
        if seen.found:
            seen.observations = sorted(Observation(*key, d) for key, d in seen.found.items())

    def _check_files(self, seen: Seen) -> None:
        for name, (path, ctime_ns) in seen.places.items():
            if seen.is_own(path) or ("file", name) not in seen.found:
                continue
            before, now = seen.found[("file", name)], file_now(path, self.stats)
            if before == now or before == "absent":
                continue  # what came into being since then makes the next lookup miss
            if now == "absent" and ctime_ns >= seen.started_ns - 20_000_000:
                del seen.found[("file", name)]  # made, read and removed by the task
                continue
            seen.unstable = True
            seen.alerts[f"{name} changed while the task was running"] = None

    def _add_distributions(self, seen: Seen) -> None:
        stdlib = sys.stdlib_module_names
        for top in self.loads_of(seen.imported):
            module = sys.modules.get(top)
            if module is None or top in stdlib or top in ("whence", "__main__"):
                continue
            file = getattr(module, "__file__", None) or next(
                iter(getattr(module, "__path__", ())), ""
            )
            if str(file).startswith(_STDLIB) and "site-packages" not in str(file):
                continue
            if not self.paths.is_project_code(str(file)):
                seen.found[("distribution", top)] = "loaded"

    # -- who is asking ------------------------------------------------------------------------

    def _classify(self, filename: str) -> int:
        if filename.startswith("<frozen importlib"):
            kind = _IMPORT
        elif filename.startswith(_HERE):
            stem = os.path.basename(filename)
            kind = _SELF if stem.startswith("observe") else _OWN
        elif filename.startswith(_STORE):
            kind = _OWN
        elif os.path.basename(filename) in ("linecache.py", "inspect.py"):
            kind = _TEXT
        elif self.paths.is_project_code(filename):
            kind = _PROJECT
        else:
            kind = _OTHER
        self._files[filename] = kind
        return kind

    def _where(self, frame: FrameType | None, is_code: bool = False) -> tuple[bool, str | None]:
        """Whether what `frame` does is the project's doing, and the module being imported if so.

        The innermost frame of project, whence or import machinery decides: an import in between
        means that a library is being loaded, which is the environment's affair. `is_code` is set
        where the file is project code, that a file loader may read behind our back.
        """
        counts = False
        files = self._files
        while frame is not None:
            code = frame.f_code
            kind = files.get(code.co_filename)
            if kind is None:
                kind = self._classify(code.co_filename)
            if kind == _PROJECT:
                counts = True
                if code.co_name == "<module>":
                    return True, frame.f_globals.get("__name__")
            elif kind == _OWN:
                return counts, None
            elif not counts and (kind == _TEXT or (kind == _IMPORT and not is_code)):
                return False, None
            frame = frame.f_back
        return counts or self._seen is not None, None

    def _note(self, kind: str, name: str, digest: str, module: str | None) -> None:
        if module is not None:
            self._at_import.setdefault(module, {}).setdefault((kind, name), digest)
        if self._seen is not None:
            self._seen.found.setdefault((kind, name), digest)

    def _is_known(self, kind: str, name: str) -> bool:
        """Whether the task has it already. Imports are asked again: a module counts by itself."""
        seen = self._seen
        return seen is not None and (kind, name) in seen.found and not self._n_importing

    # -- files --------------------------------------------------------------------------------

    def note_file(self, path: str, frame: FrameType | None) -> None:
        """The file at `path` (absolute) is about to be read."""
        seen = self._seen
        if not self._active:
            return
        name = self.paths.name_of(path)
        if name is None or (
            seen is not None and (self._is_known("file", name) or seen.is_own(path))
        ):
            return
        is_code = path.endswith(".py") and self._is_working_copy(path)
        counts, module = self._where(frame, is_code)
        if not counts:
            return
        found = self._existing(path, name)
        if seen is not None and name not in seen.places:
            try:
                seen.places[name] = (found, _stat(found).st_ctime_ns)
            except (OSError, ValueError):
                seen.places[name] = (found, 0)
        self._note("file", name, file_now(found, self.stats), module)

    def _existing(self, path: str, name: str) -> str:
        """The path itself, or the user's own file where the snapshot has no copy of it."""
        if not os.path.isabs(name):
            try:
                _lstat(path)
            except (OSError, ValueError):
                return self.paths.locate(name)
        return path

    def _is_working_copy(self, path: str) -> bool:
        snapshot = self.paths.snapshot
        return snapshot is not None and not path.startswith(snapshot + os.sep)

    def note_probe(self, path: str, frame: FrameType | None) -> None:
        """Somebody asks whether there is something at `path` (absolute), or for its size."""
        seen = self._seen
        name = self.paths.name_of(path)
        if name is None or self._is_known("file", name) or self._is_known("exists", name):
            return
        if seen is not None and seen.is_own(path):
            return
        counts, module = self._where(frame)
        if not counts:
            return
        found = self._existing(path, name)
        kind = kind_now(found)
        if seen is not None and _is_library(frame):
            # A library that looks before it writes: dropped if the task goes on to write it.
            for key in (("exists", name), ("file", name)):
                if key not in seen.found:
                    seen.library_probes[key] = path
        if kind == "file" and self.paths.is_inside(name) and _stat(found).st_size <= PROBED_BYTES:
            probes = dict(seen.library_probes) if seen is not None else {}
            self.note_file(path, frame)
            if seen is not None:
                seen.library_probes = probes
        else:
            self._note("exists", name, kind, module)

    def note_listing(self, path: str, frame: FrameType | None) -> None:
        """The names in the folder at `path` (absolute) are about to be read."""
        seen = self._seen
        name = self.paths.name_of(path)
        if name is None or self._is_known("listing", name):
            return
        if seen is not None and seen.is_own(path):
            return
        counts, module = self._where(frame)
        if counts:
            # The user's folder, also for the snapshot's copy of it: that is what is compared.
            place = self.paths.locate(name)
            own: list[str] = []
            if seen is not None:
                own = [os.path.basename(p) for p in seen.written | seen.made
                       if os.path.dirname(p) == place]  # fmt: skip
            self._note("listing", name, listing_now(place, own), module)

    def note_written(self, path: str) -> None:
        """The task writes the file at `path` (absolute): reads that follow are its own affair."""
        if self._seen is not None:
            self._seen.written.add(path)

    def warn(self, text: str, frame: FrameType | None) -> None:
        """Remember something that no digest can vouch for."""
        if self._seen is not None and self._where(frame)[0]:
            self._seen.alerts[text] = None

    @contextmanager
    def looking(self) -> Iterator[None]:
        """While it lasts, what this thread does is whence's own."""
        me = get_ident()
        if me in self._busy:
            yield
            return
        self._busy.add(me)
        try:
            yield
        finally:
            self._busy.discard(me)

    # -- audit events -------------------------------------------------------------------------

    def _on_open(self, args: tuple[Any, ...]) -> None:
        path, mode, flags = args
        if type(path) is int or path is None:
            return
        with self.looking():
            full = _full(path)
            if full is None or self.paths.name_of(full) is None:
                return
            frame = sys._getframe(1)
            if isinstance(mode, str):
                writes = mode[0] in "wxa"
            else:
                writes = bool((flags or 0) & _WRITES)
            if not writes:
                self.note_file(full, frame)
                if isinstance(mode, str) and "+" in mode:
                    self.note_written(full)
            elif self._seen is not None:
                if not isinstance(mode, str) and not (
                    flags & (os.O_TRUNC | os.O_EXCL | os.O_WRONLY)
                ):
                    self.note_file(full, frame)  # opened to read and write
                self.note_written(full)

    def _on_listing(self, args: tuple[Any, ...]) -> None:
        path = args[0]
        if type(path) is int:
            return
        with self.looking():
            full = _full("." if path is None else path)
            if full is not None:
                self.note_listing(full, sys._getframe(1))

    def _on_mkdir(self, args: tuple[Any, ...]) -> None:
        full = _full(args[0])
        if self._seen is not None and full is not None:
            try:
                _lstat(full)
            except (OSError, ValueError):
                self._seen.made.add(full)

    def _on_second(self, args: tuple[Any, ...]) -> None:
        full = _full(args[1])
        if self._seen is not None and full is not None:
            self._seen.written.add(full)
            source = _full(args[0])
            if source in self._seen.made:
                self._seen.made.add(full)

    def _on_sqlite(self, args: tuple[Any, ...]) -> None:
        database = os.fsdecode(args[0]) if not isinstance(args[0], int) else ""
        if database in ("", ":memory:"):
            return
        if database.startswith("file:"):
            from urllib.parse import unquote, urlparse

            if "mode=memory" in database:
                return
            database = unquote(urlparse(database).path)
        self.note_database(_abspath(database), sys._getframe(1))

    def note_database(self, path: str, frame: FrameType | None) -> None:
        """A database file is opened: an input where it exists, else the task's own."""
        with self.looking():
            if kind_now(path) == "absent":
                self.note_file(path, frame)
                self.note_written(path)
            else:
                self.note_file(path, frame)

    def _on_popen(self, args: tuple[Any, ...]) -> None:
        # The command's name only: its arguments may hold secrets.
        command = args[0]
        if command is None and len(args) > 1:
            command = args[1][0] if isinstance(args[1], (list, tuple)) else args[1]
        if isinstance(command, (str, bytes, os.PathLike)):
            self._warn_command(os.fsdecode(command))

    def _on_system(self, args: tuple[Any, ...]) -> None:
        self._warn_command(os.fsdecode(args[0]))

    def _warn_command(self, command: str) -> None:
        words = command.split() if not os.path.isabs(command) else [command]
        name = os.path.basename(words[0]) if words else command
        self.warn(f"ran the command '{name}', whose inputs are not seen", sys._getframe(1))

    def _on_fork(self, args: tuple[Any, ...]) -> None:
        self.warn("started a process, whose inputs are not seen", sys._getframe(1))

    def _on_connect(self, args: tuple[Any, ...]) -> None:
        address = args[1]
        if isinstance(address, tuple) and len(address) >= 2:
            if self._seen is not None and address[1] in self._seen.hosts:
                return  # named by `getaddrinfo` already
            self.warn(f"connected to {address[0]}:{address[1]}", sys._getframe(1))
        elif isinstance(address, (str, bytes)):
            self.warn(f"connected to {os.fsdecode(address)}", sys._getframe(1))

    def _on_resolve(self, args: tuple[Any, ...]) -> None:
        host, port = args[0], args[1]
        if self._seen is not None and host is not None:
            host = host.decode("ascii", "replace") if isinstance(host, bytes) else host
            self._seen.hosts.add(port)
            self.warn(f"connected to {host}:{port}", sys._getframe(1))

    def _on_native(self, args: tuple[Any, ...]) -> None:
        if args[0] is not None and self._seen is not None:
            name = os.path.basename(os.fsdecode(args[0]))
            self.warn(f"loaded the native library '{name}'", sys._getframe(1))

    # -- wrapped functions --------------------------------------------------------------------

    def _wrap_probes(self) -> None:
        def noted(path: Any, dir_fd: int | None) -> None:
            if type(path) is int or dir_fd is not None or get_ident() in self._busy:
                return
            with self.looking():
                full = _full(path)
                if full is not None:
                    self.note_probe(full, sys._getframe(1))

        def stat(path: Any, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> Any:
            if self._active:
                noted(path, dir_fd)
            return _stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)

        def lstat(path: Any, *, dir_fd: int | None = None) -> Any:
            if self._active:
                noted(path, dir_fd)
            return _lstat(path, dir_fd=dir_fd)

        def access(
            path: Any,
            mode: int,
            *,
            dir_fd: int | None = None,
            effective_ids: bool = False,
            follow_symlinks: bool = True,
        ) -> bool:
            if self._active:
                noted(path, dir_fd)
            return _access(
                path, mode, dir_fd=dir_fd, effective_ids=effective_ids,
                follow_symlinks=follow_symlinks,
            )  # fmt: skip

        for name, wrapper in (("stat", stat), ("lstat", lstat), ("access", access)):
            original = getattr(os, name)
            wrapper.__doc__ = original.__doc__
            for family in (
                os.supports_dir_fd, os.supports_follow_symlinks, os.supports_fd,
                os.supports_effective_ids,
            ):  # fmt: skip
                if original in family:
                    family.add(wrapper)
            self._replace(os, name, wrapper)

    def _replace(self, place: Any, name: str, value: Any) -> None:
        before = getattr(place, name)
        setattr(place, name, value)
        self._undo.append(lambda: setattr(place, name, before))

    def _wrap_environ(self) -> None:
        recorder = self

        class RecordedEnviron(os._Environ):  # type: ignore[type-arg]
            """`os.environ`, whose reads are observed. The object itself stays the same one."""

            def __getitem__(self, key: Any) -> Any:
                recorder._on_env(key)
                return super().__getitem__(key)

            def __setitem__(self, key: Any, value: Any) -> None:
                recorder._on_env_set(key)
                super().__setitem__(key, value)

            def __delitem__(self, key: Any) -> None:
                recorder._on_env_set(key)
                super().__delitem__(key)

            def __iter__(self) -> Any:
                recorder._on_env_iteration()
                return super().__iter__()

            def copy(self) -> Any:
                recorder._on_env_iteration()
                with recorder.looking():
                    return dict(self)

        for environ in (os.environ, getattr(os, "environb", None)):
            if environ is not None:
                # In place: whoever holds `os.environ` already holds the recorded one.
                self._replace(environ, "__class__", RecordedEnviron)

    def _on_env(self, key: Any) -> None:
        if not self._active or get_ident() in self._busy or not isinstance(key, (str, bytes)):
            return
        name = os.fsdecode(key)
        if name in self.secrets or name in self._env_set or self._is_known("env", name):
            return
        frame = _env_caller(sys._getframe(1))
        if self._env_pass is not None and frame is not None and self._env_pass == (
            id(frame), frame.f_lasti,
        ):  # fmt: skip
            return  # one step of `dict(os.environ)`, which is recorded as a whole
        if name in HOUSEKEEPING and not self._is_project(frame):
            return
        counts, module = self._where(frame)
        if counts:
            value = os.environ._data.get(os.fsencode(name))  # type: ignore[attr-defined]
            text = None if value is None else os.fsdecode(value)
            self._note("env", name, value_digest(name, text, self.salt), module)

    def _on_env_set(self, key: Any) -> None:
        if not self._active or not isinstance(key, (str, bytes)):
            return
        name = os.fsdecode(key)
        if name in self._env_set or (self._seen is None and not self._n_importing):
            return
        frame = _env_caller(sys._getframe(1))
        if self._seen is not None:
            counts, module = self._where(frame)
            if counts and module is None and name not in self._seen.env_before:
                value = os.environ._data.get(os.fsencode(name))  # type: ignore[attr-defined]
                self._seen.env_before[name] = None if value is None else os.fsdecode(value)
        self._env_set.add(name)

    def _on_env_iteration(self) -> None:
        if not self._active or get_ident() in self._busy:
            return
        frame = _env_caller(sys._getframe(1))
        if frame is None or frame.f_globals.get("__name__", "").startswith(
            ("subprocess", "multiprocessing", "joblib", "concurrent.futures")
        ):
            return  # hands the environment on to a child process
        self._env_pass = (id(frame), frame.f_lasti)
        if self._is_known("env", ALL):
            return
        counts, module = self._where(frame)
        if counts:
            secrets = self.secrets | {n for n in self._env_set if not is_left_out(n, ())}
            self._note("env", ALL, env_digest(ALL, self.salt, secrets), module)

    def _is_project(self, frame: FrameType | None) -> bool:
        return frame is not None and self.paths.is_project_code(frame.f_code.co_filename)

    def _wrap_imports(self) -> None:
        real_import, real_module = builtins.__import__, importlib.import_module
        modules = sys.modules

        # Called by the interpreter with these names or by position; typed loosely for speed.
        def recording_import(name: str, *args: Any, **kwargs: Any) -> Any:
            level = args[3] if len(args) > 3 else kwargs.get("level", 0)
            caller = args[0] if args else kwargs.get("globals")
            if level == 0:
                top = name.partition(".")[0]
                if name not in modules or self._loading:
                    return self._load(top, caller, lambda: real_import(name, *args, **kwargs))
                seen = self._seen
                if seen is not None and not _is_whence(caller):
                    seen.imported.add(top)
                return real_import(name, *args, **kwargs)
            self._n_importing += 1
            try:
                return real_import(name, *args, **kwargs)
            finally:
                self._n_importing -= 1

        def import_module(name: str, package: str | None = None) -> Any:
            """Import a module; see `importlib.import_module`."""
            if name.startswith("."):
                return real_module(name, package)
            top, caller = name.partition(".")[0], sys._getframe(1).f_globals
            return self._load(top, caller, lambda: real_module(name, package))

        self._replace(builtins, "__import__", recording_import)
        self._replace(importlib, "import_module", import_module)

    def _load(self, top: str, caller: Any, load: Callable[[], Any]) -> Any:
        """Import while noting which modules the library in question brings with it."""
        if not self._active:
            return load()
        own = _is_whence(caller)
        if self._loading:
            if top != self._loading[-1]:
                self._loads.setdefault(self._loading[-1], set()).add(top)
        elif self._seen is not None and not own and not self._own_import:
            self._seen.imported.add(top)
        is_library = top not in sys.stdlib_module_names and not self._is_project_top(top)
        self._own_import += own
        self._n_importing += 1
        if is_library:
            self._loading.append(top)
        try:
            return load()
        finally:
            if is_library:
                self._loading.pop()
            self._n_importing -= 1
            self._own_import -= own

    def _is_project_top(self, top: str) -> bool:
        if top not in self._project_tops:
            with self.looking():
                folders = [p for p in sys.path if self.paths.is_project_code(_join(p, "x.py"))]
                self._project_tops[top] = any(
                    kind_now(_join(folder, name)) != "absent"
                    for folder in folders
                    for name in (top, f"{top}.py")
                )
        return self._project_tops[top]


@functools.cache
def _hook_process() -> None:
    """Hook this process once, for whichever recorder is the current one: hooks stay for ever."""
    current = observe_readers.current

    def hook(event: str, args: tuple[Any, ...]) -> None:
        # Runs for every audited event of the process, so it must be quick to say no.
        if event in _EVENTS and current.recorder is not None:
            current.recorder.on_event(event, args)

    sys.addaudithook(hook)


def _full(path: Any) -> str | None:
    try:
        return _abspath(os.fsdecode(path))
    except (TypeError, ValueError):
        return None


def _is_library(frame: FrameType | None) -> bool:
    """Whether an installed package asks, be it through `os.path` or `pathlib`."""
    while frame is not None:
        name = frame.f_code.co_filename
        if "site-packages" in name or "dist-packages" in name:
            return True
        if not name.startswith((_STDLIB, _HERE, "<frozen ")):
            return False
        frame = frame.f_back
    return False


def _is_whence(caller: Any) -> bool:
    return caller is not None and caller.get("__name__", "").startswith("whence.")


def _env_caller(frame: FrameType | None) -> FrameType | None:
    """The frame that asked, beyond the modules that `os.environ` itself is made of."""
    while frame is not None and frame.f_code.co_filename.endswith(
        ("_collections_abc>", "_collections_abc.py", "frozen os>", "/os.py", "engine/observe.py")
    ):
        frame = frame.f_back
    return frame
