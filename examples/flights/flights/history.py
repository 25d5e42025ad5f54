"""What earlier months say of a carrier, a destination, an hour: only months that are over."""

import pandas as pd

import whence as wh

# How often flights were late is counted by each of these.
FACTORS = ["carrier", "origin", "dest", "clock_hour"]

COLUMNS = ["factor", "level", "flights", "late"]

# A rate counts as if this many flights more had been late as often as all flights were.
PRIOR_FLIGHTS = 50


@wh.table(partitioned=True)
def lateness(departures: pd.DataFrame) -> pd.DataFrame:
    """Counts of flights and of late ones in one month, by each factor."""
    counted = departures.assign(clock_hour=departures["hour"].astype("int64"))
    parts = [count_by(counted, factor) for factor in FACTORS]
    return pd.concat(parts, ignore_index=True)


def count_by(departures: pd.DataFrame, factor: str) -> pd.DataFrame:
    """Flights and late flights by the values of one column."""
    groups = departures.groupby(departures[factor].astype("str"))["late"]
    out = groups.agg(["size", "sum"]).reset_index()
    out.columns = ["level", "flights", "late"]
    out.insert(0, "factor", factor)
    return out


@wh.table(partitioned=True)
def rates(partition: str, lateness: pd.DataFrame = wh.window("month", -2, -1)) -> pd.DataFrame:
    """Share of late flights in the two months before this one, by each factor, smoothed.

    January has no earlier month: its table is empty, and its features are missing.
    """
    earlier = pd.DataFrame(lateness, columns=COLUMNS)
    counts = earlier.groupby(["factor", "level"], as_index=False)[["flights", "late"]].sum()
    rate = smoothed_rate(counts)
    return pd.DataFrame(
        {
            "month": pd.Series(int(partition), index=counts.index, dtype="int64"),
            "factor": counts["factor"].astype("str"),
            "level": counts["level"].astype("str"),
            "rate": rate.astype("float64"),
        }
    )


def smoothed_rate(counts: pd.DataFrame) -> pd.Series:
    """Late flights per flight, drawn towards the rate of all where there are few."""
    overall = counts["late"].sum() / max(counts["flights"].sum(), 1)
    return (counts["late"] + PRIOR_FLIGHTS * overall) / (counts["flights"] + PRIOR_FLIGHTS)
