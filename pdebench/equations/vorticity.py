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
    """A steady source f(x, y) of vorticity, 1/s^2, as a formula: every grid sees the same one."""

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
    """The forcing of the FNO data, with a general wavevector.

        f = a ( sin(2 pi (m x / L_x + n y / L_y)) + cos(2 pi (m x / L_x + n y / L_y)) )

    Li et al. 2021 (arXiv 2010.08895), sec. 5.3, where a = 0.1, m = n = 1 and L = 1.

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
    """The curl of a sinusoidal shear force (Kolmogorov flow), -4 cos 4y on L = 2 pi by default.

        f = -n cos(2 pi n y / L_y)

    Chandler and Kerswell, J. Fluid Mech. 722 (2013), sec. 2.

    Attributes:
        wavenumber: integer n, waves along y.
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

        w_t + u . grad w = nu lap w - alpha w + f,    u = (psi_y, -psi_x),   -lap psi = w

    on the torus [0, L_x) x [0, L_y), mean w = 0.

    Input: "vorticity" (B, [T_in,] 1, X, Y), 1/s. Parameters: "viscosity" nu (B,), length^2/s;
    optionally "drag" alpha (B,), 1/s, zero where absent.
    Kraichnan and Montgomery, Rep. Prog. Phys. 43 (1980), sec. 2.

    Attributes:
        forcing: f.
    """

    forcing: Forcing = field(default_factory=NoForcing)

    @property
    def fields(self) -> Mapping[str, str]:
        return {"vorticity": "1/s"}

    @property
    def reference(self) -> str:
        return "Kraichnan and Montgomery, Rep. Prog. Phys. 43 (1980), sec. 2"

    def residual(self, u: Tensor, problem: Problem) -> Tensor:
        """Return w_t + u . grad w - nu lap w + alpha w - f at every asked time.

        Space derivatives are spectral, the product is dealiased by the two-thirds rule. w_t comes
        from parabolas through three neighbouring frames, the frame that the evolution starts from
        included: central differences, backward at the last time. Its error is of second order in
        the spacing of the frames (equal or not) and usually dominates.

        u: (B, T, 1, X, Y) at ``problem.times``, T >= 2.  Returns (B, T, 1, X, Y), 1/s^2.
        Raises Unsupported for steady problems, fewer than two times and domains that are no torus.
        """
        grid = torus(problem.domain, "the vorticity residual")
        if problem.times is None or len(problem.times) < 2:
            raise Unsupported("the vorticity residual needs at least two times to difference")
        start = torch.zeros(1) if problem.history is None else problem.history[-1:]
        times = torch.cat([start.to(problem.times), problem.times]).double()
        times = times - times[0]  # before any rounding to u's precision
        if bool((times.diff() <= 0).any()):
            raise Unsupported("the vorticity residual needs increasing times after the start")
        frames = torch.cat([problem.initial.to(u).unsqueeze(1), u], dim=1)
        (rate,) = torch.gradient(frames, spacing=(times.to(frames),), dim=1, edge_order=2)
        nu, alpha = (value.to(u).view(-1, 1, 1, 1, 1) for value in coefficients(problem))
        return rate[:, 1:] - self.tendency(u, nu, alpha, grid)

    def conserved(self, u: Tensor, problem: Problem) -> Mapping[str, Tensor]:
        """Return the mean vorticity, which no term of the equation changes."""
        frames = torch.cat([problem.initial.to(u).unsqueeze(1), u], dim=1)
        return {"mean vorticity": frames.mean((2, 3, 4))}

    def tendency(
        self, w: Tensor, viscosity: Tensor | float, drag: Tensor | float, grid: Grid
    ) -> Tensor:
        """Return w_t = -u . grad w + nu lap w - alpha w + f for fields w (..., X, Y), 1/s^2.

        ``viscosity`` and ``drag`` broadcast against w. Only modes that the strict two-thirds rule
        keeps take part in the product and in its result.
        """
        modes = Modes.like(w, grid)
        w_hat = modes.forward(w)
        active = w_hat * modes.kept
        flow = modes.inverse(modes.velocity(active))
        gradient = modes.inverse(torch.stack([slope * active for slope in modes.slopes], dim=-3))
        advection = modes.inverse(modes.forward((flow * gradient).sum(-3)) * modes.kept)
        diffusion = modes.inverse(self.symbol(modes.k) * w_hat)
        return viscosity * diffusion - advection - drag * w + self.forcing.on(grid).to(w)

    def symbol(self, wavenumbers: tuple[Tensor, ...]) -> Tensor:
        """Return -|k|^2, the symbol of lap: the linear part of instance b is nu_b lap - alpha_b."""
        kx, ky = wavenumbers
        return -(kx**2 + ky**2)


def coefficients(problem: Problem) -> tuple[Tensor, Tensor]:
    """Return viscosity and drag (B,) of a vorticity problem; no drag where it names none.

    Raises Unsupported where the viscosity is missing.
    """
    given = problem.parameters
    if "viscosity" not in given:
        raise Unsupported(
            f"the vorticity equation needs parameters['viscosity'], the problem has {sorted(given)}"
        )
    return given["viscosity"], given.get("drag", torch.zeros_like(given["viscosity"]))
