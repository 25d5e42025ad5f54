"""Rates of groups, drawn to the rate of all where a group is small."""

import pandas as pd


def smoothed(hits: pd.Series, trials: pd.Series, prior: float = 0.0) -> pd.Series:
    """Hits per trial, as if `prior` trials more had gone as all did."""
    overall = hits.sum() / max(trials.sum(), 1)
    return (hits + prior * overall) / (trials + prior)
