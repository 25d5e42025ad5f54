"""Helpers that clean one column each."""

import numpy as np
import pandas as pd
from vendor.tidykit import fill_gaps, tidy

from flow.settings import BOUNDS, CONVERT_CURRENCY, TICKETS_CAP, USD_IN_EUR


def within(values: pd.Series, low: float, high: float) -> pd.Series:
    """Values outside of the bounds are missing."""
    return values.where((values >= low) & (values <= high))


def clean_amount(orders: pd.DataFrame) -> pd.Series:
    """Euros."""
    amount = orders["amount"].astype("float64")
    if CONVERT_CURRENCY:
        amount = amount.where(orders["currency"] != "USD", amount * USD_IN_EUR)
    return fill_gaps(within(amount, 0.0, BOUNDS.amount_high), "median")


def clean_age(values: pd.Series) -> pd.Series:
    """Years."""
    return fill_gaps(within(values.astype("float64"), BOUNDS.age_low, BOUNDS.age_high), "median")


def clean_satisfaction(values: pd.Series) -> pd.Series:
    """Zero to ten."""
    kept = within(values.astype("float64"), 0.0, BOUNDS.satisfaction_high)
    return fill_gaps(kept, "median")


def clean_tickets(values: pd.Series) -> pd.Series:
    """Tickets of a year, where more than the cap are not told apart."""
    kept = within(values.astype("float64"), 0.0, BOUNDS.tickets_high)
    return fill_gaps(kept, "median").clip(upper=TICKETS_CAP)


def clean_tenure(values: pd.Series) -> pd.Series:
    """Days since the first contract."""
    kept = within(values.astype("float64"), 0.0, BOUNDS.tenure_high)
    return fill_gaps(kept, "median")


def clean_region(values: pd.Series) -> pd.Series:
    """North, south, east, west or abroad."""
    return tidy(values)


def clean_channel(values: pd.Series) -> pd.Series:
    """Web, app, shop or partner."""
    return tidy(values)


def clean_plan(values: pd.Series) -> pd.Series:
    """Name of the plan."""
    return tidy(values)


def drop_returned(orders: pd.DataFrame) -> pd.DataFrame:
    """Orders that were kept."""
    return orders[~orders["returned"]].reset_index(drop=True)


def target(spend: pd.Series) -> pd.Series:
    """Spending as a logarithm."""
    return np.log1p(spend.clip(lower=0.0).astype("float64"))
