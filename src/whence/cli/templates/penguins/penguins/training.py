"""The model."""

import pandas as pd
import whence as wh
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from penguins.prepare import MEASURES


@wh.model
def species_model(
    measured: pd.DataFrame, last_training_year: int = 2008, strength: float = 1.0
) -> Pipeline:
    """A linear model of the seasons before the holdout; less `strength`, more caution."""
    known = measured[measured["year"] <= last_training_year]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength))
    return model.fit(known[MEASURES], known["species"])
