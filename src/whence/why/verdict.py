"""What `whence why` found: plain frozen values, and their JSON form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

#: Version of the JSON form.
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Band:
    """A mean with its interval over seeds (and test rows, where those changed).

    `low` and `high` equal `mean` where nothing random is involved.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two builds: the metric there, at each common seed."""

    build: str
    label: str  # "b3", or a commit
    values: Mapping[int, float]  # seed -> metric
    band: Band
    error: str = ""  # why the metric could not be made there


@dataclass(frozen=True, slots=True)
class ChangeReport:
    """One difference between the two worlds.

    Attributes
    ----------
    id : str
        "code:prep.clean", "source:flights", "param:model.depth", "distribution:scikit-learn".
    kind : str
        "code", "source", "param", "distribution", "file", or "randomness" of a node that gave
        another value when it was run again.
    before, after : str
        Values or versions where they can be said in a few characters, else "".
    where : str
        "prep.py:12" in the candidate (in the baseline where it is gone), or "".
    state : str
        "cause", "inert" (proven: the results that it reaches stay the same), "no effect" (results
        change, the metric does not), "untested", "unmixable".
    unit : int or None
        Changes with the same number can only flip together.
    """

    id: str
    kind: str
    name: str
    before: str = ""
    after: str = ""
    where: str = ""
    state: str = "untested"
    reason: str = ""
    unit: int | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of a counterfactual table: which of a cause's changes are new, and what came out."""

    flipped: tuple[
        str, ...
    ]  # ids of changes on the candidate's side; the others are the baseline's
    values: Mapping[int, float | None]  # seed -> metric, None where the mix crashed
    error: str = ""


@dataclass(frozen=True, slots=True)
class Refinement:
    """Where inside a change the cause lies.

    Attributes
    ----------
    change : str
    columns : tuple of str
        Guilty columns of a source.
    partition : str
        The smallest predicate that covers the guilty rows: "month = 3", or a partition's name.
    rows_changed, rows_guilty : int
    sample : tuple of mapping
        Some of the guilty rows: column -> value; changed cells hold {"before": …, "after": …}.
    lines : tuple of str
        Guilty statements of a definition: "prep.py:14-15".
    text : str
        The guilty statements as a unified diff.
    verified : bool
        Whether a run with only this part flipped gave the effect.
    note : str
    """

    change: str
    columns: tuple[str, ...] = ()
    partition: str = ""
    rows_changed: int = 0
    rows_guilty: int = 0
    sample: tuple[Mapping[str, Any], ...] = ()
    lines: tuple[str, ...] = ()
    text: str = ""
    verified: bool = False
    note: str = ""
    rebuilds: float = 0.0


@dataclass(frozen=True, slots=True)
class Cause:
    """A set of changes that moved the metric together.

    Attributes
    ----------
    kind : str
        "cause" (alone), "interaction" (only together), "overlap" (either suffices), "improver"
        (against the sign of the whole difference), "inseparable" (their mixes crash).
    changes : tuple of str
        Ids of changes.
    effect : Band
        What they did to the metric, by themselves.
    share : float
        Shapley's share of the whole difference; shares and the remainder's add up to 1.
    p : float
        That the effect is noise, after Holm's correction; 0 where nothing random is involved.
    reverted : Band or None
        The metric of the candidate without these changes.
    """

    kind: str
    changes: tuple[str, ...]
    effect: Band
    share: float
    p: float = 0.0
    table: tuple[Cell, ...] = ()
    reverted: Band | None = None
    reverted_one: Mapping[str, Band] = field(default_factory=dict)  # by change, of interactions
    refinements: tuple[Refinement, ...] = ()


@dataclass(frozen=True, slots=True)
class Cost:
    """What was spent. A rebuild is the CPU time of a cold build of the candidate's target."""

    rebuilds: float
    rebuild_cpu_s: float
    cpu_s: float
    executions: int
    rebuild_executions: int
    refinement_rebuilds: float
    mixes: int
    from_store: float  # share of the mixes' tasks that came from the store
    wall_s: float
    budget: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """The whole answer.

    Attributes
    ----------
    verdict : str
        "explained", "noise", "unchanged", "unexplained", "failure" (the candidate crashes, and the
        causes are those of the crash) or "out of budget".
    sentence : str
        The answer in one sentence.
    interactions : mapping
        "id + id" -> mean of the Harsanyi dividend, of the estimated ones.
    nodes : mapping
        Node -> the ids of changes that reach it, for the picture of the graph.
    edges : sequence
        (upstream, downstream) of the candidate's graph, as far as the metric depends on it.
    """

    metric: str
    better: str
    verdict: str
    sentence: str
    baseline: Side
    candidate: Side
    delta: Band
    seeds: tuple[int, ...]
    changes: tuple[ChangeReport, ...]
    causes: tuple[Cause, ...]
    explained: float
    remainder: Band
    interactions: Mapping[str, float]
    cost: Cost
    notes: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
    nodes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    edges: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The answer for `json.dumps`; None for a metric that could not be made."""
        return {"schema": SCHEMA, **_finite(asdict(self))}


def _finite(value: Any) -> Any:
    """The value without NaN and infinity, for which JSON has no words."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_finite, value))
    return value
