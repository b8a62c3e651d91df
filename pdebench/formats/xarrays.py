"""Contents of any layout as an ``xarray.Dataset`` that reads when asked."""

from typing import Any, final

import numpy as np
import xarray
from xarray.backends import BackendArray
from xarray.core import indexing

from pdebench.formats.contents import Contents
from pdebench.formats.detect import contents
from pdebench.formats.lazy import LazyArray


@final
class _Backed(BackendArray):
    def __init__(self, array: LazyArray) -> None:
        self._array, self.shape, self.dtype = array, array.shape, array.dtype

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> Any:
        plain = tuple(k if isinstance(k, slice) else int(k) for k in key)
        if all(isinstance(k, int) or k.step is None or k.step > 0 for k in plain):
            return self._array.read(plain)
        return self._array.read((slice(None),) * len(plain))[key]  # a step backwards


def open_dataset(
    path: str, *, split: str | None = None, layout: str | None = None
) -> xarray.Dataset:
    """Open a file or folder of any layout that is known as an ``xarray.Dataset``, lazily.

    Axes are named (``sample``, ``time``, ``x``, ``y``, ``z``, ``channel``, ``point``), coordinates
    and variables carry ``units``; nothing but coordinates is read before it is asked for.

    Args:
        path: a file, a folder, or an address that fsspec knows (``s3://``, ``https://``).
        split: train, valid or test, where the layout keeps them in one place; None for all samples
            (``test`` for a folder of the suite's own files).
        layout: name of the layout; None detects it by content.

    Raises DataError naming the file, what was expected and what to do.
    """
    return as_xarray(contents(str(path), split, layout), split)


def as_xarray(found: Contents, split: str | None = None) -> xarray.Dataset:
    """Return contents as a lazy ``xarray.Dataset``, of one split or of all samples."""
    variables = {
        name: xarray.Variable(
            variable.dims,
            indexing.LazilyIndexedArray(_Backed(variable.array)),
            {"units": variable.unit, "long_name": variable.summary},
        )
        for name, variable in found.variables.items()
    }
    coordinates: dict[str, Any] = {
        name: xarray.Variable((name,), values, {"units": unit})
        for name, (values, unit) in found.coordinates.items()
    }
    coordinates["sample"] = xarray.Variable(
        ("sample",), np.arange(found.num_samples), {"units": "1"}
    )
    about = {"layout": found.layout, "equation": found.equation, "references": found.reference}
    data = xarray.Dataset(variables, coordinates, {**found.attributes, **about})
    if split is None or split not in found.splits:
        return data
    start, stop = found.splits[split]
    return data.isel(sample=slice(start, stop))
