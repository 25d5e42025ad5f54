"""How good the model is."""

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from vendor.groupkit import absolute_errors

import whence as wh
from flow.training import matrix


def half_width(errors: np.ndarray) -> float:
    """Half of the 95 % interval of a mean."""
    return float(1.96 * errors.std(ddof=1) / np.sqrt(len(errors)))


@wh.table(key="customer_id")
def predictions(spend_model: RandomForestRegressor, holdout: pd.DataFrame) -> pd.DataFrame:
    """What the model says of each customer of the holdout, beside what happened."""
    said = spend_model.predict(matrix(holdout))
    return pd.DataFrame(
        {"customer_id": holdout["customer_id"], "target": holdout["target"], "said": said}
    )


@wh.metric(better="lower")
def mae(predictions: pd.DataFrame) -> wh.Estimate:
    """Mean absolute error of the logarithm of the spending."""
    errors = absolute_errors(predictions["target"].to_numpy(), predictions["said"].to_numpy())
    half = half_width(errors)
    mean = float(errors.mean())
    return wh.Estimate(mean, mean - half, mean + half, n=len(errors))
