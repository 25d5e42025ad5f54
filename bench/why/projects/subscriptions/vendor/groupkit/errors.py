"""How far predictions are off."""

import numpy as np


def absolute_errors(truth: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Absolute error of each case."""
    return np.abs(np.asarray(truth, float) - np.asarray(said, float))
