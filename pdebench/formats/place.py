"""What detection sees of a path: its kind by magic number, and the names and shapes inside."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, final

import h5py
import numpy as np
from numpy.typing import NDArray

from pdebench.errors import DataError
from pdebench.formats.lazy import Hdf5Array
from pdebench.stored import Handle, is_remote

Kind = Literal["folder", "hdf5", "mat", "npy", "netcdf3", "other"]
LONGEST_TEXT = 1 << 16  # bytes of an attribute that are looked at; longer ones are left out
_MOST_FILES = 1_000_000


@final
@dataclass(frozen=True)
class Place:
    """A file or folder. ``path`` is as typed; raises DataError where nothing can be there."""

    path: str
    kind: Kind = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", "hdf5" if is_remote(self.path) else _kind(self.path))

    @cached_property
    def handle(self) -> Handle:
        """The open HDF5 file."""
        return Handle(self.path if is_remote(self.path) else Path(self.path))

    @cached_property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes of the arrays at the root of an HDF5 or MATLAB file."""
        if self.kind == "hdf5":
            root = self.handle.file
            found = {name: _inside(root, name) for name in root}
            return {n: d.shape for n, d in found.items() if isinstance(d, h5py.Dataset)}
        if self.kind == "mat":
            return {name: shape for name, (shape, _) in self.matlab.items()}
        return {}

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups at the root of an HDF5 file."""
        if self.kind != "hdf5":
            return ()
        root = self.handle.file
        return tuple(name for name in root if isinstance(_inside(root, name), h5py.Group))

    @cached_property
    def attributes(self) -> dict[str, str | float | int]:
        """Plain root attributes of an HDF5 file."""
        return plain_attributes(self.handle.file) if self.kind == "hdf5" else {}

    @cached_property
    def matlab(self) -> Mapping[str, tuple[tuple[int, ...], str]]:
        """Variables of a MATLAB v5 file: name -> (shape, class)."""
        from scipy.io import whosmat

        try:
            listed = whosmat(self.path)
        except Exception as error:  # scipy raises many types on damaged files
            raise DataError(
                f"'{self.path}' is a damaged MATLAB file ({error}); get the file again"
            ) from error
        return {name: (tuple(shape), kind) for name, shape, kind in listed}

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """Files below a folder, by name. Raises DataError where a link leads out of it."""
        if self.kind != "folder":
            return ()
        root = Path(self.path)
        real = os.path.realpath(root)
        found: list[Path] = []
        for folder, names, files in os.walk(root):
            names[:] = sorted(n for n in names if not n.startswith("."))
            for name in sorted(files):
                if not name.startswith("."):
                    found.append(_within(Path(folder) / name, real))
            for name in names:
                _within(Path(folder) / name, real)
            if len(found) > _MOST_FILES:
                raise DataError(f"'{root}' holds more than {_MOST_FILES} files; name a subfolder")
        return tuple(found)

    def named(self, ending: str) -> tuple[Path, ...]:
        """Files of the folder whose names end so."""
        return tuple(file for file in self.files if file.name.endswith(ending))

    def array(self, name: str) -> Hdf5Array:
        """Return an array of the HDF5 file."""
        return Hdf5Array(self.handle, name)

    def values(self, name: str) -> NDArray[Any] | None:
        """Return a small array of the HDF5 file, or None where it is absent."""
        root = self.handle.file
        found = _inside(root, name) if name in root else None
        return np.asarray(found[()]) if isinstance(found, h5py.Dataset) else None


def _kind(path: str) -> Kind:
    place = Path(path)
    if place.is_dir():
        return "folder"
    try:
        with place.open("rb") as stream:
            head = stream.read(1032)
    except FileNotFoundError as error:
        raise DataError(f"'{path}' does not exist, expected a file or folder of samples") from error
    except OSError as error:
        raise DataError(f"'{path}' cannot be read ({error.strerror}); expected a file") from error
    if h5py.is_hdf5(place):  # looks behind user blocks too, as MATLAB v7.3 writes them
        return "hdf5"
    if head[:8] == b"\x89HDF\r\n\x1a\n":
        raise DataError(f"'{path}' is a damaged HDF5 file; get the file again")
    if head[:6] == b"\x93NUMPY":
        return "npy"
    if head[:3] == b"CDF":
        return "netcdf3"
    if len(head) >= 128 and head[124:128] in (b"\x00\x01IM", b"\x01\x00MI"):
        return "mat"
    return "other"


def _inside(group: h5py.Group, name: str) -> Any:
    """Return a member that lies in this file; external links are never followed."""
    link = group.get(name, getlink=True)
    if isinstance(link, h5py.ExternalLink):
        raise DataError(
            f"'{group.file.filename}' links '{name}' to the file '{link.filename}'; links out of "
            "a file are not followed, copy the array into it"
        )
    try:
        return group[name]
    except (KeyError, OSError) as error:
        raise DataError(
            f"'{group.file.filename}' is damaged at '{name}' ({error}); get the file again"
        ) from error


def _within(file: Path, root: str) -> Path:
    real = os.path.realpath(file)
    if real != root and not real.startswith(root + os.sep):
        raise DataError(
            f"'{file}' is a link out of the folder, to '{real}'; copy the file into the folder"
        )
    return file


def plain_attributes(node: h5py.HLObject) -> dict[str, str | float | int]:
    """Return attributes that are numbers or short texts; everything else is left out unread."""
    found: dict[str, str | float | int] = {}
    for name in list(node.attrs):
        kind = node.attrs.get_id(name)
        if kind.get_storage_size() > LONGEST_TEXT or (kind.dtype.hasobject and kind.shape):
            continue
        value = node.attrs[name]
        if isinstance(value, bytes):
            value = value.decode(errors="replace")
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.reshape(-1)[0]
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, str) and len(value) > LONGEST_TEXT:
            continue
        if isinstance(value, str | int | float):
            found[str(name)] = value
    return found


def npy(path: Path) -> NDArray[Any]:
    """Map an .npy file into memory. Raises DataError where it is damaged or holds objects."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(
            f"'{path}' is no array of numbers that can be mapped ({error}); expected a whole .npy "
            "file without objects"
        ) from error
