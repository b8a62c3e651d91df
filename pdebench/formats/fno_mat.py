"""Files of the Fourier neural operator: MATLAB v5 or v7.3."""

import re
from typing import Any, ClassVar, final

import h5py
import numpy as np

from pdebench.errors import DataError
from pdebench.formats.contents import SPACE, Contents, Roles, Variable, coordinate_of
from pdebench.formats.lazy import LazyArray, Loaded, Transposed
from pdebench.formats.place import Place
from pdebench.formats.protocols import test_last
from pdebench.formats.reader import Reader

_PAIRS = (("a", "u"), ("coeff", "sol"))
_CITED = "Li et al., ICLR 2021, arXiv 2010.08895"
_NUMBERS = {"double": "<f8", "single": "<f4"}  # classes of MATLAB that hold real numbers


@final
class FNOMat(Reader):
    """Vorticity (``a`` (N, X, Y), ``u`` (N, X, Y, T)), Burgers (``a``, ``u`` (N, X)), Darcy
    (``coeff``, ``sol`` (N, X, Y)).

    Version 7.3 is HDF5 with all axes reversed, with or without MATLAB's header; version 5 holds at
    most 2 GiB a variable and can only be read whole.
    """

    name: ClassVar[str] = "fno_mat"
    title: ClassVar[str] = "Fourier neural operator, MATLAB"
    expects: ClassVar[str] = "variables 'a' and 'u', or 'coeff' and 'sol'"

    def matches(self, place: Place) -> bool:
        names = set(place.shapes)
        alone = place.kind == "mat" and "u" in names
        return alone or any(set(pair) <= names for pair in _PAIRS)

    def open(self, place: Place, split: str | None = None) -> Contents:
        names = set(place.shapes)
        given, state = ("coeff", "sol") if "sol" in names else ("a", "u")
        arrays = {name: _array(place, name) for name in (given, state) if name in names}
        if place.kind == "hdf5" and _reversed(place, arrays, given, state):
            arrays = {n: Transposed(a, range(len(a.shape))[::-1]) for n, a in arrays.items()}
        u = arrays[state]
        a = arrays.get(given)
        shape = u.shape if a is None else a.shape
        timed = len(u.shape) == len(shape) + 1 or (a is None and len(u.shape) == 4)
        space = u.shape[1:-1] if timed else u.shape[1:]
        if a is not None and a.shape != (u.shape[0], *space):
            raise DataError(
                f"'{place.path}' has '{given}' of shape {a.shape} and '{state}' of {u.shape}, "
                f"expected (sample, x, y) and (sample, x, y[, time]); transpose '{state}'"
            )
        axes = SPACE[: len(space)]
        dims = ("sample", *axes, "time") if timed else ("sample", *axes)
        unit = "1/s" if timed else "1"
        variables = {state: Variable(dims, u, unit, "vorticity" if timed else "solution")}
        if a is not None:
            meaning = "initial vorticity" if timed else "input function"
            variables[given] = Variable(("sample", *axes), a, unit, meaning)
        periodic = given == "a"
        coordinates: dict[str, tuple[Any, str]] = {
            axis: (np.arange(n) / n if periodic else np.linspace(0, 1, n), "m" if timed else "1")
            for axis, n in zip(axes, space, strict=True)
        }
        if timed:
            coordinates["time"] = (_times(place, u.shape[-1]), "s")
        return Contents(
            self.name,
            place.path,
            variables,
            coordinates,
            Roles(
                (state,),
                (given,) if a is not None and not timed else (),
                given if a is not None and timed else None,
                periodic=periodic,
            ),
            test_last(u.shape[0], 1000, 200),
            "the first 1000 samples train, the last 200 test, as published; validation, which the "
            "paper has not, is taken in between or from the training samples",
            _viscosity(place.path) if timed else {},
            "w_t + u.grad w = nu lap w + 0.1 (sin 2pi(x+y) + cos 2pi(x+y))"
            if timed
            else ("-div(a grad u) = 1" if given == "coeff" else "u_t + u u_x = nu u_xx, u(0) = a"),
            _CITED,
        )


def _array(place: Place, name: str) -> LazyArray:
    if place.kind == "hdf5":
        return place.array(name)
    shape, kind = place.matlab[name]
    if kind not in _NUMBERS:
        raise DataError(
            f"'{place.path}' has '{name}' of MATLAB class {kind}, expected double or single; "
            "cells, structures and objects are never read"
        )

    def load() -> Any:
        from scipy.io import loadmat

        try:
            return loadmat(place.path, variable_names=[name])[name]
        except Exception as error:  # scipy raises many types on damaged files
            raise DataError(
                f"'{place.path}' is damaged at '{name}' ({error}); get the file again"
            ) from error

    return Loaded(load, shape, np.dtype(_NUMBERS[kind]))


def _reversed(place: Place, arrays: dict[str, LazyArray], given: str, state: str) -> bool:
    """Whether axes are MATLAB's: by its mark on the array, else by the axis of the samples."""
    found = place.handle.file[state]
    if isinstance(found, h5py.Dataset) and "MATLAB_class" in found.attrs:
        return True
    u, a = arrays[state].shape, arrays[given].shape if given in arrays else None
    if a is None or len(u) == len(a):
        return place.path.lower().endswith(".mat")
    return u[1:] == a  # (T, Y, X, N) beside (Y, X, N); as written by Python it is u[:-1] == a


def _times(place: Place, size: int) -> Any:
    stored = None
    if "t" in place.shapes:
        if place.kind == "hdf5":
            stored = place.values("t")
        else:
            stored = _array(place, "t").read((slice(None),) * len(place.shapes["t"]))
    # The program records frames at equal intervals; one of them without times is spaced by 1 s.
    given = np.arange(1.0, size + 1) if stored is None else stored
    return coordinate_of(place.path, "t", given, size)


def _viscosity(path: str) -> dict[str, float]:
    """The published files say their viscosity only in their names: ``V1e-3``."""
    found = re.search(r"V(1e-\d)", path.rsplit("/", 1)[-1])
    return {"viscosity": float(found.group(1))} if found else {}
