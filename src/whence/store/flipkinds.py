"""What kinds of changes a column went through.

A rounding of every row and a wrong unit in one month are changes of one column; what tells them
apart is how the cells changed: from null, by how much, or from which value to which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from whence.store.flips import Alignment

    Mask = NDArray[np.bool_]

#: With more sizes, or more pairs of values, than this they are no kinds: each kind costs runs.
MOST_KINDS = 4
#: Small and large differences are two kinds where their medians are this many decades apart.
DECADES = 1.5
#: A kind has at least this part of the changed cells.
SEEN = 0.01


def kinds_of_change(aligned: Alignment, column: str, changed: Mask) -> list[Mask]:
    """Changed cells of a column, split by how they changed; the parts add up to `changed`.

    Parameters
    ----------
    changed : array of bool, one for each matched row
        As `changed_cells` has it.
    """
    import numpy as np
    import pyarrow as pa

    both = (aligned.before, aligned.after)
    if any(
        column not in side.column_names or pa.types.is_nested(side.schema.field(column).type)
        for side in both
    ):
        return [changed]
    rows = np.flatnonzero(changed)
    old = aligned.before.column(column).take(pa.array(aligned.left[rows])).to_pandas()
    new = aligned.after.column(column).take(pa.array(aligned.right[rows])).to_pandas()
    labels = _labels(old, new)
    kinds = sorted(set(labels))
    counts = {kind: int((labels == kind).sum()) for kind in kinds}
    if min(counts.values(), default=0) < SEEN * len(rows):
        return [changed]
    out = []
    for kind in kinds:
        mask = np.zeros(len(changed), bool)
        mask[rows[labels == kind]] = True
        out.append(mask)
    return out


def _labels(old: pd.Series[Any], new: pd.Series[Any]) -> Any:
    """For each changed cell the number of its kind."""
    import numpy as np
    import pandas as pd

    was, now = old.isna().to_numpy(), new.isna().to_numpy()
    labels = np.where(was, 1, np.where(now, 2, 0))
    valued = ~was & ~now
    if not valued.any():
        return labels
    one, other = old[valued], new[valued]
    types = pd.api.types
    if all(types.is_datetime64_any_dtype(side) for side in (one, other)):
        try:
            labels[valued] = 3 + _by_size((other - one).dt.total_seconds().to_numpy())
        except TypeError:
            pass  # one with a zone, one without: a kind of its own
    elif all(types.is_numeric_dtype(s) and not types.is_bool_dtype(s) for s in (one, other)):
        labels[valued] = 3 + _by_size(other.to_numpy(float) - one.to_numpy(float))
    else:
        labels[valued] = 3 + _by_value(one.astype(str), other.astype(str))
    return labels


def _by_size(difference: Any) -> Any:
    """Differences of a few sizes apart, else small and large ones where two groups are clear."""
    import numpy as np

    values, number = np.unique(difference, return_inverse=True)
    if len(values) <= MOST_KINDS:
        return number
    with np.errstate(divide="ignore", invalid="ignore"):
        sizes = np.log10(np.abs(difference))
    sizes = np.nan_to_num(sizes, nan=0.0, posinf=308.0, neginf=-308.0)
    large = sizes > _threshold(sizes)
    apart = large.any() and not large.all()
    if apart and np.median(sizes[large]) - np.median(sizes[~large]) >= DECADES:
        return large.astype(int)
    return np.zeros(len(sizes), int)


def _threshold(sizes: Any) -> float:
    """The cut that leaves most variance between two groups (Otsu 1979, IEEE SMC 9(1))."""
    import numpy as np

    ordered = np.sort(sizes)
    n = np.arange(1, len(ordered))
    total = np.cumsum(ordered)
    below, above = total[:-1] / n, (total[-1] - total[:-1]) / (len(ordered) - n)
    between = n * (len(ordered) - n) * (above - below) ** 2
    place = int(np.argmax(between))
    return float(ordered[place])


def _by_value(old: pd.Series[str], new: pd.Series[str]) -> Any:
    """By which value became which; where these are many, another spelling or another value."""
    import numpy as np
    import pandas as pd

    number, pairs = pd.factorize(old + "\0" + new)
    if len(pairs) <= MOST_KINDS:
        return number
    spelled = old.str.strip().str.lower() == new.str.strip().str.lower()
    return np.asarray(~spelled, dtype=int)
