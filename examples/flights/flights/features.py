"""What is known of a flight at its scheduled departure. The service uses the same functions."""

import pandas as pd

import whence as wh
from flights.history import FACTORS
from flights.prepare import OBSERVED

# Weather counts as it was known this long before the scheduled departure.
WEATHER_LEAD = pd.Timedelta(hours=1)

# Older weather than this is no weather.
WEATHER_AGE = pd.Timedelta(hours=6)

CATEGORIES = ["carrier", "origin", "dest", "engine"]

NUMBERS = [
    "hour",
    "weekday",
    "distance",
    "age",
    "seats",
    "has_aircraft",
    *OBSERVED,
    *[f"rate_{factor}" for factor in FACTORS],
]


@wh.table(partitioned=True)
def features(
    departures: pd.DataFrame,
    rates: pd.DataFrame,
    observations: pd.DataFrame,
    aircraft: pd.DataFrame,
) -> pd.DataFrame:
    """One row per flight: what the model sees, and whether the flight was late."""
    known = assemble(departures, rates, observations, aircraft)
    return known[["month", "scheduled_at", *CATEGORIES, *NUMBERS, "late"]]


def assemble(
    departures: pd.DataFrame,
    rates: pd.DataFrame,
    observations: pd.DataFrame,
    aircraft: pd.DataFrame,
) -> pd.DataFrame:
    """Join weather, aircraft and earlier months to departures, in the order of these."""
    out = join_weather(departures, observations)
    out = out.merge(aircraft, on="tailnum", how="left")
    out["has_aircraft"] = out["seats"].notna()
    return join_rates(out, rates)


def join_weather(departures: pd.DataFrame, observations: pd.DataFrame) -> pd.DataFrame:
    """The last weather known at the origin when `WEATHER_LEAD` was left to the departure."""
    place = departures.assign(row=range(len(departures)))
    place["decided_at"] = place["scheduled_at"] - WEATHER_LEAD
    joined = pd.merge_asof(
        place.sort_values("decided_at", kind="stable"),
        observations,
        left_on="decided_at",
        right_on="known_at",
        by="origin",
        tolerance=WEATHER_AGE,
    )
    joined = joined.sort_values("row", ignore_index=True)
    return joined.drop(columns=["row", "decided_at", "known_at"])


def join_rates(departures: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """Add ``rate_carrier`` and the like, missing where earlier months say nothing."""
    out = departures.assign(clock_hour=departures["hour"].astype("int64"))
    for factor in FACTORS:
        chosen = rates[rates["factor"] == factor]
        rate_of = dict(zip(chosen["level"], chosen["rate"]))
        out[f"rate_{factor}"] = out[factor].astype("str").map(rate_of).astype("float64")
    return out.drop(columns="clock_hour")
