"""Helpers that clean one column each."""

import pandas as pd
from vendor.cleankit import fill, normalise

from flow.settings import LATE_MINUTES, LIMITS


def drop_cancelled(flights: pd.DataFrame) -> pd.DataFrame:
    """Flights that arrived."""
    return flights[flights["arr_delay"].notna()].reset_index(drop=True)


def plausible(values: pd.Series, low: float, high: float) -> pd.Series:
    """Readings outside of the limits are missing."""
    return values.where((values >= low) & (values <= high))


def clean_temperature(values: pd.Series) -> pd.Series:
    """Fahrenheit to Celsius."""
    kept = plausible(values.astype("float64"), LIMITS.temp_low, LIMITS.temp_high)
    return fill((kept - 32.0) / 1.8, "median")


def clean_wind(values: pd.Series) -> pd.Series:
    """Miles per hour, never negative."""
    kept = plausible(values.astype("float64"), 0.0, LIMITS.wind_high)
    return fill(kept, "median")


def clean_visibility(values: pd.Series) -> pd.Series:
    """Miles; the instrument ends at ten."""
    kept = plausible(values.astype("float64"), 0.0, LIMITS.visib_high)
    return fill(kept, "median").clip(upper=10.0)


def clean_pressure(values: pd.Series) -> pd.Series:
    """Hectopascals."""
    kept = plausible(values.astype("float64"), LIMITS.pressure_low, LIMITS.pressure_high)
    return fill(kept, "median")


def clean_turnaround(values: pd.Series) -> pd.Series:
    """Minutes on the ground before the flight."""
    kept = plausible(values.astype("float64"), 0.0, LIMITS.turnaround_high)
    return fill(kept, "median")


def clean_carrier(values: pd.Series) -> pd.Series:
    """Two letters."""
    return normalise(values)


def clean_dest(values: pd.Series) -> pd.Series:
    """Three letters."""
    return normalise(values)


def clock(flights: pd.DataFrame) -> pd.Series:
    """Scheduled departure in hours."""
    return flights["hour"] + flights["minute"] / 60.0


def is_late(flights: pd.DataFrame) -> pd.Series:
    """Whether a flight arrived late."""
    return flights["arr_delay"] > LATE_MINUTES
