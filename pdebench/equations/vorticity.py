"""Two-dimensional incompressible flow on a torus in vorticity form."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equation import Equation
from pdebench.errors import Unsupported
from pdebench.problem import Problem
from pdebench.spectral import Modes, torus


class Forcing(ABC):
    """A steady source f(x, y) of vorticity, 1/s^2, known in closed form so that every grid sees the same one."""

    @abstractmethod
    def on(self, grid: Grid) -> Tensor:
        """Return f at the grid's points (X, Y), float64."""


@final
@dataclass(frozen=True)
class NoForcing(Forcing):
    """f = 0."""

    def on(self, grid: Grid) -> Tensor:
        return torch.zeros(grid.shape, dtype=torch.float64)


@final
@dataclass(frozen=True)
class DiagonalForcing(Forcing):
    """The forcing of the FNO data (Li et al. 2021, arXiv 2010.08895, sec. 5.3), with a general wavevector.

        f = a ( sin(2 pi (m x / L_x + n y / L_y)) + cos(2 pi (m x / L_x + n y / L_y)) )

    Attributes:
        amplitude: a, 1/s^2.
        wavevector: integers (m, n).
    """

    amplitude: float = 0.1
    wavevector: tuple[int, int] = (1, 1)

    def on(self, grid: Grid) -> Tensor:
        x, y = (axis.nodes / axis.length for axis in grid.axes)
        m, n = self.wavevector
        angle = 2 * math.pi * (m * x[:, None] + n * y)
        return self.amplitude * (torch.sin(angle) + torch.cos(angle))


@final
@dataclass(frozen=True)
class KolmogorovForcing(Forcing):
    """f = -n cos(2 pi n y / L_y): the curl of a sinusoidal shear force of wavenumber n (Kolmogorov flow).

    Attributes:
        wavenumber: integer n.
    """

    wavenumber: int = 4

    def on(self, grid: Grid) -> Tensor:
        y = grid.axes[1].nodes / grid.axes[1].length
        f = -self.wavenumber * torch.cos(2 * math.pi * self.wavenumber * y)
        return f.expand(grid.shape).contiguous()


@final
@dataclass(frozen=True)
class Vorticity(Equation):
    """Forced two-dimensional Navier-Stokes flow.

        w_t + u . grad w = nu lap w - alpha w + f,    u = (psi_y, -psi_x),   -lap psi = w,   torus, mean w = 0

    Inputs: "vorticity" (B, [T_in,] 1, X, Y), 1/s. Parameters: "viscosity" nu (B,), length^2/s.
    Kraichnan and Montgomery, Rep. Prog. Phys. 43 (1980), eq. 2.6.

    Attributes:
        forcing: f.
        drag: alpha, 1/s.
    """

    forcing: Forcing = field(default_factory=NoForcing)
    drag: float = 0.0

    @property
    def fields(self) -> Mapping[str, str]:
        return {"vorticity": "1/s"}

    @property
    def reference(self) -> str:
        return "Kraichnan and Montgomery, Rep. Prog. Phys. 43 (1980), eq. 2.6"

    def residual(self, u: Tensor, problem: Problem) -> Tensor:
        """Return w_t + u . grad w - nu lap w + alpha w - f at the inner times.

        Space derivatives are spectral; the product is dealiased by the two-thirds rule. The time derivative is the
        second-order central difference over equally spaced frames, the starting frame of the problem included, so that
        there is one residual for every asked time but the last.

        u: (B, T, 1, X, Y) at ``problem.times``.  Returns (B, T-1, 1, X, Y), 1/s^2.
        Raises Unsupported for steady problems, unequal time steps and domains that are no torus.
        """
        grid = torus(problem.domain, "the vorticity residual")
        if problem.times is None:
            raise Unsupported("the vorticity residual needs times; the problem is steady")
        start = problem.history[-1:] if problem.history is not None else problem.times.new_zeros(1)
        times = torch.cat([start, problem.times])
        steps = times.diff()
        if float((steps - steps[0]).abs().max()) > 1e-6 * float(steps[0]):
            raise Unsupported("the vorticity residual needs equally spaced times for its central differences")
        w = torch.cat([problem.initial.unsqueeze(1), u], dim=1)
        rate = (w[:, 2:] - w[:, :-2]) / (2 * steps[0].to(w))
        nu = problem.parameters["viscosity"].to(w).view(-1, 1, 1, 1, 1)
        return rate - self.tendency(w[:, 1:-1], nu, grid)

    def tendency(self, w: Tensor, viscosity: Tensor | float, grid: Grid) -> Tensor:
        """Return w_t = -u . grad w + nu lap w - alpha w + f for fields (..., X, Y), products dealiased."""
        modes = Modes.of(grid.shape, grid.extent, w.device, w.dtype)
        w_hat = modes.forward(w)
        kept = modes.kept()
        psi = w_hat * modes.inverse_square * kept
        flow_x, flow_y = modes.inverse(modes.derivative(psi, 1)), modes.inverse(-modes.derivative(psi, 0))
        w_x, w_y = (modes.inverse(modes.derivative(w_hat * kept, axis)) for axis in (0, 1))
        advection = modes.inverse(modes.forward(flow_x * w_x + flow_y * w_y) * kept)
        diffusion = modes.inverse(-modes.square * w_hat)
        return viscosity * diffusion - advection - self.drag * w + self.forcing.on(grid).to(w)

    def symbol(self, wavenumbers: tuple[Tensor, ...]) -> Tensor:
        """Return |k|^2: the linear part is -nu |k|^2 - alpha; nu belongs to the problem."""
        return sum((k**2 for k in wavenumbers[1:]), wavenumbers[0] ** 2)
