"""The no-op path: is the last build still what a build would give?

Runs before anything else is imported, so that `whence build` with nothing to do costs little more
than starting Python. It may import `sys`, `os`, `sqlite3`, `json` and `hashlib`, nothing of the
engine. Whenever anything is not exactly as the receipt says, it gives way to the full check.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any


def stat_of(path: str) -> "list[int] | None":
    """Size, modification time, inode and change time of a path; None where nothing is."""
    try:
        s = os.stat(path)
    except OSError:
        return None
    return [s.st_size, s.st_mtime_ns, s.st_ino, s.st_ctime_ns]


def receipt_key(
    root: str,
    targets: "Iterable[str]",
    params: "Mapping[str, Any]",
    seed: "int | None",
    profile: "str | None",
    path: "Sequence[str]",
) -> str:
    """Key of the receipt of one way to call `whence build`."""
    # sys.path[0] is the script's folder; the rest decides which distributions are found.
    parts = [root, sys.executable, sys.version, repr(list(targets)), repr(sorted(params.items()))]
    parts += [repr(seed), repr(profile), os.environ.get("PYTHONPATH", "")]
    return "receipt:" + "\n".join(parts)


def find_receipt(argv: "Sequence[str]") -> "dict[str, Any] | None":
    """The receipt for this command line, if it holds; None where a full check is due.

    Only plain targets, ``--project``, ``--json`` and ``--quiet`` are understood here.
    """
    start, targets = os.getcwd(), []
    words = iter(argv)
    for word in words:
        if word == "--project":
            start = os.path.abspath(next(words, "."))
        elif word in ("--json", "--quiet", "-q"):
            continue
        elif word.startswith("-"):
            return None
        else:
            targets.append(word)
    root = os.path.realpath(start)
    while not os.path.isfile(os.path.join(root, "pyproject.toml")):
        above = os.path.dirname(root)
        if above == root:
            return None
        root = above
    if not os.path.isfile(os.path.join(root, ".whence", "state.db")):
        return None
    import sqlite3

    db = sqlite3.connect(os.path.join(root, ".whence", "state.db"), isolation_level=None)
    try:
        key = receipt_key(root, targets, {}, None, None, sys.path)
        row = db.execute("SELECT value FROM cache WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        import json

        receipt: dict[str, Any] = json.loads(row[0])
        return receipt if _holds(receipt) else None
    except sqlite3.Error:
        return None  # the full path reports a damaged or busy cache
    finally:
        db.close()


def _holds(receipt: "dict[str, Any]") -> bool:
    """Whether everything the receipt names is as it was."""
    if receipt["expires"] is not None:
        import time

        if time.time() >= receipt["expires"]:
            return False
    for path, known in receipt["stats"].items():
        if stat_of(path) != known:
            return False
    if receipt["env"]:
        from whence.engine.observe_env import env_digest

        for name, digest in receipt["env"].items():
            if env_digest(name, receipt["salt"], receipt["secrets"]) != digest:
                return False
    from whence.store.catalog.peek import peek

    found = peek(receipt["catalog"])
    return found is not None and found[1] == receipt["generation"]


def try_noop(argv: "Sequence[str]") -> "int | None":
    """Exit code of `whence build ARGV` if nothing needs to be done, else None."""
    receipt = find_receipt(argv)
    if receipt is None:
        return None
    if "--json" in argv:
        import json

        tasks = receipt["tasks"]
        build = {"id": receipt["build"], "status": "current", "targets": receipt.get("targets", [])}
        build.update({"ran": 0, "hit": tasks, "failed": 0, "skipped": 0, "tasks": []})
        sys.stdout.write(json.dumps({"build": build}) + "\n")
    elif "--quiet" not in argv and "-q" not in argv:
        tasks, build_id = receipt["tasks"], receipt["build"]
        sys.stdout.write(f"Nothing to do: all {tasks} tasks are as build {build_id} left them.\n")
    return 0
