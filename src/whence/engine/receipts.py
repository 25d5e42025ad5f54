"""Receipts: what a build that found nothing to do would have looked at.

After a build succeeds, the stats of everything its outcome rests on are kept. The next `whence
build` of the same targets compares them (`noop.py`) and, where all are as they were, is done
without importing the engine. A receipt only ever says "look again"; it is no result.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from whence.engine.build import Builder
from whence.engine.noop import receipt_key, stat_of
from whence.engine.session import Session

#: The coarsest time stamps of file systems in use: two seconds, of FAT.
GRANULARITY_NS: Final = 2_000_000_000


def write(
    session: Session,
    builder: Builder,
    build_id: str,
    params: Mapping[str, Any],
    seed: int | None,
    profile: str | None,
    started_ns: int,
) -> None:
    """Keep a receipt for a build that is wholly up to date, where its world can be watched.

    `started_ns` is the time, since the epoch, just before anything was read. A path whose status
    changed after that (or so shortly before that a file system's clock could hide it) might have
    changed after it was read; then no receipt is kept, and the next build checks everything.
    """
    stores, config = session.stores, session.config
    catalog = Path(config.catalog)
    if (
        session.pinned is not None
        or config.from_environment
        or "://" in config.catalog + config.store
    ):
        return  # a shared store may change without a trace in this machine's files
    watched: set[str] = {str(config.root / "pyproject.toml")}
    watched.update(str(config.root / path) for path in session.tree.files)
    watched.update(os.path.join(config.root, path) for path in session.tree.directories)
    # What git counts as part of the project.
    watched.update(
        str(config.root / name) for name in (".gitignore", ".git/index", ".git/info/exclude")
    )
    watched.update(session.environment.watched_paths())
    for probe in builder.planner.probes.values():
        watched.update(os.path.join(config.root, path) for path in probe.watch)
    env: dict[str, str] = {}
    for kind, name, digest in _observed(session, builder):
        if kind in ("file", "exists", "listing"):
            watched.add(os.path.join(config.root, name))
        elif kind == "env":
            env[name] = digest
        elif kind != "seed" and kind != "distribution":
            return  # not something that a stat can vouch for
    blobs: set[str] = set()
    for artifact in {a.digest: a for a in builder.planner.artifacts.values()}.values():
        if artifact.blob is not None:
            blobs.add(str(stores.blobs.local_path(artifact.blob)))
        if artifact.children:
            for child in stores.catalog.get_artifacts(artifact.children).values():
                if child.blob is not None:
                    blobs.add(str(stores.blobs.local_path(child.blob)))
                if child.children:
                    return  # deeper trees are left to the full check
    stats = {path: stat_of(path) for path in sorted(watched)}
    if any(stat is not None and stat[3] > started_ns - GRANULARITY_NS for stat in stats.values()):
        return  # changed so lately that it may have changed after it was read
    stats.update((path, stat_of(path)) for path in sorted(blobs))
    receipt = {
        "build": build_id,
        "targets": list(builder.targets),
        "tasks": len(builder.planner.tasks),
        "generation": stores.catalog.generation,
        "catalog": str(catalog),
        "stats": stats,
        "env": env,
        "salt": stores.catalog.store_id,
        "secrets": list(config.secrets),
        "expires": _expiry(session, builder),
    }
    key = receipt_key(str(config.root), builder.targets, params, seed, profile, sys.path)
    stores.state.put({key: receipt})


def _observed(session: Session, builder: Builder) -> Iterable[tuple[str, str, str]]:
    catalog = session.stores.catalog
    tasks = builder.planner.tasks.values()
    memos = catalog.find_memos([task.static_key for task in tasks])
    rows = {(row.static_key, row.observed_key): row for many in memos.values() for row in many}
    for task in tasks:
        row = rows.get((task.static_key, task.observed_key))
        if row is None:
            yield "unknown", task.label, ""  # nothing says what its value rests on
            continue
        for seen in row.observed:
            yield seen.kind, seen.name, seen.digest
    for imported in session.imports.values():
        for seen in imported:
            yield seen.kind, seen.name, seen.digest


def _expiry(session: Session, builder: Builder) -> float | None:
    """When the first recorded value of a non-deterministic node is too old."""
    times = []
    for task in builder.planner.tasks.values():
        age = task.node.spec.max_age_s
        if age is not None and task.run_id is not None:
            times.append(session.stores.catalog.run(task.run_id).run.started + age)
    return min(times, default=None)
