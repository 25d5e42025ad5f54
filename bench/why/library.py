"""What the classes of scenarios are made of, and the faults of data that both projects share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scenario import Change, rewrite

Rng = np.random.Generator
Make = Callable[[Rng], Change]


@dataclass
class Pair:
    """Changes that are harmless alone; `base` sets the stage for them."""

    makes: tuple[Make, ...]
    base: tuple[Make, ...] = ()


@dataclass
class Library:
    """All that can happen to one project.

    Attributes
    ----------
    killers : dict
        What the model learns from -> ways to take it away, by kind ("code", "column", "param",
        "dependency"). Two ways for one thing are redundant faults.
    weak : list
        Faults that take a dose between 0 and 1.
    """

    domain: str
    metric: str
    killers: dict[str, dict[str, list[Make]]]
    others: dict[str, list[Make]]
    partitions: list[Make]
    weak: list[Callable[[Rng, float], Change]]
    pairs: list[Pair]
    triples: list[Pair]
    migrations: list[Make]
    structures: list[Make]
    quiet_structures: list[Make]
    benign: Callable[[Rng], list[Change]]
    partition_names: dict[str, tuple[str, ...]] = field(default_factory=dict)


def shuffled(values: pd.Series, rng: Rng, part: float) -> pd.Series:
    """A part of the values trade places; missing ones too."""
    chosen = np.flatnonzero(rng.random(len(values)) < part)
    out = values.copy()
    out.iloc[chosen] = values.iloc[rng.permutation(chosen)].to_numpy()
    return out


def mirrored(values: pd.Series, rng: Rng, part: float) -> pd.Series:
    """High becomes low and low high, in a part of the rows."""
    where = rng.random(len(values)) < part
    return values.where(~where, values.max() + values.min() - values)


def frozen(values: pd.Series, rng: Rng, part: float) -> pd.Series:
    """An instrument that reports one value."""
    is_number = pd.api.types.is_numeric_dtype(values)
    usual = values.median() if is_number else values.mode().iloc[0]
    return values.where(rng.random(len(values)) >= part, usual)


def gone(values: pd.Series, rng: Rng, part: float) -> pd.Series:
    """Missing values."""
    floats = values.astype("float64")
    return floats.where(rng.random(len(values)) >= part)


WAYS: dict[str, Callable[[pd.Series, Rng, float], pd.Series]] = {
    "shuffled": shuffled,
    "mirrored": mirrored,
    "frozen": frozen,
    "missing": gone,
}


def spoil(
    rng: Rng,
    source: str,
    paths: Sequence[str],
    column: str,
    *,
    part: float | None = None,
    ways: Sequence[str] = ("shuffled", "mirrored", "frozen", "missing"),
    company: Sequence[str] = (),
) -> Change:
    """A column goes bad; the columns in `company` change as well, and nobody reads those."""
    way = str(rng.choice(list(ways)))
    # A column that is mirrored everywhere tells as much as before.
    bounds = (0.4, 0.6) if way == "mirrored" else (0.93, 1.0)
    share = float(rng.uniform(*bounds)) if part is None else part
    entropy = int(rng.integers(1 << 30))
    others = [c for c in company if rng.random() < 0.6]

    def function(path: str, table: pd.DataFrame) -> pd.DataFrame:
        own = np.random.default_rng([entropy, *path.encode()])
        table = table.assign(**{column: WAYS[way](table[column], own, share)})
        return table.assign(**{c: own.permutation(table[c].to_numpy()) for c in others})

    label = f"{source}.{column}: {share:.0%} {way}"
    made = rewrite(label, source, paths, function, columns=[column])
    return Change(
        **{
            **{f: getattr(made, f) for f in made.__dataclass_fields__},
            "changed_columns": (column, *others),
        }
    )


def sentinels(
    rng: Rng, source: str, paths: Sequence[str], column: str, low: bool = False
) -> Change:
    """One or two readings in a hundred are a number that means "broken"."""
    value = float(rng.choice([-9999.0, -99999.0] if low else [9999.0, 99999.0, 999999.0]))
    share = float(rng.uniform(0.012, 0.025))
    entropy = int(rng.integers(1 << 30))

    def function(path: str, table: pd.DataFrame) -> pd.DataFrame:
        own = np.random.default_rng([entropy, *path.encode()])
        values = table[column].astype("float64")
        return table.assign(**{column: values.where(own.random(len(table)) >= share, value)})

    label = f"{source}.{column}: {share:.1%} are {value:g}"
    return rewrite(label, source, paths, function, columns=[column])


def spelled(rng: Rng, source: str, paths: Sequence[str], column: str, upper: bool) -> Change:
    """Many codes come in another case or with spaces around."""
    share = float(rng.uniform(0.6, 0.9))
    entropy = int(rng.integers(1 << 30))
    case = bool(rng.random() < 0.6)

    def function(path: str, table: pd.DataFrame) -> pd.DataFrame:
        own = np.random.default_rng([entropy, *path.encode()])
        text = table[column].astype("object")
        other = (text.str.upper() if upper else text.str.lower()) if case else " " + text + " "
        return table.assign(**{column: text.where(own.random(len(table)) >= share, other)})

    how = "case" if case else "spaces"
    label = f"{source}.{column}: {share:.0%} in another spelling ({how})"
    return rewrite(label, source, paths, function, columns=[column])
