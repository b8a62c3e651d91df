"""Copying contents of any layout into the suite's own, and checking them, in bounded memory."""

import hashlib
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pdebench.errors import DataError
from pdebench.files import Layout, write
from pdebench.files import Variable as Stored
from pdebench.formats.contents import Contents, Variable
from pdebench.progress import steps

Array = NDArray[Any]
BLOCK = 256 << 20  # bytes in memory at a time
_NAMED = 5  # rows named in a message


def canonical(dims: tuple[str, ...]) -> tuple[str, ...]:
    """Return dimensions in the suite's order: sample, time, channel, components, space."""
    first = [d for d in ("sample", "time", "channel") if d in dims]
    first += [d for d in dims if d.startswith("component")]
    return (*first, *(d for d in dims if d not in first))


def blocks(found: Contents) -> Iterator[slice]:
    """Yield slices of samples that together stay within `BLOCK` bytes."""
    each = max(1, found.nbytes // max(1, found.num_samples))
    step = max(1, BLOCK // each)
    for start in range(0, found.num_samples, step):
        yield slice(start, min(start + step, found.num_samples))


def converted(found: Contents, path: Path) -> str:
    """Write contents as one file of the suite's own layout and return its digest.

    Axes come in the order (sample, time, channel, space), one sample a chunk. Raises DataError
    where the disk is too small, before anything is written.
    """
    _require_space(found, path)
    sampled = {n: v for n, v in found.variables.items() if v.dims[0] == "sample"}
    layout = Layout(
        {n: Stored(canonical(v.dims)[1:], v.unit, v.summary or n) for n, v in sampled.items()},
        _coordinates(found, sampled),
        {
            **{k: v for k, v in found.attributes.items() if k not in ("dataset", "digest")},
            "dataset": f"imported/{found.layout}",
            "version": "1",
            "equation": found.equation,
            "references": found.reference,
        },
    )
    parts = list(blocks(found))

    def pieces() -> Iterator[dict[str, Array]]:
        for part in steps(parts, f"copying {Path(found.path).name}"):
            yield {n: _block(v, part) for n, v in sampled.items()}

    return write(path, layout, pieces(), found.num_samples)


def _block(variable: Variable, part: slice) -> Array:
    order = [variable.dims.index(d) for d in canonical(variable.dims)]
    values = variable.array.block(part).transpose(order)
    return np.ascontiguousarray(values, values.dtype.newbyteorder("="))


def _coordinates(found: Contents, sampled: dict[str, Variable]) -> dict[str, tuple[Array, str]]:
    """Coordinates of every axis; axes without any get their numbers."""
    done: dict[str, tuple[Array, str]] = {}
    for variable in sampled.values():
        for dim, size in zip(variable.dims[1:], variable.array.shape[1:], strict=True):
            values = done.get(dim, found.coordinates.get(dim))
            if values is None:
                done[dim] = (np.arange(size), "1")
            elif len(values[0]) == size:
                done[dim] = values
            else:
                raise DataError(
                    f"'{found.path}' has arrays of {len(values[0])} and of {size} points along "
                    f"'{dim}', expected one number; convert them apart"
                )
    return done


def _require_space(found: Contents, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(path.parent).free
    if found.nbytes > 0.98 * free:
        raise DataError(
            f"'{found.path}' needs a copy of {found.nbytes / 1e9:.1f} GB and '{path.parent}' has "
            f"{free / 1e9:.1f} GB free; choose another data folder or free space"
        )


def scanned(found: Contents, exclude: Collection[int] = ()) -> str:
    """Return the SHA-256 of the content, read once in bounded memory.

    Over name, shape and type of every variable and the digests of their blocks. Raises DataError
    naming rows that hold NaN or infinity, unless ``exclude`` has them.
    """
    digests = {name: hashlib.sha256() for name in sorted(found.variables)}
    bad: set[int] = set()
    for part in steps(list(blocks(found)), f"reading {Path(found.path).name}"):
        for name, variable in found.variables.items():
            values = np.ascontiguousarray(variable.array.block(part))
            digests[name].update(values.astype(values.dtype.newbyteorder("<"), copy=False).data)
            bad.update(part.start + row for row in bad_rows(values))
    bad -= set(exclude)
    if bad:
        rows = sorted(bad)
        shown = ", ".join(map(str, rows[:_NAMED])) + (", .." if len(rows) > _NAMED else "")
        raise DataError(
            f"'{found.path}' holds NaN or infinity in {len(rows)} of {found.num_samples} samples "
            f"({shown}), expected finite numbers; leave them out with dataset.exclude={rows[:20]}"
        )
    total = hashlib.sha256()
    for name, digest in digests.items():
        variable = found.variables[name]
        total.update(f"{name}:{variable.array.shape}:{variable.array.dtype.str}".encode())
        total.update(digest.digest())
    return total.hexdigest()


def bad_rows(values: Array) -> list[int]:
    """Return the positions of rows that hold NaN or infinity."""
    if values.dtype.kind != "f" or values.size == 0:
        return []
    flat = values.reshape(len(values), -1)
    # One pass: a sum is finite unless something in it is not (or it overflows: looked at again).
    with np.errstate(over="ignore", invalid="ignore"):
        doubtful = np.flatnonzero(~np.isfinite(flat.sum(1)))
    return [int(row) for row in doubtful if not np.isfinite(flat[row]).all()]
