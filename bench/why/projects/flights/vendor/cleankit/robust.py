"""Numbers with outliers and gaps."""

import numpy as np
import pandas as pd

MAD_SCALE = 1.4826


def winsorise(values: pd.Series, sigma: float) -> pd.Series:
    """Values beyond `sigma` robust deviations are drawn to the median."""
    middle = values.median()
    spread = MAD_SCALE * (values - middle).abs().median()
    if not spread > 0:
        return values
    return values.where(~((values - middle).abs() > sigma * spread), middle)


def fill(values: pd.Series, method: str = "median") -> pd.Series:
    """Gaps closed with the median, the mean or zero."""
    if method == "median":
        return values.fillna(values.median()).fillna(0.0)
    if method == "mean":
        return values.fillna(values.mean())
    return values.fillna(0.0)


def standardise(values: pd.Series, limit: float = 4.0) -> pd.Series:
    """Mean 0 and deviation 1, at most `limit` from 0."""
    spread = values.std()
    if not spread > 0:
        return values.fillna(0.0) * 0.0
    return ((values - values.mean()) / spread).clip(-limit, limit).astype(np.float64)
