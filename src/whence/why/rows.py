"""The sampling error of a metric from its test rows, where the two sides were tested on others."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

from whence.engine.history import partitions_of
from whence.store.flips import shared_rows
from whence.store.formats import decode, decode_union
from whence.why.laboratory import Laboratory
from whence.why.sides import Side

#: Test rows count as the same where at least this part of the smaller set is matched.
SAME_ROWS = 0.5


def sampling_error(laboratory: Laboratory) -> float:
    """Standard error of the difference that comes from which rows were tested on.

    0 where both sides were tested on the same rows: then what differs is what the changes did to
    these rows. Otherwise the two samples' errors, taken from the intervals of the metric's values,
    add up (in quadrature); 0 where the metric gives no interval.
    """
    a, b = laboratory.mixer.a, laboratory.mixer.b
    if _same_rows(a, b, laboratory.mixer.metric):
        return 0.0
    errors = [_error_of(side, laboratory.mixer.metric) for side in (a, b)]
    return math.hypot(*errors)


def _same_rows(a: Side, b: Side, metric: str) -> bool:
    """Whether the tables that the metric takes have mostly the same rows on both sides.

    Rows that nothing identifies count as the same: what a change does to them, dropping some for
    instance, is an effect of that change.
    """
    names = [edge.node for edge in b.session.graph.nodes[metric].inputs]
    for name in names:
        tables = [_table(side, name) for side in (a, b)]
        if tables[0] is None or tables[1] is None:
            continue
        key = b.session.graph.nodes[name].spec.key
        shared = shared_rows(tables[0], tables[1], key)
        if shared is not None and shared < SAME_ROWS:
            return False
    return True


def _table(side: Side, name: str) -> Any:
    rows = [task for task in side.tasks if task.node == name and task.output]
    stores = side.session.stores
    parts = partitions_of(stores.catalog, rows) if rows else []
    if not parts or any(artifact.format != "table" for _, artifact in parts):
        return None
    lookup = stores.catalog.get_artifact
    if len(parts) == 1 and parts[0][0] == "":
        return decode(parts[0][1], stores.blobs, "pyarrow.Table", lookup)
    return decode_union(parts, stores.blobs, "pyarrow.Table", lookup)


def _error_of(side: Side, metric: str) -> float:
    outputs = side.outputs(metric)
    if not outputs:
        return 0.0
    stores = side.session.stores
    artifact = stores.catalog.get_artifact(next(iter(outputs.values())))
    value = decode(artifact, stores.blobs, None, stores.catalog.get_artifact)
    low, high = getattr(value, "low", None), getattr(value, "high", None)
    if low is None or high is None:
        return 0.0
    level = float(getattr(value, "level", 0.95))
    return float(high - low) / 2 / NormalDist().inv_cdf(0.5 + level / 2)
