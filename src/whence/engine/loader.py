"""Run the project's modules from a snapshot while they look as if they ran from the user's tree.

Tracebacks, breakpoints and `inspect` show the user's own paths with the snapshot's text;
`__file__` and `importlib.resources` point into the snapshot. The working tree cannot be imported:
each `sys.path` entry inside the project leads to the snapshot's copy of that folder.
"""

from __future__ import annotations

import linecache
import os
import sys
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
)

from whence.engine.snapshot import link_data

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from pathlib import Path
    from types import CodeType
    from typing import Any


class Installed:
    """What `install` changed; `uninstall` puts it back (for tests and one-off uses)."""

    def __init__(self, snapshot: str, project: str, folders: frozenset[str]) -> None:
        self.snapshot, self.project = snapshot, project
        self._folders = folders
        self._path_before = list(sys.path)
        self._update_before = linecache.updatecache
        self._hook = self._path_hook

    def user_path(self, path: str) -> str:
        """The user's own path of a file of the snapshot; any other path as it is."""
        if path.startswith(self.snapshot + os.sep):
            return self.project + path[len(self.snapshot) :]
        return path

    def snapshot_path(self, path: str) -> str | None:
        """The snapshot's path of a file or folder of the project, None outside of it."""
        if path == self.snapshot or path.startswith(self.snapshot + os.sep):
            return path
        if path != self.project and not path.startswith(self.project + os.sep):
            return None
        if os.sep + "site-packages" in path or os.sep + "dist-packages" in path:
            return None  # a virtual environment inside the project
        return self.snapshot + path[len(self.project) :]

    def _path_hook(self, path: str) -> FileFinder:
        found = self.snapshot_path(os.path.realpath(path or os.curdir))
        if found is None:
            raise ImportError(f"{path} is not part of the project")
        return SnapshotFinder(found, self)

    def _activate(self, roots: Sequence[str]) -> None:
        own = [os.path.normpath(os.path.join(self.snapshot, root)) for root in roots]
        kept: dict[str, None] = dict.fromkeys(own)
        for entry in self._path_before:
            full = os.path.realpath(entry or os.curdir)
            found = self.snapshot_path(full)
            if found is None:
                kept[entry] = None
            elif found in self._folders and full != self.project and found not in own:
                kept[found] = None  # a folder of the project put on PYTHONPATH
        sys.path[:] = list(kept)
        sys.path_hooks.insert(0, self._hook)
        sys.path_importer_cache.clear()
        _unmap_editable_installs(self.project)
        linecache.updatecache = self._updatecache

    def _updatecache(self, filename: str, module_globals: Any = None) -> list[str]:
        """`linecache.updatecache`, but the project's files come from the snapshot."""
        shown = self.snapshot + filename[len(self.project) :]
        if filename.startswith(self.project + os.sep) and os.path.isfile(shown):
            return _remember_lines(shown, filename)
        return self._update_before(filename, module_globals)

    def is_code(self, path: str) -> bool:
        """Whether the snapshot itself holds this path: links lead to the working tree."""
        folder = os.path.dirname(path)
        return folder in self._folders and not os.path.islink(path)

    def uninstall(self) -> None:
        """Undo `install`; modules already imported stay as they are."""
        sys.path[:] = self._path_before
        sys.path_hooks.remove(self._hook)
        sys.path_importer_cache.clear()
        linecache.updatecache = self._update_before
        for path in [p for p in linecache.cache if p.startswith(self.project + os.sep)]:
            del linecache.cache[path]


class SnapshotLoader(SourceFileLoader):
    """Loads a module's source from the snapshot and compiles it under the user's path."""

    def __init__(self, fullname: str, path: str, installed: Installed) -> None:
        super().__init__(fullname, path)
        self._installed = installed

    def get_code(self, fullname: str) -> CodeType:
        # No bytecode is read or written: it would carry the path it was once compiled under.
        path = self.get_filename(fullname)
        shown = self._installed.user_path(path)
        data = self.get_data(path)
        code: CodeType = compile(data, shown, "exec", dont_inherit=True)
        return code


class SnapshotFinder(FileFinder):
    """Finds modules in one folder of the snapshot, never through a link out of it."""

    def __init__(self, path: str, installed: Installed) -> None:
        def source(fullname: str, path: str) -> SnapshotLoader:
            return SnapshotLoader(fullname, path, installed)

        details: Any = [(ExtensionFileLoader, EXTENSION_SUFFIXES), (source, [".py"])]
        super().__init__(path, *details)
        self._installed = installed

    def find_spec(self, fullname: str, target: Any = None) -> ModuleSpec | None:
        spec = super().find_spec(fullname, target)
        if spec is None:
            return None
        if spec.origin is not None and spec.loader is not None:
            return spec if self._installed.is_code(spec.origin) else None
        for folder in spec.submodule_search_locations or ():
            if not self._installed.is_code(folder):
                return None
        return spec


def install(
    snapshot_dir: str | Path, project_root: str | Path, python_roots: Sequence[str] = (".",)
) -> Installed:
    """Import the project's modules from `snapshot_dir` from now on, in this process.

    Parameters
    ----------
    snapshot_dir : path
        A tree made by `snapshot.materialise`.
    project_root : path
        The user's working tree, whose paths are shown.
    python_roots : sequence of str
        Folders below the root that hold top-level modules ("." or "src").
    """
    snapshot = os.path.realpath(snapshot_dir)
    project = os.path.realpath(project_root)
    folders = frozenset(folder for folder, _, _ in os.walk(snapshot))
    installed = Installed(snapshot, project, folders)
    link_data(snapshot, project)
    installed._activate(python_roots)
    return installed


def _remember_lines(path: str, shown: str) -> list[str]:
    """Give linecache the text of the file at `path` under the name `shown`."""
    import tokenize

    try:
        with tokenize.open(path) as file:
            lines = file.readlines()
    except (OSError, SyntaxError, UnicodeDecodeError):
        return []
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    # No time stamp: `linecache.checkcache` then never looks at the working tree.
    linecache.cache[shown] = (sum(map(len, lines)), None, lines, shown)
    return lines


def _unmap_editable_installs(project: str) -> None:
    """Take the project out of the import maps of its own editable install."""
    for name, module in list(sys.modules.items()):
        if not name.startswith("__editable__"):
            continue
        for table in ("MAPPING", "NAMESPACES"):
            mapping = getattr(module, table, None)
            if not isinstance(mapping, dict):
                continue
            for key, where in list(mapping.items()):
                places = [where] if isinstance(where, str) else list(where)
                if any(os.path.realpath(p).startswith(project + os.sep) for p in places):
                    del mapping[key]
