"""The Well: folders train, valid and test of HDF5 files with t0_fields, t1_fields and t2_fields."""

from pathlib import Path
from typing import Any, ClassVar, final

import h5py
import numpy as np

from pdebench.errors import DataError
from pdebench.formats.contents import SPACE, Contents, Roles, Variable
from pdebench.formats.lazy import Hdf5Array, Joined, LazyArray, Mapped, Repeated
from pdebench.formats.place import Place, plain_attributes
from pdebench.formats.reader import Reader
from pdebench.stored import Handle

_ORDERS = ("t0_fields", "t1_fields", "t2_fields")
_SPLITS = ("train", "valid", "test")


@final
class TheWell(Reader):
    """One file, a folder of files, or a data set's folder with ``train``, ``valid``, ``test``.

    Fields are (sample, [time,] *space, *components); axes that ``dim_varying``, ``sample_varying``
    or ``time_varying`` deny are absent from the file. Components become channels.
    """

    name: ClassVar[str] = "the_well"
    title: ClassVar[str] = "The Well"
    expects: ClassVar[str] = "groups 'dimensions', 'boundary_conditions', 't0_fields', 't1_fields'"

    def matches(self, place: Place) -> bool:
        if place.kind == "folder":
            files = _files(place)
            return bool(files) and self.matches(Place(str(files[0])))
        return {"dimensions", "t0_fields"} <= set(place.groups)

    def open(self, place: Place, split: str | None = None) -> Contents:
        parts = _parts(place, split)
        handles = [Handle(f) for files in parts.values() for f in files]
        counts = [_samples(handle) for handle in handles]
        first = handles[0].file
        axes = _axes(first, str(place.path))
        variables, state, given = self._fields(handles, counts, axes)
        parameters = self._scalars(handles, counts, variables)
        splits, start = {}, 0
        sizes = dict(zip(map(str, (h.path for h in handles)), counts, strict=True))
        for name, files in parts.items():
            stop = start + sum(sizes[str(file)] for file in files)
            splits[name] = (start, stop)
            start = stop
        return Contents(
            self.name,
            place.path,
            variables,
            _coordinates(first, axes),
            Roles(state, given, parameters=parameters, periodic=_periodic(first, axes)),
            splits,
            "the splits are the folders train, valid and test",
            plain_attributes(first),
            reference="Ohana et al., NeurIPS 2024, arXiv 2412.00568",
        )

    def _fields(
        self, handles: list[Handle], counts: list[int], axes: tuple[str, ...]
    ) -> tuple[dict[str, Variable], tuple[str, ...], tuple[str, ...]]:
        variables: dict[str, Variable] = {}
        state, given = [], []
        for order, group in enumerate(_ORDERS):
            for name, node in _members(handles[0].file, group):
                if not all(node.attrs.get("dim_varying", np.ones(len(axes), bool))):
                    continue  # constant along an axis: no field on the grid
                key = f"{group}/{name}"
                timed = bool(node.attrs.get("time_varying", True))
                varying = bool(node.attrs.get("sample_varying", True))
                array = _joined(handles, counts, key, varying)
                components = [f"component_{i}" for i in range(order)]
                dims = ("sample", *(("time",) if timed else ()), *axes, *components)
                variables[name] = Variable(dims, array, "1", name)
                (state if timed else given).append(name)
        if not state:
            raise DataError(f"'{handles[0].path}' has no field that varies in time; expected one")
        return variables, tuple(state), tuple(given)

    def _scalars(
        self, handles: list[Handle], counts: list[int], variables: dict[str, Variable]
    ) -> tuple[str, ...]:
        found = []
        for name, node in _members(handles[0].file, "scalars"):
            if node.attrs.get("time_varying", False) or node.ndim > 1 or name in variables:
                continue
            values = [
                np.broadcast_to(
                    np.asarray(Hdf5Array(h, f"scalars/{name}").read((slice(None),) * node.ndim)),
                    (count,),
                )
                for h, count in zip(handles, counts, strict=True)
            ]
            joined = Mapped(np.concatenate(values))
            variables[name] = Variable(("sample",), joined, "1", f"parameter {name}")
            found.append(name)
        return tuple(found)


def _files(place: Place) -> list[Path]:
    return [f for f in place.files if f.suffix in (".hdf5", ".h5")]


def _parts(place: Place, split: str | None) -> dict[str, list[Path | str]]:
    if place.kind != "folder":
        return {split or "test": [place.path if "://" in place.path else Path(place.path)]}
    files = _files(place)
    found: dict[str, list[Path | str]] = {
        name: [f for f in files if f.parent.name == name] for name in _SPLITS
    }
    found = {name: part for name, part in found.items() if part}
    if not found:
        return {split or "test": list(files)}
    if split is not None:
        if split not in found:
            raise DataError(
                f"'{place.path}' has no folder '{split}', expected one of {', '.join(found)}"
            )
        return {split: found[split]}
    return found


def _members(root: Any, group: str) -> list[tuple[str, h5py.Dataset]]:
    found = root.get(group)
    if not isinstance(found, h5py.Group):
        return []
    return [(n, d) for n, d in found.items() if isinstance(d, h5py.Dataset)]


def _samples(handle: Handle) -> int:
    for group in _ORDERS:
        for _, node in _members(handle.file, group):
            if node.attrs.get("sample_varying", True):
                return node.shape[0]
    raise DataError(f"'{handle.path}' has no field that varies over samples; expected one")


def _axes(root: Any, path: str) -> tuple[str, ...]:
    dimensions = root["dimensions"]
    names = dimensions.attrs.get("spatial_dims")
    names = SPACE if names is None else names
    text = tuple(n.decode() if isinstance(n, bytes) else str(n) for n in names)
    missing = [name for name in (*text, "time") if name not in dimensions]
    if names is SPACE or missing:
        raise DataError(
            f"'{path}' lacks coordinates {', '.join(missing) or 'spatial_dims'} in 'dimensions', "
            "expected one array an axis and 'time'; the file is incomplete"
        )
    return text


def _joined(handles: list[Handle], counts: list[int], key: str, varying: bool) -> LazyArray:
    parts: list[LazyArray] = []
    for handle, count in zip(handles, counts, strict=True):
        if key not in handle.file:
            raise DataError(f"'{handle.path}' lacks the field '{key}' that its neighbours have")
        array = Hdf5Array(handle, key)
        parts.append(array if varying else Repeated(array, count))
    return parts[0] if len(parts) == 1 else Joined(parts, str(handles[0].path))


def _coordinates(root: Any, axes: tuple[str, ...]) -> dict[str, tuple[Any, str]]:
    found = {}
    for name in ("time", *axes):
        values = np.asarray(root["dimensions"][name][()], np.float64)
        found[name] = (values.reshape(-1, values.shape[-1])[0], "1")  # of the first sample
    return found


def _periodic(root: Any, axes: tuple[str, ...]) -> tuple[bool, ...]:
    flags = dict.fromkeys(axes, False)
    for node in root.get("boundary_conditions", {}).values():
        kind = node.attrs.get("bc_type", "")
        kind = kind.decode() if isinstance(kind, bytes) else str(kind)
        for axis in node.attrs.get("associated_dims", ()):
            name = axis.decode() if isinstance(axis, bytes) else str(axis)
            if name in flags and kind.upper() == "PERIODIC":
                flags[name] = True
    return tuple(flags.values())
