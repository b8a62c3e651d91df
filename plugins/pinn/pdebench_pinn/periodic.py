"""Networks of space and time that are periodic in space by construction."""

import math
from itertools import product
from typing import final

import torch
from torch import Tensor, nn

from pdebench_pinn.jet import Jet, pairs
from pdebench_pinn.layers import TanhLayers


def waves(dim: int, band: float) -> Tensor:
    """Return one of every pair +-n of integer vectors with 0 < |n| <= ``band``, (W, d)."""
    zero, reach = (0,) * dim, range(-math.floor(band), math.floor(band) + 1)
    found = [n for n in product(reach, repeat=dim) if n > zero]
    kept = [n for n in found if sum(i * i for i in n) <= band * band + 1e-9]
    return torch.tensor(kept, dtype=torch.float64)


@final
class PeriodicField(nn.Module):
    """B independent networks q_b(x, t) of C channels with the period of the box.

    The first layer sees cos and sin of k_n . x, k_n = 2 pi n / L, for the integer vectors
    0 < |n| <= ``band``, and time scaled to [-1, 1]; band 1 is the sine and cosine of each
    coordinate. Dong and Ni, J. Comput. Phys. 435 (2021) 110242, sec. 2.

    Args:
        instances: B.
        channels: C.
        extent: L, length of every axis.
        span: first and last time, s.
        width: units of a hidden layer.
        depth: hidden layers.
        band: largest wavenumber index of the first layer.
        mixed: whether second derivatives along two axes are carried, beside those along one.
    """

    wavevectors: Tensor

    def __init__(
        self,
        instances: int,
        channels: int,
        extent: tuple[float, ...],
        span: tuple[float, float],
        width: int = 64,
        depth: int = 4,
        band: float = 1.0,
        mixed: bool = True,
    ) -> None:
        super().__init__()
        self.dim = len(extent)
        self._pairs = pairs(self.dim, mixed)
        self._middle, self._pace = sum(span) / 2, 2 / (span[1] - span[0])
        k = 2 * math.pi * waves(self.dim, band) / torch.tensor(extent, dtype=torch.float64)
        self._first = 2 * len(k) + 1
        self.register_buffer("wavevectors", k.T.float())  # (d, W)
        sizes = [self._first, *[width] * depth, channels]
        self.layers = TanhLayers(instances, sizes, self.dim + 1, self._pairs)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Return q (B, N, C) at points x (N, d), length, and times t (N,), s."""
        c, s = self._circle(x)
        return self.layers(torch.cat([c, s, self._clock(t, c)], -1)[None, None])[:, 0]

    def jet(self, x: Tensor, t: Tensor) -> Jet:
        """Return q with its derivatives there."""
        c, s = self._circle(x)
        k = self.wavevectors.to(c)
        none = torch.zeros_like(c[:, :1])
        streams = [torch.cat([c, s, self._clock(t, c)], -1)]
        streams += [torch.cat([-s * row, c * row, none], -1) for row in k]
        streams.append(torch.cat([torch.zeros_like(c), torch.zeros_like(c), none + self._pace], -1))
        streams += [
            torch.cat([-c * (k[i] * k[j]), -s * (k[i] * k[j]), none], -1) for i, j in self._pairs
        ]
        return Jet(self.layers(torch.stack(streams).unsqueeze(0)), self.dim, self._pairs)

    def _circle(self, x: Tensor) -> tuple[Tensor, Tensor]:
        angle = x @ self.wavevectors.to(x)
        return torch.cos(angle), torch.sin(angle)

    def _clock(self, t: Tensor, like: Tensor) -> Tensor:
        return ((t - self._middle) * self._pace).to(like).unsqueeze(-1)
