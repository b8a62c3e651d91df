"""Intervals of many columns of replicates at once."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
LEVEL = 0.95


def ends(replicates: Array, level: float = LEVEL) -> tuple[Array, Array]:
    """Return the ends of the central ``level`` interval of each column of (R, rows); NaN where a
    column has NaN.
    """
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high
