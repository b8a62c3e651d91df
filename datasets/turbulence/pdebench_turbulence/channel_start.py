"""Fields that a channel flow starts from: a mean profile and a few random modes."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.errors import ConfigError
from pdebench.generation import sample_generator


@dataclass(frozen=True)
class Start(ABC):
    """U(y) e_x and solenoidal modes |m_x| <= 2, 0 <= m_z <= 2 with complex normal amplitudes.

        v = a_v (1 - y^2)^2,   eta = a_eta (1 - y^2),   u = i (k_x v_y - k_z eta) / k^2,
        w = i (k_z v_y + k_x eta) / k^2

    No slip and no divergence at every resolution: the same field exists on every grid.

    Attributes:
        normal: a_v, in units of u_tau.
        spin: a_eta, in units of u_tau over the half-width.
    """

    normal: float
    spin: float

    def __post_init__(self) -> None:
        if self.normal < 0 or self.spin < 0:
            raise ConfigError(
                f"dataset.start.normal={self.normal}, spin={self.spin}: expected none negative"
            )

    @abstractmethod
    def profile(self, y: Tensor, reynolds: float) -> Tensor:
        """Return U (n,), in units of u_tau, at -1 <= y <= 1."""

    def draw(self, stream: str, index: int, grid: Grid, reynolds: float) -> Tensor:
        """Return the velocity (3, *S), float64, of sample ``index``."""
        x, y, z = (axis.nodes for axis in grid.axes)
        lengths = grid.axes[0].length, grid.axes[2].length
        u = torch.zeros(3, *grid.shape, dtype=torch.float64)
        u[0] += self.profile(y, reynolds)[:, None]
        v = self.normal * (1 - y.square()).square()
        slope = -4 * self.normal * y * (1 - y.square())
        eta = self.spin * (1 - y.square())
        numbers = sample_generator(stream, index).standard_normal((5, 3, 2, 2))
        for a, b in np.ndindex(5, 3):
            m = a - 2
            if b == 0 and m <= 0:
                continue  # the mean, and conjugates of m > 0
            kx, kz = 2 * math.pi * m / lengths[0], 2 * math.pi * b / lengths[1]
            c, d = (complex(*pair) for pair in numbers[a, b])
            over = 1j / (kx**2 + kz**2)
            parts = (
                over * (kx * c * slope - kz * d * eta),
                c * v,
                over * (kz * c * slope + kx * d * eta),
            )
            wave = torch.exp(1j * (kx * x[:, None] + kz * z))[:, None, :]
            for i, part in enumerate(parts):
                u[i] += 2 * (part.to(torch.complex128)[:, None] * wave).real
        return u


@final
@dataclass(frozen=True)
class PerturbedPoiseuille(Start):
    """U = (1 - y^2) Re_tau / 2, the laminar profile, with small modes."""

    normal: float = 0.02
    spin: float = 0.4

    def profile(self, y: Tensor, reynolds: float) -> Tensor:
        return (1 - y.square()) * reynolds / 2


@final
@dataclass(frozen=True)
class Turbulent(Start):
    """A turbulent mean profile with modes large enough to become turbulence.

        U = ln(1 + 0.4 y+) / 0.41 + 7.8 (1 - e^{-y+/11} - y+/11 e^{-y+/3})

    Reichardt, Z. Angew. Math. Mech. 31 (1951). Modes four times as large blow up.
    """

    normal: float = 0.06
    spin: float = 0.75

    def profile(self, y: Tensor, reynolds: float) -> Tensor:
        plus = (1 - y.abs()) * reynolds
        law = torch.log(1 + 0.4 * plus) / 0.41
        return law + 7.8 * (1 - torch.exp(-plus / 11) - plus / 11 * torch.exp(-plus / 3))
