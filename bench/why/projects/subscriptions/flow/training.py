"""The split and the model."""

import pandas as pd
from sklearn.ensemble import RandomForestRegressor

import whence as wh
from flow.features import NUMBERS, is_training


def matrix(table: pd.DataFrame) -> pd.DataFrame:
    """The columns that the model sees, without gaps."""
    return table[NUMBERS].astype("float64").fillna(0.0)


@wh.table
def training_set(features: pd.DataFrame, holdout_every: int) -> pd.DataFrame:
    """Customers that the model learns from."""
    kept = is_training(features["customer_id"], holdout_every)
    return features[kept].reset_index(drop=True)


@wh.table
def holdout(features: pd.DataFrame, holdout_every: int) -> pd.DataFrame:
    """Customers that judge the model."""
    kept = is_training(features["customer_id"], holdout_every)
    return features[~kept].reset_index(drop=True)


@wh.model
def spend_model(
    training_set: pd.DataFrame,
    n_estimators: int = 40,
    max_depth: int = 9,
    min_samples_leaf: int = 4,
    verbose: int = 0,
    seed: int = 0,
) -> RandomForestRegressor:
    """A forest; the seed draws its samples and columns."""
    model = RandomForestRegressor(
        n_estimators=n_estimators,
        max_depth=max_depth,
        min_samples_leaf=min_samples_leaf,
        max_features=0.6,
        verbose=verbose,
        random_state=seed,
    )
    return model.fit(matrix(training_set), training_set["target"])
