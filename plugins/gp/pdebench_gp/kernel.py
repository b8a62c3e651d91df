"""Stationary kernels of one variable: spectral mixtures and their envelopes, with derivatives."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pdebench.errors import ConfigError


class Envelope(ABC):
    """g(z) of one component and its derivatives."""

    @abstractmethod
    def derivatives(self, z: Tensor, log_ls: Tensor, order: int) -> list[Tensor]:
        """Return g, g', .., up to ``order`` <= 4, each (.., Q, *z), for log_ls (.., Q) in front of
        z.
        """


@final
class StudentT(Envelope):
    """Matern-5/2, the transform of a Student-t density with five degrees of freedom.

    g = (1 + a r + (a r)^2 / 3) exp(-a r),   r = |z|,   a = sqrt(5) exp(log_ls): an inverse length
    """

    def derivatives(self, z: Tensor, log_ls: Tensor, order: int) -> list[Tensor]:
        a = math.sqrt(5) * log_ls.exp()
        s = a * z.abs()
        decay = torch.exp(-s)
        third = a.square() / 3
        forms = (
            lambda: (1 + s + s.square() / 3) * decay,
            lambda: -third * z * (1 + s) * decay,
            lambda: -third * (1 + s - s.square()) * decay,
            lambda: third * a.square() * z * (3 - s) * decay,
            lambda: third * a.square() * (3 - 5 * s + s.square()) * decay,
        )
        return [form() for form in forms[: order + 1]]


@final
class Gaussian(Envelope):
    """Squared exponential, the transform of a Gaussian density.

    g = exp(-l z^2),   l = exp(log_ls): an inverse squared length
    """

    def derivatives(self, z: Tensor, log_ls: Tensor, order: int) -> list[Tensor]:
        length = log_ls.exp()
        z2 = z.square()
        g = torch.exp(-length * z2)
        forms = (
            lambda: g,
            lambda: -2 * length * z * g,
            lambda: (4 * length**2 * z2 - 2 * length) * g,
            lambda: (12 * length**2 - 8 * length**3 * z2) * z * g,
            lambda: (12 * length**2 - 48 * length**3 * z2 + 16 * length**4 * z2**2) * g,
        )
        return [form() for form in forms[: order + 1]]


@final
@dataclass(frozen=True)
class Parameters:
    """One axis: log weights, log length parameters and frequencies (cycles per unit), (.., Q) each;
    axes in front are instances.
    """

    log_w: Tensor
    log_ls: Tensor
    freq: Tensor


@final
@dataclass(frozen=True)
class Kernel:
    """Mixture kernel k(z) = sum_q w_q g_q(z) cos(2 pi mu_q z), or without the cosine.

    Wiener-Khinchin: the power spectrum is a mixture of Student-t or Gaussian densities at the
    frequencies mu_q. Fang et al., ICLR 2024 (arXiv 2311.04465), sec. 3.

    Attributes:
        envelope: of every component.
        cosine: False for the plain kernel (Matern or squared exponential).
    """

    envelope: Envelope
    cosine: bool = True

    def at(self, z: Tensor, parameters: Parameters, order: int) -> list[Tensor]:
        """Return k, k', .., of shape (.., *z), up to ``order``; axes in front are instances.

        Derivatives are with respect to z = x - y; d/dy = -d/dz.
        """
        shape, q = (*parameters.log_w.shape, *(1,) * z.ndim), -1 - z.ndim
        w = parameters.log_w.exp().view(shape)
        g = self.envelope.derivatives(z, parameters.log_ls.view(shape), order)
        if not self.cosine:
            return [(w * part).sum(q) for part in g]
        m = (2 * math.pi * parameters.freq).view(shape)
        sine, cosine = torch.sin(m * z), torch.cos(m * z)
        turns = (cosine, -sine, -cosine, sine)
        c = [m**n * turns[n % 4] for n in range(order + 1)]
        return [
            (w * sum(math.comb(n, j) * g[j] * c[n - j] for j in range(n + 1))).sum(q)
            for n in range(order + 1)
        ]

    def matrices(
        self, x: Tensor, y: Tensor, parameters: Parameters, order: int, uniform: bool = False
    ) -> list[Tensor]:
        """Return the matrices of k, k', .., between points x (N,) and y (M,), (.., N, M) each.

        On a uniform grid (x is y) every matrix is Toeplitz and only N lags are evaluated:
        k(-z) = k(z), k'(-z) = -k'(z), and so on.
        """
        if not uniform:
            return self.at(x[:, None] - y, parameters, order)
        lags = self.at(x - x[0], parameters, order)
        position = torch.arange(len(x), device=x.device)
        offset = position[:, None] - position
        sign = torch.where(offset < 0, -1.0, 1.0).to(x.dtype)
        gathered = [lag[..., offset.abs()] for lag in lags]
        return [part * sign if n % 2 else part for n, part in enumerate(gathered)]


KERNELS = {
    "Matern52_Cos_1d": Kernel(StudentT()),
    "SE_Cos_1d": Kernel(Gaussian()),
    "Matern52_1d": Kernel(StudentT(), cosine=False),
    "SE_1d": Kernel(Gaussian(), cosine=False),
}


def kernel_named(name: str) -> Kernel:
    """Return a kernel by its released name. Raises ConfigError naming the known ones."""
    if name not in KERNELS:
        raise ConfigError(f"kernel={name!r}, expected one of {', '.join(KERNELS)}")
    return KERNELS[name]


def start(num: int, freq_scale: float, like: Tensor, instances: tuple[int, ...] = ()) -> Parameters:
    """Return the published start: equal weights, unit lengths, frequencies 0 .. freq_scale."""
    zeros = like.new_zeros(*instances, num)
    freq = torch.linspace(0, 1, num).to(like) * freq_scale
    return Parameters(zeros - math.log(num), zeros.clone(), zeros + freq)
