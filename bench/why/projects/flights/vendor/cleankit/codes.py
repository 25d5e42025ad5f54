"""Codes as people type them, in one spelling."""

import pandas as pd

ALIASES = {"EV2": "EV", "MQ*": "MQ"}


def normalise(codes: pd.Series) -> pd.Series:
    """Upper case, without spaces around, aliases replaced."""
    text = codes.astype("object").str.strip().str.upper()
    return text.replace(ALIASES).astype("str")
