"""What a diagnosis is given: two windows, the real model and the metric, all checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import erfc, sqrt
from typing import TYPE_CHECKING

from whence.why.live.frame import frame_of, labels_of
from whence.why.live.metrics import LiveError, Quality
from whence.why.live.study import Study
from whence.why.live.verdict import MetricBand

if TYPE_CHECKING:
    import pyarrow as pa

    from whence.why.live.metrics import Floats

#: Rows of a window that the estimates use; more are drawn without replacement.
MOST_ROWS = 4000
FEWEST_ROWS = 100


@dataclass(frozen=True, slots=True)
class Drop:
    """How much worse the metric is on the current window; positive is worse."""

    size: float
    error: float  # standard error
    before: MetricBand
    after: MetricBand

    @property
    def z(self) -> float:
        return self.size / self.error if self.error > 0 else 0.0

    @property
    def p(self) -> float:
        """That the choice of rows alone makes such a drop; one-sided, normal."""
        return 0.5 * erfc(self.z / sqrt(2))


@dataclass(frozen=True, slots=True)
class Windows:
    """The checked arguments of `diagnose`, with the real model's scores."""

    reference: pa.Table
    current: pa.Table
    label: str
    features: tuple[str, ...]
    score: Callable[[pa.Table], Floats]
    quality: Quality
    seed: int

    def drop(self) -> Drop:
        """How far the metric fell, with the bootstrap's errors."""
        import numpy as np

        bands, draws = [], []
        for number, table in enumerate((self.reference, self.current)):
            y = labels_of(table, self.label)
            band, drawn = self.quality.band(y, self.score(table), self.seed + number)
            bands.append(band)
            draws.append(drawn)
        drop = self.quality.sign * (bands[0].value - bands[1].value)
        error = float(np.sqrt(np.var(draws[0]) + np.var(draws[1])))
        return Drop(drop, error, bands[0], bands[1])

    def study(self, drop_z: float) -> Study:
        """Measurements on (at most `MOST_ROWS` rows of) both windows."""
        import numpy as np
        import pyarrow as pa

        rng = np.random.default_rng(self.seed)
        parts = []
        columns = [
            name for name in self.reference.column_names if name in self.current.column_names
        ]
        for table in (self.reference, self.current):
            table = table.select(columns)
            if table.num_rows > MOST_ROWS:
                table = table.take(np.sort(rng.choice(table.num_rows, MOST_ROWS, replace=False)))
            parts.append(table)
        both = pa.concat_tables(parts, promote_options="permissive")
        frame = frame_of(parts[0], parts[1], self.label, self.features)
        return Study(both, frame, self.score, self.score(both), self.quality, self.seed, drop_z)


def check_windows(
    reference: pa.Table, current: pa.Table, features: Sequence[str], label: str
) -> None:
    if not features:
        raise LiveError("No features are named.", "pass the columns that the model uses.")
    if label in features:
        raise LiveError(f"The label '{label}' is among the features.", "take it out of `features`.")
    for window, table in (("reference", reference), ("current", current)):
        if table.num_rows < FEWEST_ROWS:
            raise LiveError(
                f"The {window} window has {table.num_rows} rows.",
                f"choose one with at least {FEWEST_ROWS}; from 1,000 on kinds are told apart.",
            )
        for name in (*features, label):
            if name not in table.column_names:
                raise LiveError(
                    f"The {window} window has no column '{name}'"
                    f" (it has {', '.join(table.column_names[:12])}).",
                    "name the columns as they are in the logged rows.",
                )


def checked_scores(score: Callable[[pa.Table], Floats]) -> Callable[[pa.Table], Floats]:
    """The model, whose scores are checked each time."""
    import numpy as np

    def checked(table: pa.Table) -> Floats:
        found = np.asarray(score(table), dtype=np.float64)
        if found.shape != (table.num_rows,) or not np.isfinite(found).all():
            raise LiveError(
                f"The model gave scores of shape {found.shape}"
                f" ({int((~np.isfinite(found)).sum())} no number) for {table.num_rows} rows.",
                "let `score` return one finite number a row: a probability or a prediction.",
            )
        return found

    return checked
