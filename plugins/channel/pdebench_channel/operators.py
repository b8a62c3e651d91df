"""Wall-normal operators, and the linear part of a time step as matrices per wavenumber."""

from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from torch import Tensor

from pdebench.chebyshev import differentiation
from pdebench.domain import Axis

# Three-stage Runge-Kutta with Crank-Nicolson diffusion: Spalart, Moser and Rogers, J. Comput.
# Phys. 96 (1991), appendix.
GAMMA = (8 / 15, 5 / 12, 3 / 4)
ZETA = (0.0, -17 / 60, -5 / 12)
ALPHA = (29 / 96, -3 / 40, 1 / 6)
BETA = (37 / 160, 5 / 24, 1 / 6)
STABLE = 3**0.5  # of the explicit part on the imaginary axis


@final
@dataclass(frozen=True, eq=False)
class Wall:
    """Derivatives on the nodes of -1 <= y <= 1, or of another interval.

    Attributes:
        axis: Gauss-Lobatto nodes.
        device: of the tables.
    """

    axis: Axis
    device: torch.device

    @cached_property
    def first(self) -> Tensor:
        """d/dy on all nodes (n, n)."""
        return differentiation(self.axis)[0].to(self.device)

    @cached_property
    def dirichlet(self) -> Tensor:
        """d^2/dy^2 of functions that vanish at the walls, on the m = n - 2 inner nodes (m, m)."""
        return differentiation(self.axis, 2)[1][1:-1, 1:-1].to(self.device)

    @cached_property
    def clamped(self) -> Tensor:
        """d^4/dy^4 of functions that vanish with their slope at the walls, (m, m).

        With v = (1 - y^2) q and q = 0 at the walls:
        v'''' = (1 - y^2) q'''' - 8 y q''' - 12 q''. No spurious modes and no influence matrix:
        Weideman and Reddy, ACM Trans. Math. Softw. 26 (2000), sec. 5.3.
        """
        half = self.axis.length / 2
        y = ((self.axis.nodes - self.axis.nodes[0]) / half - 1)[1:-1]
        unit = Axis.chebyshev(len(self.axis.nodes))
        _, second, third, fourth = (d[1:-1, 1:-1] for d in differentiation(unit, 4))
        bump = 1 - y.square()
        inner = bump[:, None] * fourth - 8 * y[:, None] * third - 12 * second
        return (inner / bump / half**4).to(self.device)

    @cached_property
    def weights(self) -> Tensor:
        """Quadrature weights divided by the height, (n,)."""
        return (self.axis.weights / self.axis.length).to(self.device)

    def no_slip(self, k2: Tensor) -> Tensor:
        """Return P (..., m, m): the nearest v whose interpolant has no slope at the walls.

            P = 1 - K^{-1} E^T (E K^{-1} E^T)^{-1} E,    v^T K v = int v_y^2 + k^2 v^2 dy

        E takes the two slopes. The clamped operator has them in a polynomial of its own, which
        agrees with the interpolant as fast as it converges: up to 5 % of w' on 49 nodes at
        Re_tau = 180. K is the kinetic energy of a mode, so that P takes energy away, if any.
        """
        slope = self.first[:, 1:-1]
        weights = self.weights[:, None]
        energy = slope.T @ (weights * slope) + k2 * torch.diag(self.weights[1:-1])
        ends = slope[[0, -1]]
        lifted = torch.linalg.solve(energy, ends.T.expand(*k2.shape[:-2], -1, -1))
        eye = torch.eye(len(slope) - 2, dtype=torch.float64, device=self.device)
        return eye - lifted @ torch.linalg.solve(ends @ lifted, ends.expand(*k2.shape[:-2], -1, -1))


@final
@dataclass(frozen=True, eq=False)
class Stages:
    """The three substeps of one step size.

    Attributes:
        tables: per stage (2, A, Z', m, 2 m): [state | rate] -> state, for v and for the
            wall-normal vorticity.
        response: per stage (m,): the mean velocity that a unit pressure gradient adds.
        size: step, s.
    """

    tables: tuple[Tensor, ...]
    response: tuple[Tensor, ...]
    size: float


def stages(wall: Wall, square: Tensor, viscosity: float, size: float) -> Stages:
    """Return the substeps of step ``size`` for wavenumbers k^2 = ``square`` (A, Z').

    v:    (L - nu beta h B) v' = (L + nu alpha h B) v + h r,    L = D2 - k^2,
          B = D4 - 2 k^2 D2 + k^4
    eta:  (1 - nu beta h L) eta' = (1 + nu alpha h L) eta + h r
    """
    second, fourth = wall.dirichlet, wall.clamped
    eye = torch.eye(len(second), dtype=torch.float64, device=wall.device)
    k2 = square[..., None, None]
    laplace = second - k2 * eye
    twice = fourth - 2 * k2 * second + k2.square() * eye
    no_slip = wall.no_slip(k2)
    tables, response = [], []
    for alpha, beta in zip(ALPHA, BETA, strict=True):
        left = torch.stack(
            [laplace - viscosity * beta * size * twice, eye - viscosity * beta * size * laplace]
        )
        right = torch.stack(
            [laplace + viscosity * alpha * size * twice, eye + viscosity * alpha * size * laplace]
        )
        rates = (size * eye).expand_as(right)
        table = torch.linalg.solve(left, torch.cat([right, rates], -1))
        table[0] = no_slip @ table[0]
        tables.append(table)
        response.append(table[1, 0, 0, :, len(eye) :].sum(-1))
    return Stages(tuple(tables), tuple(response), size)
