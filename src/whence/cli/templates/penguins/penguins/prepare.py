"""What comes in, and the rows that count."""

import pandas as pd
import whence as wh

penguins = wh.files("data/penguins.csv", null_values=["NA", ""])

# What the model sees. There are more: flipper_length_mm, body_mass_g.
MEASURES = ["bill_length_mm", "bill_depth_mm"]


@wh.table
def measured(penguins: pd.DataFrame) -> pd.DataFrame:
    """Penguins with all measures."""
    complete = penguins.dropna(subset=MEASURES)
    return complete[["species", "year", *MEASURES]].reset_index(drop=True)


@wh.table
def holdout(measured: pd.DataFrame, last_training_year: int = 2008) -> pd.DataFrame:
    """Penguins of the last season, which the model never sees."""
    return measured[measured["year"] > last_training_year].reset_index(drop=True)
