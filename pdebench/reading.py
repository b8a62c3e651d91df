"""Samples read straight from their place in a file, by several readers, past the HDF5 library.

The library takes its global lock and copies every chunk once; a sample of an uncompressed file is
one run of bytes whose place the library tells. Reading it by ``pread`` into the batch leaves out
lock, copy and checksum (digests are checked when a data set is prepared).
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from typing import Any, TypeVar, final

import h5py
import numpy as np
from numpy.typing import NDArray

from pdebench.errors import DataError

Array = NDArray[Any]
T = TypeVar("T")
_SMALL = 1 << 20  # bytes of a batch below which one reader is faster than several


@final
class Descriptor:
    """A file opened for ``pread``; closed with its last user."""

    def __init__(self, path: Path) -> None:
        self.path, self.number = path, os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if hasattr(self, "number"):
            os.close(self.number)


@final
class Runs:
    """Where the samples of an array lie in its file: ``starts`` (N,), bytes."""

    def __init__(
        self, file: Descriptor, starts: Array, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self._file, self._starts = file, starts
        self.shape, self.dtype = shape, dtype

    @classmethod
    def of(cls, dataset: h5py.Dataset, file: Descriptor) -> "Runs | None":
        """Return the places of an array's samples, or None where they are compressed, scattered,
        of another byte order, or not all there.
        """
        shape, kind = dataset.shape, dataset.dtype
        row = kind.itemsize * int(np.prod(shape[1:]))
        if not row or not shape[0] or kind.kind not in "fiub" or not kind.isnative:
            return None
        if dataset.file.userblock_size or dataset.compression or dataset.shuffle:
            return None
        if dataset.chunks is None:
            first = dataset.id.get_offset()
            return (
                None if first is None else cls(file, first + row * np.arange(shape[0]), shape, kind)
            )
        if dataset.chunks != (1, *shape[1:]) or dataset.scaleoffset is not None:
            return None
        starts = np.full(shape[0], -1, np.int64)
        # Fletcher-32 stands behind the bytes of a chunk and is left there.
        longest = row + (4 if dataset.fletcher32 else 0)

        def note(chunk: Any) -> None:
            if chunk.size == longest and chunk.filter_mask == 0:
                starts[chunk.chunk_offset[0]] = chunk.byte_offset

        dataset.id.chunk_iter(note)
        return cls(file, starts, shape, kind) if (starts >= 0).all() else None

    def part(self, rows: slice) -> "Runs":
        """Return the places of rows start:stop of every sample's first axis."""
        start, stop, _ = rows.indices(self.shape[1])
        skipped = start * self.dtype.itemsize * int(np.prod(self.shape[2:]))
        shape = (self.shape[0], max(stop - start, 0), *self.shape[2:])
        return Runs(self._file, self._starts + skipped, shape, self.dtype)

    def read(self, positions: Array) -> Array:
        """Return samples in the given order (n, *shape[1:]). Raises DataError at a cut file."""
        out = np.empty((len(positions), *self.shape[1:]), self.dtype)
        order = np.argsort(positions, kind="stable")
        if not out.size:
            return out
        if out.nbytes < _SMALL:
            self._fill(out, positions, order)
            return out
        pool, num = readers()
        parts = [part for part in np.array_split(order, num) if len(part)]
        for done in [pool.submit(self._fill, out, positions, part) for part in parts]:
            done.result()
        return out

    def _fill(self, out: Array, positions: Array, places: Array) -> None:
        flat: Any = out.view(np.uint8).reshape(len(out), -1)
        for place in places:
            view = memoryview(flat[place])
            start = int(self._starts[positions[place]])
            got = os.preadv(self._file.number, [view], start)
            while 0 < got < len(view):  # a signal or a network file system cuts reads short
                more = os.preadv(self._file.number, [view[got:]], start + got)
                got = got + more if more else 0
            if got < len(view):
                raise DataError(
                    f"'{self._file.path}' ends before sample {int(positions[place])}; it was cut, "
                    "delete it and it is made again"
                )


@cache
def _pool(owner: int) -> tuple[ThreadPoolExecutor, int]:
    num = max(1, min(8, len(os.sched_getaffinity(0))))
    return ThreadPoolExecutor(num, thread_name_prefix="pdebench-reader"), num


def readers() -> tuple[ThreadPoolExecutor, int]:
    """Return the reader threads of this process (a forked one gets its own) and their number."""
    return _pool(os.getpid())


def ahead(items: Iterator[T], depth: int) -> Iterator[T]:
    """Yield the items of an iterator that another thread advances, at most ``depth`` in advance.

    What the iterator raises is raised here; leaving the loop early stops the thread.
    """
    queue: Queue[tuple[bool, Any]] = Queue(depth)
    left = Event()

    def advance() -> None:
        try:
            for item in items:
                if left.is_set():
                    return
                queue.put((True, item))
            queue.put((False, None))
        except BaseException as error:  # handed to the consumer, whatever it is
            queue.put((False, error))

    thread = Thread(target=advance, name="pdebench-ahead", daemon=True)
    thread.start()
    try:
        while True:
            good, item = queue.get()
            if good:
                yield item
            elif item is None:
                return
            else:
                raise item
    finally:
        left.set()
        while not queue.empty():
            queue.get_nowait()
