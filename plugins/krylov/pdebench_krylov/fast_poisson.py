"""The empty box, solved exactly, as preconditioner of the box with obstacles."""

from typing import final

import torch
from torch import Tensor

from pdebench.equation import LinearSystem
from pdebench.equations.pressure import FLUID, PressurePoisson
from pdebench.errors import Unsupported
from pdebench.problem import Problem
from pdebench_krylov.preconditioner import Map, Preconditioner


def _line(n: int, open_end: bool) -> Tensor:
    """Return the matrix of one axis: walls at both ends, or air beyond the last cell."""
    matrix = 2 * torch.eye(n, dtype=torch.float64)
    matrix[0, 0] = 1.0
    matrix[-1, -1] = 2.0 if open_end else 1.0
    off = -torch.ones(n - 1, dtype=torch.float64)
    return matrix + torch.diag(off, 1) + torch.diag(off, -1)


@final
class FastPoisson(Preconditioner):
    """M^{-1} = the inverse of the seven-point matrix without obstacles, cut to the fluid.

    By the eigenvectors of each axis (Lynch, Rice and Thomas, Numer. Math. 6 (1964)): sines and
    cosines of the boundary conditions at hand. A mean that the box leaves free is not changed.
    """

    def build(self, system: LinearSystem, problem: Problem) -> Map:
        equation = problem.equation
        if not isinstance(equation, PressurePoisson):
            raise Unsupported(
                f"the fast Poisson solver is for pressure systems, not {type(equation).__name__}"
            )
        mask = problem.inputs["mask"][:, 0]
        shape = tuple(mask.shape[1:])
        fluid = (mask == FLUID).double()
        pairs = [
            torch.linalg.eigh(_line(n, equation.open_top and axis == len(shape) - 1))
            for axis, n in enumerate(shape)
        ]
        values = torch.zeros(shape, dtype=torch.float64)
        for axis, (value, _) in enumerate(pairs):
            values = values + value.view([-1 if a == axis else 1 for a in range(len(shape))])
        inverse = torch.where(values > 1e-12, 1 / values.clamp_min(1e-12), 1.0).to(mask.device)
        vectors = [v.to(mask.device) for _, v in pairs]

        def apply(r: Tensor) -> Tensor:
            field = r.view(len(r), *shape)
            z = field * fluid
            for axis, v in enumerate(vectors, 1):
                z = torch.tensordot(z, v, ([1], [0]))  # cycles the axes: after d times, in order
                del axis
            z = z * inverse
            for v in vectors:
                z = torch.tensordot(z, v, ([1], [1]))
            return torch.where(fluid > 0, z, field).flatten(1)

        return apply
