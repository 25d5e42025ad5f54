"""What others would blame: the feature that drifts most, and DoWhy's attribution of a change."""

from __future__ import annotations

import numpy as np
from live_scenarios import Scenario

from whence.why.live.frame import frame_of
from whence.why.live.study import bins_of


def psi_blames(scenario: Scenario) -> str:
    """The feature with the largest population stability index, 12 bins."""
    features = scenario.world.features
    frame = frame_of(scenario.reference, scenario.current, scenario.world.domain.label, features)
    found = {}
    for index, feature in enumerate(frame.features):
        codes = bins_of(frame.X[:, index], ~frame.current, feature.is_category)
        shares = []
        for side in (False, True):
            counts = np.bincount(codes[frame.current == side], minlength=codes.max() + 1) + 0.5
            shares.append(counts / counts.sum())
        old, new = shares
        found[feature.name] = float(((new - old) * np.log(new / old)).sum())
    return max(found, key=lambda name: found[name])


def dowhy_blames(scenario: Scenario) -> str:
    """The node that `distribution_change` credits with most of the change of the model's loss.

    The graph is the one a user can draw without more knowledge: every feature and the label point
    to the loss.
    """
    import networkx as nx
    import pandas as pd
    from dowhy import gcm

    world = scenario.world
    label, features = world.domain.label, world.features

    def frame(table: object) -> pd.DataFrame:
        data = table.slice(0, 1500).to_pandas()  # type: ignore[attr-defined]
        score = world.score(table.slice(0, 1500))  # type: ignore[attr-defined]
        numeric = (
            data[features]
            .apply(lambda c: c if c.dtype.kind in "fi" else pd.factorize(c, sort=True)[0])
            .fillna(-1.0)
        )
        return numeric.assign(loss=(data[label].to_numpy() - score) ** 2)

    model = gcm.ProbabilisticCausalModel(nx.DiGraph([(name, "loss") for name in features]))
    old, new = frame(scenario.reference), frame(scenario.current)
    gcm.auto.assign_causal_mechanisms(model, old)
    found = gcm.distribution_change(
        model, old, new, "loss", difference_estimation_func=lambda a, b: np.mean(b) - np.mean(a)
    )
    found.pop("loss", None)
    return max(found, key=lambda name: found[name])
