"""PDEBench, one array per field: advection, Burgers, reaction, Darcy, compressible flow."""

from typing import ClassVar, final

from pdebench.errors import DataError
from pdebench.formats.contents import SPACE, Contents, Roles, Variable, coordinate_of, one_dtype
from pdebench.formats.place import Place
from pdebench.formats.protocols import test_first
from pdebench.formats.reader import Reader

_FLOW = ("density", "pressure", "Vx", "Vy", "Vz")  # the order of channels, Takamoto et al. 2022
_AXES = {f"{axis}-coordinate": axis for axis in (*SPACE, "t")}
_UNITS = "1"  # the programs are nondimensional
_CITED = "Takamoto et al. 2022, PDEBench, arXiv 2210.07182"


@final
class PDEBenchSingle(Reader):
    """Arrays (sample, time, x[, y[, z]]) at the root, with ``x-coordinate`` and so on.

    ``tensor`` alone is a scalar field; with ``nu`` (sample, x, y) it is Darcy flow, whose
    ``tensor`` (sample, 1, x, y) is steady. ``t-coordinate`` may hold one time more than there are
    frames.
    """

    name: ClassVar[str] = "pdebench_single"
    title: ClassVar[str] = "PDEBench, one array per field"
    expects: ClassVar[str] = "arrays 'tensor', or 'density', 'pressure', 'Vx', at the root"

    def matches(self, place: Place) -> bool:
        names = set(place.shapes)
        return place.kind == "hdf5" and ("tensor" in names or {"density", "Vx"} <= names)

    def open(self, place: Place, split: str | None = None) -> Contents:
        fields = [n for n in ("tensor", *_FLOW) if n in place.shapes]
        unknown = sorted(set(place.shapes) - set(fields) - set(_AXES) - {"nu"})
        if unknown:
            raise DataError(
                f"'{place.path}' holds {', '.join(map(repr, unknown))}, which no {self.title} file "
                f"has, expected {', '.join(fields)} and coordinates; move them to another file"
            )
        steady = "nu" in place.shapes
        variables = {n: self._field(place, n, steady) for n in fields}
        one_dtype(place.path, variables)
        if steady:
            variables["nu"] = Variable(("sample", *SPACE[:2]), place.array("nu"), _UNITS, "a(x)")
        shapes = {variables[n].array.shape for n in fields}
        if len(shapes) > 1:
            raise DataError(f"'{place.path}' has fields of shapes {shapes}, expected one shape")
        first = variables[fields[0]]
        periodic = not steady and "trans" not in place.path.rsplit("/", 1)[-1]
        return Contents(
            self.name,
            place.path,
            variables,
            self._coordinates(place, first, steady),
            Roles(tuple(fields), ("nu",) if steady else (), periodic=periodic),
            test_first(first.array.shape[0]),
            "test is the first tenth, as in PDEBench's reader; the last tenth of the rest is "
            "validation, which PDEBench has not",
            place.attributes,
            "-div(a grad u) = beta" if steady else "see the file's name",
            _CITED,
        )

    def _field(self, place: Place, name: str, steady: bool) -> Variable:
        rank = len(place.shapes[name])
        if not 3 <= rank <= 5 or (steady and rank != 4):
            raise DataError(
                f"'{place.path}' has '{name}' of shape {place.shapes[name]}, expected (sample, "
                "time, x[, y[, z]]); transpose it"
            )
        dims = ("sample", "channel" if steady else "time", *SPACE[: rank - 2])
        return Variable(dims, place.array(name), _UNITS, name)

    def _coordinates(self, place: Place, first: Variable, steady: bool) -> dict:
        sizes = dict(zip(first.dims, first.array.shape, strict=True))
        found = {}
        for stored, axis in _AXES.items():
            dim = "time" if axis == "t" else axis
            if dim in sizes and not (steady and dim == "time"):
                extra = 1 if dim == "time" else 0
                values = place.values(stored)
                found[dim] = (coordinate_of(place.path, stored, values, sizes[dim], extra), _UNITS)
        return found
