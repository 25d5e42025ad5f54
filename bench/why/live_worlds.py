"""Two made-up domains with known causes: late flights (two classes) and ride times (regression).

A world draws rows from structural equations with coefficients of its own, trains a real
scikit-learn model on them, and can be changed in one known way. Truth holds by construction, and
`Scenario.measured` says what was measured on large samples: the drop is there, and the change taken
back restores the metric.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

Rows = dict[str, np.ndarray]
Hook = Callable[[str, np.ndarray, np.random.Generator], np.ndarray]


def unchanged(name: str, values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return values


def flights(rng: np.random.Generator, n: int, hook: Hook) -> Rows:
    """Features of departures; what is set by the hook is passed on to what depends on it."""
    x: Rows = {}

    def put(name: str, values: np.ndarray) -> np.ndarray:
        x[name] = hook(name, values, rng)
        return x[name]

    carrier = put(
        "carrier",
        rng.choice(["AA", "B6", "DL", "EV", "UA", "WN"], n, p=[0.15, 0.2, 0.2, 0.15, 0.2, 0.1]),
    )
    origin = put("origin", rng.choice(["EWR", "JFK", "LGA"], n, p=[0.4, 0.35, 0.25]))
    hour = put(
        "hour",
        np.clip(
            np.round(np.where(rng.random(n) < 0.5, rng.normal(8, 2, n), rng.normal(17, 2.5, n))),
            5,
            23,
        ),
    )
    regional = np.isin(carrier, ["EV", "WN"])
    distance = put("distance", np.round(np.exp(rng.normal(6.7, 0.5, n) - 0.5 * regional)))
    put("air_time", np.round(18 + distance / 7.8 + rng.normal(0, 9, n)))
    wind = put("wind", np.round(rng.gamma(3, 3.2, n), 1))
    precip = put("precip", np.round(np.maximum(0, rng.normal(-0.4, 0.5, n) + 0.02 * wind), 2))
    put("visibility", np.round(np.clip(10 - 7 * precip - rng.gamma(1, 0.6, n), 0.1, 10), 1))
    traffic = put(
        "queue",
        np.round(
            np.maximum(0, 6 + 0.5 * (hour - 6) + 2.5 * (origin == "EWR") + rng.normal(0, 3, n)), 0
        ),
    )
    put("inbound_delay", np.round(rng.gamma(1.1, 14, n) + 0.8 * traffic - 8))
    put("load", np.round(np.clip(rng.normal(0.78, 0.12, n) + 0.004 * (hour - 12), 0.2, 1), 3))
    put("plane_age", np.round(rng.gamma(4, 3, n), 1))
    put("temperature", np.round(rng.normal(14, 8, n), 1))
    put("sensor_id", np.floor(rng.uniform(0, 400, n)))
    put("fuel_price", np.round(rng.normal(2.9, 0.12, n), 3))
    return x


def rides(rng: np.random.Generator, n: int, hook: Hook) -> Rows:
    """Features of rides through a city."""
    x: Rows = {}

    def put(name: str, values: np.ndarray) -> np.ndarray:
        x[name] = hook(name, values, rng)
        return x[name]

    zone = put(
        "zone",
        rng.choice(
            ["centre", "harbour", "north", "south", "airport"], n, p=[0.35, 0.15, 0.2, 0.2, 0.1]
        ),
    )
    weekday = put("weekday", rng.integers(0, 7, n).astype(float))
    hour = put("hour", np.round(np.clip(rng.normal(14, 5, n), 0, 23)))
    distance = put(
        "distance_km", np.round(np.exp(rng.normal(1.3, 0.55, n) + 0.9 * (zone == "airport")), 2)
    )
    put("rain_mm", np.round(np.maximum(0, rng.normal(-1.2, 2.2, n)), 1))
    rush = np.exp(-0.5 * ((hour - 17.5) / 2.2) ** 2) * (weekday < 5)
    traffic = put(
        "traffic",
        np.round(
            np.clip(35 + 28 * rush + 12 * (zone == "centre") + rng.normal(0, 9, n), 0, 100), 1
        ),
    )
    put("surge", np.round(np.clip(1 + 0.012 * (traffic - 35) + rng.normal(0, 0.15, n), 1, 3), 2))
    put("stops", np.round(np.maximum(0, rng.normal(1.2, 1.1, n) + 0.15 * distance)))
    put("driver_years", np.round(rng.gamma(2.5, 2, n), 1))
    put("wait_min", np.round(rng.gamma(2, 2, n) + 0.05 * traffic, 1))
    put("battery", np.round(rng.beta(4, 2, n), 3))
    put("temperature", np.round(rng.normal(12, 8, n), 1))
    put("app_version", np.floor(rng.uniform(100, 160, n)))
    return x


@dataclass(frozen=True)
class Domain:
    name: str
    rows: Callable[[np.random.Generator, int, Hook], Rows]
    label: str
    binary: bool
    strong: tuple[str, ...]  # numeric features that may matter
    categories: tuple[str, ...]
    idle: tuple[str, ...]  # features that the outcome does not depend on
    metrics: tuple[str, ...]


DOMAINS = (
    Domain("flights", flights, "late", True,
           ("hour", "distance", "wind", "precip", "visibility", "queue", "inbound_delay", "load"),
           ("carrier", "origin"), ("plane_age", "temperature", "sensor_id", "fuel_price"),
           ("auc", "accuracy", "brier", "log_loss")),
    Domain("rides", rides, "minutes", False,
           ("distance_km", "traffic", "rain_mm", "stops", "hour", "wait_min"),
           ("zone",), ("battery", "temperature", "app_version", "driver_years"),
           ("mae", "rmse")),
)  # fmt: skip


@dataclass
class World:
    """One domain with coefficients and a trained model."""

    domain: Domain
    rng: np.random.Generator
    coefficients: dict[str, float] = field(default_factory=dict)
    hard: str = ""  # a feature: above 1.0 standard deviations of it, outcomes are mostly noise

    def __post_init__(self) -> None:
        rng, domain = self.rng, self.domain
        sample = domain.rows(rng, 20_000, unchanged)
        self.scale = {
            k: (float(np.mean(sample[k])), float(np.std(sample[k])))
            for k in sample
            if sample[k].dtype.kind in "fi"
        }
        chosen = rng.permutation(domain.strong)[: rng.integers(4, len(domain.strong))]
        self.coefficients = {
            str(k): float(rng.choice([-1, 1]) * rng.uniform(0.5, 1.3)) for k in chosen
        }
        self.levels = {
            k: dict(
                zip(
                    np.unique(sample[k]), rng.normal(0, 0.7, len(np.unique(sample[k]))), strict=True
                )
            )
            for k in domain.categories
        }
        self.hard = str(rng.choice(list(self.coefficients)))
        self.pair = tuple(rng.permutation(list(self.coefficients))[:2])
        signal = self.signal(sample)
        self.centre = float(np.mean(signal)) + (
            float(rng.uniform(0, 1.2)) if domain.binary else 0.0
        )
        self.model, self.model_name = self.train()

    def z(self, x: Rows, name: str) -> np.ndarray:
        middle, spread = self.scale[name]
        return (x[name] - middle) / spread

    def signal(self, x: Rows) -> np.ndarray:
        found = sum(c * np.tanh(0.7 * self.z(x, k)) / 0.7 for k, c in self.coefficients.items())
        for name, effect in self.levels.items():
            found = found + np.array([effect.get(v, 0.0) for v in x[name]])
        a, b = self.pair
        return np.asarray(found + 0.5 * self.z(x, a) * self.z(x, b) / (1 + np.abs(self.z(x, b))))

    def draw(
        self, n: int, seed: int, hook: Hook = unchanged,
        concept: Callable[[np.ndarray, Rows], np.ndarray] | None = None,
    ) -> Rows:  # fmt: skip
        rng = np.random.default_rng(seed)
        x = self.domain.rows(rng, n, hook)
        signal = self.signal(x) - self.centre
        hard = 1 / (1 + np.exp(-4 * (self.z(x, self.hard) - 1.0)))
        if concept is not None:
            signal = concept(signal, x)
        if self.domain.binary:
            p = 1 / (1 + np.exp(-1.3 * signal * (1 - 0.85 * hard)))
            x[self.domain.label] = (rng.random(n) < p).astype(np.int64)
        else:
            noise = rng.normal(0, 1, n) * (0.8 + 1.6 * hard)
            x[self.domain.label] = np.round(25 + 6 * signal + 3 * noise, 2)
        return x

    @property
    def features(self) -> list[str]:
        return list(self.domain.rows(np.random.default_rng(0), 2, unchanged))

    def train(self) -> tuple[Any, str]:
        data = self.table(self.draw(6000, int(self.rng.integers(2**31))))
        frame = data.to_pandas()
        numeric = [k for k in self.features if k not in self.domain.categories]
        names = list(self.domain.categories)
        kind = str(self.rng.choice(["linear", "forest", "boosting"]))
        binary = self.domain.binary
        ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        hot = OneHotEncoder(handle_unknown="ignore")
        filled = SimpleImputer(strategy="median")
        if kind == "linear":
            before = ColumnTransformer(
                [("n", make_pipeline(filled, StandardScaler()), numeric), ("c", hot, names)]
            )
            model = LogisticRegression(max_iter=500) if binary else Ridge(1.0)
        elif kind == "forest":
            before = ColumnTransformer([("n", filled, numeric), ("c", ordinal, names)])
            forest = RandomForestClassifier if binary else RandomForestRegressor
            model = forest(60, min_samples_leaf=8, n_jobs=1, random_state=0)
        else:
            before = ColumnTransformer([("n", "passthrough", numeric), ("c", ordinal, names)])
            boosting = HistGradientBoostingClassifier if binary else HistGradientBoostingRegressor
            model = boosting(max_iter=100, learning_rate=0.08, random_state=0)
        pipeline = make_pipeline(before, model)
        pipeline.fit(frame[self.features], frame[self.domain.label])
        return pipeline, kind

    def score(self, table: pa.Table) -> np.ndarray:
        frame = table.select(self.features).to_pandas()
        if self.domain.binary:
            return np.asarray(self.model.predict_proba(frame)[:, 1])
        return np.asarray(self.model.predict(frame), dtype=float)

    def table(self, x: Mapping[str, np.ndarray]) -> pa.Table:
        return pa.table({k: pa.array(v, from_pandas=True) for k, v in x.items()})

    def importance(self, table: pa.Table, goodness: Callable[..., float]) -> dict[str, float]:
        """How much the metric falls when a feature is shuffled; the feature's use, not its drift."""
        rng = np.random.default_rng(1)
        y = table.column(self.domain.label).to_numpy().astype(float)
        base = goodness(y, self.score(table))
        found = {}
        for name in self.features:
            place = table.column_names.index(name)
            shuffled = table.column(name).take(pa.array(rng.permutation(table.num_rows)))
            found[name] = base - goodness(y, self.score(table.set_column(place, name, shuffled)))
        return found


def take(x: Rows, rows: np.ndarray) -> Rows:
    return {k: v[rows] for k, v in x.items()}
