"""The catalog: what was built, from what, by whom, and what came out, in one SQL database.

Main path: `opening.py` (a catalog from its address) -> `catalog.py` (everything it can do)
-> `tasks.py` (how a finished node is committed) -> `memo.py` (what is remembered)
-> `leasing.py` (who may run what). `records.py` holds the values that go in and come out.

Rules, which the code follows: a commit is one transaction and is whole or absent; a row exists
only if what it refers to exists; a row is deleted before the blob it refers to.

Names are imported when first used: `peek.py` is on the path of a build that has nothing to do.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from whence.graph.observation import Observation
    from whence.store.catalog.catalog import Catalog
    from whence.store.catalog.opening import open_catalog
    from whence.store.catalog.records import (
        Acceptance,
        BlobVanished,
        BuildRow,
        BuildStart,
        CatalogBusy,
        CommitResult,
        HitRecord,
        LeaseResult,
        Match,
        MemoRow,
        PredictionRecord,
        RunRecord,
        RunRow,
        TaskRecord,
        TaskRow,
    )
    from whence.store.leases import Owner, heartbeat_s, is_alive

_HOMES = {
    "Catalog": "whence.store.catalog.catalog",
    "Observation": "whence.graph.observation",
    "Owner": "whence.store.leases",
    "heartbeat_s": "whence.store.leases",
    "is_alive": "whence.store.leases",
    "open_catalog": "whence.store.catalog.opening",
}

__all__ = [
    "Acceptance",
    "BlobVanished",
    "BuildRow",
    "BuildStart",
    "Catalog",
    "CatalogBusy",
    "CommitResult",
    "HitRecord",
    "LeaseResult",
    "Match",
    "MemoRow",
    "Observation",
    "Owner",
    "PredictionRecord",
    "RunRecord",
    "RunRow",
    "TaskRecord",
    "TaskRow",
    "heartbeat_s",
    "is_alive",
    "open_catalog",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES.get(name, "whence.store.catalog.records")), name)
    globals()[name] = value
    return value
