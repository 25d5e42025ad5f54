"""Inside a guilty source: which columns, and which rows of them.

Cells of the candidate's table are taken back to the baseline's, and the metric is asked for: what
brings it back is guilty. Columns first, then the smallest condition on rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from whence.store.flipkinds import kinds_of_change
from whence.store.flips import (
    ADDED,
    REMOVED,
    WHOLE,
    Alignment,
    align,
    changed_cells,
    revert,
    type_changes,
)
from whence.why.narrow import Narrowing
from whence.why.predicates import Predicate, listed, predicates
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
#: Recall of a condition that covers all changed rows.
ALL = 0.999
#: Of the effect, what a condition may leave, and the rows outside of it may do.
REMAINS = 0.15
#: With no condition, single rows are looked for among at most so many.
FEW_ROWS = 64
#: Runs that rows may cost.
ROW_RUNS = 30
#: A condition of several terms, or values, is an accident on fewer rows than this for each.
ROWS_PER_TERM = 5

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
    budget: int = ROW_RUNS,
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
    budget : int
        Tables that may be evaluated to find the rows; the columns come before and are not counted.
    """
    aligned = align(before, after, key)
    changed = changed_cells(aligned)

    def ask(sets: Sequence[frozenset[str]]) -> list[float | None]:
        return evaluate([revert(aligned, dict.fromkeys(sorted(s))) for s in sets])

    search = Narrowing(list(changed), ask, target, reverted, noise)
    columns, verified = _guilty_columns(search)
    retyped = type_changes(aligned)
    types = [
        f"the type of {name} changed, {text}" for name, text in retyped.items() if name in columns
    ]
    found = Refinement(
        change,
        columns=tuple(columns),
        rows_changed=_rows_of(changed, columns),
        verified=verified,
        note="; ".join([f"rows matched {aligned.how}", *types]),
    )
    if not columns:
        return replace(found, note=f"{found.note}; no column by itself or with others explains it")
    return _Rows(aligned, changed, evaluate, search, budget).within(found, columns)


def _guilty_columns(search: Narrowing[str]) -> tuple[list[str], bool]:
    """Guilty columns; of those that only do harm together, or where either suffices, all."""
    found, verified = search.guilty()
    rest = [name for name in search.parts if name not in found]
    if verified and rest and search.brings_back(rest):
        # Harm that needs both: either one taken back ends it.
        other = search.known[frozenset(rest)]
        assert other is not None
        more, _ = Narrowing(rest, search.ask, search.target, other, search.noise).guilty()
        both = [name for name in search.parts if name in found or name in more]
        if search.brings_back(both):
            return both, True
    return found, verified


def _rows_of(changed: Mapping[str, Mask], columns: Collection[str]) -> int:
    extra = sum(len(changed[c]) for c in columns if c in (ADDED, REMOVED))
    masks = {c: changed[c] for c in columns if c not in (ADDED, REMOVED)}
    return extra + (int(_any(masks).sum()) if masks else 0)


@dataclass(slots=True)
class _Rows:
    """Finds which rows of the guilty columns are guilty."""

    aligned: Alignment
    changed: Mapping[str, Mask]
    evaluate: Evaluate
    search: Narrowing[str]
    left: int  # runs

    def within(self, found: Refinement, columns: Sequence[str]) -> Refinement:
        """The refinement with the smallest condition on the guilty rows."""
        if ADDED in columns or REMOVED in columns:
            return self._with_whole_rows(found, columns)
        if any(column in WHOLE for column in columns):
            return replace(found, rows_guilty=found.rows_changed)
        every = {column: self.changed[column] for column in columns}
        cells = self._guilty_kinds(every)
        rows = _any(cells)
        found = self._told(found, rows, columns)
        if rows.mean() > NEARLY_ALL:
            return found  # all of it: the column says everything
        table = self.aligned.after.take(_positions(self.aligned.right))
        candidates = predicates(table, rows, without=columns, most=3 * TRIED)
        n = int(rows.sum())
        candidates = [p for p in candidates if p.terms == 1 or n >= ROWS_PER_TERM * p.terms]
        exact = [p for p in candidates if p.recall > ALL]
        chosen = self._covering(exact[:1], every, rows)
        if chosen is None:  # perhaps not all changed rows are guilty
            others = [p for p in candidates if p not in exact[:1]][:TRIED]
            chosen = self._sufficient(others, every)
        if chosen is not None:
            told = self._told(found, rows & chosen.rows, columns)
            return replace(told, partition=chosen.text, verified=True)
        if n <= FEW_ROWS:
            return self._few(found, cells, columns)
        return replace(found, note=f"{found.note}; no simple condition covers the changed rows")

    def _told(self, found: Refinement, rows: Mask, columns: Sequence[str]) -> Refinement:
        sample = _sample(self.aligned, rows, columns)
        return replace(found, rows_guilty=int(rows.sum()), sample=sample)

    def _ask(self, many: Sequence[Mapping[str, Mask]]) -> list[float | None]:
        self.left -= len(many)
        return self.evaluate([revert(self.aligned, cells) for cells in many]) if many else []

    def _guilty_kinds(self, every: Mapping[str, Mask]) -> Mapping[str, Mask]:
        """The guilty cells, where some kinds of change are harmless: roundings, spellings."""
        parts = [
            (column, number, mask)
            for column, changed in every.items()
            for number, mask in enumerate(kinds_of_change(self.aligned, column, changed))
        ]
        if len(parts) == len(every) or self.left < 2 * len(parts):
            return every

        def cells_of(chosen: Collection[int]) -> dict[str, Mask]:
            out: dict[str, Mask] = {}
            for column, _, mask in (parts[i] for i in sorted(chosen)):
                out[column] = out[column] | mask if column in out else mask
            return out

        def ask(sets: Sequence[frozenset[int]]) -> list[float | None]:
            return self._ask([cells_of(s) for s in sets])

        whole = self.search.known[frozenset(every)]
        if whole is None:
            return every
        search = Narrowing(range(len(parts)), ask, self.search.target, whole, self.search.noise)
        guilty, _ = search.guilty()
        alone = search.known.get(frozenset(guilty))
        return cells_of(guilty) if guilty and self._is_all(alone, whole) else every

    def _is_all(self, value: float | None, whole: float) -> bool:
        """Whether a value is as good as `whole`, nearly."""
        limit = max(REMAINS * abs(self.search.effect), self.search.noise)
        return value is not None and abs(value - whole) <= limit

    def _covering(
        self, found: Sequence[Predicate], every: Mapping[str, Mask], rows: Mask
    ) -> Predicate | None:
        """The first of these conditions on all guilty rows that brings the metric back."""
        for predicate in found:
            cells = {column: mask & predicate.rows for column, mask in every.items()}
            is_known = all((cells[column] == mask).all() for column, mask in every.items())
            if is_known and not type_changes(self.aligned).keys() & every.keys():
                return predicate  # nothing else was taken back when the columns were judged
            if self.search.is_enough(self._ask([cells])[0]):
                return predicate
        return None

    def _sufficient(
        self, found: Sequence[Predicate], every: Mapping[str, Mask]
    ) -> Predicate | None:
        """The first of these conditions whose rows bring the metric back, and the others do not."""
        if self.left < 2 * len(found):
            return None
        inside = [{c: mask & p.rows for c, mask in every.items()} for p in found]
        outside = [{c: mask & ~p.rows for c, mask in every.items()} for p in found]
        values = self._ask([*inside, *outside])
        whole = self.search.known[frozenset(every)]
        for place, predicate in enumerate(found):
            if whole is None or not self._is_all(values[place], whole):
                continue
            if self._is_all(values[len(found) + place], self.search.target):
                return predicate
        return None

    def _few(
        self, found: Refinement, cells: Mapping[str, Mask], columns: Sequence[str]
    ) -> Refinement:
        """A smallest set of rows that brings the metric back."""
        import numpy as np

        rows = _any(cells)

        def ask(sets: Sequence[Sequence[int]]) -> list[bool]:
            chosen = np.zeros((len(sets), len(rows)), bool)
            for place, numbers in enumerate(sets):
                chosen[place, list(numbers)] = True
            values = self._ask([{c: m & some for c, m in cells.items()} for some in chosen])
            return [self.search.is_enough(value) for value in values]

        kept = ddmin([int(row) for row in np.flatnonzero(rows)], ask, lambda n: self.left >= n)
        guilty = np.zeros(len(rows), bool)
        guilty[kept] = True
        note = f"{found.note}; no simple condition, {len(kept)} of {int(rows.sum())} rows suffice"
        told = self._told(found, guilty, columns)
        return replace(
            told, note=note, partition=self._named(guilty) if len(kept) <= SAMPLE else ""
        )

    def _named(self, rows: Mask) -> str:
        """The rows by the column that they were matched by: "id in (3, 7)"."""
        name = self.aligned.how.removeprefix("by ")
        if name not in self.aligned.after.column_names:
            return ""
        chosen = self.aligned.after.column(name).take(_positions(self.aligned.right[rows]))
        return listed(name, chosen.to_pylist())

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


def ddmin(
    rows: list[int],
    ask: Callable[[Sequence[Sequence[int]]], list[bool]],
    affords: Callable[[int], bool],
) -> list[int]:
    """Rows of which none can be left out, after Zeller & Hildebrandt (2002), TSE 28(2).

    Parameters
    ----------
    ask : callable
        Whether each of these sets of rows suffices; asked for together, so that they run at once.
    affords : callable
        Whether so many more runs are allowed; where not, what was reached is returned.
    """
    pieces = 2
    while len(rows) > 1:
        cuts = [len(rows) * i // pieces for i in range(pieces + 1)]
        sets = [rows[one:two] for one, two in itertools.pairwise(cuts)]
        if pieces > 2:
            sets += [rows[:one] + rows[two:] for one, two in itertools.pairwise(cuts)]
        if not affords(len(sets)):
            break
        enough = ask(sets)
        if True in enough:
            place = enough.index(True)
            rows = sets[place]
            pieces = 2 if place < pieces else max(pieces - 1, 2)
        elif pieces < len(rows):
            pieces = min(2 * pieces, len(rows))
        else:
            break
    return rows


def _any(cells: Mapping[str, Mask]) -> Mask:
    import numpy as np

    union: Mask = np.logical_or.reduce(list(cells.values()))
    return union


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
