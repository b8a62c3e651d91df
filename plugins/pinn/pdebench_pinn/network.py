"""Networks of coordinates with their derivatives, many at once."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import final

import torch
from torch import Tensor, nn

from pdebench.errors import ConfigError


@final
class Coordinates(nn.Module):
    """B independent networks u_b(x) with tanh layers, values and derivatives in one forward pass.

    Along each axis the first and second derivative are carried through the layers: for z = W h + b,
    a = tanh z,

        a' = (1 - a^2) z',   a'' = (1 - a^2) z'' - 2 a (1 - a^2) z'^2

    The first layer sees x in [-1, 1], or cos(2 pi B x) and sin(2 pi B x) of random B ~ N(0, s^2),
    as many for every scale s (Wang, Wang, Perdikaris, Comput. Methods Appl. Mech. Eng. 384 (2021)).

    Args:
        instances: B.
        dim: axes.
        width: units of a hidden layer.
        depth: hidden layers.
        scales: s, cycles per unit of x in [-1, 1]; empty for no features.
        features: frequencies per scale.
    """

    def __init__(
        self,
        instances: int,
        dim: int,
        width: int = 64,
        depth: int = 4,
        scales: Sequence[float] = (),
        features: int = 32,
    ) -> None:
        super().__init__()
        for name, value in (("width", width), ("depth", depth), ("features", features)):
            if value < 1:
                raise ConfigError(f"solver.{name}={value}, expected a positive integer")
        if any(s <= 0 for s in scales):
            raise ConfigError(f"solver.scales={list(scales)}, expected positive numbers")
        drawn = [s * torch.randn(instances, dim, features) for s in scales]
        self.register_buffer("frequencies", torch.cat(drawn, -1) if drawn else None)
        first = dim if not drawn else 2 * features * len(drawn)
        sizes = [first, *[width] * depth, 1]
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(instances, a, b) * math.sqrt(2 / (a + b)))  # Glorot
            for a, b in pairwise(sizes)
        )
        self.biases = nn.ParameterList(
            nn.Parameter(torch.zeros(instances, 1, b)) for b in sizes[1:]
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return u (B, N), its first and its second derivatives (B, N, d) at points x (N, d)."""
        instances, dim = len(self.weights[0]), x.shape[1]
        h, first, second = self._lifted(x.expand(instances, *x.shape))
        last = len(self.weights) - 1
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            h = torch.baddbmm(bias, h, weight)
            first = [f @ weight for f in first]
            second = [s @ weight for s in second]
            if index < last:
                h = torch.tanh(h)
                slope = 1 - h * h
                second = [slope * (s - 2 * h * f * f) for f, s in zip(first, second, strict=True)]
                first = [slope * f for f in first]
        stacked = [torch.cat(parts, -1) for parts in (first, second)]
        assert stacked[0].shape[-1] == dim
        return h[..., 0], stacked[0], stacked[1]

    def _lifted(self, x: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        dim = x.shape[-1]
        if self.frequencies is None:
            unit = torch.eye(dim, dtype=x.dtype, device=x.device)
            zero = torch.zeros_like(x)
            return x, [unit[a].expand_as(x) for a in range(dim)], [zero] * dim
        k = 2 * math.pi * self.frequencies
        angle = x @ k
        c, s = torch.cos(angle), torch.sin(angle)
        value = torch.cat([c, s], -1)
        first = [torch.cat([-s * k[:, a : a + 1], c * k[:, a : a + 1]], -1) for a in range(dim)]
        second = [-value * torch.cat([k[:, a : a + 1] ** 2] * 2, -1) for a in range(dim)]
        return value, first, second
