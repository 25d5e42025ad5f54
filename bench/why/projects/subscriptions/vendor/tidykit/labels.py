"""Labels as people type them, in one spelling."""

import pandas as pd

SPELLINGS = {"mobile": "app", "online": "web"}


def tidy(labels: pd.Series) -> pd.Series:
    """Lower case, without spaces around, synonyms replaced."""
    text = labels.astype("object").str.strip().str.lower()
    return text.replace(SPELLINGS).astype("str")
