"""Models and how well they do: decorators for models, metrics and figures, and honest intervals.

Main path: `declare.py` (what a user writes) -> `estimate.py` (a number with its uncertainty)
-> `intervals.py` (how the uncertainty is found).

May import: `whence.data` and what lies below; NumPy and the like inside functions only.
"""

from whence.models.declare import figure, metric, model
from whence.models.estimate import Estimate
from whence.models.intervals import (
    auc_interval,
    bootstrap_interval,
    brier,
    calibration_table,
    proportion_interval,
)

__all__ = [
    "Estimate",
    "auc_interval",
    "bootstrap_interval",
    "brier",
    "calibration_table",
    "figure",
    "metric",
    "model",
    "proportion_interval",
]
