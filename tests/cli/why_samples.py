"""Explanations as real pairs of builds give them: one of every verdict and kind of cause."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

from whence.cli.drawing.why_reading import short
from whence.why.verdict import (
    Band,
    Cause,
    Cell,
    ChangeReport,
    Cost,
    Explanation,
    Refinement,
    Side,
)

SEEDS = (0, 1, 2, 3)
WOBBLE = (0.0011, -0.0014, 0.0006, -0.0003)
NODES = {
    "flights": (),
    "weather": (),
    "clean": (),
    "joined": (),
    "features": (),
    "split": (),
    "model": (),
    "auc": (),
}
EDGES = (
    ("flights", "clean"),
    ("clean", "joined"),
    ("weather", "joined"),
    ("joined", "features"),
    ("features", "split"),
    ("split", "model"),
    ("split", "auc"),
    ("model", "auc"),
)


def exactly(value: float) -> Band:
    return Band(value, value, value)


def about(value: float, half: float) -> Band:
    return Band(value, round(value - half, 6), round(value + half, 6))


def at_seeds(value: float, spread: float = 1.0) -> dict[int, float]:
    return {s: round(value + spread * w, 5) for s, w in zip(SEEDS, WOBBLE, strict=True)}


def side(build: str, value: float, spread: float = 1.0) -> Side:
    values = at_seeds(value, spread)
    return Side(build, build, values, about(round(fmean(values.values()), 5), 0.0018 * spread))


def crashed(build: str, error: str) -> Side:
    return Side(build, build, {}, exactly(math.nan), error)


def code(name: str, where: str, state: str = "inert", unit: int | None = None) -> ChangeReport:
    return ChangeReport(f"code:{name}", "code", name, "", "", where, state, why(state), unit)


def why(state: str) -> str:
    reasons = {
        "inert": "what it reaches stays the same",
        "no effect": "results change, the metric does not",
    }
    return reasons.get(state, "")


def change(
    kind: str, name: str, before: str, after: str, state: str, unit: int | None, reason: str = ""
) -> ChangeReport:
    said = reason or why(state)
    return ChangeReport(f"{kind}:{name}", kind, name, before, after, "", state, said, unit)


def cost(rebuilds: float = 5.4, **parts: Any) -> Cost:
    made: dict[str, Any] = {
        "rebuilds": rebuilds,
        "rebuild_cpu_s": 3.21,
        "cpu_s": round(rebuilds * 3.21, 2),
        "executions": 61,
        "rebuild_executions": 11,
        "refinement_rebuilds": 0.0,
        "mixes": 28,
        "from_store": 0.79,
        "wall_s": 12.4,
        "budget": 20.0,
    }
    return Cost(**{**made, **parts})


def table(values: Mapping[tuple[str, ...], float | str]) -> tuple[Cell, ...]:
    """Cells of a counterfactual table; a text is the error of a mix that crashed."""
    return tuple(
        Cell(ids, dict.fromkeys(SEEDS[:1]), v)
        if isinstance(v, str)
        else Cell(ids, dict(at_seeds(v)))
        for ids, v in values.items()
    )


def subsets(ids: Sequence[str], effects: Mapping[tuple[str, ...], float], base: float) -> Any:
    """A table of all combinations, from dividends."""
    chosen = [c for n in range(len(ids) + 1) for c in combinations(ids, n)]
    return table({c: base + sum(e for k, e in effects.items() if set(k) <= set(c)) for c in chosen})


def explanation(**parts: Any) -> Explanation:
    made: dict[str, Any] = {
        "metric": "auc",
        "better": "higher",
        "seeds": SEEDS,
        "interactions": {},
        "notes": (),
        "next": (),
        "nodes": NODES,
        "edges": EDGES,
    }
    made |= parts
    if made["metric"] != "auc":
        name = {"auc": made["metric"]}
        made["nodes"] = {name.get(node, node): ids for node, ids in made["nodes"].items()}
        made["edges"] = tuple((up, name.get(down, down)) for up, down in EDGES)
    return Explanation(**made)


def single() -> Explanation:
    """One statement of one function."""
    guilty = "code:prep.clean"
    hunk = (
        "@@ prep.py:14 @@\n-    kept = flights[flights.dep_delay.abs() < 1440]\n"
        "+    kept = flights[flights.dep_delay > 0]"
    )
    return explanation(
        verdict="explained",
        sentence="auc went from 0.8241 to 0.7313: code:prep.clean did it (-0.0928).",
        baseline=side("b3", 0.8241),
        candidate=side("b4", 0.7313),
        delta=about(-0.0928, 0.0031),
        changes=(
            code("prep.clean", "prep.py:12", "cause", 0),
            code("train.fit", "train.py:31", "inert", 1),
            change("param", "model.depth", "6", "7", "no effect", 2),
        ),
        causes=(
            Cause(
                "cause",
                (guilty,),
                about(-0.0928, 0.0031),
                1.0,
                0.00002,
                table({(): 0.8241, (guilty,): 0.7313}),
                about(0.8239, 0.0018),
                {},
                (
                    Refinement(
                        guilty,
                        lines=("prep.py:14",),
                        text=hunk,
                        verified=True,
                        note="1 of 3 changed stretches",
                        rebuilds=1.1,
                    ),
                ),
            ),
        ),
        explained=1.0,
        remainder=exactly(0.0),
        cost=cost(4.6, refinement_rebuilds=1.1),
        next=("whence why auc b3 b4 --apply code:prep.clean",),
        nodes={**NODES, "clean": (guilty,), "model": ("code:train.fit", "param:model.depth")},
    )


def pair() -> Explanation:
    """A change of code and one of data, each harmless alone; an innocent bump; a new seed."""
    one, two = "code:prep.fill_missing", "source:flights"
    parts = {(one,): -0.0006, (two,): -0.0012, (one, two): -0.0897}
    return explanation(
        verdict="explained",
        sentence=(
            "auc went from 0.8241 to 0.7313: code:prep.fill_missing and source:flights did it "
            "only together (-0.0897)."
        ),
        baseline=side("b3", 0.8241),
        candidate=side("b7", 0.7313),
        delta=about(-0.0928, 0.0031),
        changes=(
            code("prep.fill_missing", "flights/prep.py:27", "cause", 0),
            change("source", "flights", "", "", "cause", 1),
            change("distribution", "scikit-learn", "1.7.2", "1.8.0", "no effect", 2),
            change("param", "model.seed", "7", "11", "no effect", 3),
            code("prep.describe", "flights/prep.py:61", "inert", 4),
            change("file", "settings.json", "", "", "inert", 5),
        ),
        causes=(
            Cause(
                "interaction",
                (one, two),
                about(-0.0897, 0.0044),
                0.978,
                0.0004,
                subsets((one, two), parts, 0.8241),
                about(0.8237, 0.0018),
                {one: about(0.8229, 0.0018), two: about(0.8235, 0.0018)},
                (
                    Refinement(
                        one,
                        lines=("flights/prep.py:29-30",),
                        text=(
                            "@@ flights/prep.py:29 @@\n"
                            "-    filled = table.dep_delay.fillna(table.dep_delay.median())\n"
                            "+    filled = table.dep_delay.fillna(0.0)\n"
                            "     return table.assign(dep_delay=filled)"
                        ),
                        verified=True,
                        rebuilds=1.4,
                    ),
                    Refinement(
                        two,
                        columns=("dep_delay",),
                        partition="month = 3",
                        rows_changed=9214,
                        rows_guilty=9102,
                        sample=tuple(
                            {
                                "flight": flight,
                                "month": 3,
                                "origin": origin,
                                "dest": dest,
                                "distance": miles,
                                "dep_delay": {"before": delay, "after": None},
                                "carrier": carrier,
                                "tail_number": tail,
                            }
                            for flight, origin, dest, miles, delay, carrier, tail in (
                                ("UA1545", "EWR", "IAH", 1400, 12.0, "UA", "N14228"),
                                ("B6725", "JFK", "BQN", 1576, 41.0, "B6", "N804JB"),
                                ("DL461", "LGA", "ATL", 762, -6.0, "DL", "N668DN"),
                                ("AA1141", "JFK", "MIA", 1089, 127.0, "AA", "N619AA"),
                            )
                        ),
                        verified=True,
                        note="rows matched by the key (flight, day)",
                        rebuilds=2.3,
                    ),
                ),
            ),
        ),
        explained=0.978,
        remainder=exactly(-0.002),
        interactions={f"{one} + {two}": -0.0897},
        cost=cost(6.1, refinement_rebuilds=3.7, mixes=44),
        notes=("2 changed definitions do not reach 'auc'.",),
        next=("whence why auc b3 b7 --apply code:prep.fill_missing",),
        nodes={
            **NODES,
            "flights": (two,),
            "clean": (one, "code:prep.describe"),
            "model": ("distribution:scikit-learn", "param:model.seed"),
        },
    )


def overlap() -> Explanation:
    """Two edits, each of which alone does the whole damage."""
    one, two = "code:features.encode_carrier", "param:features.min_count"
    parts = {(one,): 3.1, (two,): 3.3, (one, two): -3.0}
    return explanation(
        metric="rmse_minutes",
        better="lower",
        verdict="explained",
        sentence=(
            "rmse_minutes went from 18.42 to 21.82: either of code:features.encode_carrier and "
            "param:features.min_count suffices (+3.4)."
        ),
        baseline=side("b11", 18.42, 40),
        candidate=side("b12", 21.82, 40),
        delta=about(3.4, 0.21),
        changes=(
            code("features.encode_carrier", "features.py:40", "cause", 0),
            change("param", "features.min_count", "20", "2000", "cause", 1),
            code("features.weekday", "features.py:12", "no effect", 2),
        ),
        causes=(
            Cause(
                "overlap",
                (one, two),
                about(3.4, 0.21),
                1.0,
                0.0001,
                subsets((one, two), parts, 18.42),
                about(18.42, 0.15),
                {one: about(21.72, 0.15), two: about(21.52, 0.15)},
            ),
        ),
        explained=1.0,
        remainder=exactly(0.0),
        interactions={f"{one} + {two}": -3.0},
        cost=cost(5.0),
        next=(f"whence why rmse_minutes b11 b12 --apply {one} --apply {two}",),
        nodes={**NODES, "features": (one, two, "code:features.weekday")},
    )


def masked() -> Explanation:
    """A better model hides most of what a broken join costs; a small remainder stays."""
    fault, gain = "code:join.nearest_weather", "param:model.n_trees"
    return explanation(
        verdict="explained",
        sentence=(
            "auc went from 0.8241 to 0.8122: code:join.nearest_weather did it (-0.0314); "
            "param:model.n_trees worked against it (+0.0182)."
        ),
        baseline=side("b20", 0.8241),
        candidate=side("b23", 0.8122),
        delta=about(-0.0119, 0.0028),
        changes=(
            code("join.nearest_weather", "join.py:8", "cause", 0),
            change("param", "model.n_trees", "100", "400", "cause", 1),
            change("source", "airports", "", "", "unmixable", None, "its old content was not kept"),
        ),
        causes=(
            Cause(
                "cause",
                (fault,),
                about(-0.0314, 0.0034),
                2.639,
                0.0002,
                table({(): 0.8241, (fault,): 0.7927}),
                about(0.8423, 0.0018),
            ),
            Cause(
                "improver",
                (gain,),
                about(0.0182, 0.0034),
                -1.529,
                0.0011,
                table({(): 0.8241, (gain,): 0.8423}),
                about(0.7927, 0.0018),
            ),
        ),
        explained=1.11,
        remainder=about(0.0013, 0.0009),
        cost=cost(4.2),
        notes=(
            "source:airports could not be mixed and is the candidate's in every mix: its old "
            "content was not kept. What it did is not in these figures.",
        ),
        next=("whence why auc b20 b23 --apply code:join.nearest_weather",),
        nodes={**NODES, "joined": (fault,), "model": (gain,)},
    )


def crowd() -> Explanation:
    """Twenty-two changes: three that act together, one alone, an improver; names that are long."""
    a = "code:pipelines.preparation.flights.remove_implausible_departure_delays"
    b, c = "source:weather_observations_hourly", "param:features.window_h"
    d, e = "param:model.learning_rate", "distribution:airline-codes"
    triple = {(a,): -0.002, (b, c): -0.003, (a, b, c): -0.0516}
    names = [f"pipelines.reporting.tables.section_{n:02d}" for n in range(12)]
    changes = (
        code(short(a), "pipelines/preparation/flights.py:118", "cause", 3),
        change("source", short(b), "", "", "cause", 4),
        change("param", short(c), "24", "6", "cause", 5),
        change("param", short(d), "0.1", "0.3", "cause", 9),
        change("distribution", short(e), "2025.2", "2026.1", "cause", 10),
        *(
            code(name, f"pipelines/reporting/tables.py:{20 * n + 10}", "inert", 11 + n)
            for n, name in enumerate(names)
        ),
        change("distribution", "numpy", "2.3.1", "2.3.4", "inert", 24),
        change("distribution", "pandas", "2.3.0", "2.3.3", "no effect", 25),
        change("param", "split.share", "0.2", "0.25", "no effect", 26),
        code("features.weekday", "features.py:12", "no effect", 27),
        code("features:statements", "features.py:3", "untested", 28),
    )
    weather = Refinement(
        b,
        columns=("wind_speed", "visib"),
        partition="station in (EWR, LGA) and hour >= 18",
        rows_changed=1820,
        rows_guilty=1820,
        sample=(
            {
                "station": "EWR",
                "hour": 18,
                "wind_speed": {"before": 8.05546, "after": 3.58},
                "visib": {"before": 10.0, "after": 16.09},
            },
        ),
        note="rows matched by position",
    )
    causes = (
        Cause(
            "interaction",
            (a, b, c),
            about(-0.0566, 0.006),
            0.826,
            0.0004,
            subsets((a, b, c), triple, 0.8241),
            about(0.8112, 0.0018),
            {a: about(0.8091, 0.0018), b: about(0.8091, 0.0018), c: about(0.8092, 0.0018)},
            (weather,),
        ),
        Cause(
            "cause",
            (d,),
            about(-0.024, 0.0031),
            0.35,
            0.0009,
            table({(): 0.8241, (d,): 0.8001}),
            about(0.7796, 0.0018),
        ),
        Cause(
            "improver",
            (e,),
            about(0.0111, 0.0031),
            -0.162,
            0.012,
            table({(): 0.8241, (e,): 0.8352}),
            about(0.7445, 0.0018),
        ),
    )
    return explanation(
        verdict="explained",
        sentence=(
            f"auc went from 0.8241 to 0.7556: {a} and {b} and {c} did it only together (-0.0566); "
            f"{d} did it (-0.024); {e} worked against it (+0.0111)."
        ),
        baseline=side("b30", 0.8241),
        candidate=side("b31", 0.7556),
        delta=about(-0.0685, 0.0031),
        changes=changes,
        causes=causes,
        explained=1.014,
        remainder=exactly(0.001),
        interactions={
            f"{a} + {b}": 0.0,
            f"{a} + {c}": 0.0004,
            f"{b} + {c}": -0.003,
            f"{d} + {e}": 0.0011,
            f"{a} + {b} + {c}": -0.0516,
        },
        cost=cost(13.8, mixes=131, from_store=0.91, wall_s=74.2),
        next=(f"whence why auc b30 b31 --apply {a}",),
        nodes={
            **NODES,
            "weather": (b,),
            "clean": (a,),
            "joined": (e,),
            "model": (d, "distribution:numpy"),
            "features": (c, "code:features.weekday"),
        },
    )


def noise() -> Explanation:
    return explanation(
        verdict="noise",
        sentence=(
            "auc went from 0.8241 to 0.8229, which is no more than noise: the same worlds with "
            "other seeds differ as much. No change is to blame."
        ),
        baseline=side("b3", 0.8241, 2.0),
        candidate=side("b5", 0.8229, 2.4),
        delta=about(-0.0012, 0.0047),
        changes=(
            change("param", "model.seed", "7", "11", "untested", 0),
            change("distribution", "scikit-learn", "1.7.2", "1.8.0", "untested", 1),
        ),
        causes=(),
        explained=0.0,
        remainder=about(-0.0012, 0.0047),
        cost=cost(1.9, mixes=8, from_store=0.3),
        nodes={**NODES, "model": ("param:model.seed", "distribution:scikit-learn")},
    )


def unchanged() -> Explanation:
    return explanation(
        verdict="unchanged",
        sentence="auc is 0.8241 in both builds: nothing moved it.",
        baseline=side("b3", 0.8241),
        candidate=side("b4", 0.8241),
        delta=exactly(0.0),
        changes=(code("report.title", "report.py:3", "untested", 0),),
        causes=(),
        explained=1.0,
        remainder=exactly(0.0),
        cost=cost(0.0, mixes=4, from_store=1.0, wall_s=0.21),
    )


def unexplained() -> Explanation:
    return explanation(
        verdict="unexplained",
        sentence=(
            "auc went from 0.8241 to 0.8181; no change or set of changes that was tried explains "
            "it."
        ),
        baseline=side("b3", 0.8241),
        candidate=side("b9", 0.8181),
        delta=about(-0.006, 0.0021),
        changes=(
            change("source", "rates", "", "", "unmixable", None, "its old content was not kept"),
            code("train.fit", "train.py:31", "no effect", 0),
        ),
        causes=(),
        explained=0.0,
        remainder=about(-0.006, 0.0021),
        cost=cost(3.3),
        notes=(
            "source:rates could not be mixed and is the candidate's in every mix: its old content "
            "was not kept. What it did is not in these figures.",
        ),
        nodes={**NODES, "model": ("code:train.fit",)},
    )


def failure() -> Explanation:
    guilty = "code:features.weekday"
    error = "features: KeyError: 'day_of_week'"
    return explanation(
        verdict="failure",
        sentence=f"auc cannot be made in the candidate because of {guilty}.",
        baseline=Side("b3", "b3", {0: 0.8252}, exactly(0.8252)),
        candidate=crashed("b4", error),
        delta=exactly(0.0),
        seeds=(0,),
        changes=(
            code("features.weekday", "features.py:12", "cause", 0),
            change("param", "model.depth", "6", "7", "no effect", 1),
        ),
        causes=(
            Cause(
                "cause",
                (guilty,),
                exactly(0.0),
                1.0,
                0.0,
                (Cell((), {0: 0.8252}), Cell((guilty,), {0: None}, error)),
                exactly(0.8246),
            ),
        ),
        explained=1.0,
        remainder=exactly(0.0),
        cost=cost(1.2, mixes=4),
        next=("whence why auc b3 b4 --apply code:features.weekday",),
        nodes={**NODES, "features": (guilty,), "model": ("param:model.depth",)},
    )


def out_of_budget() -> Explanation:
    return explanation(
        verdict="out of budget",
        sentence=("auc went from 0.8241 to 0.7313; the budget ended before a cause was found."),
        baseline=side("b3", 0.8241),
        candidate=side("b40", 0.7313),
        delta=about(-0.0928, 0.0031),
        changes=(
            code("prep.clean", "prep.py:12", "untested", 0),
            code("train.fit", "train.py:31", "inert", 1),
            change("source", "flights", "", "", "untested", 2),
        ),
        causes=(),
        explained=0.0,
        remainder=about(-0.0928, 0.0031),
        cost=cost(2.0, budget=2.0, mixes=9),
        notes=("the budget ended before the search did: causes may be missing",),
        next=("whence why auc b3 b40 --budget 4",),
        nodes={**NODES, "clean": ("code:prep.clean",), "flights": ("source:flights",)},
    )


def inseparable() -> Explanation:
    """A renamed column: the reader and the data only run together."""
    one, two = "code:prep.clean", "source:flights"
    return explanation(
        verdict="explained",
        sentence=(
            "auc went from 0.8241 to 0.8003: code:prep.clean with source:flights, which only run "
            "together, did it (-0.0238)."
        ),
        baseline=side("b3", 0.8241),
        candidate=side("b6", 0.8003),
        delta=about(-0.0238, 0.0031),
        changes=(
            code("prep.clean", "prep.py:12", "cause", 0),
            change("source", "flights", "", "", "cause", 1),
        ),
        causes=(
            Cause(
                "inseparable",
                (one, two),
                about(-0.0238, 0.0031),
                1.0,
                0.0003,
                table(
                    {
                        (): 0.8241,
                        (one,): "clean: KeyError: 'departure_delay'",
                        (two,): "clean: KeyError: 'dep_delay'",
                        (one, two): 0.8003,
                    }
                ),
                about(0.8241, 0.0018),
            ),
        ),
        explained=1.0,
        remainder=exactly(0.0),
        cost=cost(3.9),
        next=(f"whence why auc b3 b6 --apply {one} --apply {two}",),
        nodes={**NODES, "clean": (one,), "flights": (two,)},
    )


SAMPLES = {
    made.__name__: made
    for made in (
        single,
        pair,
        overlap,
        masked,
        crowd,
        noise,
        unchanged,
        unexplained,
        failure,
        out_of_budget,
        inseparable,
    )
}


def document(name: str) -> Any:
    """A sample as the verb hands it to its views, after a way through JSON."""
    return json.loads(json.dumps({"why": SAMPLES[name]().to_json()}, allow_nan=False))
