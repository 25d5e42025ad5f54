"""Tidy columns."""

from vendor.tidykit.labels import tidy
from vendor.tidykit.outliers import draw_in, fill_gaps, zscore

__version__ = "2.1.0"
__all__ = ["tidy", "draw_in", "fill_gaps", "zscore"]
