"""Ask for one flight over HTTP: `whence serve delay`."""

from datetime import datetime
from typing import Literal

import pandas as pd
from pydantic import BaseModel, Field
from sklearn.pipeline import Pipeline

import whence as wh
from flights.features import CATEGORIES, NUMBERS, assemble
from flights.prepare import OBSERVED


class Observation(BaseModel):
    """Weather at the airport as last observed; what is not known is left out."""

    temp: float | None = Field(None, ge=-60, le=140, description="°F")
    dewp: float | None = Field(None, ge=-80, le=100, description="°F")
    humid: float | None = Field(None, ge=0, le=100, description="%")
    wind_dir: float | None = Field(None, ge=0, le=360, description="degrees")
    wind_speed: float | None = Field(None, ge=0, le=200, description="mph")
    wind_gust: float | None = Field(None, ge=0, le=250, description="mph")
    precip: float | None = Field(None, ge=0, le=20, description="inches in the hour")
    pressure: float | None = Field(None, ge=850, le=1100, description="hPa")
    visib: float | None = Field(None, ge=0, le=100, description="miles")


class Departure(BaseModel):
    """A flight on the timetable, and the weather one hour before."""

    carrier: str = Field(min_length=2, max_length=2, examples=["UA"])
    origin: Literal["EWR", "JFK", "LGA"]
    dest: str = Field(min_length=3, max_length=3, examples=["SFO"])
    distance: float = Field(gt=0, le=12_000, description="miles")
    scheduled_at: datetime = Field(description="local time in New York, without a zone")
    tailnum: str | None = Field(None, description="the aircraft, if it is known")
    weather: Observation = Observation()


@wh.service
def delay(
    delay_model: Pipeline, rates: pd.DataFrame, aircraft: pd.DataFrame, request: Departure
) -> dict[str, float | bool]:
    """The probability that this flight arrives more than 15 minutes late."""
    departure, observation = rows_of(request)
    latest = rates[rates["month"] == rates["month"].max()]
    known = assemble(departure, latest, observation, aircraft)
    chance = float(delay_model.predict_proba(known[CATEGORIES + NUMBERS])[0, 1])
    return {
        "probability_late": round(chance, 4),
        "knows_aircraft": bool(known["has_aircraft"].iloc[0]),
    }


def rows_of(request: Departure) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The request as one row of `departures` and one of `observations`."""
    local = pd.Timestamp(request.scheduled_at).tz_localize(None)
    utc = pd.Series(
        [local.tz_localize("America/New_York", nonexistent="shift_forward", ambiguous=True)]
    )
    scheduled_at = utc.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
    departure = pd.DataFrame(
        {
            "carrier": [request.carrier],
            "tailnum": [request.tailnum or ""],
            "origin": [request.origin],
            "dest": [request.dest],
            "distance": [request.distance],
            "scheduled_at": scheduled_at,
            "hour": [local.hour + local.minute / 60],
            "weekday": [local.weekday()],
        }
    )
    observed = {name: [value] for name, value in request.weather.model_dump().items()}
    observation = pd.DataFrame(observed, columns=OBSERVED, dtype="float64")
    observation["origin"] = [request.origin]
    observation["known_at"] = scheduled_at - pd.Timedelta(hours=1)
    return departure, observation
