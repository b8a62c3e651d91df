"""The suite's own files: dimension scales on every axis, digest among the attributes."""

import json
from pathlib import Path
from typing import Any, ClassVar, final

import h5py
import numpy as np

from pdebench.errors import DataError
from pdebench.formats.contents import Contents, Roles, Variable
from pdebench.formats.lazy import Hdf5Array
from pdebench.formats.place import Place, plain_attributes
from pdebench.formats.reader import Reader
from pdebench.stored import Handle

_ERRORS = "reference_error.json"


@final
class Native(Reader):
    """One file per split, or a folder of them (``test`` unless another split is named)."""

    name: ClassVar[str] = "native"
    title: ClassVar[str] = "pdebench-suite"
    expects: ClassVar[str] = "a file made by this suite, with 'dataset' and 'digest' attributes"

    def matches(self, place: Place) -> bool:
        if place.kind == "folder":
            files = [f for f in place.files if f.suffix == ".h5" and f.parent == Path(place.path)]
            return bool(files) and self.matches(Place(str(files[0])))
        return {"dataset", "digest"} <= set(place.attributes)

    def open(self, place: Place, split: str | None = None) -> Contents:
        path = _file(place, split)
        handle = Handle(path)
        root = handle.file
        scales = {n for n, d in root.items() if isinstance(d, h5py.Dataset) and d.is_scale}
        variables, coordinates = {}, {}
        for name, node in root.items():
            if not isinstance(node, h5py.Dataset):
                continue
            unit = str(node.attrs.get("units", "1"))
            if name in scales:
                if name != "sample":
                    coordinates[name] = (_values(node), unit)
                continue
            dims = tuple(_axis(node, i, str(path)) for i in range(node.ndim))
            text = str(node.attrs.get("long_name", ""))
            variables[name] = Variable(dims, Hdf5Array(handle, name), unit, text)
        attributes = plain_attributes(root) | _reference_error(path)
        num = len(root["sample"])
        timed = [n for n, v in variables.items() if "time" in v.dims]
        fields = [n for n, v in variables.items() if len(v.dims) > 1]
        state = tuple(timed or fields[-1:])
        return Contents(
            self.name,
            str(path),
            variables,
            coordinates,
            Roles(
                state,
                tuple(n for n in fields if n not in state),
                parameters=tuple(n for n, v in variables.items() if v.dims == ("sample",)),
            ),
            {str(attributes.get("split", "test")): (0, num)},
            "one file per split",
            attributes,
            str(attributes.get("equation", "")),
            str(attributes.get("references", "")),
        )


def _file(place: Place, split: str | None) -> Path | str:
    if place.kind != "folder":
        return place.path if "://" in place.path else Path(place.path)
    file = Path(place.path) / f"{split or 'test'}.h5"
    if not file.is_file():
        there = sorted(f.stem for f in place.named(".h5"))
        raise DataError(
            f"'{place.path}' has no split '{split or 'test'}', expected one of {', '.join(there)}"
        )
    return file


def _values(node: h5py.Dataset) -> Any:
    if h5py.check_string_dtype(node.dtype) is not None:
        return np.array(node.asstr()[()], dtype=str)
    return np.asarray(node[()])


def _axis(node: h5py.Dataset, position: int, path: str) -> str:
    scales = node.dims[position]
    if len(scales) == 0:
        raise DataError(
            f"'{path}' lacks the coordinates of axis {position} of '{node.name}'; delete the file "
            "and it is made again"
        )
    return str(scales[0].name).rsplit("/", 1)[-1]


def _reference_error(path: Path | str) -> dict[str, float]:
    """The error is measured after the file is written, so it lies beside it."""
    if isinstance(path, str):
        return {}
    try:
        rows = json.loads((path.parent / _ERRORS).read_text(encoding="utf-8"))[path.stem]
        return {"reference_error": sum(rows) / len(rows)}
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
        return {}
