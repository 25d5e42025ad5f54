"""The split by time, and the model."""

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

import whence as wh
from flights.features import CATEGORIES, NUMBERS


@wh.table
def training_set(features: pd.DataFrame, last_training_month: int) -> pd.DataFrame:
    """The earlier months."""
    return features[features["month"] <= last_training_month].reset_index(drop=True)


@wh.table
def holdout(features: pd.DataFrame, last_training_month: int) -> pd.DataFrame:
    """The later months, which nothing was learnt from."""
    return features[features["month"] > last_training_month].reset_index(drop=True)


@wh.model
def delay_model(
    training_set: pd.DataFrame,
    learning_rate: float = 0.08,
    max_iter: int = 150,
    max_leaf_nodes: int = 31,
    seed: int = 0,
) -> Pipeline:
    """Gradient-boosted trees; they take missing values as they are."""
    model = Pipeline(
        [
            ("columns", encoder()),
            (
                "trees",
                HistGradientBoostingClassifier(
                    learning_rate=learning_rate,
                    max_iter=max_iter,
                    max_leaf_nodes=max_leaf_nodes,
                    l2_regularization=1.0,
                    early_stopping=False,
                    categorical_features=list(range(len(CATEGORIES))),
                    random_state=seed,
                ),
            ),
        ]
    )
    return model.fit(training_set[CATEGORIES + NUMBERS], training_set["late"])


def encoder() -> ColumnTransformer:
    """Categories as numbers; one that was never seen counts as missing."""
    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=float("nan"),
        encoded_missing_value=float("nan"),
    )
    return ColumnTransformer(
        [("categories", codes, CATEGORIES), ("numbers", "passthrough", NUMBERS)]
    )
