"""Eddy viscosities between walls, as functions of the velocity gradient on a stretched grid."""

from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor

from pdebench.domain import Axis
from pdebench.equations.eddy_viscosity import Rows, strain_rate, wale_rate
from pdebench.errors import ConfigError
from pdebench_channel.modes import Modes

_SUBLAYER = 25.0  # A+, van Driest, J. Aeronaut. Sci. 23 (1956)


class Eddies(ABC):
    """A model nu_t (B, n, X', Z'') of the resolved gradient ``rows[i][j]`` = d_j u_i.

        Delta(y) = (dx dy(y) dz)^{1/3},    dx = L_x / X, dy the cell of node y, dz = L_z / Z

    Args:
        constant: C of nu_t = (C Delta)^2 rate.
    """

    def __init__(self, constant: float) -> None:
        if constant <= 0:
            raise ConfigError(f"solver.eddies.constant={constant}, expected a positive number")
        self.constant = constant

    @abstractmethod
    def viscosity(self, rows: Rows, axis: Axis, modes: Modes, viscosity: float) -> Tensor:
        """Return nu_t (B, n, X', Z''), length^2/s; ``viscosity`` is nu."""

    def _mixing(self, axis: Axis, modes: Modes) -> Tensor:
        """Return C Delta of every node (n, 1, 1)."""
        cell = axis.weights.to(modes.device)
        spacing = [length / num for length, num in zip(modes.extent, modes.shape, strict=True)]
        return self.constant * (cell * spacing[0] * spacing[1]).pow(1 / 3).view(-1, 1, 1)


@final
class VanDriest(Eddies):
    """Smagorinsky's model, damped at the walls.

        nu_t = (C Delta (1 - exp(-y+ / 25)))^2 |S|,    y+ = u_tau d / nu,
        u_tau^2 = nu |d<u>/dy| at the nearer wall, d the distance from it

    Moin and Kim, J. Fluid Mech. 118 (1982), eq. 2.10, there with C = 0.065; 0.1 is common.
    """

    def __init__(self, constant: float = 0.1) -> None:
        super().__init__(constant)

    def viscosity(self, rows: Rows, axis: Axis, modes: Modes, viscosity: float) -> Tensor:
        shear = rows[0][1].mean((-2, -1)).abs()  # (B, n)
        y = axis.nodes.to(modes.device)
        low, high = y - y[0], y[-1] - y
        near = torch.where(low < high, shear[:, :1], shear[:, -1:])
        plus = torch.minimum(low, high) * (near / viscosity).sqrt()
        damping = 1 - torch.exp(-plus / _SUBLAYER)
        length = self._mixing(axis, modes) * damping[..., None, None]
        return length.square() * strain_rate(rows)


@final
class Wale(Eddies):
    """Wall-adapting local eddy viscosity: falls like the cube of the distance without a damping.

        nu_t = (C Delta)^2 (D:D)^{3/2} / ( (S:S)^{5/2} + (D:D)^{5/4} )

    Nicoud and Ducros, Flow Turbul. Combust. 62 (1999), eq. 13; C = 0.325 there on their channel's
    grids to 0.5 for decaying turbulence.
    """

    def __init__(self, constant: float = 0.325) -> None:
        super().__init__(constant)

    def viscosity(self, rows: Rows, axis: Axis, modes: Modes, viscosity: float) -> Tensor:
        return self._mixing(axis, modes).square() * wale_rate(rows)
