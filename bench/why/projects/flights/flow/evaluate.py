"""How good the model is."""

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from vendor.ratekit import area_under_roc

import whence as wh
from flow.training import matrix


def half_width(area: float, positive: int, negative: int) -> float:
    """Half of the 95 % interval; Hanley & McNeil (1982), Radiology 143(1)."""
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (positive - 1) * (q1 - area**2) + (negative - 1) * (q2 - area**2)
    return float(1.96 * np.sqrt(spread / (positive * negative)))


@wh.table(key="flight_id")
def predictions(delay_model: HistGradientBoostingClassifier, holdout: pd.DataFrame) -> pd.DataFrame:
    """The probability of each flight of the holdout, beside what happened."""
    chance = delay_model.predict_proba(matrix(holdout))[:, 1]
    return pd.DataFrame(
        {"flight_id": holdout["flight_id"], "late": holdout["late"], "probability": chance}
    )


@wh.metric(better="higher")
def auc(predictions: pd.DataFrame) -> wh.Estimate:
    """Area under the ROC curve."""
    late = predictions["late"].to_numpy().astype(bool)
    area = area_under_roc(late, predictions["probability"].to_numpy())
    half = half_width(area, int(late.sum()), int((~late).sum()))
    return wh.Estimate(area, area - half, area + half, n=len(late))
