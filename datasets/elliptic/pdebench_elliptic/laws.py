"""How coefficients are drawn: numbers first, then a field on any grid, so that one sample exists at
every resolution.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from pdebench.errors import ConfigError

Array = NDArray[Any]


def cosines(coefficients: Array, x: Array, y: Array) -> Array:
    """Return sum_jk c_jk phi_j(x) phi_k(y) on the tensor grid.

    phi_0 = 1, phi_k(x) = sqrt(2) cos(k pi x), orthonormal. coefficients: (K, K); x, y: (n,), (m,).
    Returns (n, m).
    """
    k = np.arange(len(coefficients))
    norm = np.where(k == 0, 1.0, np.sqrt(2.0))
    along = [norm * np.cos(np.pi * np.outer(nodes, k)) for nodes in (x, y)]
    return along[0] @ coefficients @ along[1].T


def gaussian_coefficients(
    random: np.random.Generator, modes: int, alpha: float, tau: float
) -> Array:
    """Return xi_jk tau^{alpha - 1} (pi^2 (j^2 + k^2) + tau^2)^{-alpha/2} (K, K), 0 for j = k = 0.

    Neumann field of covariance tau^{2 alpha - 2} (-lap + tau^2)^{-alpha}; Li et al., ICLR 2021
    (arXiv 2010.08895), app. A.3, as the released generator scales it.
    """
    k = np.arange(modes)
    size = np.pi**2 * (k[:, None] ** 2 + k**2) + tau**2
    amplitude = tau ** (alpha - 1) * size ** (-alpha / 2)
    amplitude[0, 0] = 0.0
    return random.standard_normal((modes, modes)) * amplitude


class Law(ABC):
    """A distribution of coefficient fields on the unit square."""

    @abstractmethod
    def draw(self, random: np.random.Generator) -> Array:
        """Return the numbers of one sample."""

    @abstractmethod
    def field(self, numbers: Array, x: Array, y: Array) -> Array:
        """Return a > 0 on the tensor grid (n, m)."""


@final
@dataclass(frozen=True)
class GaussianLaw(Law):
    """A function of a Gaussian field g: two phases, a = high where g >= 0, else low; or a = exp(g).

    Attributes:
        kind: two_phase or lognormal.
        high, low: values of the two phases, 1.
        tau: inverse correlation length.
        alpha: smoothness; g has covariance (-lap + tau^2)^{-alpha}.
        modes: cosines per axis.
        scale: of g in exp(g).
    """

    kind: Literal["two_phase", "lognormal"] = "two_phase"
    high: float = 12.0
    low: float = 3.0
    tau: float = 3.0
    alpha: float = 2.0
    modes: int = 64
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in ("two_phase", "lognormal"):
            raise ConfigError(f"dataset.law.kind='{self.kind}', expected two_phase or lognormal")
        if not self.high >= self.low > 0:
            raise ConfigError(
                f"dataset.law.high={self.high} and low={self.low}, expected high >= low > 0"
            )
        if self.modes < 2 or self.tau <= 0 or self.alpha <= 0:
            raise ConfigError(
                f"dataset.law has modes={self.modes}, tau={self.tau}, alpha={self.alpha}; expected "
                "modes >= 2 and positive tau and alpha"
            )

    def draw(self, random: np.random.Generator) -> Array:
        return gaussian_coefficients(random, self.modes, self.alpha, self.tau)

    def field(self, numbers: Array, x: Array, y: Array) -> Array:
        g = cosines(numbers, x, y)
        if self.kind == "lognormal":
            return np.exp(self.scale * g)
        return np.where(g >= 0, self.high, self.low)


@final
@dataclass(frozen=True)
class TrigonometricLaw(Law):
    """a = prod_k (1 + cos(a_k pi (x + y)) / 2) (1 + sin(a_k pi (y - 3 x)) / 2), k = 1..levels.

    a_k uniform in [2^{k-1}, 1.5 2^{k-1}). Liu, Xu and Zhang (arXiv 2210.10890), sec. 4.1, after
    Owhadi (2017).

    Attributes:
        levels: factors; frequencies up to 1.5 2^{levels - 1}.
    """

    levels: int = 6

    def __post_init__(self) -> None:
        if not 1 <= self.levels <= 12:
            raise ConfigError(f"dataset.law.levels={self.levels}, expected 1 to 12")

    def draw(self, random: np.random.Generator) -> Array:
        low = 2.0 ** np.arange(self.levels)
        return low * (1 + random.random(self.levels) / 2)

    def field(self, numbers: Array, x: Array, y: Array) -> Array:
        plus = np.pi * (x[:, None] + y)
        minus = np.pi * (y - 3 * x[:, None])
        a = np.ones_like(plus)
        for frequency in numbers:
            a *= (1 + np.cos(frequency * plus) / 2) * (1 + np.sin(frequency * minus) / 2)
        return a
