"""From raw files to the rows that count, with nothing in them that is not known at departure."""

import pandas as pd

import whence as wh

LATE_MINUTES = 15

# The only columns of `flights` that a prediction may use: all are on the timetable.
TIMETABLE = ["carrier", "flight", "tailnum", "origin", "dest", "distance"]

OBSERVED = [
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "wind_gust",
    "precip",
    "pressure",
    "visib",
]


def scheduled_time(flights: pd.DataFrame) -> pd.Series:
    """Scheduled departure in UTC: `time_hour` is its hour, `minute` completes it."""
    return flights["time_hour"].astype("datetime64[us, UTC]") + pd.to_timedelta(
        flights["minute"], unit="min"
    )


@wh.table(partitioned=True)
def departures(flights: pd.DataFrame) -> pd.DataFrame:
    """Flights that arrived, with their timetable and whether they were late.

    Cancelled and diverted flights have no arrival delay and are left out, so the model speaks of
    flights that do arrive. `dep_delay`, `dep_time`, `arr_time` and `air_time` stay behind here:
    nobody knows them at the scheduled departure.
    """
    arrived = flights[flights["arr_delay"].notna()].reset_index(drop=True)
    out = arrived[TIMETABLE].copy()
    out["month"] = arrived["month"]
    out["scheduled_at"] = scheduled_time(arrived)
    out["hour"] = arrived["hour"] + arrived["minute"] / 60
    out["weekday"] = pd.to_datetime(arrived[["year", "month", "day"]]).dt.weekday
    out["late"] = arrived["arr_delay"] > LATE_MINUTES
    return out


@wh.table
def observations(weather: pd.DataFrame) -> pd.DataFrame:
    """Weather by airport, with the time at which each observation was surely known."""
    out = weather[["origin", *OBSERVED]].astype(dict.fromkeys(OBSERVED, "float64"))
    # An observation belongs to an hour; it may have been taken at the hour's last minute.
    hour_ended = weather["time_hour"].astype("datetime64[us, UTC]") + pd.Timedelta(hours=1)
    out["known_at"] = hour_ended
    return out.sort_values(["known_at", "origin"], ignore_index=True)


@wh.table(key="tailnum")
def aircraft(planes: pd.DataFrame) -> pd.DataFrame:
    """What is known of an aircraft: its age in 2013, seats and engines."""
    return pd.DataFrame(
        {
            "tailnum": planes["tailnum"],
            "age": 2013 - planes["year"].astype("float64"),
            "seats": planes["seats"].astype("float64"),
            "engine": planes["engine"],
        }
    )
