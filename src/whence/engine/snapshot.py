"""The project's tree: what belongs to it, its digest, and copies of it that workers run from."""

from __future__ import annotations

import json
import os
import sys

from whence.errors import WhenceError
from whence.graph.digest import Digest, digest_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Protocol

    from whence.engine.stats import StatCache

    class Contents(Protocol):
        """The part of the catalog that holds trees."""

        def put_text(self, digest: str, text: str) -> None: ...
        def get_texts(self, digests: Iterable[str]) -> dict[str, str]: ...
        def put_contents(self, many: Mapping[str, bytes]) -> None: ...
        def get_content(self, digest: str) -> bytes: ...
        def has_contents(self, digests: Iterable[str]) -> set[str]: ...


#: Larger files are data, not source: they are left out and listed.
LARGEST_BYTES = 5_000_000

#: Copies of trees kept on disk by `prune`.
KEPT = 20

_IGNORED_FOLDERS = {
    ".git", ".hg", ".svn", ".venv", "node_modules", "__pycache__", ".whence", ".mypy_cache",
    ".ruff_cache", ".pytest_cache", ".hypothesis", ".ipynb_checkpoints", ".tox", ".nox", ".eggs",
    ".idea", ".vscode", "site-packages",
}  # fmt: skip
# Without git to say what is ignored: left out unless they are packages.
_BUILT_FOLDERS = {"venv", "env", "dist", "build"}
_NATIVE = (".so", ".pyd")
# An ignored folder with more entries than this holds data: it is watched but not searched.
_SEARCHED_ENTRIES = 256
_SEARCHED_FOLDERS = 2_000


class TreeMoved(WhenceError):
    """A file of the project changed between being fingerprinted and being stored."""


class FileEntry:
    """One file of a tree."""

    __slots__ = ("digest", "size")

    def __init__(self, digest: str, size: int) -> None:
        self.digest, self.size = digest, size

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FileEntry) and (self.digest, self.size) == (
            other.digest, other.size)  # fmt: skip

    def __hash__(self) -> int:
        return hash((self.digest, self.size))

    def __repr__(self) -> str:
        return f"FileEntry({self.digest!r}, {self.size})"


class Tree:
    """A project's tree as found by `scan_tree`.

    Attributes
    ----------
    files : mapping of str to FileEntry
        By path relative to the root, "/"-separated, in order.
    skipped : list of (path, reason)
        What looked like part of the project and was left out.
    directories : list of str
        Folders, and ignore files, whose stat must stay as it is for no file to have come or gone.
    """

    __slots__ = ("directories", "files", "skipped")

    def __init__(
        self,
        files: Mapping[str, FileEntry],
        skipped: Sequence[tuple[str, str]] = (),
        directories: Sequence[str] = (),
    ) -> None:
        self.files = dict(sorted(files.items()))
        self.skipped = list(skipped)
        self.directories = list(directories)

    def to_text(self) -> str:
        """Canonical JSON of the files; equal trees spell equal texts."""
        files = {path: [entry.digest, entry.size] for path, entry in self.files.items()}
        # ASCII, because names need not be valid UTF-8 (surrogates stand for such bytes).
        return json.dumps({"tree": 1, "files": files}, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Tree:
        """The tree that `to_text` wrote, without what was skipped."""
        files = json.loads(text)["files"]
        return cls({path: FileEntry(digest, size) for path, (digest, size) in files.items()})

    @property
    def digest(self) -> Digest:
        return digest_bytes(self.to_text().encode())

    @property
    def python_files(self) -> list[str]:
        return [path for path in self.files if path.endswith(".py")]

    @property
    def native_files(self) -> list[str]:
        return [path for path in self.files if path.endswith(_NATIVE)]


def scan_tree(
    root: str | Path, stat_cache: StatCache, exclude: Iterable[str] = (), *, git: bool = True
) -> Tree:
    """What of the folder `root` is the project.

    Python files anywhere; files beside or below Python files ("package data"); native modules;
    pyproject.toml. Never `.env` files, virtual environments, what git ignores, files over 5 MB.

    Parameters
    ----------
    root : path
        The project's root.
    stat_cache : StatCache
        Digests of files that did not change.
    exclude : iterable of str
        Patterns (`fnmatch`, on root-relative paths) of the sources' data.
    git : bool
        Whether to ask git what is ignored. Without git, usual folders are left out.
    """
    base = os.path.realpath(root)
    listed = _git_files(base) if git else None
    if listed is None:
        listed = _walked_files(base)
    listed = [path for path in listed if not _ignored(path)]
    directories = _directories(base, listed)
    natives = _native_modules(base, directories, listed)
    package_folders = {os.path.dirname(path) for path in listed if path.endswith(".py")}
    skip = _matcher(exclude)

    files: dict[str, FileEntry] = {}
    skipped: list[tuple[str, str]] = []
    for path in sorted({*listed, *natives}):
        is_python = path.endswith((".py", *_NATIVE))
        is_named = is_python or path == "pyproject.toml"
        if not is_named and not _within(path, package_folders):
            continue
        if skip(path):
            continue
        full = os.path.join(base, path)
        try:
            target = os.path.realpath(full) if os.path.islink(full) else full
            if target is not full and not target.startswith(base + os.sep):
                skipped.append((path, "a link to outside the project"))
                continue
            if os.path.isdir(target):
                if is_python or target is not full:
                    skipped.append((path, "a link to a folder, or a repository of its own"))
                continue
            size = os.stat(target).st_size
            if not os.path.isfile(target):
                skipped.append((path, "not a regular file"))
            elif size > LARGEST_BYTES:
                skipped.append((path, f"{size / 1e6:.1f} MB, over 5 MB"))
            else:
                files[path] = FileEntry(stat_cache.sha256(target), size)
        except FileNotFoundError:
            continue  # git lists a tracked file that was deleted
        except OSError as error:
            skipped.append((path, error.strerror or str(error)))
    return Tree(files, skipped, directories)


def python_roots(root: str | Path, configured: Sequence[str] = ()) -> list[str]:
    """Folders below `root` from which its modules are imported: as configured, "src", or "."."""
    if configured:
        return list(configured)
    return ["src"] if os.path.isdir(os.path.join(root, "src")) else ["."]


def module_of(path: str, roots: Sequence[str]) -> tuple[str, bool] | None:
    """Dotted name of the module that a tree's file is, and whether it is a package.

    None where it is no module of these roots.

    Examples
    --------
    >>> module_of("src/prep/__init__.py", ["src"])
    ('prep', True)
    """
    for root in sorted(roots, key=len, reverse=True):
        inside = path
        if root not in ("", "."):
            if not path.startswith(root.rstrip("/") + "/"):
                continue
            inside = path[len(root.rstrip("/")) + 1 :]
        folder, _, file = inside.rpartition("/")
        if not file.endswith((".py", *_NATIVE)):
            return None
        stem = file.partition(".")[0]
        parts = folder.split("/") if folder else []
        is_package = stem == "__init__" and bool(parts)
        if not is_package:
            parts.append(stem)
        if all(part.isidentifier() for part in parts):
            return ".".join(parts), is_package
    return None


def store_tree(tree: Tree, root: str | Path, catalog: Contents) -> Digest:
    """Put the tree and its files into the catalog; returns the tree's digest.

    Raises
    ------
    TreeMoved
        If a file no longer has the content that was scanned.
    """
    text = tree.to_text()
    digest = digest_bytes(text.encode())
    if digest in catalog.has_contents([digest]):
        return digest
    base = os.path.realpath(root)
    known = catalog.has_contents({entry.digest for entry in tree.files.values()})
    new: dict[str, bytes] = {}
    for path, entry in tree.files.items():
        if entry.digest in known:
            continue
        try:
            with open(os.path.join(base, path), "rb") as file:
                data = file.read()
        except OSError:
            data = None
        if data is None or digest_bytes(data) != entry.digest:
            raise TreeMoved(
                f"{path} changed while the build was being planned.",
                "run the command again; nothing was stored.",
            )
        new[entry.digest] = data
    if new:
        catalog.put_contents(new)
    catalog.put_text(digest, text)  # last: a tree that is listed is complete
    return digest


def materialise(tree_digest: Digest, catalog: Contents, dest_dir: str | Path) -> Path:
    """A folder that holds the tree, below `dest_dir`; made once and shared by its digest.

    Safe beside other processes that do the same: each builds under a temporary name, the first
    rename wins.
    """
    import shutil
    import tempfile
    from pathlib import Path

    dest = Path(dest_dir)
    target = dest / tree_digest.partition(":")[2][:32]
    if target.is_dir():
        os.utime(target)  # `prune` removes what was not used for longest
        return target
    text = catalog.get_texts([tree_digest]).get(tree_digest)
    if text is None:
        raise WhenceError(
            f"The store has no snapshot {tree_digest}.",
            "it may have been removed by `whence gc`; build again from the working tree.",
        )
    dest.mkdir(parents=True, exist_ok=True)
    _sweep_temporary(dest)
    temporary = Path(tempfile.mkdtemp(prefix=f".tmp-{os.getpid()}-", dir=dest))
    try:
        for path, entry in Tree.from_text(text).files.items():
            data = catalog.get_content(entry.digest)
            if digest_bytes(data) != entry.digest:
                raise WhenceError(
                    f"The snapshot's file {path} is altered in the catalog.",
                    "build again from the working tree, which stores it anew.",
                )
            file = temporary / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            file.chmod(0o444)  # what ran must stay what was fingerprinted
        temporary.chmod(0o755)
        try:
            temporary.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
    return target


def prune(dest_dir: str | Path, keep: int = KEPT, unused_s: float = 86_400.0) -> list[str]:
    """Remove the copies unused for longest, beyond the `keep` newest; returns their names.

    One used within `unused_s` seconds may belong to a running build and stays, unless there are
    ten times as many as should be kept.
    """
    import shutil
    import time

    found: list[tuple[float, str]] = []
    try:
        with os.scandir(dest_dir) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                    found.append((entry.stat().st_mtime, entry.name))
    except FileNotFoundError:
        return []
    found.sort(reverse=True)
    now = time.time()
    old = [
        name
        for place, (used, name) in enumerate(found)
        if place >= keep and (now - used > unused_s or place >= 10 * max(keep, 1))
    ]
    for name in old:
        shutil.rmtree(os.path.join(dest_dir, name), ignore_errors=True)
    return old


def link_data(snapshot: str | Path, root: str | Path) -> None:
    """Link from a copy to what the working tree has beside it, where that is no code.

    `Path(__file__).parent / "data"` then finds the user's data as it would in place. Reads
    through a link are seen as reads of the user's file. Nothing that Python could import is
    linked, and no hidden file.
    """
    base = os.path.realpath(root)
    for folder, folders, _ in os.walk(snapshot):
        inside = os.path.relpath(folder, snapshot)
        original = os.path.normpath(os.path.join(base, inside))
        folders[:] = [f for f in folders if not os.path.islink(os.path.join(folder, f))]
        try:
            names = os.listdir(original)
        except OSError:
            continue
        for name in names:
            link = os.path.join(folder, name)
            if name.startswith(".") or name in _IGNORED_FOLDERS or os.path.lexists(link):
                continue
            if name.endswith((".py", ".pyc", *_NATIVE)):
                continue
            try:
                os.symlink(os.path.join(original, name), link)
            except FileExistsError:
                continue  # another worker was quicker


def _sweep_temporary(dest: Path) -> None:
    """Remove what killed processes left behind."""
    import shutil
    import time

    for path in dest.glob(".tmp-*"):
        owner = path.name.split("-")[1]
        try:
            is_left = owner.isdigit() and int(owner) != os.getpid() and not _is_alive(int(owner))
            if is_left or time.time() - path.stat().st_mtime > 86_400:
                shutil.rmtree(path, ignore_errors=True)
        except FileNotFoundError:
            continue


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _ignored(path: str) -> bool:
    *folders, name = path.split("/")
    if any(folder in _IGNORED_FOLDERS for folder in folders):
        return True
    return name.startswith(".env") or name.endswith((".pyc", ".pyo")) or name == ".DS_Store"


def _git_files(base: str) -> list[str] | None:
    """Tracked and unignored files below `base`, None outside git or without it."""
    folder = base
    while not os.path.exists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    import subprocess

    command = ["git", "-C", base, "ls-files", "-co", "--exclude-standard", "-z"]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        return None
    if done.returncode != 0:
        return None
    paths = {os.fsdecode(path) for path in done.stdout.split(b"\0") if path}
    return [path.rstrip("/") for path in paths]


def _walked_files(base: str) -> list[str]:
    found: list[str] = []
    for folder, folders, names in os.walk(base):
        folders[:] = [
            f
            for f in folders
            if f not in _IGNORED_FOLDERS and not _is_built(os.path.join(folder, f))
        ]
        inside = os.path.relpath(folder, base)
        prefix = "" if inside == "." else inside.replace(os.sep, "/") + "/"
        found.extend(prefix + name for name in names)
    return found


def _is_built(folder: str) -> bool:
    """Whether the folder is a virtual environment, or what a build left there."""
    if os.path.exists(os.path.join(folder, "pyvenv.cfg")):
        return True
    is_named = os.path.basename(folder) in _BUILT_FOLDERS
    return is_named and not os.path.exists(os.path.join(folder, "__init__.py"))


def _directories(base: str, listed: Iterable[str]) -> list[str]:
    """Folders in which a file of the project could appear, and the files that say what is ignored.

    Git lists no empty folders, so those beside the listed files are looked for here.
    """
    known = {""}
    controls = []
    for path in listed:
        folder, _, name = path.rpartition("/")
        if name == ".gitignore":
            controls.append(path)
        while folder not in known:
            known.add(folder)
            folder = folder.rpartition("/")[0]
    todo = list(known)
    while todo and len(known) < _SEARCHED_FOLDERS:
        folder = todo.pop()
        full = os.path.join(base, folder)
        inner = []
        try:
            with os.scandir(full) as entries:
                for entry in entries:
                    if entry.name not in _IGNORED_FOLDERS and entry.is_dir(follow_symlinks=False):
                        inner.append(entry)
        except OSError:
            continue
        for entry in inner:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if path in known or _is_built(entry.path):
                continue
            known.add(path)
            if _n_entries(entry.path) <= _SEARCHED_ENTRIES:
                todo.append(path)
    if os.path.isfile(os.path.join(base, ".git", "info", "exclude")):
        controls.append(".git/info/exclude")
    return sorted(folder or "." for folder in known) + sorted(controls)


def _n_entries(path: str) -> int:
    try:
        return len(os.listdir(path))
    except OSError:
        return sys.maxsize


def _native_modules(base: str, directories: Iterable[str], listed: Iterable[str]) -> list[str]:
    """Compiled modules beside Python files; git mostly ignores them, but they are code."""
    code = {os.path.dirname(path) for path in listed if path.endswith(".py")}
    found: list[str] = []
    for folder in directories:
        inside = "" if folder == "." else folder
        if inside not in code:
            continue
        try:
            names = os.listdir(os.path.join(base, inside))
        except OSError:
            continue
        found.extend(
            f"{inside}/{name}" if inside else name for name in names if name.endswith(_NATIVE)
        )
    return found


def _within(path: str, folders: set[str]) -> bool:
    """Whether the file lies beside Python files, or below a folder (not the root) that has some."""
    folder = os.path.dirname(path)
    if folder in folders:
        return True
    while folder := os.path.dirname(folder):
        if folder in folders:
            return True
    return False


def _matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    import fnmatch
    import re

    wanted = [re.compile(fnmatch.translate(p.removeprefix("./"))) for p in patterns]
    return lambda path: any(pattern.match(path) for pattern in wanted)
