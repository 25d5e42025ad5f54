"""One known change to the world of a deployed model, and what it should be recognised as."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from live_worlds import DOMAINS, Rows, World, take, unchanged

from whence.why.live.metrics import Quality

#: Kind of scenario -> kind of verdict that is right; None where the cause beside the decoy says it.
RIGHT = {
    "covariate": "covariate shift",
    "bug": "broken feature",
    "concept": "concept shift",
    "label": "label shift",
    "noise": "noise",
    "decoy": None,
    "shuffled": "skew",
    "stale": "skew",
}


@dataclass
class Scenario:
    kind: str
    seed: int
    world: World
    metric: str
    reference: pa.Table
    current: pa.Table
    replayed: pa.Table | None
    right_kind: str
    right_features: tuple[str, ...]  # any of them, first of the verdict's features; () if none
    detail: str
    measured: dict[str, float]

    @property
    def arguments(self) -> dict[str, Any]:
        return {
            "label": self.world.domain.label,
            "features": self.world.features,
            "score": self.world.score,
            "metric": self.metric,
            "replayed": self.replayed,
        }


def make(kind: str, seed: int) -> Scenario:
    """The first try of this seed whose drop is really there (for noise: any, unfiltered)."""
    for attempt in range(400):
        rng = np.random.default_rng([seed, attempt, sum(map(ord, kind))])
        found = _try(kind, seed, rng)
        if found is not None:
            return found
    raise RuntimeError(f"no scenario '{kind}' with a visible drop for seed {seed}")


def _try(kind: str, seed: int, rng: np.random.Generator) -> Scenario | None:
    domain = DOMAINS[int(rng.integers(len(DOMAINS)))]
    world = World(domain, rng)
    metric = str(rng.choice([m for m in domain.metrics if not (kind == "label" and m == "auc")]))
    quality = Quality.of(metric, None)
    n_old, n_new = (int(np.exp(rng.uniform(np.log(600), np.log(8000)))) for _ in range(2))
    old = world.draw(n_old, int(rng.integers(2**31)))
    large = world.table(world.draw(20_000, int(rng.integers(2**31))))
    change = Change(world, quality, rng, large)
    made = getattr(change, kind)()
    if made is None:
        return None
    draw, right_kind, right, detail = made
    new, truth = draw(n_new)
    reference, current = world.table(old), world.table(new)
    replayed = world.table(truth) if right_kind == "skew" else None
    measured = {}
    if kind != "noise":
        found = _measure(world, quality, draw, reference, current, large)
        if found is None:
            return None
        measured = found
    return Scenario(kind, seed, world, metric, reference, current, replayed, right_kind, right,
                    f"{domain.name}/{world.model_name}/{metric} {detail}", measured)  # fmt: skip


def _measure(
    world: World, quality: Quality, draw: Callable[[int], tuple[Rows, Rows]],
    reference: pa.Table, current: pa.Table, large: pa.Table,
) -> dict[str, float] | None:  # fmt: skip
    """The drop on the windows in standard errors, and on 20,000 rows each; None if too small."""

    def value(table: pa.Table) -> float:
        return quality.goodness(
            table.column(world.domain.label).to_numpy().astype(float), world.score(table)
        )

    drop = value(reference) - value(current)
    spread = 0.0
    for table in (reference, current):
        rng, y = np.random.default_rng(0), table.column(world.domain.label).to_numpy().astype(float)
        s, n = world.score(table), table.num_rows
        draws = [quality.goodness(y[r], s[r]) for r in (rng.integers(0, n, n) for _ in range(80))]
        spread += float(np.var(draws))
    true_drop = value(large) - value(world.table(draw(20_000)[0]))
    if drop < 3.5 * spread**0.5 or true_drop < 2.5 * spread**0.5:
        return None
    return {"drop": drop, "z": drop / spread**0.5, "true_drop": true_drop}


@dataclass
class Change:
    """Each method: (draw n rows as served and as they truly are, right kind, right features, text)."""

    world: World
    quality: Quality
    rng: np.random.Generator
    large: pa.Table

    def important(self) -> list[str]:
        found = self.world.importance(self.large.slice(0, 6000), self.quality.goodness)
        top = max(found.values())
        return [k for k, v in found.items() if v > 0.25 * top and v > 0]

    def seed(self) -> int:
        return int(self.rng.integers(2**31))

    def noise(self) -> Any:
        def draw(n: int) -> tuple[Rows, Rows]:
            x = self.world.draw(n, self.seed())
            return x, x

        return draw, "noise", (), ""

    def covariate(self) -> Any:
        """More rows where outcomes are hard to tell: by selection, or by moving the feature."""
        name, by = self.world.hard, self.rng.choice(["selection", "moved"])
        strength = float(self.rng.uniform(0.6, 1.4))

        def moved(k: str, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
            return v + strength * self.world.scale[k][1] if k == name else v

        def draw(n: int) -> tuple[Rows, Rows]:
            if by == "moved":
                x = self.world.draw(n, self.seed(), moved)
                return x, x
            pool = self.world.draw(12 * n, self.seed())
            w = np.exp(np.clip(1.2 * strength * self.world.z(pool, name), -4, 4))
            rows = self.rng.choice(len(w), n, replace=False, p=w / w.sum())
            x = take(pool, rows)
            return x, x

        return draw, "covariate shift", (name,), f"{name} {by} {strength:.2f}"

    def bug(self) -> Any:
        names = self.important()
        name = str(self.rng.choice(names))
        breaks = self.breaks(name)
        if breaks is None:
            return None
        text, broken = breaks

        def draw(n: int) -> tuple[Rows, Rows]:
            x = self.world.draw(n, self.seed())
            return {**x, name: broken(x[name])}, x

        return draw, "broken feature", (name,), f"{name} {text}"

    def breaks(self, name: str) -> tuple[str, Callable[[np.ndarray], np.ndarray]] | None:
        rng = self.rng
        if name in self.world.domain.categories:
            level = str(rng.choice(sorted(self.world.levels[name])))
            form = rng.choice(["default", "unknown", "lower"])
            part = float(rng.uniform(0.5, 1))
            if form == "lower":
                return "lower case", np.char.lower
            fill = level if form == "default" else "UNK"
            return f"{form} {fill} {part:.2f}", lambda v: np.where(
                self.some(len(v), part), fill, v.astype(object)
            )
        middle, spread = self.world.scale[name]
        part = float(rng.uniform(0.3, 1))
        form = rng.choice(["unit", "zeros", "nulls", "clip", "sign", "default", "offset"])
        if form == "unit":
            factor = float(rng.choice([0.001, 0.01, 0.62, 1.61, 3.28, 60.0, 100.0]))
            return f"unit {factor}", lambda v: v * factor
        if form == "zeros":
            return f"zeros {part:.2f}", lambda v: np.where(self.some(len(v), part), 0.0, v)
        if form == "nulls":
            return f"nulls {part:.2f}", lambda v: np.where(self.some(len(v), part), np.nan, v)
        if form == "clip":
            limit = middle + float(rng.uniform(-0.6, 0.4)) * spread
            return f"clip {limit:.3g}", lambda v: np.minimum(v, limit)
        if form == "sign":
            return "sign", lambda v: -v
        if form == "default":
            return f"default {part:.2f}", lambda v: np.where(
                self.some(len(v), part), round(middle), v
            )
        shift = float(rng.choice([-1, 1]) * rng.uniform(0.8, 2))
        return f"offset {shift:.2f}", lambda v: v + shift * spread

    def some(self, n: int, part: float) -> np.ndarray:
        return self.rng.random(n) < part

    def concept(self) -> Any:
        """The outcome follows other rules where one feature lies in a range, or in one category."""
        rng, world = self.rng, self.world
        amount = float(rng.choice([-1, 1]) * rng.uniform(1.0, 2.5))
        form = rng.choice(["flip", "level"])
        if rng.random() < 0.3:
            name = str(rng.choice(world.domain.categories))
            level = str(rng.choice(sorted(world.levels[name])))

            def inside(x: Rows) -> np.ndarray:
                return np.asarray(x[name] == level)

            where = f"{name} = {level}"
        else:
            name = str(rng.choice(list(world.coefficients)))
            cut = float(rng.uniform(-0.3, 0.9))

            def inside(x: Rows) -> np.ndarray:
                return np.asarray(world.z(x, name) > cut)

            where = f"z({name}) > {cut:.2f}"

        def concept(signal: np.ndarray, x: Rows) -> np.ndarray:
            return np.where(inside(x), -signal if form == "flip" else signal + amount, signal)

        def draw(n: int) -> tuple[Rows, Rows]:
            x = world.draw(n, self.seed(), unchanged, concept)
            return x, x

        return draw, "concept shift", (name,), f"{form} {amount:.2f} where {where}"

    def label(self) -> Any:
        """Other shares of the outcomes; within one outcome, the rows are as they were."""
        strength = float(self.rng.choice([-1, 1]) * self.rng.uniform(0.6, 1.6))

        def draw(n: int) -> tuple[Rows, Rows]:
            pool = self.world.draw(12 * n, self.seed())
            y = pool[self.world.domain.label].astype(float)
            scaled = y if self.world.domain.binary else (y - 25) / 8
            w = np.exp(np.clip(strength * scaled, -3, 3))
            x = take(pool, self.rng.choice(len(w), n, replace=False, p=w / w.sum()))
            return x, x

        return draw, "label shift", (), f"strength {strength:.2f}"

    def decoy(self) -> Any:
        """A real cause, and beside it a feature that drifts a lot and that nothing depends on."""
        made = getattr(self, str(self.rng.choice(["bug", "concept", "covariate"])))()
        if made is None:
            return None
        draw, kind, right, detail = made
        name = str(self.rng.choice(self.world.domain.idle))
        amount = float(self.rng.choice([-1, 1]) * self.rng.uniform(1.5, 3))

        def with_decoy(n: int) -> tuple[Rows, Rows]:
            served, truth = draw(n)
            drifted = served[name] + amount * np.std(served[name])
            return {**served, name: drifted}, {**truth, name: drifted}

        return with_decoy, kind, right, f"{detail}; decoy {name} {amount:.1f} sd"

    def shuffled(self) -> Any:
        name = str(self.rng.choice(self.important()))

        def draw(n: int) -> tuple[Rows, Rows]:
            x = self.world.draw(n, self.seed())
            return {**x, name: self.rng.permutation(x[name])}, x

        return draw, "skew", (name,), f"{name} shuffled"

    def stale(self) -> Any:
        name, lag = str(self.rng.choice(self.important())), int(self.rng.integers(1, 30))

        def draw(n: int) -> tuple[Rows, Rows]:
            x = self.world.draw(n, self.seed())
            return {**x, name: np.r_[x[name][:1].repeat(lag), x[name][:-lag]]}, x

        return draw, "skew", (name,), f"{name} stale by {lag}"
