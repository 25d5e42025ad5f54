"""The split and the model."""

import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

import whence as wh
from flow.features import NUMBERS, is_training


def matrix(table: pd.DataFrame) -> pd.DataFrame:
    """The columns that the model sees, as numbers."""
    return table[NUMBERS].astype("float64")


@wh.table
def training_set(features: pd.DataFrame, holdout_every: int) -> pd.DataFrame:
    """Days that the model learns from."""
    return features[is_training(features["day"], holdout_every)].reset_index(drop=True)


@wh.table
def holdout(features: pd.DataFrame, holdout_every: int) -> pd.DataFrame:
    """Days that judge the model."""
    return features[~is_training(features["day"], holdout_every)].reset_index(drop=True)


@wh.model
def delay_model(
    training_set: pd.DataFrame,
    learning_rate: float = 0.12,
    max_iter: int = 45,
    max_leaf_nodes: int = 12,
    verbose: int = 0,
    seed: int = 0,
) -> HistGradientBoostingClassifier:
    """Boosted trees; each split looks at some of the columns, which the seed chooses."""
    model = HistGradientBoostingClassifier(
        learning_rate=learning_rate,
        max_iter=max_iter,
        max_leaf_nodes=max_leaf_nodes,
        max_features=0.6,
        early_stopping=False,
        verbose=verbose,
        random_state=seed,
    )
    return model.fit(matrix(training_set), training_set["late"])
