"""T1U: one transform, a U-Net on the lowest coefficients."""

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from pdebench.errors import ConfigError
from pdebench_t1.layer import Activation, FrequencyLayer, Start
from pdebench_t1.network import Pointwise, coordinates
from pdebench_t1.transform import Cosine
from pdebench_t1.unet import CoefficientNet


@final
class T1U(nn.Module):
    """Transform Once with a U-shaped body.

        z = T ( W_0 (x, coordinates) + b_0 ),   z <- layer(z),   y = T^{-1} U(z)

    on the lowest m x m coefficients of a DCT-II. Poli et al., NeurIPS 2022 (arXiv 2211.14453),
    app. B. x: (B, in_channels, X, Y).  Returns (B, out_channels, X, Y).

    Args:
        in_channels, out_channels: channels of input and output.
        shape: points per axis that the weights are made for.
        modes: m.
        exponent: the U-Net starts with 2^exponent channels.
        operator_layer: whether a frequency layer precedes the U-Net.
        residual: whether that layer adds its input.
        start: how that layer starts.
        act: "gelu" or "sin".
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        shape: Sequence[int],
        modes: int = 24,
        exponent: int = 5,
        operator_layer: bool = True,
        residual: bool = True,
        start: Start = "variance",
        act: Activation = "gelu",
    ) -> None:
        super().__init__()
        if len(shape) != 2 or modes > min(shape):
            raise ConfigError(
                f"modes={modes} on a grid of shape {list(shape)}, expected two axes with at least "
                "as many points"
            )
        self.in_channels, self.modes, self.points = in_channels, modes, math.prod(shape)
        width = in_channels + 2
        self.lift = Pointwise(width, width)
        kept = (modes, modes)
        self.operator = (
            FrequencyLayer(width, kept, self.points, residual, start, act)
            if operator_layer
            else None
        )
        self.body = CoefficientNet(width, out_channels, modes, exponent)
        self._plans: dict[tuple[object, ...], Cosine] = {}

    def plan(self, x: Tensor) -> Cosine:
        """Return the transform of x's grid."""
        key = (tuple(x.shape[2:]), x.device, x.dtype)
        if key not in self._plans:
            with torch.inference_mode(False):
                like = torch.empty(0, device=x.device, dtype=x.dtype)
                kept = (self.modes, self.modes)
                self._plans[key] = Cosine(x.shape[2:], kept, self.points, like)
        return self._plans[key]

    def coefficients(self, x: Tensor) -> Tensor:
        """Return the output's kept coefficients (B, out_channels, m, m)."""
        if x.ndim != 4 or x.shape[1] != self.in_channels or min(x.shape[2:]) < self.modes:
            raise ConfigError(
                f"the network got x of shape {tuple(x.shape)}, expected (batch, "
                f"{self.in_channels}, n, n) with n >= {self.modes}"
            )
        z = self.plan(x).forward(self.lift(torch.cat([x, coordinates(x)], dim=1)))
        return self.body(z if self.operator is None else self.operator(z))

    def forward(self, x: Tensor) -> Tensor:
        return self.plan(x).inverse(self.coefficients(x))
