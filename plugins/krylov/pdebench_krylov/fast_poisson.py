"""The box without obstacles and with one coefficient, solved exactly, as preconditioner."""

from typing import final

import torch
from torch import Tensor

from pdebench.equation import LinearSystem
from pdebench.equations.dirichlet import Dirichlet
from pdebench.equations.divergence_form import DivergenceForm
from pdebench.equations.flux_form import spacings
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
    """M^{-1} = the inverse of the matrix with constant coefficient, without obstacles.

    Pressure: by the eigenvectors of each axis (Lynch, Rice and Thomas, Numer. Math. 6 (1964)),
    sines and cosines of the boundary conditions at hand, cut to the fluid; a mean that the box
    leaves free is not changed. Diffusion with values on the walls: sine transforms; the condition
    number of M^{-1} A is at most the contrast of the coefficient, on every grid (Concus and Golub,
    SIAM J. Numer. Anal. 10 (1973)).
    """

    def build(self, system: LinearSystem, problem: Problem) -> Map:
        equation = problem.equation
        if isinstance(equation, (DivergenceForm, Dirichlet)):
            return _sines(problem)
        if not isinstance(equation, PressurePoisson):
            raise Unsupported(
                "the fast Poisson solver is for pressure and diffusion in boxes, not "
                f"{type(equation).__name__}"
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


def sine_transform(x: Tensor, axis: int) -> Tensor:
    """Return sum_j x_j sin(pi (j+1)(k+1) / (n+1)), k = 0..n-1, along an axis: DST-I by an odd
    extension; its own inverse but for the factor 2 / (n+1).
    """
    zero = torch.zeros_like(x.narrow(axis, 0, 1))
    odd = torch.cat([zero, x, zero, -x.flip(axis)], axis)
    return torch.fft.rfft(odd, dim=axis).imag.narrow(axis, 1, x.shape[axis]) / -2


def _sines(problem: Problem) -> Map:
    """Return the inverse of -lap on inner nodes, and the identity on the walls."""
    shape, spacing = problem.domain.shape, spacings(problem.domain)
    values, scale = torch.zeros((), dtype=torch.float64), 1.0
    for n, h in zip(shape, spacing, strict=True):
        k = torch.arange(1, n - 1, dtype=torch.float64)
        values = values.unsqueeze(-1) + (2 / h * torch.sin(torch.pi * k / (2 * (n - 1)))) ** 2
        scale *= 2 / (n - 1)
    inner = (slice(None), *(slice(1, -1) for _ in shape))

    def apply(r: Tensor) -> Tensor:
        z = r.view(len(r), *shape).clone()
        inside = z[inner]
        for axis in range(1, len(shape) + 1):
            inside = sine_transform(inside, axis)
        inside = inside * (scale / values.to(r))
        for axis in range(1, len(shape) + 1):
            inside = sine_transform(inside, axis)
        z[inner] = inside
        return z.flatten(1)

    return apply
