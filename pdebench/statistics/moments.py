"""Moments of an array on disk, in bounded memory."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

_BLOCK = 64 << 20  # bytes read at a time


class Rows(Protocol):
    """An array that is read by samples."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def rows(self, index: slice) -> NDArray[Any]:
        """Return samples."""
        ...

    @property
    def nbytes(self) -> int:
        """Size of the whole."""
        ...


def moments(array: Rows, part: slice) -> dict[str, float | int]:
    """Return mean, standard deviation (over everything), smallest and largest value of the samples,
    of those that are finite, and the number of those that are not.

    Sums are taken in float64 about the first block's mean, so that a large mean costs no digits.
    """
    start, stop, _ = part.indices(array.shape[0])
    each = max(1, array.nbytes // max(1, array.shape[0]))
    step = max(1, _BLOCK // each)
    shift, count, total, squares, lost = 0.0, 0, 0.0, 0.0, 0
    low, high = np.inf, -np.inf
    for begin in range(start, stop, step):
        values = array.rows(slice(begin, min(begin + step, stop))).astype(np.float64)
        finite = np.isfinite(values)
        if not finite.all():
            lost += int(finite.size - finite.sum())
            values = values[finite]
        if not values.size:
            continue
        if count == 0:
            shift = float(values.mean())
        off = values - shift
        count += off.size
        total += float(off.sum())
        squares += float(np.square(off).sum())
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    mean = total / max(1, count)
    variance = max(0.0, squares / max(1, count) - mean**2)
    return {
        "mean": shift + mean,
        "deviation": variance**0.5,
        "min": low,
        "max": high,
        "not_finite": lost,
        "samples": stop - start,
        "nbytes": array.nbytes,
    }
