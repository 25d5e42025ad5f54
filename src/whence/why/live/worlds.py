"""Nodes evaluated in worlds in which one table holds other rows, by the ordinary build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from whence.engine.build import Builder
from whence.engine.pool import Pool
from whence.engine.session import Session, make_setup
from whence.engine.tasks import PARTS, Key, parts_artifact
from whence.graph.digest import Digest
from whence.store.artifact import Artifact
from whence.store.formats import decode, decode_union, encode
from whence.why.live.metrics import LiveError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass
class TableWorlds:
    """Evaluates nodes as if `table` had other rows, and nothing else had changed.

    Parameters
    ----------
    session : Session
    table : str
        The node whose rows are replaced.
    built : mapping
        (node, partition) -> artifact of the build that the worlds start from.
    fixed : sequence of str
        Nodes that stay as they are although they may depend on the table: the model.
    jobs : int
    """

    session: Session
    table: str
    built: Mapping[Key, Artifact]
    fixed: Sequence[str]
    jobs: int = 1
    builds: int = 0
    _pool: Pool | None = field(default=None, repr=False)

    def close(self) -> None:
        """End the workers."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def value(self, node: str, rows: pa.Table) -> Any:
        """The node's value where the table holds `rows`.

        Raises
        ------
        LiveError
            If the node fails on these rows.
        """
        stores = self.session.stores
        if self._pool is None:
            self._pool = Pool(make_setup(stores, self.session.tree_digest), self.jobs)
        replaced = self._replace(rows)
        recorded = {
            key: artifact.digest for key, artifact in self.built.items() if key[0] in self.fixed
        }
        builder = Builder(
            self.session,
            [node],
            self._pool,
            argv=("why", node),
            recorded={**recorded, **replaced},
            mix=True,
        )
        builder.run()
        self.builds += 1
        tasks = [task for task in builder.planner.tasks.values() if task.node.name == node]
        failed = [t for t in builder.planner.tasks.values() if t.status == "failed"]
        if failed:
            last = [line for line in failed[0].error.strip().splitlines() if line.strip()][-1:]
            raise LiveError(
                f"'{failed[0].label}' fails on {rows.num_rows:,} rows of '{self.table}':"
                f" {''.join(last).strip()}",
                "make it work on any rows of that table, also with a feature replaced.",
            )
        parts = [
            (partition, artifact)
            for (name, partition), artifact in builder.planner.artifacts.items()
            if name == node
        ]
        lookup = stores.catalog.get_artifact
        if len(tasks) == 1 and len(parts) == 1 and parts[0][0] == "":
            return decode(parts[0][1], stores.blobs, None, lookup)
        return decode_union(parts, stores.blobs, None, lookup)

    def _replace(self, rows: pa.Table) -> dict[Key, Digest]:
        """Store the rows as the table's value; as many partitions as it has, filled in order."""
        stores = self.session.stores
        keys = [key for key in self.built if key[0] == self.table]
        whole = [self.built[key] for key in keys]
        split = len(whole) == 1 and whole[0].format == PARTS
        names = _names_of(whole[0]) if split else [partition for _, partition in keys]
        edges = [round(number * rows.num_rows / len(names)) for number in range(len(names) + 1)]
        parts = []
        for name, first, end in zip(names, edges, edges[1:], strict=False):
            artifact, children = encode(
                rows.slice(first, end - first), stores.blobs, node=self.table
            )
            stores.catalog.put_artifacts([artifact, *children])
            parts.append((name, artifact))
        if not split:
            return {(self.table, name): artifact.digest for name, artifact in parts}
        listed = parts_artifact(parts)
        stores.catalog.put_artifacts([listed])
        return {keys[0]: listed.digest}


def _names_of(listed: Artifact) -> list[str]:
    import json

    return [name for name, _ in json.loads(listed.inline or b"[]")]
