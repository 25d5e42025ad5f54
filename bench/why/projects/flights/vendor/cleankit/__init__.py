"""Small helpers to clean columns."""

from vendor.cleankit.codes import normalise
from vendor.cleankit.robust import fill, standardise, winsorise

__version__ = "1.4.0"
__all__ = ["normalise", "fill", "standardise", "winsorise"]
