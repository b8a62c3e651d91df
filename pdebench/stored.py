"""HDF5 files of samples opened for reading: lazily, local or remote, small arrays in memory."""

import os
from pathlib import Path
from typing import Any, final

import h5py
import numpy as np
from numpy.typing import NDArray

from pdebench.errors import DataError
from pdebench.reading import Descriptor, Runs

Array = NDArray[Any]
CACHE_LIMIT = 2 << 30  # bytes of one array that are kept in memory after the first read


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


def array_of(stored: h5py.File, name: str) -> h5py.Dataset:
    """Return array ``name`` of an open file. Raises DataError where it is a group or a type."""
    found = stored[name]
    if not isinstance(found, h5py.Dataset):
        raise DataError(
            f"'{stored.filename}' holds '{name}' as a {type(found).__name__}, not an array"
        )
    return found


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
            self._arrays[name] = array_of(file, name)  # found by name once: a lookup takes 50 us
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


def _by_hdf5(dataset: h5py.Dataset, index: Any, frames: slice | None) -> Array:
    """Return samples, or some frames of them, by ascending reads, whatever the batch's order."""
    cut = () if frames is None else (slice(*frames.indices(dataset.shape[1])),)
    if isinstance(index, slice):
        return dataset[(index, *cut)]
    positions = np.arange(len(dataset))[index]
    rest = dataset.shape[1:]
    if frames is not None:
        rest = (len(range(*frames.indices(rest[0]))), *rest[1:])
    out = np.empty((len(positions), *rest), dataset.dtype)
    for place in np.argsort(positions, kind="stable"):
        source = (int(positions[place]), *cut)
        dataset.read_direct(out, source, np.s_[int(place)])
    return out


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

    def read(self, name: str, index: Any = slice(None), frames: slice | None = None) -> Array:
        """Return the selected samples of array ``name``, of each all or some consecutive frames
        (its second axis); views of the cache for slices of small arrays.
        """
        if name not in self._cache and name not in self._beyond:
            dataset = self._handle.array(name)
            if dataset.nbytes <= self._limit:
                self._cache[name] = dataset[()]
            else:
                self._beyond.add(name)
        if name in self._cache:
            whole = self._cache[name]
            # Cut first: samples by position are copies, and need not be of frames nobody wants.
            return whole[index] if frames is None else whole[:, frames][index]
        runs = self._handle.runs(name)
        if runs is not None:
            runs = runs if frames is None else runs.part(frames)
            return runs.read(np.arange(runs.shape[0])[index])
        return _by_hdf5(self._handle.array(name), index, frames)

    def coordinate(self, name: str) -> Array:
        """Return the values of an axis."""
        return self._handle.array(name)[()]
