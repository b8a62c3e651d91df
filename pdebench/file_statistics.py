"""Statistics of the arrays of a file of samples, kept in its group ``stats``."""

from collections.abc import Iterator, Mapping
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

_BLOCK = 64 << 20  # bytes read at a time


def attach_statistics(out: h5py.File, axes: Mapping[str, tuple[str, ...]]) -> None:
    """Write ``stats/<name>/{mean,std,min,max}`` of every array of an open file, in float64.

    axes: name -> axes after ``sample``. Arrays with the axis "channel" have one number per channel,
    others one. Those with the axis "time" also have ``delta_mean`` and ``delta_std``, of the
    differences of consecutive frames. std is over samples, times and points alike, not unbiased.
    """
    for name, rest in axes.items():
        group = out.create_group(f"stats/{name}")
        array = out[name]
        assert isinstance(array, h5py.Dataset)
        kept = rest.index("channel") + 1 if "channel" in rest else None
        for key, value in _moments(_blocks(array), kept).items():
            group.create_dataset(key, data=value, track_times=False)
        if "time" in rest and array.shape[rest.index("time") + 1] > 1:
            along = rest.index("time") + 1
            deltas = (np.diff(block, axis=along) for block in _blocks(array))
            found = _moments(deltas, kept)
            group.create_dataset("delta_mean", data=found["mean"], track_times=False)
            group.create_dataset("delta_std", data=found["std"], track_times=False)


def _blocks(array: h5py.Dataset) -> Iterator[NDArray[Any]]:
    step = max(1, _BLOCK // max(1, array.nbytes // max(1, len(array))))
    for start in range(0, len(array), step):
        yield np.asarray(array[start : start + step], dtype=np.float64)


def _moments(blocks: Iterator[NDArray[Any]], kept: int | None) -> dict[str, NDArray[Any]]:
    """Return mean, std, min and max over every axis but ``kept``; sums are about the first block's
    mean, so that a large mean costs no digits.
    """
    shift: Any = None
    total: Any = 0.0
    squares: Any = 0.0
    low: Any = np.inf
    high: Any = -np.inf
    count = 0
    for block in blocks:
        over = tuple(axis for axis in range(block.ndim) if axis != kept)
        shape = tuple(-1 if axis == kept else 1 for axis in range(block.ndim))
        if shift is None:
            shift = block.mean(over)
        off = block - np.reshape(shift, shape)
        count += off.size // max(1, np.size(shift))
        total = total + off.sum(over)
        squares = squares + np.square(off).sum(over)
        low, high = np.minimum(low, block.min(over)), np.maximum(high, block.max(over))
    mean = total / count
    spread = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    return {"mean": np.asarray(shift + mean), "std": np.asarray(spread), "min": low, "max": high}
