"""PDEArena: HDF5 shards whose top group is the split."""

from pathlib import Path
from typing import Any, ClassVar, final

import h5py
import numpy as np

from pdebench.errors import DataError
from pdebench.formats.contents import Contents, Roles, Variable, one_dtype
from pdebench.formats.lazy import Hdf5Array, Joined, LazyArray, Mapped
from pdebench.formats.place import Place
from pdebench.formats.reader import Reader
from pdebench.stored import Handle

_SPLITS = ("train", "valid", "test")
_FLOW = ("u", "vx", "vy")  # smoke and velocity, the order of its loader
_SCALARS = ("buo_y", "v", "dt", "dx")


@final
class PDEArena(Reader):
    """``<split>/u``, ``vx``, ``vy`` (sample, time, x, y), or ``<split>/pde_*`` (sample, time, x).

    One shard, or a folder of shards; shards of one split follow each other by name.
    """

    name: ClassVar[str] = "pdearena"
    title: ClassVar[str] = "PDEArena"
    expects: ClassVar[str] = "a group 'train', 'valid' or 'test' with 'u', 'vx', 'vy' or 'pde_..'"

    def matches(self, place: Place) -> bool:
        if place.kind == "folder":
            files = place.named(".h5")
            return bool(files) and self.matches(Place(str(files[0])))
        modes = [name for name in place.groups if name in _SPLITS]
        return bool(modes) and bool(_fields(place.handle.file[modes[0]]))

    def open(self, place: Place, split: str | None = None) -> Contents:
        files = place.named(".h5") if place.kind == "folder" else (Path(place.path),)
        handles = [Handle(file) for file in files]
        where = [(m, h) for m in _SPLITS for h in handles if m in h.file and split in (None, m)]
        if not where:
            raise DataError(f"'{place.path}' has no group '{split}', expected train, valid or test")
        group = where[0][1].file[where[0][0]]
        names = _fields(group)
        rank = group[names[0]].ndim
        axes = ("x", "y")[: rank - 2]
        variables = {
            name: Variable(("sample", "time", *axes), _join(where, name, place.path), "1", name)
            for name in names
        }
        one_dtype(place.path, variables)
        counts = [h.file[mode][names[0]].shape[0] for mode, h in where]
        parameters = []
        for name in _SCALARS:
            found = [h.file[mode].get(name) for mode, h in where]
            if all(
                isinstance(f, h5py.Dataset) and f.shape[:1] == (n,) and f.size == n
                for f, n in zip(found, counts, strict=True)
            ):
                values = np.concatenate([np.asarray(f[()]).reshape(-1) for f in found])
                variables[name] = Variable(("sample",), Mapped(values), "1", f"parameter {name}")
                parameters.append(name)
        splits: dict[str, tuple[int, int]] = {}
        start = 0
        for (mode, _), count in zip(where, counts, strict=True):
            begun = splits.get(mode, (start, start))[0]
            splits[mode] = (begun, start + count)
            start += count
        return Contents(
            self.name,
            place.path,
            variables,
            _coordinates(group, axes, variables[names[0]].array.shape),
            Roles(names, parameters=tuple(parameters), periodic=rank == 3),
            splits,
            "the splits are those of the shards",
            place.attributes,
            reference="Gupta and Brandstetter 2022, PDEArena, arXiv 2209.15616",
        )


def _fields(group: Any) -> tuple[str, ...]:
    if "vx" in group:
        return tuple(n for n in _FLOW if n in group)
    return tuple(sorted(name for name in group if name.startswith("pde_")))[-1:]


def _join(where: list[tuple[str, Handle]], name: str, path: str) -> LazyArray:
    parts: list[LazyArray] = []
    for mode, handle in where:
        if name not in handle.file[mode]:
            raise DataError(f"'{handle.path}' lacks '{mode}/{name}' that its neighbours have")
        parts.append(Hdf5Array(handle, f"{mode}/{name}"))
    return parts[0] if len(parts) == 1 else Joined(parts, path)


def _coordinates(
    group: Any, axes: tuple[str, ...], shape: tuple[int, ...]
) -> dict[str, tuple[Any, str]]:
    found: dict[str, tuple[Any, str]] = {"time": (np.arange(shape[1], dtype=float), "1")}
    for axis, size in zip(axes, shape[2:], strict=True):
        stored = np.asarray(group[axis][()], float) if axis in group else np.arange(size) / size
        found[axis] = (stored.reshape(-1, stored.shape[-1])[0], "1")
    return found
