"""What is known of a customer before the quarter begins."""

import numpy as np
import pandas as pd
from vendor.groupkit import shrunken_means
from vendor.tidykit import draw_in, fill_gaps, zscore

import whence as wh
from flow.settings import GAP_METHOD, LAST_DAY, PRIOR_CAP

NUMBERS = [
    "loyalty",
    "worth",
    "recent",
    "price",
    "mood",
    "age",
    "discount",
    "region_level",
    "channel_level",
]


def is_training(customer_id: pd.Series, every: int) -> pd.Series:
    """Every so many customers, one is kept to judge the model."""
    return customer_id % every != 0


def effective_prior(prior: float) -> float:
    """A prior beyond the cap would drown the groups."""
    return min(float(prior), PRIOR_CAP)


def recency_weight(day: pd.Series, half_life: float) -> pd.Series:
    """Older orders count less."""
    return 0.5 ** ((LAST_DAY - day) / half_life)


def log_price(price: pd.Series) -> pd.Series:
    """Prices as a logarithm."""
    return np.log1p(price)


def loyalty(tenure: pd.Series, power: float) -> pd.Series:
    """Time with us, with less and less gain."""
    return np.log1p(tenure) ** power


def mood(satisfaction: pd.Series, tickets: pd.Series, weight: float) -> pd.Series:
    """Content customers write few tickets."""
    return zscore(satisfaction) - weight * zscore(tickets)


@wh.table
def activity(
    purchases: pd.DataFrame, half_life: float = 365.0, winsor_sigma: float = 10.0
) -> pd.DataFrame:
    """What customers ordered, recent orders first."""
    out = purchases[["customer_id"]].copy()
    amount = draw_in(purchases["amount"], winsor_sigma)
    weight = recency_weight(purchases["day"], half_life)
    out["worth"] = zscore(amount) + 1.0
    out["recent"] = weight
    out["spent"] = amount * weight
    return out.groupby("customer_id", as_index=False)[["worth", "recent", "spent"]].sum()


@wh.table
def region_levels(
    people: pd.DataFrame, holdout_every: int, prior_customers: float = 20.0
) -> pd.DataFrame:
    """Mean target of each region among training customers."""
    past = people[is_training(people["customer_id"], holdout_every)]
    means = shrunken_means(past["target"], past["region"], prior=effective_prior(prior_customers))
    return pd.DataFrame({"region": means.index.astype("str"), "region_level": means.to_numpy()})


@wh.table
def channel_levels(people: pd.DataFrame, holdout_every: int) -> pd.DataFrame:
    """Mean target of each channel among training customers."""
    past = people[is_training(people["customer_id"], holdout_every)]
    means = shrunken_means(past["target"], past["channel"], prior=10.0)
    return pd.DataFrame({"channel": means.index.astype("str"), "channel_level": means.to_numpy()})


@wh.table
def profile(
    people: pd.DataFrame,
    tariffs: pd.DataFrame,
    tenure_power: float = 1.0,
    ticket_weight: float = 1.0,
    price_cap: float = 1000.0,
    chunk_rows: int = 20000,
) -> pd.DataFrame:
    """What customers are."""
    out = people.merge(tariffs, on="plan", how="left")
    out["loyalty"] = loyalty(out["tenure"], tenure_power)
    out["price"] = log_price(fill_gaps(out["price"], GAP_METHOD).clip(upper=price_cap))
    out["mood"] = mood(out["satisfaction"], out["tickets"], ticket_weight)
    columns = ["customer_id", "region", "channel", "loyalty", "price", "mood", "age", "discount"]
    return out[[*columns, "target"]]


@wh.table
def features(
    profile: pd.DataFrame,
    activity: pd.DataFrame,
    region_levels: pd.DataFrame,
    channel_levels: pd.DataFrame,
) -> pd.DataFrame:
    """All numbers that the model sees."""
    out = profile.merge(activity, on="customer_id", how="left")
    out[["worth", "recent", "spent"]] = out[["worth", "recent", "spent"]].fillna(0.0)
    out = out.merge(region_levels, on="region", how="left")
    out = out.merge(channel_levels, on="channel", how="left")
    return out[["customer_id", *NUMBERS, "target"]]
