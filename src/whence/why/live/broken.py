"""Would the metric be back if this one feature were right? Imputing it, and how it was broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from whence.why.live.frame import Frame
    from whence.why.live.metrics import Floats
    from whence.why.live.nuisance import Ints

#: How often a value is drawn; the scores of the draws are averaged.
DRAWS = 4


def donors(frame: Frame, index: int, fold: Ints, seed: int) -> Ints:
    """For each row, rows of the reference window to take feature `index` from.

    A tree learns the feature from the other features on reference rows of other folds; the donor
    is drawn from the row's leaf, so what is imputed has the spread that it really has.

    Returns
    -------
    array of int, shape (DRAWS, n_rows)
        Numbers of reference rows.

    References
    ----------
    Burgette & Reiter (2010), American Journal of Epidemiology 172(9): imputation by trees.
    """
    import numpy as np
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    rng = np.random.default_rng(seed)
    others = np.delete(frame.X, index, axis=1)
    target = frame.X[:, index]
    found = np.zeros((DRAWS, len(target)), dtype=np.int64)
    category = frame.features[index].is_category
    for number in range(int(fold.max()) + 1):
        pool = np.flatnonzero(~frame.current & (fold != number))
        rows = np.flatnonzero(fold == number)
        known = pool[np.isfinite(target[pool])]
        for draw in range(DRAWS):
            sample = rng.choice(known, len(known)) if len(known) else pool
            if len(known) == 0 or others.shape[1] == 0:
                found[draw, rows] = rng.choice(sample, len(rows))
                continue
            kind = DecisionTreeClassifier if category else DecisionTreeRegressor
            tree = kind(min_samples_leaf=8, random_state=int(rng.integers(2**31)))
            leaves = tree.fit(others[sample], target[sample]).apply(others)
            found[draw, rows] = _from_leaf(leaves[sample], sample, leaves[rows], rng)
    return found


def _from_leaf(leaf: Ints, sample: Ints, wanted: Ints, rng: np.random.Generator) -> Ints:
    """For each wanted leaf, one of the rows of the sample that lie in it."""
    import numpy as np

    order = np.argsort(leaf, kind="stable")
    starts = np.searchsorted(leaf[order], wanted, side="left")
    ends = np.searchsorted(leaf[order], wanted, side="right")
    at = starts + (rng.random(len(wanted)) * (ends - starts)).astype(np.int64)
    return np.asarray(sample[order[at]])


def imputed_scores(
    table: pa.Table, reference_rows: int, name: str, rows: Ints,
    score: Callable[[pa.Table], Floats],
) -> Floats:  # fmt: skip
    """The real model's scores of both windows' rows with feature `name` imputed.

    Parameters
    ----------
    table : pa.Table
        Rows of both windows, the reference's first.
    rows : array of int, shape (DRAWS, n_rows)
        From `donors`.
    """
    import numpy as np
    import pyarrow as pa

    place = table.column_names.index(name)
    values = table.column(name).slice(0, reference_rows).combine_chunks()
    variants = [
        table.set_column(
            place, table.schema.field(place), pa.chunked_array([values.take(pa.array(draw))])
        )
        for draw in rows
    ]
    return np.asarray(score(pa.concat_tables(variants)).reshape(len(rows), -1).mean(axis=0))


def how_broken(frame: Frame, index: int, expected: Floats) -> str:
    """What was done to a feature, in words; `expected` is what it should be, of each row.

    Compares the current values with the reference's distribution (nulls, constants, cut tails,
    unit and sign) and with what the other features say.
    """
    import numpy as np

    old, new = frame.X[~frame.current, index], frame.X[frame.current, index]
    missing = float(np.isnan(new).mean()), float(np.isnan(old).mean())
    if missing[0] > missing[1] + 0.02:
        return f"null in {missing[0]:.0%} of the rows (before: {missing[1]:.0%})"
    if frame.features[index].is_category:
        return _how_category(frame, index, old, new)
    old, new = old[np.isfinite(old)], new[np.isfinite(new)]
    if len(old) == 0 or len(new) == 0:
        return ""
    values, counts = np.unique(new, return_counts=True)
    most = values[counts.argmax()]
    share, before = float(counts.max() / len(new)), float((old == most).mean())
    if len(values) > 2 and share > before + 0.05:
        return _how_constant(float(most), share, before, new, old)
    return _how_affine(old, new) or _how_relation(frame, index, expected)


def _how_category(frame: Frame, index: int, old: Floats, new: Floats) -> str:
    import numpy as np

    levels = (*(frame.features[index].levels or ()), "other")
    codes = np.arange(len(levels))
    before = np.array([(old == code).mean() for code in codes])
    after = np.array([(new == code).mean() for code in codes])
    fresh = (before < 0.001) & (after > 0.02)
    if fresh.any():
        return f"unknown values: {', '.join(repr(levels[c]) for c in np.flatnonzero(fresh)[:3])}"
    code = int((after - before).argmax())
    if after[code] > before[code] + 0.05:
        return f"{levels[code]!r} in {after[code]:.0%} of the rows (before: {before[code]:.0%})"
    return "its relation with the other columns is gone (shuffled or stale)"


def _how_constant(most: float, share: float, before: float, new: Floats, old: Floats) -> str:
    if most in (new.max(), new.min()) and old.min() < most < old.max():
        side = "above" if most == new.max() else "below"
        return f"cut {side} {most:.6g} ({share:.0%} of the rows)"
    return f"{most:.6g} in {share:.0%} of the rows (before: {before:.0%})"


def _how_affine(old: Floats, new: Floats) -> str:
    """Scaled, shifted or turned in sign, where the quantiles say so."""
    import numpy as np

    at = np.linspace(0.02, 0.98, 49)
    q_old, q_new = np.quantile(old, at), np.quantile(new, at)
    spread = float(np.std(q_old))
    if not spread > 0:
        return ""
    off = float(np.abs(q_new - q_old).mean() / spread)
    if off < 0.08:
        return ""
    turned = np.quantile(-old, at)
    if np.abs(q_new - turned).mean() / spread < 0.5 * off and off > 0.3:
        return "turned in sign"
    slope, shift = np.polyfit(q_old, q_new, 1)
    rest = float(np.std(q_new - slope * q_old - shift) / max(np.std(q_new), 1e-12))
    if rest > 0.25 or slope <= 0:
        return ""
    if abs(np.log(slope)) > 0.2:
        return f"scaled by about {slope:.3g}" + (
            f" and shifted by {shift:.3g}" if abs(shift) > 0.3 * np.std(q_new) else ""
        )
    return f"shifted by about {float(np.mean(q_new - q_old)):.3g}"


def _how_relation(frame: Frame, index: int, expected: Floats) -> str:
    """Its distribution stayed, but the others no longer predict it."""
    import numpy as np

    correlations = []
    for side in (~frame.current, frame.current):
        x, e = frame.X[side, index], expected[side]
        known = np.isfinite(x) & np.isfinite(e)
        spread = known.sum() > 2 and np.std(x[known]) > 0 and np.std(e[known]) > 0
        correlations.append(float(np.corrcoef(x[known], e[known])[0, 1]) if spread else 0.0)
    before, after = correlations
    if before > 0.15 and after < -0.3 * before:
        return "turned in sign"
    if before > 0.15 and after < 0.7 * before:
        return "its relation with the other columns is gone (shuffled or stale)"
    return "its values are not what the other columns and the label say"
