"""Arrays that are read by slices: HDF5, memory maps, and views, stacks and joints of those."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, final

import h5py
import numpy as np
from numpy.typing import NDArray

from pdebench.errors import DataError
from pdebench.stored import Handle

Array = NDArray[Any]
Key = tuple[slice | int, ...]


class LazyArray(ABC):
    """An array on disk; ``read`` takes one slice (of positive step) or integer per axis.

    ``direct`` says whether a sample (a row of the first axis) lies together and uncompressed, so
    that reading samples in any order costs no more than their bytes.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    direct: bool = True

    @abstractmethod
    def read(self, key: Key) -> Array:
        """Return the selected part; integers drop their axis."""

    @property
    def nbytes(self) -> int:
        """Size of the whole array in memory."""
        return math.prod(self.shape) * self.dtype.itemsize

    def block(self, part: slice) -> Array:
        """Return consecutive samples, checksums checked where the file has them."""
        return self.read((part, *(slice(None),) * (len(self.shape) - 1)))

    def rows(self, index: slice | Sequence[int] | Array) -> Array:
        """Return samples by a slice or by positions in any order, read in ascending order."""
        rest = (slice(None),) * (len(self.shape) - 1)
        if isinstance(index, slice):
            return self.read((index, *rest))
        positions = np.arange(self.shape[0])[np.asarray(index)]
        out = np.empty((len(positions), *self.shape[1:]), self.dtype)
        for place in np.argsort(positions, kind="stable"):
            out[place] = self.read((int(positions[place]), *rest))
        return out


def _length(part: slice, size: int) -> int:
    return len(range(*part.indices(size)))


@final
class Hdf5Array(LazyArray):
    """An array of an HDF5 file. Raises DataError where it holds no numbers."""

    def __init__(self, handle: Handle, name: str) -> None:
        self._handle, self._name = handle, name
        found = self._found()
        self.shape, self.dtype = found.shape, found.dtype
        if self.dtype.kind not in "fiub":
            raise DataError(
                f"'{handle.path}' holds '{name}' with dtype {self.dtype}, expected numbers; "
                "objects are never read"
            )
        self.direct = found.compression is None and (
            found.chunks is None or math.prod(found.chunks) <= math.prod(self.shape[1:])
        )

    def rows(self, index: slice | Sequence[int] | Array) -> Array:
        runs = self._handle.runs(self._name) if self.direct else None
        if runs is None:
            return super().rows(index)
        return runs.read(np.arange(self.shape[0])[index])

    def _found(self) -> h5py.Dataset:
        return self._handle.array(self._name)

    def read(self, key: Key) -> Array:
        try:
            return np.asarray(self._found()[key])
        except OSError as error:
            raise DataError(
                f"'{self._handle.path}' is damaged at '{self._name}' ({error}); get the file again"
            ) from error


@final
class Mapped(LazyArray):
    """A memory map or an array in memory."""

    def __init__(self, values: Array) -> None:
        self._values, self.shape, self.dtype = values, values.shape, values.dtype

    def read(self, key: Key) -> Array:
        return np.asarray(self._values[key])


@final
class Loaded(LazyArray):
    """An array that its container gives only whole; read at first use, then kept."""

    direct = False

    def __init__(
        self, load: Callable[[], Array], shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self._load, self.shape, self.dtype = load, shape, dtype

    @cached_property
    def _values(self) -> Array:
        return self._load()

    def read(self, key: Key) -> Array:
        return self._values[key]


@final
class Transposed(LazyArray):
    """A view with axes in another order: ``shape[i] = inner.shape[order[i]]``."""

    def __init__(self, inner: LazyArray, order: Sequence[int]) -> None:
        self._inner, self._order = inner, tuple(order)
        self.shape = tuple(inner.shape[axis] for axis in self._order)
        self.dtype = inner.dtype
        self.direct = inner.direct and self._order[0] == 0

    def read(self, key: Key) -> Array:
        given = dict(zip(self._order, key, strict=True))
        part = self._inner.read(tuple(given[axis] for axis in range(len(key))))
        kept = [axis for axis in sorted(given) if not isinstance(given[axis], int)]
        wanted = [axis for axis in self._order if not isinstance(given[axis], int)]
        return part.transpose([kept.index(axis) for axis in wanted])


@final
class Stacked(LazyArray):
    """Equal arrays along a new first axis. Raises DataError where shapes or types differ."""

    def __init__(self, parts: Sequence[LazyArray], where: str) -> None:
        _alike(parts, where, 0)
        self._parts = tuple(parts)
        self.shape, self.dtype = (len(parts), *parts[0].shape), parts[0].dtype
        self.direct = all(part.direct for part in parts)

    def read(self, key: Key) -> Array:
        first, rest = key[0], key[1:]
        if isinstance(first, int):
            return self._parts[first].read(rest)
        chosen = [part.read(rest) for part in self._parts[first]]
        return np.stack(chosen) if chosen else self._parts[0].read(rest)[None][:0]


@final
class Joined(LazyArray):
    """Arrays one after the other along the first axis. Raises DataError where they do not fit."""

    def __init__(self, parts: Sequence[LazyArray], where: str) -> None:
        _alike(parts, where, 1)
        self._parts = tuple(parts)
        self._starts = np.cumsum([0, *(part.shape[0] for part in parts)])
        self.shape, self.dtype = (int(self._starts[-1]), *parts[0].shape[1:]), parts[0].dtype
        self.direct = all(part.direct for part in parts)

    def read(self, key: Key) -> Array:
        first, rest = key[0], key[1:]
        if isinstance(first, int):
            return self._row(first, rest)
        wanted = range(*first.indices(self.shape[0]))
        pieces = []
        for part, start in zip(self._parts, self._starts[:-1], strict=True):
            inside = [i - int(start) for i in wanted if 0 <= i - start < part.shape[0]]
            if inside:
                pieces.append(part.read((slice(inside[0], inside[-1] + 1, wanted.step), *rest)))
        return np.concatenate(pieces) if pieces else self._parts[0].read((slice(0, 0), *rest))

    def _row(self, position: int, rest: Key) -> Array:
        owner = int(np.searchsorted(self._starts, position, side="right")) - 1
        return self._parts[owner].read((position - int(self._starts[owner]), *rest))


@final
class Repeated(LazyArray):
    """The same array for every sample: a new first axis of length ``num`` that takes no space."""

    def __init__(self, inner: LazyArray, num: int) -> None:
        self._inner, self.shape, self.dtype = inner, (num, *inner.shape), inner.dtype
        self.direct = inner.direct

    def read(self, key: Key) -> Array:
        part = self._inner.read(key[1:])
        if isinstance(key[0], int):
            return part
        return np.broadcast_to(part, (_length(key[0], self.shape[0]), *part.shape))


def _alike(parts: Sequence[LazyArray], where: str, skip: int) -> None:
    if not parts:
        raise DataError(f"'{where}' holds no samples, expected at least one")
    shapes = {part.shape[skip:] for part in parts}
    if len(shapes) > 1:
        raise DataError(
            f"'{where}' holds samples of shapes {', '.join(map(str, sorted(shapes)))}, expected "
            "one shape; move the odd ones away"
        )
    kinds = {str(part.dtype) for part in parts}
    if len(kinds) > 1:
        raise DataError(
            f"'{where}' mixes the dtypes {', '.join(sorted(kinds))}, expected one; convert the file"
        )
