"""Paths as observations: which ones count, under which name, and what they hold now."""

from __future__ import annotations

import os
import stat as modes
import sys

from whence.engine.observe_env import env_digest
from whence.graph.digest import digest_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from whence.engine.environment import Environment
    from whence.engine.stats import StatCache

#: Larger files that were only probed (exists, size) count by their existence.
PROBED_BYTES = 64 << 20

#: Parts of the machine: they change with it, not with the project.
MACHINE = (
    "/proc", "/sys", "/dev", "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share",
    "/usr/local/share", "/usr/local/lib", "/var/cache/fontconfig", "/System", "/Library",
    "/opt/homebrew", "/etc/localtime", "/etc/timezone", "/etc/resolv.conf", "/etc/hosts",
    "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/ld.so.cache", "/etc/ssl",
    "/etc/ca-certificates", "/etc/fonts", "/etc/mime.types", "/etc/passwd", "/etc/group",
    "/etc/os-release", "/etc/machine-id", "/etc/services", "/etc/protocols", "/etc/magic",
    "/etc/apache2/mime.types", "/etc/httpd/mime.types", "/etc/lsb-release", "/etc/debian_version",
)  # fmt: skip

#: Caches of libraries, below the home folder.
HOME_CACHES = (
    ".cache/matplotlib", ".cache/fontconfig", ".cache/pip", ".cache/uv", ".cache/numba",
    ".config/matplotlib/fontlist", ".matplotlib", ".fonts", ".local/share/fonts", ".triton",
)  # fmt: skip

_UNLISTED = {"__pycache__", ".whence", ".git", ".DS_Store"}

# The originals: the recorder replaces some of these in `os`.
_stat, _lstat, _scandir = os.stat, os.lstat, os.scandir


class Paths:
    """Names of paths as observations see them: relative inside the project, absolute outside."""

    def __init__(
        self, root: str | Path, snapshot: str | Path | None, ignored: Iterable[str | Path]
    ) -> None:
        self.root = os.path.realpath(root)
        self.snapshot = os.path.realpath(snapshot) if snapshot is not None else None
        given = os.path.abspath(root)
        self._roots = tuple({self.root + os.sep, given + os.sep})
        home = os.path.expanduser("~")
        places = [os.path.realpath(path) for path in ignored if "://" not in str(path)]
        places += [*MACHINE, *(os.path.join(home, cache) for cache in HOME_CACHES)]
        places += [os.path.dirname(os.__file__)]
        # whence itself never counts, wherever it was installed from.
        places += [os.path.dirname(os.path.dirname(os.path.realpath(__file__)))]
        for prefix in {sys.prefix, sys.base_prefix, sys.exec_prefix}:
            if prefix not in ("/", "/usr", "/usr/local"):
                places += [prefix, os.path.realpath(prefix)]
        own = self.root + os.sep
        # A place that holds the project (an image with it under /usr/lib) does not hide it.
        self._ignored = tuple(p.rstrip("/") + os.sep for p in places if not own.startswith(p + "/"))
        self._known: dict[str, str | None] = {}

    def is_project_code(self, filename: str) -> bool:
        """Whether code compiled under this path is the project's own."""
        if self.snapshot is not None and filename.startswith(self.snapshot + os.sep):
            return True
        if not filename.startswith(self._roots):
            return False
        return "site-packages" not in filename and not filename.startswith(self._ignored)

    def name_of(self, path: str) -> str | None:
        """Name under which an absolute path is observed, None where it is not."""
        if path in self._known:
            return self._known[path]
        if len(self._known) > 50_000:
            self._known.clear()
        name = self._known[path] = self._find_name(path)
        return name

    def _find_name(self, path: str) -> str | None:
        name = self._inside(path)
        if name is None:
            if path.startswith(self._ignored) or path + os.sep in self._ignored:
                return None
            real = os.path.realpath(path)
            name = self._inside(real) if real != path else None
            if name is None:
                if real.startswith(self._ignored) or "site-packages" in real:
                    return None
                return path
        return name or None

    def _inside(self, path: str) -> str | None:
        """Relative name, "" for what is ignored inside the project, None outside of it."""
        if self.snapshot is not None:
            if path == self.snapshot:
                return "."
            if path.startswith(self.snapshot + os.sep):
                inside = path[len(self.snapshot) + 1 :]
                return "" if "__pycache__" in inside else inside
        if path + os.sep in self._roots:
            return "."
        for root in self._roots:
            if path.startswith(root):
                hidden = path.startswith(self._ignored) or path + os.sep in self._ignored
                if hidden or "site-packages" in path or "__pycache__" in path:
                    return ""
                return path[len(root) :]
        return None

    def locate(self, name: str) -> str:
        """Where the thing observed under `name` is in the working tree."""
        return os.path.normpath(os.path.join(self.root, name))

    def is_inside(self, name: str) -> bool:
        """Whether the name is of something in the project."""
        return not os.path.isabs(name)


def file_now(path: str, stats: StatCache) -> str:
    """Digest of a file's content; "absent", "directory", "special" or "unreadable" otherwise."""
    try:
        found = _stat(path)
        if modes.S_ISDIR(found.st_mode):
            return "directory"
        if not modes.S_ISREG(found.st_mode):
            return "special"
        return stats.blake3(path)
    except (FileNotFoundError, NotADirectoryError):
        return "absent"
    except (OSError, ValueError):
        return "unreadable"


def kind_now(path: str) -> str:
    """What is there: "absent", "file", "directory", "special"."""
    try:
        mode = _stat(path).st_mode
    except (OSError, ValueError):
        return "absent"
    if modes.S_ISDIR(mode):
        return "directory"
    return "file" if modes.S_ISREG(mode) else "special"


def listing_now(path: str, without: Sequence[str] = ()) -> str:
    """Digest of the sorted names in a folder, folders marked; "absent" where there is none."""
    names = []
    try:
        with _scandir(path) as entries:
            for entry in entries:
                if entry.name not in _UNLISTED and entry.name not in without:
                    names.append(entry.name + "/" if entry.is_dir() else entry.name)
    except (OSError, ValueError):
        return "absent"
    return digest_text("listing", *sorted(names))


class ObserveContext:
    """What `current_digest` may use: the project's root, the store's salt, the file digests.

    Parameters
    ----------
    root : path
        The project's root, for names that are relative.
    salt : str
        The store's id; digests of environment variables are salted with it.
    stats : StatCache
        Digests of files that did not change.
    environment : Environment, optional
        What is installed, for observations of distributions.
    secrets : sequence of str
        Environment variables that never enter anything.
    """

    __slots__ = ("environment", "root", "salt", "secrets", "stats")

    def __init__(
        self,
        root: str | Path,
        salt: str,
        stats: StatCache,
        environment: Environment | None = None,
        secrets: Sequence[str] = (),
    ) -> None:
        self.root, self.salt, self.stats = os.fspath(root), salt, stats
        self.environment, self.secrets = environment, tuple(secrets)


def current_digest(kind: str, name: str, context: ObserveContext) -> str:
    """What an observed thing is now, spelled as `Recorder` spells it.

    Parameters
    ----------
    kind : str
        "file", "exists", "listing", "env" or "distribution". ("seed" is the caller's to compare:
        it depends on the task, not on the machine.)
    name : str
        The observation's name.
    context : ObserveContext
        Where to look.
    """
    if kind == "env":
        return env_digest(name, context.salt, context.secrets)
    if kind == "distribution":
        return context.environment.version_of(name) if context.environment else "absent"
    path = os.path.normpath(os.path.join(context.root, name))
    if kind == "file":
        return file_now(path, context.stats)
    if kind == "exists":
        return kind_now(path)
    if kind == "listing":
        return listing_now(path)
    raise ValueError(f"no such kind of observation: {kind!r}")
