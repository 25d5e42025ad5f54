"""From raw files to clean tables."""

import pandas as pd
from vendor.cleankit import winsorise

import whence as wh
from flow.cleaning import (
    clean_carrier,
    clean_dest,
    clean_pressure,
    clean_temperature,
    clean_turnaround,
    clean_visibility,
    clean_wind,
    clock,
    drop_cancelled,
    is_late,
)
from flow.settings import BUILT_UNTIL


@wh.table(partitioned=True)
def departures(flights: pd.DataFrame) -> pd.DataFrame:
    """One row per flight that arrived."""
    arrived = drop_cancelled(flights)
    out = arrived[["flight_id", "month", "day", "hour", "origin", "tailnum"]].copy()
    out["carrier"] = clean_carrier(arrived["carrier"])
    out["dest"] = clean_dest(arrived["dest"])
    out["clock"] = clock(arrived)
    out["distance"] = arrived["distance"].astype("float64")
    out["turnaround"] = clean_turnaround(arrived["turnaround"])
    out["late"] = is_late(arrived)
    return out


@wh.table
def observations(weather: pd.DataFrame, clip_sigma: float = 8.0) -> pd.DataFrame:
    """Weather by airport and hour."""
    out = weather[["origin", "month", "day", "hour"]].copy()
    out["temp"] = winsorise(clean_temperature(weather["temp"]), clip_sigma)
    out["wind"] = winsorise(clean_wind(weather["wind_speed"]), clip_sigma)
    out["visib"] = clean_visibility(weather["visib"])
    out["pressure"] = winsorise(clean_pressure(weather["pressure"]), clip_sigma)
    return out


@wh.table(key="tailnum")
def aircraft(planes: pd.DataFrame) -> pd.DataFrame:
    """Age and size of aircraft."""
    out = planes[["tailnum"]].copy()
    out["age"] = BUILT_UNTIL - planes["year"].astype("float64")
    out["seats"] = planes["seats"].astype("float64")
    return out


@wh.table(key="dest")
def places(airports: pd.DataFrame) -> pd.DataFrame:
    """How crowded destinations are."""
    out = pd.DataFrame({"dest": clean_dest(airports["faa"])})
    out["traffic"] = airports["traffic"].astype("float64")
    out["altitude"] = airports["alt"].astype("float64")
    return out
