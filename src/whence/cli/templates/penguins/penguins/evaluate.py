"""How good the model is on a season that it never saw."""

import pandas as pd
import whence as wh
from matplotlib.figure import Figure
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline
from whence.models import proportion_interval

from penguins.prepare import MEASURES

COLOURS = {"Adelie": "#e8590c", "Chinstrap": "#7048e8", "Gentoo": "#0b7285"}


@wh.metric(better="higher")
def accuracy(species_model: Pipeline, holdout: pd.DataFrame) -> wh.Estimate:
    """Share of penguins whose species is named right."""
    right = species_model.predict(holdout[MEASURES]) == holdout["species"].to_numpy()
    return proportion_interval(right)


@wh.metric(better="lower")
def loss(species_model: Pipeline, holdout: pd.DataFrame) -> float:
    """Log loss: how sure the model is of what is wrong."""
    chances = species_model.predict_proba(holdout[MEASURES])
    return log_loss(holdout["species"], chances, labels=species_model.classes_)


@wh.figure
def bills(species_model: Pipeline, holdout: pd.DataFrame) -> Figure:
    """Bills of the holdout by species; a ring marks each penguin that the model got wrong."""
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.subplots()
    for species, rows in holdout.groupby("species"):
        axes.scatter(
            rows["bill_length_mm"],
            rows["bill_depth_mm"],
            color=COLOURS[species],
            label=species,
            alpha=0.8,
        )
    wrong = holdout[species_model.predict(holdout[MEASURES]) != holdout["species"]]
    axes.scatter(
        wrong["bill_length_mm"],
        wrong["bill_depth_mm"],
        s=140,
        facecolors="none",
        edgecolors="black",
        label=f"wrong ({len(wrong)} of {len(holdout)})",
    )
    axes.set(xlabel="Bill length (mm)", ylabel="Bill depth (mm)")
    axes.set_title("Which species?", loc="left", weight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure
