"""By what the rows of two versions of a table are matched.

A declared key is taken as it is. Without one, every column that identifies rows on both sides is
a guess, as are position and small sets of columns; the guess under which most cells are the same
wins, because a column may identify rows and yet be what went wrong.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Rows = NDArray[np.intp]
    Match = tuple[Rows, Rows, str]  # rows of `before`, of `after`, and by what

#: A column identifies rows when it does so on both sides and this part of them is shared.
SHARED = 0.5
#: Under a good guess this part of the cells is the same; sets of columns are only tried without.
GOOD = 0.9
#: An earlier guess is as good as a later one unless that is better by this.
MARGIN = 0.02
#: Rows that are compared to judge a guess, and columns that sets of columns are made of.
LOOKED_AT, COMBINED = 2000, 6


def match(before: pa.Table, after: pa.Table, key: Sequence[str] = ()) -> Match:
    """Positions of rows that belong together, in the order of `after`, and how they were found."""
    if key and (found := by_columns(before, after, key)) is not None:
        return (*found, f"by {', '.join(key)}")
    best: Match | None = None
    best_score = -1.0
    for guess in _guesses(before, after):
        if guess[2].startswith("by ") and guess[2].count(",") and best_score >= GOOD:
            break  # no set of columns is needed
        score = _agreement(before, after, guess)
        if score > best_score + MARGIN:
            best, best_score = guess, score
    return best if best is not None else (*by_whole_rows(before, after), "by whole rows")


def _guesses(before: pa.Table, after: pa.Table) -> Iterator[Match]:
    """Ways to match rows, the likely ones first."""
    import numpy as np

    names = shared_columns(before, after)
    for name in names:
        yield from _by_set(before, after, (name,))
    if before.num_rows == after.num_rows:
        rows = np.arange(after.num_rows)
        yield rows, rows, "by position"
    counts = {name: _distinct(after, name) for name in names}
    likely = sorted((n for n in names if counts[n] > 1), key=lambda n: -counts[n])[:COMBINED]
    for size in (2, 3):
        for columns in itertools.combinations(likely, size):
            if np.prod([float(counts[name]) for name in columns]) >= after.num_rows:
                yield from _by_set(before, after, columns)


def _by_set(before: pa.Table, after: pa.Table, columns: Sequence[str]) -> Iterator[Match]:
    if len(columns) == 1 and _distinct(after, columns[0]) < after.num_rows:
        return
    found = by_columns(before, after, columns)
    if found is not None and len(found[0]) >= SHARED * max(after.num_rows, 1):
        yield (*found, f"by {', '.join(columns)}")


def _distinct(table: pa.Table, name: str) -> int:
    import pyarrow.compute as pc

    column = table.column(name)
    values = column.combine_chunks().dictionary_decode() if _is_dictionary(column) else column
    return int(pc.count_distinct(values, mode="all").as_py())


def _is_dictionary(column: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_dictionary(column.type))


def _agreement(before: pa.Table, after: pa.Table, guess: Match) -> float:
    """The part of the cells of the larger table that are the same under a guess, from a sample."""
    import numpy as np

    left, right, _ = guess
    names = [name for name in after.column_names if name in before.column_names]
    if not len(left) or not names:
        return 0.0
    some = np.unique(np.linspace(0, len(left) - 1, LOOKED_AT).astype(np.intp))
    one = before.select(names).take(_positions(left[some])).to_pandas()
    other = after.select(names).take(_positions(right[some])).to_pandas()
    same = 0
    for name in names:
        a, b = one[name].astype(object).to_numpy(), other[name].astype(object).to_numpy()
        same += sum(_same(x, y) for x, y in zip(a, b, strict=True))
    matched = len(left) / max(before.num_rows, after.num_rows)
    return same / (len(some) * len(names)) * float(matched)


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    try:
        return bool(one == other) or bool(one != one and other != other)  # NaN is NaN
    except (TypeError, ValueError):  # arrays and NA have no truth
        return str(one) == str(other)


def _positions(rows: Rows) -> Any:
    import pyarrow as pa

    return pa.array(rows)


def shared_columns(before: pa.Table, after: pa.Table) -> list[str]:
    """Columns of both sides that may identify rows, the likely ones first."""
    import pyarrow as pa

    def may(kind: Any) -> bool:
        return not (
            pa.types.is_floating(kind) or pa.types.is_nested(kind) or pa.types.is_null(kind)
        )

    names = [
        name
        for name in after.column_names
        if name in before.column_names
        and may(after.schema.field(name).type)
        and may(before.schema.field(name).type)
    ]
    return sorted(names, key=lambda name: not name.lower().endswith("id"))


def by_columns(
    before: pa.Table, after: pa.Table, columns: Sequence[str]
) -> tuple[Rows, Rows] | None:
    """Positions of rows with equal keys; None where a column is missing or a key occurs twice."""
    import numpy as np
    import pandas as pd

    sides: list[list[Any]] = [[], []]
    for name in columns:
        if name not in before.column_names or name not in after.column_names:
            return None
        pair = [before.column(name), after.column(name)]
        if pair[0].type != pair[1].type:
            pair = [column.cast("string") for column in pair]
        for side, column in zip(sides, pair, strict=True):
            side.append(column.to_pandas())
    indexes = [
        pd.MultiIndex.from_arrays(side) if len(side) > 1 else pd.Index(side[0]) for side in sides
    ]
    if not all(index.is_unique for index in indexes):
        return None
    found = np.asarray(indexes[0].get_indexer(indexes[1]))
    right = np.flatnonzero(found >= 0)
    return found[right], right


def by_whole_rows(before: pa.Table, after: pa.Table) -> tuple[Rows, Rows]:
    """Positions of rows that are the same in all columns that both sides have."""
    import numpy as np
    import pandas as pd

    names = [name for name in after.column_names if name in before.column_names]
    sides = []
    for table in (before, after):
        hashes = np.zeros(table.num_rows, np.uint64)
        if names:
            frame = table.select(names).to_pandas()
            hashes = pd.util.hash_pandas_object(frame, index=False).to_numpy()
        side = pd.DataFrame({"hash": hashes, "row": np.arange(table.num_rows)})
        side["copy"] = side.groupby("hash").cumcount()
        sides.append(side)
    both = sides[0].merge(sides[1], on=["hash", "copy"], suffixes=("_old", "_new"))
    both = both.sort_values("row_new")
    return both["row_old"].to_numpy(), both["row_new"].to_numpy()
