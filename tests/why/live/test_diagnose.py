"""A known thing happened to the world of a real model: the verdict names its kind and feature."""

import json
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from whence.why.live import LiveError, LiveVerdict, diagnose

FEATURES = ["queue", "wind", "distance", "air_time", "sensor", "origin"]


def rows(n: int, seed: int, *, storm: float = 0.0, flip: str = "", base: float = 0.0) -> pa.Table:
    """Departures; of long queues nobody can tell. `storm` lengthens queues."""
    rng = np.random.default_rng(seed)
    wind = rng.gamma(3, 3, n)
    queue = np.round(rng.gamma(4, 2.5, n) + 0.4 * wind + storm * rng.gamma(3, 3, n))
    distance = np.round(np.exp(rng.normal(6.5, 0.5, n)))
    origin = rng.choice(["EWR", "JFK", "LGA"], n)
    signal = 0.35 * (queue - 12) + 0.15 * (wind - 9) - 1.5 * np.log(distance / 665) + base
    signal *= np.where(queue > 20, 0.1, 1.0)
    signal = np.where(origin == flip, -signal, signal)
    return pa.table(
        {
            "queue": queue,
            "wind": np.round(wind, 1),
            "distance": distance,
            "air_time": np.round(distance / 8 + rng.normal(20, 6, n)),
            "sensor": rng.uniform(0, 100, n).round(),
            "origin": origin,
            "late": rng.random(n) < 1 / (1 + np.exp(-signal)),
        }
    )


@cache
def model() -> HistGradientBoostingClassifier:
    made = HistGradientBoostingClassifier(max_iter=80, max_leaf_nodes=12, random_state=0)
    return made.fit(encoded(rows(8000, 1)), rows(8000, 1).column("late").to_numpy(False))


def encoded(table: pa.Table) -> np.ndarray:
    codes = pc.index_in(table.column("origin"), pa.array(["EWR", "JFK", "LGA"]))
    numeric = [table.column(name).to_numpy(False) for name in FEATURES[:-1]]
    return np.column_stack([*numeric, codes.to_numpy(False)]).astype(float)


def score(table: pa.Table) -> np.ndarray:
    return np.asarray(model().predict_proba(encoded(table))[:, 1])


def put(table: pa.Table, **columns: object) -> pa.Table:
    for name, values in columns.items():
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.array(values, from_pandas=True))
    return table


def verdict(current: pa.Table, **options: object) -> LiveVerdict:
    chosen = {"metric": "auc", **options}
    return diagnose(rows(8000, 2), current, label="late", features=FEATURES, score=score, **chosen)  # type: ignore[arg-type]


def test_nothing_happened() -> None:
    found = verdict(rows(3000, 3))
    assert (found.kind, found.features) == ("noise", ())
    assert found.reference.low < found.current.value < found.reference.high


def test_a_better_metric_is_no_drop() -> None:
    easy = rows(6000, 3)
    easy = easy.filter(np.abs(score(easy) - 0.5) > 0.3)
    assert "it did not get worse" in verdict(easy).sentence


def test_longer_queues_are_a_covariate_shift() -> None:
    found = verdict(rows(4000, 4, storm=1.0))
    assert (found.kind, found.features[0]) == ("covariate shift", "queue")
    assert found.shares["covariate shift"] > 0.6
    assert found.how.startswith("its mean went from 13")


def test_a_queue_that_is_often_null_is_broken() -> None:
    table = rows(4000, 5)
    null = np.random.default_rng(0).random(4000) < 0.6
    queue = np.where(null, np.nan, table.column("queue").to_numpy())
    found = verdict(put(table, queue=queue))
    assert (found.kind, found.features) == ("broken feature", ("queue",))
    assert found.how == f"null in {null.mean():.0%} of the rows (before: 0%)"


def test_a_feature_that_lost_its_relation_to_the_others_is_broken() -> None:
    """Its distribution is as it was; only that the queue no longer follows the wind tells."""
    table = rows(4000, 6)
    shuffled = np.random.default_rng(0).permutation(table.column("queue").to_numpy())
    found = verdict(put(table, queue=shuffled), metric="log_loss")
    assert (found.kind, found.features) == ("broken feature", ("queue",))
    assert found.how == "its relation with the other columns is gone (shuffled or stale)"


def test_a_decoy_is_not_blamed() -> None:
    table = rows(4000, 7)
    queue = table.column("queue").to_numpy()
    sensor = table.column("sensor").to_numpy() + 80
    found = verdict(put(table, queue=np.minimum(queue, 11.0), sensor=sensor))
    assert (found.kind, found.features) == ("broken feature", ("queue",))
    assert found.harmless == ("sensor",)
    assert found.how.startswith("cut above 11")


def test_other_outcomes_in_one_origin_are_a_concept_shift_there() -> None:
    found = verdict(rows(4000, 8, flip="JFK"))
    assert (found.kind, found.features[0]) == ("concept shift", "origin")
    assert found.slice == "origin = 'JFK'"


def test_other_shares_of_the_outcomes_are_a_label_shift() -> None:
    windows = []
    for seed, late_share, other_share in ((9, 0.25, 0.03), (10, 0.03, 0.25)):
        pool = rows(30_000, seed)
        kept = np.where(pool.column("late").to_numpy(False), late_share, other_share)
        windows.append(pool.filter(np.random.default_rng(seed).random(30_000) < kept))
    found = diagnose(*windows, label="late", features=FEATURES, score=score, metric="brier")
    assert (found.kind, found.features) == ("label shift", ())
    assert found.shares["label shift"] > 0.7


@pytest.mark.parametrize("name", ["queue", "origin"])
def test_replay_finds_a_shuffled_feature_and_recovers_the_metric(name: str) -> None:
    truth = rows(3000, 10)
    order = np.random.default_rng(0).permutation(3000)
    flipped = put(rows(3000, 10), **{name: truth.column(name).take(order).combine_chunks()})
    found = verdict(flipped, replayed=truth, metric="log_loss")
    assert (found.kind, found.features) == ("skew", (name,))
    assert found.how == "shuffled: the same values, in other rows"
    repaired = found.evidence["metric with the replayed features"]
    assert repaired == pytest.approx(verdict(truth, metric="log_loss").current.value)


def test_a_harmless_skew_does_not_hide_what_really_happened() -> None:
    truth = rows(4000, 8, flip="JFK")
    served = put(truth, sensor=truth.column("sensor").to_numpy() * 2)
    found = verdict(served, replayed=truth)
    assert (found.kind, found.features[0]) == ("concept shift", "origin")
    assert "Skew beside it: 'sensor' scaled by 2" in found.notes[-1]


def test_the_same_windows_give_the_same_verdict_and_json() -> None:
    one, two = (verdict(rows(1500, 8, flip="JFK"), seed=5) for _ in range(2))
    assert one == two
    assert json.loads(json.dumps(one.to_json()))["kind"] == "concept shift"


@pytest.mark.parametrize(
    ("current", "options", "message"),
    [
        (rows(50, 3), {}, "The current window has 50 rows"),
        (rows(300, 3).drop_columns(["wind"]), {}, "no column 'wind'"),
        (rows(300, 3), {"metric": "f1"}, "No metric is called 'f1'"),
        (put(rows(300, 3), late=[None] + [True] * 299), {}, "1 of 300 rows have no 'late' yet"),
    ],
)
def test_bad_input_is_said(current: pa.Table, options: dict[str, object], message: str) -> None:
    with pytest.raises(LiveError, match=message):
        verdict(current, **options)


def test_scores_must_fit_the_rows() -> None:
    with pytest.raises(LiveError, match=r"scores of shape \(2,\)"):
        diagnose(
            rows(300, 2), rows(300, 3), label="late", features=FEATURES,
            score=lambda table: np.zeros(2), metric="auc",
        )  # fmt: skip
