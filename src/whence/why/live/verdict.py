"""What a diagnosis of a live drop says: plain frozen values, and their JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

#: Version of the JSON form.
SCHEMA = 1

#: Everything that a verdict can be.
KINDS = (
    "skew",
    "noise",
    "label shift",
    "covariate shift",
    "broken feature",
    "concept shift",
    "unexplained",
)


@dataclass(frozen=True, slots=True)
class MetricBand:
    """The metric on one window with its 95 % interval, and the window's rows."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One thing that may have happened, and how well the windows agree with it.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    features : tuple of str
        What it blames, the first most.
    share : float
        Share of the metric's drop that follows from it: 1 explains all of it.
    violation : float
        What the windows differ in that it does not allow: nats a row, 0 is perfect agreement.
    z : float
        The violation in its standard errors.
    fit : float
        From 0 to 1, both together; the ranking is by this.
    """

    kind: str
    features: tuple[str, ...]
    share: float
    violation: float
    z: float
    fit: float
    slice: str = ""


@dataclass(frozen=True, slots=True)
class LiveVerdict:
    """The answer.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    sentence : str
        The answer in one sentence.
    features : tuple of str
        What is blamed, the first most; empty where no feature is (noise, label shift).
    slice : str
        Where P(y|x) changed: "distance > 1089", or "" (everywhere, or another kind).
    how : str
        What was done to a feature: "shuffled", "stale by 3 rows", "scaled by 100", ….
    drop : float
        How much worse the metric is now, positive; in the metric's unit.
    p : float
        That a drop as large comes from the choice of rows alone.
    shares : mapping
        Kind -> share of the drop that it explains when it is taken alone. They are answers to
        different questions and need not add up to 1.
    evidence : mapping
        Numbers that a reader can check.
    alternatives : tuple of Hypothesis
        Everything that was weighed, best first; the first one is the verdict.
    """

    kind: str
    sentence: str
    metric: str
    better: str
    reference: MetricBand
    current: MetricBand
    drop: float
    p: float
    features: tuple[str, ...] = ()
    slice: str = ""
    how: str = ""
    shares: Mapping[str, float] = field(default_factory=dict)
    evidence: Mapping[str, float] = field(default_factory=dict)
    alternatives: tuple[Hypothesis, ...] = ()
    harmless: tuple[str, ...] = ()  # features that drift and do not matter
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}
