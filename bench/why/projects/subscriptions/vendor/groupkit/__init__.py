"""Sums and means of groups, and errors of predictions."""

from vendor.groupkit.errors import absolute_errors
from vendor.groupkit.levels import shrunken_means

__version__ = "0.5.1"
__all__ = ["absolute_errors", "shrunken_means"]
