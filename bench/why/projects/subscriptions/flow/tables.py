"""From raw files to clean tables."""

import pandas as pd

import whence as wh
from flow.cleaning import (
    clean_age,
    clean_amount,
    clean_channel,
    clean_plan,
    clean_region,
    clean_satisfaction,
    clean_tenure,
    clean_tickets,
    drop_returned,
    target,
)


@wh.table(partitioned=True)
def purchases(orders: pd.DataFrame) -> pd.DataFrame:
    """Orders that were kept, in euros."""
    kept = drop_returned(orders)
    out = kept[["order_id", "customer_id", "day"]].copy()
    out["amount"] = clean_amount(kept)
    out["items"] = kept["items"].astype("float64")
    return out


@wh.table(key="customer_id")
def people(customers: pd.DataFrame) -> pd.DataFrame:
    """Clean attributes of customers, and what is to be predicted."""
    out = customers[["customer_id"]].copy()
    out["region"] = clean_region(customers["region"])
    out["channel"] = clean_channel(customers["channel"])
    out["plan"] = clean_plan(customers["plan"])
    out["age"] = clean_age(customers["age"])
    out["tenure"] = clean_tenure(customers["tenure_days"])
    out["tickets"] = clean_tickets(customers["tickets"])
    out["satisfaction"] = clean_satisfaction(customers["satisfaction"])
    out["discount"] = customers["discount"].astype("float64")
    out["target"] = target(customers["spend_next"])
    return out


@wh.table(key="plan")
def tariffs(plans: pd.DataFrame) -> pd.DataFrame:
    """Prices of plans."""
    out = pd.DataFrame({"plan": clean_plan(plans["plan"])})
    out["price"] = plans["price"].astype("float64")
    out["quota"] = plans["quota"].astype("float64")
    return out
