"""HDF5 files of samples: written whole or not at all, checked by content; `pdebench.stored` reads.

One file per split; one array per field, (N, [T,] C, *S); chunk = one sample; Fletcher-32 checksums,
no compression (turbulent fields hardly shrink and read several times slower). Every axis carries a
dimension scale with its unit, so that ``xarray.open_dataset(path, engine="h5netcdf")`` shows named
coordinates. The group ``stats`` holds means and deviations, see `pdebench.file_statistics`.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import h5py
import numpy as np

from pdebench.atomic import atomic_path
from pdebench.errors import DataError
from pdebench.file_statistics import attach_statistics
from pdebench.stored import Array, array_of, open_file


@final
@dataclass(frozen=True)
class Variable:
    """One array of a file: names of its axes after ``sample``, its unit, and what it is."""

    axes: tuple[str, ...]
    unit: str
    summary: str


@final
@dataclass(frozen=True)
class Layout:
    """What a file holds: variables by name, coordinates (values, unit) by axis name, attributes of
    the file.
    """

    variables: Mapping[str, Variable]
    coordinates: Mapping[str, tuple[Array, str]]
    attributes: Mapping[str, str | float] = field(default_factory=dict)


def content_digest(arrays: Iterable[tuple[str, Array]]) -> str:
    """Return the SHA-256 over (name, shape, dtype, little-endian bytes) of arrays in name order.

    The content, not the file: HDF5 files with the same content differ in their bytes.
    """
    digest = hashlib.sha256()
    for name, array in sorted(arrays, key=lambda item: item[0]):
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        digest.update(f"{name}:{little.shape}:{little.dtype.str}\0".encode())
        digest.update(little.data if little.size else b"")
    return digest.hexdigest()


def _file_digest(stored: h5py.File, names: Iterable[str]) -> str:
    """The same digest, read sample by sample in bounded memory."""
    digest = hashlib.sha256()
    for name in sorted(names):
        dataset = array_of(stored, name)
        dtype = dataset.dtype.newbyteorder("<")
        digest.update(f"{name}:{dataset.shape}:{dtype.str}\0".encode())
        step = max(1, (64 << 20) // max(1, dataset.nbytes // max(1, len(dataset))))
        for start in range(0, len(dataset), step):
            digest.update(np.ascontiguousarray(dataset[start : start + step], dtype=dtype).data)
    return digest.hexdigest()


def write(path: Path, layout: Layout, pieces: Iterator[Mapping[str, Array]], count: int) -> str:
    """Write ``count`` samples arriving in pieces along the first axis; return the content digest.

    Only one piece is in memory at a time. Raises DataError where a variable has an axis without
    coordinates, StoreError where the disk is full; nothing is then left behind.
    """
    for name, variable in layout.variables.items():
        missing = [axis for axis in variable.axes if axis not in layout.coordinates]
        if missing:
            raise DataError(
                f"'{path}' cannot be written: variable '{name}' has the axes {missing} without "
                "coordinates; add them to the layout"
            )
    with atomic_path(path) as partial, h5py.File(partial, "w", track_order=True) as out:
        filled = 0
        for piece in pieces:
            size = len(next(iter(piece.values())))
            for name, array in piece.items():
                if filled == 0:
                    _create(out, name, array, count)
                array_of(out, name)[filled : filled + size] = array
            filled += size
        if filled != count:
            raise DataError(f"'{path}' was to hold {count} samples, got {filled}")
        _attach_scales(out, layout, count)
        attach_statistics(out, {name: v.axes for name, v in layout.variables.items()})
        digest = _file_digest(out, layout.variables)
        for key, value in {**layout.attributes, "digest": digest}.items():
            out.attrs[key] = value
    return digest


def _create(out: h5py.File, name: str, array: Array, count: int) -> None:
    if array.dtype.hasobject:
        raise DataError(f"field '{name}' has dtype object, expected numbers")
    shape = (count, *array.shape[1:])
    chunks = (1, *array.shape[1:]) if array.ndim > 1 else None
    out.create_dataset(
        name, shape, array.dtype, chunks=chunks, fletcher32=chunks is not None, track_times=False
    )


def _attach_scales(out: h5py.File, layout: Layout, count: int) -> None:
    coordinates = {"sample": (np.arange(count), "1"), **layout.coordinates}
    for axis, (values, unit) in coordinates.items():
        text = values.dtype.kind in "US"
        stored = np.asarray(values, dtype=h5py.string_dtype()) if text else values
        scale = out.create_dataset(axis, data=stored, track_times=False)
        scale.make_scale(axis)
        scale.attrs["units"] = unit
    for name, variable in layout.variables.items():
        out[name].attrs["units"] = variable.unit
        out[name].attrs["long_name"] = variable.summary
        for position, axis in enumerate(("sample", *variable.axes)):
            array_of(out, name).dims[position].attach_scale(out[axis])


def verify(path: Path, expected: Mapping[str, str | int | float], names: Iterable[str]) -> str:
    """Check that a file is whole, unedited and of the expected attributes; return its digest.

    Raises DataError naming the file, what was expected and what to do.
    """
    with open_file(path) as stored:
        for key, value in expected.items():
            got = stored.attrs.get(key)
            if got is None or str(got) != str(value):
                raise DataError(
                    f"'{path}' has {key}={got!r}, expected {value!r}; "
                    "delete it and it is made again"
                )
        names = tuple(names)
        missing = [name for name in names if name not in stored]
        if missing:
            raise DataError(f"'{path}' lacks {', '.join(missing)}; delete it and it is made again")
        try:
            digest = _file_digest(stored, names)
        except OSError as error:  # a chunk whose checksum is wrong
            raise DataError(
                f"'{path}' is damaged ({error}); delete it and it is made again"
            ) from error
        said = str(stored.attrs.get("digest", ""))
    if digest != said:
        raise DataError(
            f"'{path}' was edited: its content has digest {digest[:12]}, "
            f"its label says {said[:12]}; delete it and it is made again"
        )
    return digest
