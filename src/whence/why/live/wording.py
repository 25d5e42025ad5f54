"""The sentences of a verdict."""

from __future__ import annotations

from whence.why.live.verdict import LiveVerdict


def sentence_of(verdict: LiveVerdict) -> str:
    """The verdict in one sentence."""
    went, share = moved(verdict), verdict.shares.get(verdict.kind, 0.0)
    first = f"'{verdict.features[0]}'" if verdict.features else ""
    how = f": {verdict.how}" if verdict.how else ""
    if verdict.kind == "label shift":
        return (
            f"{went}: label shift. Outcomes came in other shares, which explains"
            f" {_percent(share)} of it."
        )
    if verdict.kind == "covariate shift":
        return (
            f"{went}: covariate shift. Other rows came, most of all in {first}{how};"
            f" this explains {_percent(share)} of it."
        )
    if verdict.kind == "broken feature":
        return (
            f"{went}: feature {first} is broken{how}. With it imputed in both windows,"
            f" {_percent(share)} of the drop is gone."
        )
    if verdict.kind == "concept shift":
        where = f" where {verdict.slice}" if verdict.slice else ""
        return f"{went}: concept shift. The same rows have other outcomes{where}."
    return f"{went}, and no single kind of change explains it."


def moved(verdict: LiveVerdict) -> str:
    """How far the metric went."""
    return (
        f"{verdict.metric} went from {verdict.reference.value:.4g} to {verdict.current.value:.4g}"
    )


def _percent(share: float) -> str:
    return f"{max(0.0, min(1.0, share)):.0%}"
