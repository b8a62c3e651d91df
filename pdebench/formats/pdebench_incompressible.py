"""PDEBench, inhomogeneous incompressible flow: velocity, particles, force."""

from typing import ClassVar, final

import numpy as np

from pdebench.errors import DataError
from pdebench.formats.contents import Contents, Roles, Variable, coordinate_of
from pdebench.formats.place import Place
from pdebench.formats.protocols import test_first
from pdebench.formats.reader import Reader


@final
class PDEBenchIncompressible(Reader):
    """``velocity`` (sample, time, x, y, 2), ``particles``, ``force`` (sample, x, y, 2), ``t``.

    The first axis are the few flows of one file, not time. No space coordinates are stored: the
    domain is the unit square, points at cell centres.
    """

    name: ClassVar[str] = "pdebench_incompressible"
    title: ClassVar[str] = "PDEBench, incompressible flow"
    expects: ClassVar[str] = "arrays 'velocity' and 't', perhaps 'particles' and 'force'"

    def matches(self, place: Place) -> bool:
        shapes = place.shapes
        return "velocity" in shapes and len(shapes["velocity"]) == 5 and "t" in shapes

    def open(self, place: Place, split: str | None = None) -> Contents:
        num, frames, nx, ny, components = place.shapes["velocity"]
        if components != 2:
            raise DataError(
                f"'{place.path}' has 'velocity' of shape {place.shapes['velocity']}, expected "
                "(sample, time, x, y, 2); move the components last"
            )
        dims = ("sample", "time", "x", "y", "component")
        variables = {"velocity": Variable(dims, place.array("velocity"), "1", "velocity")}
        if "particles" in place.shapes:
            one = (*dims[:-1], "component_particles")
            variables["particles"] = Variable(one, place.array("particles"), "1", "particles")
        given = ()
        if "force" in place.shapes:
            steady = ("sample", "x", "y", "component")
            variables["force"] = Variable(steady, place.array("force"), "1", "force")
            given = ("force",)
        stored = place.values("t")
        times = None if stored is None else np.asarray(stored).reshape(-1, stored.shape[-1])[0]
        state = tuple(name for name in ("velocity", "particles") if name in variables)
        return Contents(
            self.name,
            place.path,
            variables,
            {
                "time": (coordinate_of(place.path, "t", times, frames, 1), "1"),
                "x": ((np.arange(nx) + 0.5) / nx, "1"),
                "y": ((np.arange(ny) + 0.5) / ny, "1"),
            },
            Roles(state, given),
            test_first(num),
            "test is the first tenth; the last tenth of the rest is validation",
            place.attributes,
            "u_t + u.grad u = nu lap u - grad p + f, div u = 0",
            "Takamoto et al. 2022, PDEBench, arXiv 2210.07182",
        )
