"""How good the model is on months that it never saw: numbers with intervals, and a picture."""

import pandas as pd
from matplotlib.figure import Figure
from sklearn.pipeline import Pipeline

import whence as wh
from flights.features import CATEGORIES, NUMBERS
from whence.models import auc_interval, calibration_table
from whence.models import brier as brier_interval

INK, ACCENT, PALE = "#343a40", "#1971c2", "#dee2e6"


@wh.table
def predictions(delay_model: Pipeline, holdout: pd.DataFrame) -> pd.DataFrame:
    """The model's probability for each flight of the holdout, beside what happened."""
    chance = delay_model.predict_proba(holdout[CATEGORIES + NUMBERS])[:, 1]
    out = holdout[["month", "carrier", "origin", "dest", "late"]]
    return out.assign(probability=chance)


@wh.metric(better="higher")
def auc(predictions: pd.DataFrame) -> wh.Estimate:
    """How well late flights are told from others: area under the ROC curve."""
    return auc_interval(predictions["late"], predictions["probability"])


@wh.metric(better="lower")
def brier(predictions: pd.DataFrame) -> wh.Estimate:
    """Mean squared error of the probability."""
    return brier_interval(predictions["late"], predictions["probability"])


@wh.metric(better="lower")
def brier_of_base_rate(predictions: pd.DataFrame, training_set: pd.DataFrame) -> wh.Estimate:
    """The same for who always says the share of late flights in the training months."""
    share = training_set["late"].mean()
    return brier_interval(predictions["late"], [share] * len(predictions))


@wh.table
def calibration(predictions: pd.DataFrame) -> pd.DataFrame:
    """How often flights were late, by how probable the model said it was."""
    return calibration_table(predictions["late"], predictions["probability"], n_bins=12)


@wh.figure
def calibration_curve(calibration: pd.DataFrame) -> Figure:
    """Said against seen; on the diagonal the model can be taken at its word."""
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=PALE, linewidth=1.5, zorder=1)
    below = calibration["observed"] - calibration["low"]
    above = calibration["high"] - calibration["observed"]
    axes.errorbar(
        calibration["predicted"],
        calibration["observed"],
        yerr=[below.clip(lower=0), above.clip(lower=0)],
        color=ACCENT,
        marker="o",
        markersize=6,
        linewidth=2,
        capsize=3,
    )
    top = 1.08 * max(calibration["predicted"].max(), calibration["high"].max())
    axes.set(
        xlim=(0, top),
        ylim=(0, top),
        xlabel="Probability of a late arrival that the model said",
        ylabel="Share of flights that arrived late",
    )
    n = calibration["n"].sum()
    axes.set_title("Can the model be taken at its word?", loc="left", color=INK, weight="bold")
    axes.text(
        0.02,
        0.97,
        f"{n:,} flights of the holdout, {len(calibration)} bins of equal count\n"
        "bars: 95 % Wilson intervals",
        transform=axes.transAxes,
        verticalalignment="top",
        color=INK,
        fontsize=9,
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure
