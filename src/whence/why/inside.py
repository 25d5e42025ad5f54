"""Looking inside the guilty changes of real worlds: sources by cells, definitions by statements."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from whence.engine.history import partitions_of
from whence.engine.tasks import Key, parts_artifact
from whence.errors import WhenceError
from whence.graph.digest import Digest
from whence.store.artifact import Artifact
from whence.store.formats import decode, encode
from whence.why.changes import Change
from whence.why.game import Mix, Outcome, OutOfBudget
from whence.why.hunks import refine_code
from whence.why.laboratory import Laboratory
from whence.why.narrow import Narrowing
from whence.why.refine import refine_source
from whence.why.search import Finding
from whence.why.sides import Side
from whence.why.verdict import Refinement

if TYPE_CHECKING:
    import pyarrow as pa

#: A partition that alone moves less of a source's effect is innocent.
LITTLE = 0.05


def refine_causes(
    laboratory: Laboratory, finding: Finding, progress: Callable[[str], None] | None = None
) -> dict[str, Refinement]:
    """What lies inside each guilty change, by its id; what cannot be looked into is left out."""
    say = progress or (lambda line: None)
    out: dict[str, Refinement] = {}
    if finding.verdict not in ("explained", "unexplained"):
        return out
    done: set[int] = set()
    for cause in finding.causes:
        for unit in sorted(cause.units - done):
            done.add(unit)
            context = _context_of(laboratory, finding, cause.kind, unit)
            for place in laboratory.mixer.found.units[unit]:
                change = laboratory.mixer.found.changes[place]
                before = laboratory.spent.cpu_s
                try:
                    found = _Inside(laboratory, change, unit, context).refine()
                except OutOfBudget:
                    return out
                except WhenceError as error:
                    found = Refinement(change.id, note=error.cause)
                if found is not None:
                    spent = laboratory.spent.cpu_s - before
                    unit_s = laboratory.rebuild_cpu_s
                    out[change.id] = replace(found, rebuilds=spent / unit_s if unit_s else 0.0)
                    say(f"looked inside {change.id}")
    return out


def _context_of(laboratory: Laboratory, finding: Finding, kind: str, unit: int) -> frozenset[int]:
    """What else is on the candidate's side while a unit is looked into.

    Everything, unless other causes hide what this one does: then these are taken back.
    """
    everything = frozenset(range(laboratory.size))
    others = frozenset[int]().union(*(cause.units for cause in finding.causes)) - {unit}
    if kind in ("interaction", "inseparable") or not others:
        return everything
    choices = [everything, everything - others]
    try:
        outcomes = laboratory.evaluate(
            [Mix(flipped, 0) for on in choices for flipped in (on, on - {unit})]
        )
    except OutOfBudget:
        return everything
    effects = [
        abs(on.value - off.value) if on.value is not None and off.value is not None else 0.0
        for on, off in (outcomes[:2], outcomes[2:])
    ]
    return choices[effects.index(max(effects))]


class _Inside:
    """One change, looked into with everything in `context` on the candidate's side."""

    def __init__(
        self, laboratory: Laboratory, change: Change, unit: int, context: frozenset[int]
    ) -> None:
        self.lab, self.change, self.unit, self.context = laboratory, change, unit, context
        self.mixer = laboratory.mixer

    def refine(self) -> Refinement | None:
        if self.change.kind == "source":
            return self._source()
        if self.change.kind == "code":
            return self._code()
        return None

    def _sides(self) -> tuple[float, float] | None:
        """The metric in the context, and with the whole unit taken back."""
        mixes = [Mix(self.context, 0), Mix(self.context - {self.unit}, 0)]
        on, off = self.lab.evaluate(mixes)
        return None if on.value is None or off.value is None else (on.value, off.value)

    # -- sources ------------------------------------------------------------------------------

    def _source(self) -> Refinement | None:
        name = self.change.key
        sides = self._sides()
        old, new = (self._parts(side, name) for side in (self.mixer.a, self.mixer.b))
        parts = [*old.values(), *new.values()]
        if sides is None or not old or not new or any(p.format != "table" for p in parts):
            return None
        target, reverted = sides
        changed = [part for part, artifact in new.items() if _digest(old, part) != artifact.digest]
        gone = [part for part in old if part not in new]
        guilty = changed
        partition = ""
        spec = self.mixer.b.session.graph.nodes[name].spec
        if len(new) > 1 or len(old) > 1:
            guilty = self._guilty_parts(old, new, changed, target, reverted)
            by = spec.options.get("partition_by")
            partition = partition_text(by, guilty) if len(guilty) < len(new) else ""
        shared = [part for part in guilty if part in old]
        if not shared or gone:
            text = partition or ", ".join([*changed, *gone])
            return Refinement(self.change.id, partition=text, note="partitions came or went")
        tables = [self._table([side[part] for part in shared]) for side in (old, new)]

        def evaluate(many: Sequence[pa.Table]) -> list[float | None]:
            values = [self._values(name, new, shared, table) for table in many]
            outcomes = self.lab.run_all([self._work(each) for each in values])
            return [outcome.value for outcome in outcomes]

        found = refine_source(
            self.change.id,
            tables[0],
            tables[1],
            evaluate,
            key=spec.key,
            target=target,
            reverted=self._of_parts(name, old, new, shared) if partition else reverted,
        )
        if partition:
            joined = f"{partition}: {found.partition}" if found.partition else partition
            found = replace(found, partition=joined)
        return found

    def _parts(self, side: Side, name: str) -> dict[str, Artifact]:
        rows = [task for task in side.tasks if task.node == name and task.output]
        return dict(partitions_of(self.lab.stores.catalog, rows)) if rows else {}

    def _table(self, parts: Sequence[Artifact]) -> pa.Table:
        import pyarrow as pa

        lookup = self.lab.stores.catalog.get_artifact
        tables: list[Any] = [
            decode(part, self.lab.stores.blobs, "pyarrow.Table", lookup) for part in parts
        ]
        return pa.concat_tables(tables, promote_options="permissive")

    def _guilty_parts(
        self,
        old: Mapping[str, Artifact],
        new: Mapping[str, Artifact],
        changed: Sequence[str],
        target: float,
        reverted: float,
    ) -> list[str]:
        """Partitions that, taken back alone, bring a part of the metric back."""
        shared = [part for part in changed if part in old]
        if len(shared) < 2:
            return list(changed)

        def ask(sets: Sequence[frozenset[str]]) -> list[float | None]:
            many = [{**new, **{part: old[part] for part in s}} for s in sets]
            work = [self._work(self._as_values(self.change.key, parts)) for parts in many]
            return [outcome.value for outcome in self.lab.run_all(work)]

        # A fault that comes with the data is often in several partitions, each a little of it.
        found = Narrowing(shared, ask, target, reverted, takes_part=LITTLE, needless=LITTLE)
        return found.guilty()[0] or list(changed)

    def _of_parts(
        self,
        name: str,
        old: Mapping[str, Artifact],
        new: Mapping[str, Artifact],
        parts: Sequence[str],
    ) -> float:
        """The metric with these partitions taken back."""
        outcome = self._work(self._as_values(name, {**new, **{p: old[p] for p in parts}}))()
        sides = self._sides()
        assert sides is not None
        return sides[1] if outcome.value is None else outcome.value

    def _values(
        self, name: str, new: Mapping[str, Artifact], parts: Sequence[str], table: pa.Table
    ) -> dict[Key, Digest]:
        """The source's values with some partitions cut from one table, in their order."""
        lengths = [self._table([new[part]]).num_rows for part in parts]
        spec = self.mixer.b.session.graph.nodes[name].spec
        cut: dict[str, Artifact] = dict(new)
        start = 0
        for place, (part, length) in enumerate(zip(parts, lengths, strict=True)):
            is_last = place == len(parts) - 1
            piece = table.slice(start) if is_last else table.slice(start, length)
            start += length
            artifact, children = encode(piece, self.lab.stores.blobs, node=name, key=spec.key)
            self.lab.stores.catalog.put_artifacts([*children, artifact])
            cut[part] = artifact
        return self._as_values(name, cut)

    def _as_values(self, name: str, parts: Mapping[str, Artifact]) -> dict[Key, Digest]:
        units = self.mixer.b.world.data[name]
        if set(parts) <= set(units):
            return {(name, part): artifact.digest for part, artifact in parts.items()}
        whole = parts_artifact(list(parts.items()))  # a source that splits by a column
        self.lab.stores.catalog.put_artifacts([whole])
        return {(name, ""): whole.digest}

    def _work(self, values: Mapping[Key, Digest]) -> Callable[[], Outcome]:
        flipped = self.mixer.flipped_ids(self.context)
        draft = self.mixer.draft(flipped, self.lab.seedings[0])
        return lambda: self.lab.make(draft, values)

    # -- code ---------------------------------------------------------------------------------

    def _code(self) -> Refinement | None:
        entries = [e for listed in self.mixer.found.entries.values() for e in listed]
        entry = next(e for e in entries if e.key == self.change.key)
        sides = self._sides()
        if len(entry.before) != 1 or len(entry.after) != 1 or sides is None:
            return None
        old, new = entry.before[0], entry.after[0]
        flipped = self.mixer.flipped_ids(self.context)

        def evaluate(texts: Sequence[str]) -> list[float | None]:
            drafts = [
                self.mixer.draft(flipped, self.lab.seedings[0], {entry.key: text}) for text in texts
            ]
            work = [lambda draft=draft: self.lab.make(draft) for draft in drafts]
            return [outcome.value for outcome in self.lab.run_all(work)]

        path = self.mixer.b.paths().get(entry.module, entry.module)
        return refine_code(
            self.change.id,
            old.text,
            new.text,
            evaluate,
            path=path,
            first=new.first,
            target=sides[0],
            reverted=sides[1],
        )


def partition_text(by: object, parts: Sequence[str]) -> str:
    """Partitions as a condition: "month = 11" where a column makes them, else their names."""
    names = ", ".join(parts)
    if not isinstance(by, Sequence) or isinstance(by, str) or len(by) != 1 or not parts:
        return names
    return f"{by[0]} = {names}" if len(parts) == 1 else f"{by[0]} in ({names})"


def _digest(parts: Mapping[str, Artifact], name: str) -> str:
    return parts[name].digest if name in parts else ""
