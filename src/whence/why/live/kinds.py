"""The explanations that are weighed, and how well two windows agree with each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from whence.why.live.slices import find_slice
from whence.why.live.verdict import Hypothesis

if TYPE_CHECKING:
    from whence.why.live.study import Study

#: A feature can be the broken one if the model without it loses at least this part of the drop.
LEAST_IMPORTANCE = 0.25
MOST_CANDIDATES = 6
#: A violation of so many nats a row refutes an explanation, however much the windows differ.
MOST_NATS = 0.1
#: Fits of this ratio are alike.
CLOSE = 0.55
#: Features that leave at most this part of the change of P(x) open stand for all of it.
TWIN = 0.2
#: Other columns of a broken feature stay as they were, up to this part of the features' change.
MOST_SPILL = 0.35


@dataclass(frozen=True, slots=True)
class Finding:
    """A hypothesis with its numbers: `share` of the drop, `violation` in nats, and its z."""

    kind: str
    features: tuple[str, ...]
    share: float
    violation: float
    z: float
    fit: float
    evidence: dict[str, float] = field(default_factory=dict)

    def hypothesis(self) -> Hypothesis:
        return Hypothesis(self.kind, self.features, self.share, self.violation, self.z, self.fit)


def hypotheses(study: Study) -> list[Finding]:
    """Every explanation, the best first."""
    everything, harmless = study.comparison.all, study.harmless
    total = study.excess(everything, True, (harmless, False))[0]
    shifted = study.excess(everything, False, (harmless, False))
    covariate = study.share(study.covariate_prediction())
    label = study.share(study.reweighted(study.label_weights()))

    def finding(
        kind: str, share: float, off: tuple[float, float], *features: str, known: float = 1.0
    ) -> Finding:
        return Finding(
            kind, features, share, *off, fit_of(share, off, total, study.drop_z, known), {}
        )

    found = [
        finding("label shift", label, study.excess(everything, True, (harmless, True))),
        finding(
            "covariate shift",
            covariate,
            study.excess(everything, True, (everything, False)),
            known=study.comparison.overlap(),
        ),
        finding("concept shift", 1 - covariate, shifted),
    ]
    if shifted[1] > 2.5:  # a feature that broke shows in P(x)
        for index in _candidates(study, shifted[0]):
            before, after = (
                study.goodness(side, study.imputed(index)[0]) for side in (False, True)
            )
            others = everything - {index}
            off = study.excess(others, True, (harmless - {index}, False))
            name = study.frame.features[index].name
            sign = study.quality.sign
            one = finding("broken feature", 1 - (before - after) / study.drop, off, name)
            one.evidence.update(
                {
                    "metric with the feature imputed, reference": sign * before,
                    "metric with the feature imputed, current": sign * after,
                    "recovered": after - study.goodness(True),
                }
            )
            found.append(one)
    found.sort(key=lambda one: -one.fit)
    return _closer(found)


def _closer(ranked: list[Finding]) -> list[Finding]:
    """Label and covariate shift fit alike where y is nearly known from x: the closer one first."""
    if len(ranked) > 1 and {one.kind for one in ranked[:2]} == {"label shift", "covariate shift"}:
        first, second = ranked[:2]
        if second.fit > CLOSE * first.fit and second.violation < first.violation:
            return [second, first, *ranked[2:]]
    return ranked


def fit_of(
    share: float, off: tuple[float, float], total: float, drop_z: float, known: float = 1.0
) -> float:
    """From 0 to 1: explains the drop, no more and no less, and forbids nothing that happened.

    A share is known to 1 / `drop_z`, as the drop itself is. `known` is how much of the share could
    be estimated; the rest counts as a half.
    """
    violation, z = off
    slack = min(0.3, 1 / drop_z) if drop_z > 0 else 0.3
    error = violation / z if z else 0.0
    allowed = max(0.0, violation - 2 * abs(error))
    # A feature far off its range tells the windows apart by itself: any more cannot count then.
    scale = min(total, MOST_NATS)
    agreement = max(0.0, 1 - allowed / scale) if total > 0 else 1.0
    amount = share / (1 - slack) if share <= 1 else 1 / max(1.0, share - slack)
    amount = max(0.0, min(1.0, amount))
    return float(agreement * (known * amount + (1 - known) * max(amount, 0.5)))


def _candidates(study: Study, shifted: float) -> list[int]:
    """Features that could be the broken one: important, and without them P(x) is as it was."""
    everything, harmless = study.comparison.all, study.harmless
    able = [
        index
        for index in sorted(everything - harmless, key=lambda index: -study.drifts[index])
        if study.importances[index] > LEAST_IMPORTANCE
    ][:MOST_CANDIDATES]
    return [
        index
        for index in able
        if study.excess(everything - {index}, False, (harmless - {index}, False))[0]
        < MOST_SPILL * shifted
    ]


def shift_features(study: Study) -> tuple[tuple[str, ...], dict[str, float]]:
    """The features whose shift moved the metric, the most guilty first, and each one's share.

    A feature's part is the mean of what its shift alone does and of what is missing when all the
    others shift without it: Shapley's value of the feature and the rest (Budhathoki 2021). It
    counts by how much of the change of P(x) the feature accounts for, so that what only follows
    another feature is not named for it.
    """
    everything, harmless = study.comparison.all, study.harmless
    whole = study.share(study.reweighted(study.comparison.weights(everything)))
    moved = study.excess(everything, False, (harmless, False))[0]
    ranked = sorted(everything - harmless, key=lambda index: -study.drifts[index])[:MOST_CANDIDATES]
    parts, rests = {}, {}
    for index in ranked:
        alone = study.marginal_shares[index]
        without = study.share(study.reweighted(study.comparison.weights(everything - {index})))
        rest = rests[index] = study.excess(everything, False, (harmless | {index}, False))[0]
        accounted = max(0.0, 1 - rest / moved) if moved > 0 else 1.0
        parts[index] = 0.5 * (alone + whole - without) * (0.1 + accounted**2)
    names = study.frame.names
    order = sorted(parts, key=lambda index: -parts[index])
    kept = [index for index in order if parts[index] >= 0.35 * parts[order[0]]] or order[:1]
    # Of twins (distance and air time), the one that leaves less of the change open comes first.
    twins = [index for index in kept if rests[index] <= TWIN * moved]
    if kept[0] in twins:
        kept = sorted(twins, key=lambda index: rests[index]) + [i for i in kept if i not in twins]
    return (
        tuple(names[index] for index in kept[:3]),
        {names[index]: study.marginal_shares[index] for index in parts},
    )


def slice_of(study: Study) -> tuple[tuple[str, ...], str, dict[str, float]]:
    """(feature of the slice, its predicate, numbers) of a concept shift; empty if everywhere."""
    frame = study.frame
    expected = study.comparison.outcome(study.comparison.all)
    best, ranked = find_slice(frame, expected[frame.current], expected[~frame.current])
    if best is None:
        return (), "", {}
    names = frame.names
    others = [names[found.feature] for found in ranked[1:3] if found.z > 0.8 * best.z]
    return (
        (names[best.feature], *others),
        best.predicate,
        {
            "share of the rows in the slice": best.share,
            "mean of y - expected y, in the slice": best.inside,
            "mean of y - expected y, elsewhere": best.outside,
            "z of the slice": best.z,
        },
    )
