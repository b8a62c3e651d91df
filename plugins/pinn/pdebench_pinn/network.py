"""Networks of coordinates with their derivatives, many at once."""

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from pdebench.errors import ConfigError
from pdebench_pinn.layers import TanhLayers


@final
class Coordinates(nn.Module):
    """B independent networks u_b(x) with tanh layers, values and derivatives in one forward pass.

    First and second derivatives along each axis are carried through the layers, see `TanhLayers`.
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

    frequencies: Tensor | None

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
        self.layers = TanhLayers(instances, sizes, dim, [(axis, axis) for axis in range(dim)])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return u (B, N), its first and its second derivatives (B, N, d) at points x (N, d)."""
        dim = x.shape[1]
        u = self.layers(self._lifted(x))[..., 0]
        return u[:, 0], u[:, 1 : 1 + dim].movedim(1, -1), u[:, 1 + dim :].movedim(1, -1)

    def _lifted(self, x: Tensor) -> Tensor:
        """Return the streams (B or 1, 1 + 2 d, N, features) of the first layer's input."""
        dim = x.shape[-1]
        if self.frequencies is None:
            unit = torch.eye(dim, dtype=x.dtype, device=x.device)
            slopes = [unit[axis].expand_as(x) for axis in range(dim)]
            return torch.stack([x, *slopes, *[torch.zeros_like(x)] * dim]).unsqueeze(0)
        k = 2 * math.pi * self.frequencies
        angle = x @ k
        c, s = torch.cos(angle), torch.sin(angle)
        value = torch.cat([c, s], -1)
        first = [torch.cat([-s * k[:, a : a + 1], c * k[:, a : a + 1]], -1) for a in range(dim)]
        second = [-value * torch.cat([k[:, a : a + 1] ** 2] * 2, -1) for a in range(dim)]
        return torch.stack([value, *first, *second], 1)
