"""T1: one transform for the whole network."""

import math
from collections.abc import Sequence
from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pdebench.errors import ConfigError
from pdebench_t1.layer import Activation, FrequencyLayer, Start
from pdebench_t1.transform import Cosine, Fourier, Truncated

_HEAD = 128


def coordinates(x: Tensor) -> Tensor:
    """Return linspace(0, 1, n) along every axis, end point included, (B, d, *S)."""
    axes = [torch.linspace(0, 1, n, device=x.device, dtype=x.dtype) for n in x.shape[2:]]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    return grid.expand(len(x), *grid.shape)


@final
class Pointwise(nn.Module):
    """y = W x + b at every point, x (B, C_in, *S)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        made = nn.Linear(inputs, outputs)
        self.weight, self.bias = made.weight, made.bias

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.expand(len(x), -1, -1)
        return torch.baddbmm(self.bias.view(1, -1, 1), weight, x.flatten(2)).unflatten(
            2, x.shape[2:]
        )


@final
class T1(nn.Module):
    """Transform Once: to the frequency domain, L layers there, and back.

        z = T ( W_0 (x, coordinates) + b_0 ),   z <- layer_l(z),   y = T^{-1} sin(z V_1) V_2

    on the lowest ``modes`` coefficients, the others are zero. T is orthonormal: the loss of
    coefficients is the loss of fields. Poli et al., NeurIPS 2022 (arXiv 2211.14453), sec. 3.
    x: (B, in_channels, *S).  Returns (B, out_channels, *S), or coefficients (B, out_channels, *M)
    from `coefficients`.

    Args:
        in_channels, out_channels: channels of input and output.
        shape: points per axis that the weights are made for; other grids rescale.
        modes: kept coefficients per axis.
        width: channels of the coefficients.
        layers: L.
        padding: zeros at the end of every axis before the transform, cut off after it.
        residual: whether a layer adds its input.
        start: how the channel maps start (`layer.deviation`).
        first_only: use ``start`` in the first layer and "fan_in" afterwards.
        act: "gelu" or "sin".
        transform: "dct" or "dft".
        small_head: start the head at 1e-8 (as published: the network starts at zero) instead of
            1 / sqrt(fan_in).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        shape: Sequence[int],
        modes: Sequence[int],
        width: int = 48,
        layers: int = 8,
        padding: int = 0,
        residual: bool = True,
        start: Start = "variance",
        first_only: bool = False,
        act: Activation = "gelu",
        transform: Literal["dct", "dft"] = "dct",
        small_head: bool = False,
    ) -> None:
        super().__init__()
        if transform not in ("dct", "dft"):
            raise ConfigError(f"transform={transform!r}, expected 'dct' or 'dft'")
        if len(modes) != len(shape):
            raise ConfigError(
                f"modes={list(modes)} are for {len(modes)} axes, the grid has {len(shape)}"
            )
        self.in_channels, self.modes, self.padding = in_channels, tuple(modes), padding
        self.points = math.prod(n + padding for n in shape)
        self._transform: Literal["dct", "dft"] = transform
        self.lift = Pointwise(in_channels + len(shape), width)
        self.layers = nn.ModuleList(
            FrequencyLayer(
                width,
                modes,
                self.points,
                residual,
                "fan_in" if first_only and position else start,
                act,
                complex_weights=transform == "dft",
            )
            for position in range(layers)
        )
        first, second = (1e-8, 1e-8) if small_head else (width**-0.5, _HEAD**-0.5)
        self.head_1 = nn.Parameter(first * torch.randn(width, _HEAD))
        self.head_2 = nn.Parameter(second * torch.randn(_HEAD, out_channels))
        self._plans: dict[tuple[object, ...], Truncated] = {}

    def plan(self, x: Tensor) -> Truncated:
        """Return the transform of x's grid; made once per grid, device and dtype."""
        shape = tuple(n + self.padding for n in x.shape[2:])
        limits = [*shape[:-1], shape[-1] // 2 + 1] if self._transform == "dft" else shape
        for axis, (m, limit) in enumerate(zip(self.modes, limits, strict=True)):
            if m > limit:
                raise ConfigError(
                    f"modes: axis {axis} keeps {m} coefficients, but its {shape[axis]} points have "
                    f"{limit}; keep fewer modes or use a finer grid"
                )
        key = (shape, x.device, x.dtype)
        if key not in self._plans:
            with torch.inference_mode(False):
                like = torch.empty(0, device=x.device, dtype=x.dtype)
                self._plans[key] = (
                    Cosine(shape, self.modes, self.points, like)
                    if self._transform == "dct"
                    else Fourier(shape, self.modes, self.points)
                )
        return self._plans[key]

    def coefficients(self, x: Tensor) -> Tensor:
        """Return the output's kept coefficients (B, out_channels, *M)."""
        if x.ndim != 2 + len(self.modes) or x.shape[1] != self.in_channels:
            raise ConfigError(
                f"the network got x of shape {tuple(x.shape)}, expected (batch, "
                f"{self.in_channels}, {', '.join('n' * len(self.modes))})"
            )
        z = self.lift(torch.cat([x, coordinates(x)], dim=1))
        if self.padding:
            z = functional.pad(z, [0, self.padding] * len(self.modes))
        z = self.plan(x).forward(z)
        for layer in self.layers:
            z = layer(z)
        return self.head(z)

    def head(self, z: Tensor) -> Tensor:
        """Return sin(z V_1) V_2 at every coefficient."""
        hidden = torch.einsum("bi...,io->bo...", z, self.head_1.to(z.dtype))
        return torch.einsum("bi...,io->bo...", torch.sin(hidden), self.head_2.to(z.dtype))

    def forward(self, x: Tensor) -> Tensor:
        y = self.plan(x).inverse(self.coefficients(x))
        return y[(..., *(slice(0, n) for n in x.shape[2:]))] if self.padding else y
