"""Values of many kinds."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
from words import Vocabulary

import whence as wh


@dataclass
class Limits:
    low: float
    high: float


class Tally:
    """A type that no format knows."""

    def __init__(self, counts: dict[str, int]) -> None:
        self.counts = counts


@wh.node
def limits() -> Limits:
    return Limits(0.0, 1.5)


@wh.table(key="id")
def points() -> pd.DataFrame:
    return pd.DataFrame({"id": [2, 1], "x": [0.5, 2.5]})


@wh.table
def inside(points: pl.DataFrame, limits: Limits) -> pl.DataFrame:
    return points.filter(pl.col("x").is_between(limits.low, limits.high))


@wh.node
def matrix(points: pd.DataFrame) -> np.ndarray:
    return np.outer(points["x"], points["x"])


@wh.node
def vocabulary() -> Vocabulary:
    return Vocabulary(["tea", "cup", "tea"])


@wh.node
def report(inside: pd.DataFrame) -> Path:
    folder = Path("made")
    folder.mkdir(exist_ok=True)
    (folder / "summary.txt").write_text(f"{len(inside)} points\n")
    return folder


@wh.node(allow_pickle=True)
def tally(vocabulary: Vocabulary) -> Tally:
    return Tally({word: len(word) for word in vocabulary.words})
