"""Rates from counts, and scores of rankings."""

from vendor.ratekit.ranking import area_under_roc
from vendor.ratekit.smoothing import smoothed

__version__ = "0.9.2"
__all__ = ["area_under_roc", "smoothed"]
