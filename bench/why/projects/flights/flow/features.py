"""What is known of a flight before it departs."""

import pandas as pd
from vendor.cleankit import fill, standardise
from vendor.ratekit import smoothed

import whence as wh
from flow.settings import (
    FILL_METHOD,
    OLD_AGE,
    PRIOR_CAP,
    RUSH_FROM,
    RUSH_TO,
    TRAFFIC_UNIT,
    USE_TRAFFIC_UNIT,
)

NUMBERS = [
    "clock",
    "haul",
    "rush",
    "turnaround",
    "weather_score",
    "route_score",
    "aircraft_score",
    "carrier_rate",
]


def is_training(day: pd.Series, every: int) -> pd.Series:
    """Every so many days, a day is kept to judge the model."""
    return day % every != 0


def effective_prior(prior: float) -> float:
    """A prior beyond the cap would drown the carriers."""
    return min(float(prior), PRIOR_CAP)


def rush(clock: pd.Series) -> pd.Series:
    """Whether the flight departs in the busy hours."""
    return ((clock >= RUSH_FROM) & (clock < RUSH_TO)).astype("float64")


def haul(distance: pd.Series) -> pd.Series:
    """Whether a flight is longer than most."""
    return (distance > distance.median()).astype("float64")


def age_score(age: pd.Series) -> pd.Series:
    """Years, where nothing older than the limit is told apart."""
    return fill(age, FILL_METHOD).clip(0.0, OLD_AGE)


def traffic_scale(traffic: pd.Series) -> pd.Series:
    """Traffic in the unit of the table, unless another was agreed on."""
    return traffic * TRAFFIC_UNIT if USE_TRAFFIC_UNIT else traffic


def cold(temp: pd.Series) -> pd.Series:
    """Degrees from mild weather."""
    return (temp - 14.0).abs()


@wh.table
def carrier_rates(
    departures: pd.DataFrame, holdout_every: int, prior_flights: float = 30.0
) -> pd.DataFrame:
    """Share of late flights by carrier, on training days."""
    past = departures[is_training(departures["day"], holdout_every)]
    counts = past.groupby("carrier")["late"].agg(["size", "sum"])
    rate = smoothed(counts["sum"], counts["size"], prior=effective_prior(prior_flights))
    return pd.DataFrame({"carrier": counts.index.astype("str"), "carrier_rate": rate.to_numpy()})


@wh.table
def weather_index(
    observations: pd.DataFrame, wind_weight: float = 1.0, chunk_rows: int = 50000
) -> pd.DataFrame:
    """One number for how bad the weather is."""
    out = observations[["origin", "month", "day", "hour"]].copy()
    wind = standardise(observations["wind"])
    temp = standardise(cold(observations["temp"]))
    sight = standardise(observations["visib"])
    pressure = standardise(observations["pressure"])
    out["weather_score"] = wind_weight * wind + 1.0 * temp - 0.25 * sight - 0.4 * pressure
    return out.drop_duplicates(["origin", "month", "day", "hour"], ignore_index=True)


@wh.table
def route_index(places: pd.DataFrame, traffic_weight: float = 1.0) -> pd.DataFrame:
    """One number for how crowded a destination is."""
    out = places[["dest"]].copy()
    traffic = standardise(traffic_scale(places["traffic"]))
    out["route_score"] = traffic_weight * traffic
    return out


@wh.table
def aircraft_index(aircraft: pd.DataFrame) -> pd.DataFrame:
    """One number for how likely an aircraft makes trouble."""
    out = aircraft[["tailnum"]].copy()
    out["aircraft_score"] = standardise(age_score(aircraft["age"])) + 0.1 * standardise(
        fill(aircraft["seats"], "median")
    )
    return out


@wh.table
def features(
    departures: pd.DataFrame,
    weather_index: pd.DataFrame,
    route_index: pd.DataFrame,
    aircraft_index: pd.DataFrame,
    carrier_rates: pd.DataFrame,
) -> pd.DataFrame:
    """All numbers that the model sees."""
    out = departures.assign(rush=rush(departures["clock"]), haul=haul(departures["distance"]))
    out = out.merge(weather_index, on=["origin", "month", "day", "hour"], how="left")
    out = out.merge(route_index, on="dest", how="left")
    out = out.merge(aircraft_index, on="tailnum", how="left")
    out = out.merge(carrier_rates, on="carrier", how="left")
    return out[["flight_id", "day", *NUMBERS, "late"]]
