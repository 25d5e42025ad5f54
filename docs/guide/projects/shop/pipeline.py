"""A shop: what it sold, month by month."""

import pandas as pd

import whence as wh

sales = wh.files("sales/*.csv", partition_by="file")


@wh.table(partitioned=True)
def discounted(sales: pd.DataFrame, rate: float = 0.1) -> pd.DataFrame:
    """Each sale with its revenue, a discount taken off."""
    revenue = sales["price"] * sales["count"] * (1 - rate)
    return sales.assign(revenue=revenue.round(2))


@wh.table(partitioned=True)
def recent(partition: str, discounted: pd.DataFrame = wh.window("month", -1, 0)) -> pd.DataFrame:
    """Revenue of a month and the month before it."""
    return pd.DataFrame({"month": [partition], "revenue": [discounted["revenue"].sum()]})


@wh.metric(better="higher")
def best(recent: pd.DataFrame) -> float:
    """The best two months in a row."""
    return recent["revenue"].max()
