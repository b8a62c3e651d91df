"""HDF5 files of samples: written whole or not at all, opened lazily by h5py and xarray, checked by
content.

One file per split; one array per field, (N, [T,] C, *S); chunk = one sample; Fletcher-32 checksums,
no compression (turbulent fields hardly shrink and read several times slower). Every axis carries a
dimension scale with its unit, so that ``xarray.open_dataset(path, engine="h5netcdf")`` shows named
coordinates. The group ``stats`` holds means and deviations, see `pdebench.file_statistics`.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import h5py
import numpy as np
from numpy.typing import NDArray

from pdebench.atomic import atomic_path
from pdebench.errors import DataError
from pdebench.file_statistics import attach_statistics
from pdebench.reading import Descriptor, Runs

Array = NDArray[Any]
CACHE_LIMIT = 2 << 30  # bytes of one array that are kept in memory after the first read


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


def _array(stored: h5py.File, name: str) -> h5py.Dataset:
    """Return array ``name`` of an open file. Raises DataError where it is a group or a type."""
    found = stored[name]
    if not isinstance(found, h5py.Dataset):
        raise DataError(
            f"'{stored.filename}' holds '{name}' as a {type(found).__name__}, not an array"
        )
    return found


def _file_digest(stored: h5py.File, names: Iterable[str]) -> str:
    """The same digest, read sample by sample in bounded memory."""
    digest = hashlib.sha256()
    for name in sorted(names):
        dataset = _array(stored, name)
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
                _array(out, name)[filled : filled + size] = array
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
            _array(out, name).dims[position].attach_scale(out[axis])


def open_file(path: Path | str) -> h5py.File:
    """Open a file, local or any address that fsspec knows, for reading. Raises DataError, naming
    it, where it is absent, a folder, truncated or no HDF5.
    """
    if is_remote(path):
        return _open_remote(str(path))
    path = Path(path)
    if not path.exists():
        raise DataError(f"'{path}' does not exist; make the data set first")
    if path.is_dir():
        raise DataError(f"'{path}' is a folder, expected an HDF5 file")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise DataError(
            f"'{path}' is truncated or no HDF5 file ({error}); delete it and it is made again"
        ) from error


def is_remote(path: Path | str) -> bool:
    """Whether a path is an address such as ``s3://bucket/file.h5``."""
    return isinstance(path, str) and "://" in path


def _open_remote(address: str) -> h5py.File:
    import fsspec

    try:
        # 4 MiB blocks read ahead: one sample of a 2D trajectory, or a file's whole index.
        system, path = fsspec.url_to_fs(address)
        stream: Any = system.open(path, "rb", block_size=4 << 20)
        return h5py.File(stream, "r")
    except (OSError, ValueError, ImportError) as error:
        raise DataError(
            f"'{address}' cannot be opened ({error}); expected the address of an HDF5 file that "
            "fsspec can reach"
        ) from error


@final
class Handle:
    """An open file; one handle per process, a forked or unpickled copy opens its own."""

    def __init__(self, path: Path | str) -> None:
        self.path = path
        self._opened: h5py.File | None = None
        self._raw: Descriptor | None = None
        self._arrays: dict[str, h5py.Dataset] = {}
        self._runs: dict[str, Runs | None] = {}
        self._owner = -1

    @property
    def file(self) -> Any:
        """The open ``h5py.File``; its members are of any type, so nothing is promised of them."""
        if self._opened is None or self._owner != os.getpid():
            self._opened, self._owner = open_file(self.path), os.getpid()
            self._arrays, self._runs = {}, {}
            # Opened together: a solver may read on where it may no longer open.
            self._raw = None if is_remote(self.path) else Descriptor(Path(self.path))
        return self._opened

    def array(self, name: str) -> h5py.Dataset:
        """Return array ``name``. Raises DataError where it is a group or a type."""
        file = self.file
        if name not in self._arrays:
            self._arrays[name] = _array(file, name)  # found by name once: a lookup takes 50 us
        return self._arrays[name]

    def runs(self, name: str) -> Runs | None:
        """Return the places of an array's samples, found once; None where only HDF5 knows them."""
        if self._owner != os.getpid() or name not in self._runs:
            array, raw = self.array(name), self._raw
            self._runs[name] = None if raw is None else Runs.of(array, raw)
        return self._runs[name]

    def __getstate__(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "_opened": None,
            "_raw": None,
            "_owner": -1,
            "_arrays": {},
            "_runs": {},
        }


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


@final
class Stored:
    """Arrays of a file, read lazily and kept in memory where they are small.

    Arrays up to ``limit`` bytes are read whole at first use (the memory cache; 0 for none); of
    larger ones only what is asked for, each sample by one read straight into the batch, by several
    threads where the batch is large (indexing chunked HDF5 with a list is 25 times slower).
    """

    def __init__(self, path: Path | str, limit: int = CACHE_LIMIT) -> None:
        self.path, self._limit = path, limit
        self._cache: dict[str, Array] = {}
        self._beyond: set[str] = set()  # arrays that the cache is too small for
        self._handle = Handle(path)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_cache": {}}

    def __len__(self) -> int:
        return len(self._handle.array("sample"))

    def attribute(self, name: str) -> Any:
        """Return an attribute of the file."""
        return self._handle.file.attrs[name]

    def read(self, name: str, index: Any = slice(None)) -> Array:
        """Return the selected samples of array ``name``; views of the cache for slices of small
        arrays.
        """
        if name in self._cache:
            return self._cache[name][index]
        if name not in self._beyond:
            dataset = self._handle.array(name)
            if dataset.nbytes <= self._limit:
                self._cache[name] = dataset[()]
                return self._cache[name][index]
            self._beyond.add(name)
        runs = self._handle.runs(name)
        if runs is not None:
            return runs.read(np.arange(runs.shape[0])[index])
        dataset = self._handle.array(name)
        positions = np.arange(len(dataset))[index]
        if isinstance(index, slice):
            return dataset[index]
        out = np.empty((len(positions), *dataset.shape[1:]), dataset.dtype)
        # Ascending reads, whatever the batch's order.
        for place in np.argsort(positions, kind="stable"):
            dataset.read_direct(out, np.s_[int(positions[place])], np.s_[int(place)])
        return out

    def coordinate(self, name: str) -> Array:
        """Return the values of an axis."""
        return self._handle.array(name)[()]
