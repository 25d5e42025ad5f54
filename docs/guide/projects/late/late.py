"""Late flights: a model trained once, and the rows that were logged since, with their outcome."""

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import whence as wh

history = wh.files("data/history.parquet")
served = wh.files("data/served.parquet")
FEATURES = ["queue", "wind", "hour", "fuel_price"]


@wh.model
def late_model(history: pd.DataFrame):
    return LogisticRegression(max_iter=1000).fit(history[FEATURES], history["late"])


@wh.metric(better="higher")
def live_auc(late_model, served: pd.DataFrame) -> float:
    return float(roc_auc_score(served["late"], late_model.predict_proba(served[FEATURES])[:, 1]))
