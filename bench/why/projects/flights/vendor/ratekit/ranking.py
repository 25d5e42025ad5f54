"""How well scores order cases."""

import numpy as np


def area_under_roc(positive: np.ndarray, scores: np.ndarray) -> float:
    """Share of pairs that are in the right order; ties count half."""
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    first = np.searchsorted(ordered, ordered, side="left")
    last = np.searchsorted(ordered, ordered, side="right")
    ranks = (first + last + 1) / 2
    yes = positive[order]
    count = int(yes.sum())
    others = len(yes) - count
    return float((ranks[yes].sum() - count * (count + 1) / 2) / (count * others))
