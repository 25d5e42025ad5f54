"""Which rows: the smallest condition on a table that covers the rows that changed."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

#: A column with more values than this is ordered, or no ground for a condition.
FEW_VALUES = 400
#: Values that a condition may list.
LISTED = 4
#: What makes a condition a little less natural: a range, a part of a date.
RANGE, DERIVED = 0.004, 0.002
#: A condition that nearly all rows meet is none.
MOST = 0.9
#: Of rows under a condition that changed: below this it says too little.
PRECISE = 0.5
#: A condition that covers so many changed rows with less than this chance is no accident.
CHANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Predicate:
    """A condition on rows, and which rows of a table meet it."""

    text: str
    rows: Mask
    terms: int
    precision: float  # of the rows that meet it, the part that changed
    recall: float  # of the rows that changed, the part that meets it
    oddity: float = 0.0  # how much less natural than equality on a column as it is

    @property
    def is_no_chance(self) -> bool:
        """Whether it covers all of many changed rows, though it says much less than "all rows"."""
        n = self.precision * float(self.rows.sum())
        part = float(self.rows.mean())
        return self.recall > 0.999 and part**n < CHANCE and part <= 0.75 and self.precision > 0.02

    @property
    def score(self) -> float:
        """Better is larger: both rates, and a little less for each further term."""
        both = self.precision + self.recall
        if not both:
            return 0.0
        return 2 * self.precision * self.recall / both - 0.01 * self.terms - self.oddity


def predicates(
    table: pa.Table, changed: Mask, without: Collection[str] = (), most: int = 8
) -> list[Predicate]:
    """Conditions that cover the changed rows, the best first.

    Parameters
    ----------
    table : pyarrow.Table, n rows
    changed : array of bool, (n,)
    without : collection of str
        Columns that no condition may be on: those that changed.
    """
    columns = {
        name: values
        for column in table.column_names
        if column not in without
        for name, values in _views(column, table.column(column))
    }
    singles = [p for name, values in columns.items() for p in _on_column(name, values, changed)]
    whole = [p for p in singles if p.recall > 0.999]
    parts = sorted(singles, key=lambda p: -p.recall * p.precision)[:12]
    pairs = [
        joined
        for one, other in itertools.combinations([*whole[:12], *parts], 2)
        if (joined := _both(one, other, changed)) is not None
    ]
    base = float(changed.mean())
    needed = max(PRECISE, base + 0.5 * (1 - base))  # else it says little beyond "most rows"
    found = [
        p
        for p in [*singles, *pairs]
        if (p.precision >= needed and p.rows.mean() <= MOST) or p.is_no_chance
    ]
    unique: dict[str, Predicate] = {p.text: p for p in found}
    return sorted(unique.values(), key=lambda p: -p.score)[:most]


def _views(name: str, column: Any) -> Iterator[tuple[str, pd.Series[Any]]]:
    """A column as conditions see it; a date also by its month, year and day."""
    import pandas as pd
    import pyarrow as pa

    if pa.types.is_nested(column.type):
        return
    values = column.to_pandas()
    if column.type in (pa.string(), pa.large_string()) and _looks_like_dates(values):
        values = pd.to_datetime(values, errors="coerce")
    elif pa.types.is_date(column.type):
        values = pd.to_datetime(values)
    if pd.api.types.is_datetime64_any_dtype(values):
        for part in ("year", "month", "day", "hour"):
            piece = getattr(values.dt, part)
            if piece.nunique() > 1:
                yield f"{part} of {name}", piece
    yield name, values


def _looks_like_dates(values: pd.Series[Any]) -> bool:
    known = values.dropna().head(50)
    return len(known) > 0 and bool(known.str.fullmatch(r"\d{4}-\d\d-\d\d([ T]\d\d:.*)?").all())


def _on_column(name: str, values: pd.Series[Any], changed: Mask) -> Iterator[Predicate]:
    import numpy as np
    import pandas as pd

    inside = values[changed]
    if inside.isna().all():
        if values.notna().any():
            yield _predicate(f"{name} is null", values.isna().to_numpy(), 1, changed)
        return
    count = int(values.nunique())
    if count <= FEW_VALUES:
        totals = values.value_counts()
        hits = inside.value_counts().reindex(totals.index, fill_value=0)
        rates = (hits / totals)[hits > 0]
        for chosen in (list(rates.index), list(rates[rates >= PRECISE].index)):
            if 0 < len(chosen) <= LISTED:
                mask = np.asarray(values.isin(chosen), dtype=bool)
                yield _predicate(listed(name, sorted(chosen)), mask, len(chosen), changed)
        best = rates.sort_values(ascending=False).head(3)
        for value in best.index:
            mask = np.asarray(values == value, dtype=bool)
            yield _predicate(f"{name} = {_spelled(value)}", mask, 1, changed)
    is_ordered = pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(
        values
    )
    if is_ordered and not pd.api.types.is_bool_dtype(values) and count > 2:
        yield from _ranges(name, values, inside, changed)


def _ranges(
    name: str, values: pd.Series[Any], inside: pd.Series[Any], changed: Mask
) -> Iterator[Predicate]:
    import numpy as np

    low, high = inside.min(), inside.max()
    oddity = RANGE * (1 + min(values.nunique(), 1000) / 1000)  # rather a month than a moment
    at_least = np.asarray(values >= low, dtype=bool)
    at_most = np.asarray(values <= high, dtype=bool)
    if low > values.min():
        yield _predicate(f"{name} >= {_spelled(low)}", at_least, 1, changed, oddity)
    if high < values.max():
        yield _predicate(f"{name} <= {_spelled(high)}", at_most, 1, changed, oddity)
    if low > values.min() and high < values.max():
        text = f"{_spelled(low)} <= {name} <= {_spelled(high)}"
        yield _predicate(text, at_least & at_most, 2, changed, oddity)


def _predicate(text: str, rows: Mask, terms: int, changed: Mask, oddity: float = 0.0) -> Predicate:
    both = float((rows & changed).sum())
    return Predicate(
        text,
        rows,
        terms,
        both / max(float(rows.sum()), 1.0),
        both / max(float(changed.sum()), 1.0),
        oddity + (DERIVED if " of " in text else 0.0),
    )


def _both(one: Predicate, other: Predicate, changed: Mask) -> Predicate | None:
    if one.text.partition(" ")[0] == other.text.partition(" ")[0]:
        return None
    rows = one.rows & other.rows
    if rows.sum() == min(one.rows.sum(), other.rows.sum()):
        return None  # the second condition takes nothing away
    text = f"{one.text} and {other.text}"
    return _predicate(text, rows, one.terms + other.terms, changed, one.oddity + other.oddity)


def listed(name: str, values: Sequence[Any]) -> str:
    """A condition that a column has one of these values."""
    if len(values) == 1:
        return f"{name} = {_spelled(values[0])}"
    return f"{name} in ({', '.join(map(_spelled, values))})"


def _spelled(value: Any) -> str:
    import pandas as pd

    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, pd.Timestamp):
        text = value.isoformat(sep=" ")
        return text.removesuffix(" 00:00:00")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
