"""Where P(y|x) changed: the slice of rows in which outcomes moved away from what was learnt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from whence.why.live.frame import Bools, Frame
    from whence.why.live.metrics import Floats

#: Cut points that are tried on a numeric feature.
CUTS = 15
#: A slice is named if it stands out by this many standard errors (of several hundred tried).
NAMED_AT = 4.0
#: A second condition has to make the first slice's shift this much larger.
PAIR_RATIO = 1.4


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows that a predicate selects, and how far outcomes moved there and elsewhere.

    Attributes
    ----------
    inside, outside : float
        Mean of (y - expected y) of the current rows, in the label's unit.
    z : float
        How far both differ, in standard errors, in the channel where they differ most.
    """

    feature: int
    predicate: str
    rows: Bools
    share: float
    inside: float
    outside: float
    z: float


def find_slice(
    frame: Frame, expected: Floats, old_expected: Floats
) -> tuple[Slice | None, list[Slice]]:
    """The slice of the current window whose outcomes moved most, and the best one of each feature.

    Rows are judged in three channels: outcomes higher or lower than expected, outcomes further
    from it, and outcomes that follow the expectation less (or turn against it). The reference
    rows' means, cross-fitted, are what no change looks like.

    Parameters
    ----------
    expected, old_expected : array of float
        Expected outcome of the current rows and of the reference rows.
    """
    import numpy as np

    new, old = frame.current, ~frame.current
    channels = _channels(frame.y[new], expected, frame.y[old], old_expected)
    off = frame.y[new] - expected
    everything = np.ones(int(new.sum()), dtype=bool)
    ranked = sorted(
        (
            found
            for index in range(frame.X.shape[1])
            if (found := _best(frame, index, channels, off, everything)) is not None
        ),
        key=lambda found: -found.z,
    )
    if not ranked or ranked[0].z < NAMED_AT:
        return None, ranked
    first = ranked[0]
    inner = [
        found
        for index in range(frame.X.shape[1])
        if index != first.feature
        and (found := _best(frame, index, channels, off, first.rows)) is not None
    ]
    if inner and (second := max(inner, key=lambda found: found.z)).z > 2 * NAMED_AT:
        wider = max(abs(channel[first.rows].mean()) for channel in channels)
        narrow = max(abs(channel[second.rows].mean()) for channel in channels)
        if narrow > PAIR_RATIO * wider and second.z > 0.8 * first.z:
            rows = second.rows
            first = Slice(
                first.feature,
                f"{first.predicate} and {second.predicate}",
                rows,
                float(rows.mean()),
                float(off[rows].mean()),
                float(off[~rows].mean()),
                second.z,
            )
    return first, ranked


def _channels(y: Floats, expected: Floats, old_y: Floats, old_expected: Floats) -> list[Floats]:
    """What moved, in units of the reference's standard deviations around the reference's mean."""
    import numpy as np

    middle = float(old_expected.mean())
    found = []
    for new, old in (
        (y - expected, old_y - old_expected),
        (np.abs(y - expected), np.abs(old_y - old_expected)),
        ((y - expected) * (expected - middle), (old_y - old_expected) * (old_expected - middle)),
    ):
        spread = float(np.std(old)) or 1.0
        found.append(np.clip((new - old.mean()) / spread, -8, 8))
    return found


def _best(
    frame: Frame, index: int, channels: list[Floats], off: Floats, within: Bools
) -> Slice | None:
    """The one condition on a feature, within some rows, that splits off the largest shift."""
    import numpy as np

    values = frame.X[frame.current, index]
    best: tuple[float, str, Bools] | None = None
    for predicate, chosen in _conditions(frame, index, values, within):
        n_in, n_out = int(chosen.sum()), int((within & ~chosen).sum())
        if n_in < 25 or n_out < 25:
            continue
        for channel in channels:
            inside, outside = channel[chosen], channel[within & ~chosen]
            error = np.sqrt(channel[within].var() * (1 / n_in + 1 / n_out))
            z = float(abs(inside.mean() - outside.mean()) / error) if error > 0 else 0.0
            # The slice is the part that moved, not the part that stayed.
            if z > (best[0] if best else 0.0) and abs(inside.mean()) > abs(outside.mean()):
                best = z, predicate, chosen
    if best is None:
        return None
    z, predicate, rows = best
    return Slice(
        index, predicate, rows, float(rows.mean()), float(off[rows].mean()),
        float(off[~rows].mean()), z,
    )  # fmt: skip


def _conditions(
    frame: Frame, index: int, values: Floats, within: Bools
) -> list[tuple[str, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]]:
    import numpy as np

    feature = frame.features[index]
    missing = np.isnan(values)
    found = []
    if missing.any():
        found.append((f"{feature.name} is null", within & missing))
    if feature.levels is not None:
        for code, level in enumerate(feature.levels):
            found.append((f"{feature.name} = {level!r}", within & (values == code)))
        return found
    known = values[within & ~missing]
    if len(known) == 0:
        return found
    for cut in np.unique(np.quantile(known, np.linspace(0, 1, CUTS + 2)[1:-1])):
        found.append((f"{feature.name} > {cut:.6g}", within & (values > cut)))
        found.append((f"{feature.name} <= {cut:.6g}", within & (values <= cut)))
    return found
