"""Inside a guilty source: which columns, and which rows of them.

Cells of the candidate's table are taken back to the baseline's, and the metric is asked for: what
brings it back is guilty. Columns first, then the smallest condition on rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from whence.store.flips import ADDED, REMOVED, Alignment, align, changed_cells, revert
from whence.why.narrow import TAKES_PART, Narrowing
from whence.why.predicates import Predicate, predicates
from whence.why.verdict import Refinement

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

#: Rows that are shown.
SAMPLE = 5
#: With more of its rows changed, a column is guilty as a whole.
NEARLY_ALL = 0.95
#: Conditions on rows that are tried.
TRIED = 4

Evaluate = Callable[[Sequence["pa.Table"]], list["float | None"]]


def refine_source(
    change: str,
    before: pa.Table,
    after: pa.Table,
    evaluate: Evaluate,
    *,
    key: Sequence[str] = (),
    target: float,
    reverted: float,
    noise: float = 0.0,
) -> Refinement:
    """Look inside a source.

    Parameters
    ----------
    change : str
        Id of the change, for the result.
    before, after : pyarrow.Table
        The source on the baseline and on the candidate.
    evaluate : callable
        The metric of the candidate with each of these tables in place of the source; None where
        that crashes.
    target, reverted : float
        The metric of the candidate, and with the whole source taken back.
    noise : float
        A difference below this is none.
    """
    aligned = align(before, after, key)
    changed = changed_cells(aligned)

    def ask(sets: Sequence[frozenset[str]]) -> list[float | None]:
        return evaluate([revert(aligned, dict.fromkeys(sorted(s))) for s in sets])

    search = Narrowing(list(changed), ask, target, reverted, noise)
    columns, verified = search.guilty()
    found = Refinement(
        change,
        columns=tuple(columns),
        rows_changed=_rows_of(changed, columns),
        verified=verified,
        note=f"rows matched {aligned.how}",
    )
    if not columns:
        return replace(found, note=f"{found.note}; no column by itself or with others explains it")
    return _Rows(aligned, changed, evaluate, search).within(found, columns)


def _rows_of(changed: Mapping[str, Mask], columns: Collection[str]) -> int:
    masks = [changed[c] for c in columns if c not in (ADDED, REMOVED)]
    extra = sum(len(changed[c]) for c in columns if c in (ADDED, REMOVED))
    if not masks:
        return extra
    union = masks[0].copy()
    for mask in masks[1:]:
        union |= mask
    return int(union.sum()) + extra


@dataclass(slots=True)
class _Rows:
    """Finds which rows of the guilty columns are guilty."""

    aligned: Alignment
    changed: Mapping[str, Mask]
    evaluate: Evaluate
    search: Narrowing[str]

    def within(self, found: Refinement, columns: Sequence[str]) -> Refinement:
        """The refinement with the smallest condition on the guilty rows."""
        import numpy as np

        if any(c in (ADDED, REMOVED) for c in columns):
            return self._with_whole_rows(found, columns)
        rows = np.zeros(len(self.aligned.right), bool)
        for column in columns:
            rows |= self.changed[column]
        table = self.aligned.after.take(_positions(self.aligned.right))
        found = replace(
            found, rows_guilty=int(rows.sum()), sample=_sample(self.aligned, rows, columns)
        )
        if rows.mean() > NEARLY_ALL:
            return found  # all of it: the column says everything
        candidates = predicates(table, rows, without=columns)
        exact = [p for p in candidates if p.recall > 0.999]
        chosen = self._verify(exact[:1], columns)
        if chosen is None:  # perhaps not all changed rows are guilty
            others = [p for p in candidates if p not in exact[:1]][:TRIED]
            chosen = self._verify(others, columns, rows)
        if chosen is None:
            scattered = f"{found.note}; no simple condition covers the changed rows"
            return replace(found, note=scattered)
        inside = rows & chosen.rows
        return replace(
            found,
            partition=chosen.text,
            rows_guilty=int(inside.sum()),
            sample=_sample(self.aligned, inside, columns),
            verified=True,
        )

    def _verify(
        self, found: Sequence[Predicate], columns: Sequence[str], changed: Mask | None = None
    ) -> Predicate | None:
        """The first of these conditions whose rows, taken back, bring the metric back.

        With `changed`, the other changed rows must not do so too.
        """
        masks = [p.rows for p in found]
        if changed is not None:
            masks += [changed & ~p.rows for p in found]
        tables = [revert(self.aligned, dict.fromkeys(columns, mask)) for mask in masks]
        values = self.evaluate(tables) if tables else []
        search = self.search
        for place, predicate in enumerate(found):
            if not search.is_enough(values[place]):
                continue
            rest = values[len(found) + place] if changed is not None else search.target
            if rest is not None and abs(rest - search.target) < TAKES_PART * abs(search.effect):
                return predicate
        return None

    def _with_whole_rows(self, found: Refinement, columns: Sequence[str]) -> Refinement:
        """Where rows came or went: what they have in common."""
        import numpy as np

        side = ADDED if ADDED in columns else REMOVED
        of_after = side == ADDED
        table = self.aligned.after if of_after else self.aligned.before
        rows = np.zeros(table.num_rows, bool)
        rows[self.aligned.new if of_after else self.aligned.gone] = True
        best = [p for p in predicates(table, rows) if p.recall > 0.999][:1]
        sample = table.take(_positions(np.flatnonzero(rows)[:SAMPLE])).to_pylist()
        return replace(
            found,
            partition=best[0].text if best else "",
            rows_guilty=int(rows.sum()),
            sample=tuple({name: _plain(v) for name, v in row.items()} for row in sample),
        )


def _positions(rows: Any) -> Any:
    import pyarrow as pa

    return pa.array(rows)


def _sample(aligned: Alignment, rows: Mask, columns: Sequence[str]) -> tuple[dict[str, Any], ...]:
    """Some guilty rows; what changed as before and after."""
    import numpy as np

    chosen = np.flatnonzero(rows)[:SAMPLE]
    new = aligned.after.take(_positions(aligned.right[chosen])).to_pylist()
    old = aligned.before.take(_positions(aligned.left[chosen])).to_pylist()
    out = []
    for was, now in zip(old, new, strict=True):
        row = {name: _plain(value) for name, value in now.items()}
        for column in columns:
            row[column] = {"before": _plain(was.get(column)), "after": _plain(now.get(column))}
        out.append(row)
    return tuple(out)


def _plain(value: Any) -> Any:
    """A cell as JSON can say it."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    return str(value)
