"""Poseidon's NetCDF files and its Helmholtz file."""

from typing import ClassVar, final

import numpy as np

from pdebench.errors import DataError
from pdebench.formats.contents import Contents, Roles, Variable
from pdebench.formats.lazy import LazyArray, Stacked
from pdebench.formats.place import Place
from pdebench.formats.protocols import before_last
from pdebench.formats.reader import Reader

_CITED = "Herde et al. 2024, Poseidon, arXiv 2405.19101"
_PROTOCOL = "test are the last samples, validation those just before, as in Poseidon's loaders"
_STATES = ("velocity", "data", "solution")
# Field names and samples (validation, test): five channels and more are compressible flow.
_COUNTS = {5: (120, 240), 4: (60, 240), 3: (120, 240)}


@final
class Poseidon(Reader):
    """``velocity`` or ``data`` or ``solution`` (sample, time, channel, x, y), waves (sample, time,
    x, y) with ``c``, steady ``source`` and ``solution`` (sample, x, y); ``Helmholtz.h5``: groups
    ``Sample_i`` with ``a``, ``bc``, ``u``.

    Frames are spaced by 1/20 of the time range, as its loaders divide by 20; points are at j / n.
    """

    name: ClassVar[str] = "poseidon"
    title: ClassVar[str] = "Poseidon"
    expects: ClassVar[str] = "'velocity', 'data' or 'solution' (sample, time, channel, x, y)"

    def matches(self, place: Place) -> bool:
        if any(name.startswith("Sample_") for name in place.groups):
            return True
        ranks = {name: len(shape) for name, shape in place.shapes.items()}
        return "t" not in ranks and any(3 <= ranks.get(name, 0) <= 5 for name in _STATES)

    def open(self, place: Place, split: str | None = None) -> Contents:
        if place.groups and not place.shapes:
            return self._helmholtz(place)
        state = next(n for n in _STATES if n in place.shapes)
        shape = place.shapes[state]
        given = [n for n in ("c", "source") if n in place.shapes]
        # Four axes are (sample, time, x, y) of waves, and of SE-AF (sample, channel, x, y).
        wave = len(shape) == 4
        middle = {5: ("time", "channel"), 4: ("time",), 3: ()}[len(shape)]
        if wave and shape[1] == 2 and not given:
            middle = ("channel",)
        if shape[-1] != shape[-2]:
            raise DataError(
                f"'{place.path}' has '{state}' of shape {shape}, expected square fields in the "
                "last two axes; transpose it to (sample, time, channel, x, y)"
            )
        variables = {state: Variable(("sample", *middle, "x", "y"), place.array(state), "1", state)}
        for name in given:
            if place.shapes[name] != (shape[0], *shape[-2:]):
                raise DataError(
                    f"'{place.path}' has '{name}' of shape {place.shapes[name]}, expected "
                    f"{(shape[0], *shape[-2:])} beside '{state}'; transpose it"
                )
            variables[name] = Variable(("sample", "x", "y"), place.array(name), "1", name)
        if not given and "time" not in middle:
            raise DataError(
                f"'{place.path}' has the steady field '{state}' and nothing it depends on, "
                "expected 'source' or 'c' beside it"
            )
        n = shape[-1]
        coordinates = {"x": (np.arange(n) / n, "1"), "y": (np.arange(n) / n, "1")}
        if "time" in middle:
            coordinates["time"] = (np.arange(shape[1]) / 20, "1")
        return Contents(
            self.name,
            place.path,
            variables,
            coordinates,
            Roles((state,), tuple(given), periodic=len(shape) == 5),
            before_last(shape[0], *_COUNTS[len(shape)]),
            _PROTOCOL,
            place.attributes,
            "see the file's name",
            _CITED,
        )

    def _helmholtz(self, place: Place) -> Contents:
        names = sorted(
            (n for n in place.groups if n.startswith("Sample_")), key=lambda n: int(n[7:])
        )
        stacks: dict[str, LazyArray] = {}
        for field in ("a", "u", "bc"):
            missing = [n for n in names if f"{n}/{field}" not in place.handle.file]
            if missing:
                raise DataError(
                    f"'{place.path}' lacks '{field}' in the group '{missing[0]}', expected a, bc, u"
                )
            stacks[field] = Stacked([place.array(f"{n}/{field}") for n in names], place.path)
        dims = ("sample", "x", "y")
        sizes = stacks["u"].shape[1:]
        return Contents(
            self.name,
            place.path,
            {
                "a": Variable(dims, stacks["a"], "1", "coefficient"),
                "u": Variable(dims, stacks["u"], "1", "solution"),
                "bc": Variable(("sample",), stacks["bc"], "1", "value on the boundary"),
            },
            {axis: (np.linspace(0, 1, n), "1") for axis, n in zip("xy", sizes, strict=True)},
            Roles(("u",), ("a",), parameters=("bc",)),
            before_last(len(names), 128, 512),
            _PROTOCOL,
            {},
            "-lap u - omega^2 a(x) u = 0",
            _CITED,
        )
