"""The environment coordinate: which installed distributions a set of imports can reach.

A distribution counts by name and version; one installed from a path, and a loose module on
`sys.path`, by content. The index is built once per state of `sys.path` and kept as JSON, so that
a build that changes nothing reads it and looks no further.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time

from whence.engine.stats import RACY_NS, StatCache, stat_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

#: Bumped when the JSON form changes, so that an older cache is not misread.
FORM = 1

_SKIPPED_FOLDERS = {
    "__pycache__", ".git", ".hg", ".venv", "venv", "node_modules", ".whence", ".mypy_cache",
    ".pytest_cache", ".ruff_cache", ".tox", ".nox", ".eggs",
}  # fmt: skip


def stat_signature(sys_path: Sequence[str]) -> list[list[Any]]:
    """`[path, mtime_ns, ctime_ns, ino]` of each folder of `sys_path` and each `.pth` in it.

    Installing, upgrading and removing a distribution each change its folder's time stamps.
    """
    signature: list[list[Any]] = []
    for path in sys_path:
        found = stat_of(path)
        signature.append([path, *((found[1], found[3], found[2]) if found else (0, 0, 0))])
    return signature


def interpreter() -> dict[str, str]:
    """Interpreter's minor version and the platform, as they enter every key."""
    name = sys.implementation.name
    machine = os.uname().machine if hasattr(os, "uname") else "unknown"
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return {
        "python": version if name == "cpython" else f"{name} {version}",
        "platform": f"{sys.platform}-{machine}",
    }


class Environment:
    """An index of what is installed, made by `open` or `scan`.

    Examples
    --------
    >>> import sys
    >>> environment = Environment.scan(sys.path)
    >>> dict(environment.distributions_of(["json", "no_such_module.sub"]))
    {'absent:no_such_module': 'absent'}
    """

    __slots__ = (
        "_contents", "_data", "_depends", "_memo", "_owners", "_stats", "_tops_memo", "_watched",
    )  # fmt: skip

    def __init__(self, data: dict[str, Any], stats: StatCache | None = None) -> None:
        self._data = data
        self._stats = stats if stats is not None else StatCache()
        self._contents: dict[str, str] = {}
        self._depends: dict[str, frozenset[str]] = {}
        self._watched: dict[str, None] = dict.fromkeys(data["pths"])
        self._memo: dict[frozenset[str], dict[str, str]] = {}
        self._tops_memo: dict[str, tuple[str, ...]] = {}
        self._owners: dict[str, list[str]] = {}
        for name, dist in data["dists"].items():
            for top in dist["tops"]:
                self._owners.setdefault(top, []).append(name)

    @classmethod
    def open(
        cls,
        sys_path: Sequence[str],
        *,
        cached: dict[str, Any] | None = None,
        project_root: str | os.PathLike[str] | None = None,
        project_roots: Sequence[str] = (),
        stats: StatCache | None = None,
    ) -> Environment:
        """The environment from `cached` (what `to_json` gave) where it still holds, else a scan.

        Parameters
        ----------
        sys_path : sequence of str
            The worker's `sys.path`.
        project_root : path, optional
            Installs of this folder are the project itself and count as code, not as environment.
        project_roots : sequence of str
            Entries of `sys.path` that hold the project's own modules; left out.
        """
        kept = _without_project(sys_path, project_root, project_roots)
        if (
            cached is not None
            and cached.get("form") == FORM
            and cached["interpreter"] == [*sys.version_info[:3], sys.prefix]
            and cached["project_root"] == (os.fspath(project_root) if project_root else None)
            and cached["settled"]
            and cached["signature"] == stat_signature(kept)
            and all(
                [path, *(stat_of(path) or ())] in cached["pth_stats"] for path in cached["pths"]
            )
        ):
            return cls(cached, stats)
        return cls.scan(sys_path, project_root=project_root, project_roots=project_roots,
                        stats=stats)  # fmt: skip

    @classmethod
    def scan(
        cls,
        sys_path: Sequence[str],
        *,
        project_root: str | os.PathLike[str] | None = None,
        project_roots: Sequence[str] = (),
        stats: StatCache | None = None,
    ) -> Environment:
        """Read every distribution that `sys_path` offers; parameters as for `open`."""
        from whence.engine.distinfo import packages_of_record, read_distribution
        from whence.engine.markers import Markers

        kept = _without_project(sys_path, project_root, project_roots)
        now = time.time_ns()
        signature = stat_signature(kept)
        markers = Markers()
        dists: dict[str, dict[str, Any]] = {}
        pths: list[str] = []
        root = os.path.realpath(project_root) if project_root else None
        for folder in kept:
            try:
                names = sorted(os.listdir(folder))
            except OSError:
                continue
            for name in names:
                if name.endswith(".pth"):
                    pths.append(os.path.join(folder, name))
                if not name.endswith((".dist-info", ".egg-info")):
                    continue
                dist = read_distribution(folder, name, markers)
                # The first on sys.path is the one that is imported.
                if dist is None or dist["name"] in dists or dist["name"] == "whence":
                    continue
                source = dist.pop("source", None)
                if root is not None and source and os.path.realpath(source) == root:
                    continue
                dists[dist["name"]] = dist
        owners: dict[str, list[str]] = {}
        for name, dist in dists.items():
            for top in dist["tops"]:
                owners.setdefault(top, []).append(name)
        for top, names in owners.items():
            if len(names) < 2:
                continue
            for name in names:
                try:
                    with open(os.path.join(dists[name]["info"], "RECORD"), "rb") as file:
                        prefixes = packages_of_record(file.read(), top)
                except OSError:
                    prefixes = [top]  # unknown: it may be any of them
                dists[name].setdefault("prefixes", {})[top] = prefixes
        for dist in dists.values():
            del dist["info"]
        return cls(
            {
                "form": FORM,
                "interpreter": [*sys.version_info[:3], sys.prefix],
                "project_root": os.fspath(project_root) if project_root else None,
                "sys_path": kept,
                "signature": signature,
                # A folder changed a moment ago may change again under the same time stamps.
                "settled": all(max(row[1], row[2]) <= now - RACY_NS for row in signature),
                "pths": pths,
                "pth_stats": [[path, *(stat_of(path) or ())] for path in pths],
                "dists": dists,
            },
            stats,
        )

    def to_json(self) -> dict[str, Any]:
        """The index as plain JSON values, for `open(cached=...)` and `from_json`."""
        return self._data

    @classmethod
    def from_json(cls, data: dict[str, Any], stats: StatCache | None = None) -> Environment:
        """The index that `to_json` wrote, taken as it is."""
        return cls(data, stats)

    def distributions_of(self, modules: Iterable[str]) -> Mapping[str, str]:
        """Distributions that importing `modules` (dotted names) can reach, with their versions.

        Installed requirements are included, transitively. The standard library, builtins and
        whence give nothing. A loose module is "module:NAME", what is not installed is
        "absent:NAME".
        """
        wanted = frozenset(modules)
        if wanted not in self._memo:
            keys: set[str] = set()
            for module in wanted:
                keys.update(self._keys_of(module))
            self._memo[wanted] = dict(self._closed(keys))
        return self._memo[wanted]

    def version_of(self, name: str) -> str:
        """Current version of a key of `distributions_of`; "absent" where it is not there."""
        if name.startswith("absent:"):
            found = self._keys_of(name.removeprefix("absent:"))
            return "absent" if found == (name,) else "present"
        if name.startswith("module:"):
            return self._content_of_module(name.removeprefix("module:"))
        dist = self._data["dists"].get(name)
        if dist is None:
            return "absent"
        if "roots" not in dist:
            return str(dist["version"])
        if name not in self._contents:
            self._contents[name] = self._content(dist["roots"])
        return f"{dist['version']} content {self._contents[name]}"

    def lock(self) -> Mapping[str, str]:
        """Every installed distribution with its version."""
        return {name: self.version_of(name) for name in sorted(self._data["dists"])}

    def watched_paths(self) -> list[str]:
        """Paths whose stat must stay as it is for what was answered so far to hold.

        The folders of `sys.path`, their `.pth` files, and every file and folder of the
        content-counted installs and loose modules that were asked for.
        """
        return [*self._data["sys_path"], *self._watched]

    def _keys_of(self, module: str) -> tuple[str, ...]:
        if module not in self._tops_memo:
            self._tops_memo[module] = self._find_keys(module)
        return self._tops_memo[module]

    def _find_keys(self, module: str) -> tuple[str, ...]:
        top = module.partition(".")[0]
        if not top or top in sys.stdlib_module_names or top in sys.builtin_module_names:
            return ()
        if top in ("whence", "__main__", "__future__"):
            return ()
        owners = self._owners.get(top, [])
        if len(owners) > 1:
            dists = self._data["dists"]
            near = [
                name
                for name in owners
                if any(
                    module == p or module.startswith(p + ".") or p.startswith(module + ".")
                    for p in dists[name].get("prefixes", {}).get(top, ())
                )
            ]
            return tuple(near or owners)
        if owners:
            return tuple(owners)
        return (f"module:{top}",) if self._loose(top) else (f"absent:{top}",)

    def _loose(self, top: str) -> list[str]:
        """Files or folders that `import top` would find outside all distributions."""
        from whence.engine.distinfo import importable_roots

        for folder in self._data["sys_path"]:
            if folder.endswith(".zip"):
                continue
            if roots := importable_roots([folder], [top]):
                return roots
        return []

    def _closed(self, keys: set[str]) -> list[tuple[str, str]]:
        dists = self._data["dists"]
        todo: list[tuple[str, str]] = [(key, "") for key in keys]
        done: set[tuple[str, str]] = set()
        while todo:
            key, extra = todo.pop()
            if (key, extra) in done:
                continue
            done.add((key, extra))
            if key.startswith("module:"):
                name = key.removeprefix("module:")
                self._content_of_module(name)
                for module in self._depends.get(name, ()):
                    todo.extend((found, "") for found in self._keys_of(module))
            dist = dists.get(key)
            if dist is None:
                continue
            for name, extras in dist["requires"].get(extra, ()):
                if name in dists:  # whence itself is not among them
                    todo.append((name, ""))
                    todo.extend((name, asked) for asked in extras)
        return sorted({(key, self.version_of(key)) for key, _ in done})

    def _content_of_module(self, top: str) -> str:
        key = f"module:{top}"
        if key not in self._contents:
            roots = self._loose(top)
            if not roots:
                return "absent"
            self._contents[key] = "content " + self._content(roots)
            self._depends[top] = _imports_of(self._files(roots)) - {top}
        return self._contents[key]

    def _content(self, roots: Iterable[str]) -> str:
        hasher = hashlib.sha256()
        for root in sorted(roots):
            base = os.path.dirname(root)
            for path in self._files([root]):
                try:
                    digest = self._stats.sha256(path)
                except OSError:
                    digest = "absent"
                shown = os.fsencode(os.path.relpath(path, base))
                hasher.update(b"%d:%s=%s\n" % (len(shown), shown, digest.encode()))
        return "sha256:" + hasher.hexdigest()

    def _files(self, roots: Iterable[str]) -> list[str]:
        files: list[str] = []
        for root in roots:
            if not os.path.isdir(root):
                files.append(root)
                self._watched[root] = None
                continue
            for folder, folders, names in os.walk(root):
                self._watched[folder] = None
                folders[:] = sorted(f for f in folders if f not in _SKIPPED_FOLDERS)
                for name in sorted(names):
                    if not name.endswith((".pyc", ".pyo")):
                        path = os.path.join(folder, name)
                        files.append(path)
                        self._watched[path] = None
        return files


def _without_project(
    sys_path: Sequence[str], root: str | os.PathLike[str] | None, roots: Sequence[str]
) -> list[str]:
    """`sys_path` without the project's own entries, without doubles and zip archives of stdlib."""
    own = {os.path.realpath(path) for path in roots}
    if root is not None:
        own.add(os.path.realpath(root))
    stdlib = os.path.dirname(os.__file__)
    kept: dict[str, None] = {}
    for entry in sys_path:
        path = os.path.abspath(entry or os.curdir)
        if path == stdlib or path.startswith(os.path.join(stdlib, "lib-dynload")):
            continue
        if path.endswith(".zip") and not os.path.exists(path):
            continue
        if os.path.realpath(path) not in own:
            kept[path] = None
    return list(kept)


def _imports_of(files: Iterable[str]) -> frozenset[str]:
    """Modules that the Python files import by an absolute statement."""
    import ast

    found: set[str] = set()
    for path in files:
        if not path.endswith(".py"):
            continue
        try:
            with open(path, "rb") as file:
                tree = ast.parse(file.read())
        except (OSError, SyntaxError, ValueError):
            continue  # counted by content all the same
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module)
    return frozenset(found)
