"""Nothing changed but the world: what kind of thing made a deployed model's metric fall.

The order is from exact to estimated. First the served features are compared with the replayed ones.
Then the drop is tested against noise. What remains is told apart by two questions on each kind of
change. Which part of the joint distribution of features and label does it leave as it was, and is
that part as it was? And how far does the metric fall if it alone happened?

=================  ===========================  ==================================================
kind               leaves as it was             the metric if it alone happened
=================  ===========================  ==================================================
label shift        P(x | y)                     the reference, reweighted on y
covariate shift    P(y | x)                     doubly robust on the current P(x)
broken feature j   P(x without j, y)            with j imputed, both windows are equally good
concept shift      P(x)                         what P(x) does not explain
=================  ===========================  ==================================================

What a kind does not allow is measured in one unit: nats by which a cross-fitted classifier tells
the windows apart beyond what the kind allows.

References
----------
Budhathoki, Janzing, Bloebaum & Ng (2021), "Why did the distribution change?", AISTATS. Zhang,
Singh, Ghassemi & Joshi (2023), "Why did the model fail?", ICML. Lipton, Wang & Smola (2018),
black box shift estimation, ICML. Shimodaira (2000), J. Stat. Planning and Inference 90(2).
Lopez-Paz & Oquab (2017), classifier two-sample tests, ICLR.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from whence.why.live.frame import labels_of
from whence.why.live.given import MOST_ROWS, Drop, Windows, check_windows, checked_scores
from whence.why.live.kinds import Finding, hypotheses, shift_features, slice_of
from whence.why.live.metrics import Quality
from whence.why.live.replay import Skew, compare
from whence.why.live.verdict import LiveVerdict
from whence.why.live.wording import moved, sentence_of

if TYPE_CHECKING:
    import pyarrow as pa

    from whence.why.live.metrics import Floats, Metric
    from whence.why.live.study import Study

#: One-sided level of the test against noise; 2 % of false alarms are promised at most, and the
#: metrics of small windows have heavier tails than a normal distribution.
NOISE_LEVEL = 0.005
#: Below this fit, no explanation is given.
LEAST_FIT = 0.15


def diagnose(
    reference: pa.Table,
    current: pa.Table,
    *,
    label: str,
    features: Sequence[str],
    score: Callable[[pa.Table], Floats],
    metric: str | Metric,
    better: str | None = None,
    name: str | None = None,
    replayed: pa.Table | None = None,
    seed: int = 0,
) -> LiveVerdict:
    """What happened between two windows of a deployed model's logged rows.

    Parameters
    ----------
    reference, current : pa.Table
        One row a prediction: the features as they were served, and the label that arrived.
    label : str
        Column with the truth; 0 and 1, or the target of a regression.
    features : sequence of str
        Columns that the model uses; numbers, times or texts.
    score : callable
        The real model: table -> scores of shape (n_rows,), probabilities or predictions. It is
        called on rows with replaced features too.
    metric : str or callable
        "auc", "accuracy", "brier", "log_loss", "mae", "rmse", or
        ``f(y, score, weights or None) -> float``.
    better : {"higher", "lower"}, optional
        Needed for a function; a named metric knows its direction.
    name : str, optional
        What the sentences call the metric.
    replayed : pa.Table, optional
        The current window's features, made again by the pipeline from the logged raw inputs; its
        rows in the order of `current`.
    seed : int
        Of the bootstrap, the folds and the draws: the same windows give the same verdict.

    Returns
    -------
    LiveVerdict

    Raises
    ------
    LiveError
        If a window is too small, a column is missing or unfit, the label has gaps or the scores do
        not fit the rows.
    """
    features, quality = tuple(features), Quality.of(metric, better)
    if name is not None:
        quality = replace(quality, name=name)
    check_windows(reference, current, features, label)
    windows = Windows(reference, current, label, features, checked_scores(score), quality, seed)
    skews = compare(current, replayed, features) if replayed is not None else []
    if skews and replayed is not None:
        return _with_skew(windows, skews, replayed)
    return _without_skew(windows)


def _without_skew(windows: Windows) -> LiveVerdict:
    import sklearn.ensemble  # noqa: F401  (limits hold for libraries that are loaded)
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    drop = windows.drop()
    plain = _plain(windows, drop)
    if drop.p > NOISE_LEVEL:
        return _noise(plain)
    study = windows.study(drop.z)
    if study.drop <= 0:
        return replace(
            plain,
            kind="unexplained",
            sentence=f"{moved(plain)}, but not on the rows drawn for the estimates.",
        )
    # The models are small: on a busy machine several threads wait for each other, ten times longer.
    with threadpool_limits(1):
        return _verdict(plain, study, hypotheses(study))


def _plain(windows: Windows, drop: Drop) -> LiveVerdict:
    """The measurement, before anything is said of it."""
    quality = windows.quality
    return LiveVerdict(
        "noise", "", quality.name, quality.better, drop.before, drop.after, drop.size, drop.p
    )


def _noise(plain: LiveVerdict) -> LiveVerdict:
    if plain.drop > 0:
        text = f"{moved(plain)}: within what the choice of rows does (p = {plain.p:.2f})."
    else:
        text = f"{moved(plain)}: it did not get worse."
    return replace(plain, kind="noise", sentence=text)


def _verdict(plain: LiveVerdict, study: Study, ranked: list[Finding]) -> LiveVerdict:
    """The best explanation, with its features, its slice and the numbers behind it."""
    best = ranked[0]
    kind = best.kind if best.fit >= LEAST_FIT else "unexplained"
    names = study.frame.names
    features, where, how = best.features, "", ""
    evidence = dict(best.evidence)
    if kind == "covariate shift":
        features, shares = shift_features(study)
        evidence |= {f"share of {name} alone": shares[name] for name in features}
        how = study.how_shifted(names.index(features[0])) if features else ""
    elif kind == "broken feature":
        how = study.how(names.index(features[0]))
    elif kind == "concept shift":
        features, where, found = slice_of(study)
        evidence |= found
    elif kind == "unexplained":
        features = ()
    shares_by_kind: dict[str, float] = {}
    for finding in ranked:
        shares_by_kind.setdefault(finding.kind, finding.share)
    notes = []
    if len(ranked) > 1 and ranked[1].fit > 0.75 * best.fit and kind != "unexplained":
        other = ranked[1]
        blamed = f" ({', '.join(other.features)})" if other.features else ""
        notes.append(f"Nearly as likely: {other.kind}{blamed}.")
    if (
        study.n_reference < plain.reference.n
        or len(study.frame.y) - study.n_reference < plain.current.n
    ):
        notes.append(f"The estimates use at most {MOST_ROWS:,} rows of each window.")
    drifting = sorted(study.harmless, key=lambda index: -study.drifts[index])
    verdict = replace(
        plain,
        kind=kind,
        features=features,
        slice=where,
        how=how,
        shares=shares_by_kind,
        evidence=evidence,
        alternatives=tuple(finding.hypothesis() for finding in ranked),
        harmless=tuple(names[index] for index in drifting if study.drifts[index] > 0.1),
        notes=tuple(notes),
    )
    return replace(verdict, sentence=sentence_of(verdict))


# -- skew ---------------------------------------------------------------------------------------


def _with_skew(windows: Windows, skews: list[Skew], replayed: pa.Table) -> LiveVerdict:
    """Skew if the replayed features bring the metric back; else what happened beside it."""
    right = windows.current
    recovered: dict[str, float] = {}
    drop = windows.drop()
    y = labels_of(windows.current, windows.label)
    for skew in skews:
        alone = _replaced(windows.current, replayed, skew.feature)
        right = _replaced(right, replayed, skew.feature)
        value = windows.quality.goodness(y, windows.score(alone))
        recovered[skew.feature] = value - windows.quality.sign * drop.after.value
    repaired = windows.quality.function(y, windows.score(right), None)
    gained = windows.quality.sign * (repaired - drop.after.value)
    ordered = sorted(skews, key=lambda skew: -recovered[skew.feature])
    rest = _without_skew(replace(windows, current=right))
    skew_note = "; ".join(f"'{s.feature}' {s.how}" for s in ordered)
    # What is left with the right features is a drop of its own: the larger one is the verdict.
    if rest.kind != "noise" and rest.drop > gained:
        note = f"Skew beside it: {skew_note}; this costs {gained:.4g} of {windows.quality.name}."
        return replace(rest, notes=(*rest.notes, note))
    most = max(recovered.values())
    guilty = [s for s in ordered if recovered[s.feature] >= 0.2 * most or len(ordered) == 1]
    guilty = guilty or ordered[:1]
    idle = [s for s in ordered if s not in guilty]
    share = gained / drop.size if drop.size > 0 else 0.0
    evidence = {f"recovered by '{s.feature}'": recovered[s.feature] for s in ordered}
    evidence |= {f"rows of '{s.feature}' that differ": float(s.rows) for s in ordered}
    evidence |= {"metric with the replayed features": float(repaired), "recovered": gained}
    notes = [f"'{s.feature}' differs too ({s.how}), which costs next to nothing." for s in idle]
    if drop.p > NOISE_LEVEL:
        notes.append("The drop itself is within noise; that the features differ is certain.")
    if rest.kind != "noise":
        notes.append(f"With the replayed features: {rest.sentence}")
    verdict = replace(
        _plain(windows, drop),
        kind="skew",
        features=tuple(s.feature for s in guilty),
        how=guilty[0].how,
        shares={"skew": share},
        evidence=evidence,
        notes=tuple(notes),
    )
    blamed = " and ".join(f"'{s.feature}' ({s.how})" for s in guilty)
    return replace(
        verdict,
        sentence=f"{moved(verdict)}: what was served is not what the pipeline makes of the logged"
        f" inputs, in {blamed}. With the replayed features it is {repaired:.4g}.",
    )


def _replaced(table: pa.Table, source: pa.Table, name: str) -> pa.Table:
    place = table.column_names.index(name)
    return table.set_column(place, name, source.column(name))
