"""Maps of the channels that are the same at every point."""

from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pdebench.errors import ConfigError

Skip = Literal["linear", "soft-gating", "identity", "none"]


@final
class Pointwise(nn.Module):
    """y = W x + b at every point: x (B, C_in, *S), y (B, C_out, *S); started as ``nn.Linear``."""

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__()
        made = nn.Linear(in_channels, out_channels, bias)
        self.weight, self.bias = made.weight, made.bias

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.expand(len(x), -1, -1)
        columns = x.flatten(2)
        # On the CPU a batched product takes half the time of a 1x1 convolution.
        if self.bias is None:
            y = torch.bmm(weight, columns)
        else:
            y = torch.baddbmm(self.bias.view(1, -1, 1), weight, columns)
        return y.unflatten(2, x.shape[2:])


@final
class ChannelMLP(nn.Module):
    """Two pointwise maps with GELU between."""

    def __init__(self, in_channels: int, hidden: int, out_channels: int) -> None:
        super().__init__()
        self.first, self.second = Pointwise(in_channels, hidden), Pointwise(hidden, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(functional.gelu(self.first(x)))


@final
class SoftGate(nn.Module):
    """y = g x with one factor per channel, started at one."""

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, channels, *(1,) * dim))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x


def skip(kind: Skip, channels: int, dim: int) -> nn.Module | None:
    """Return the skip connection called ``kind``, or None for "none"."""
    if kind == "linear":
        return Pointwise(channels, channels, bias=False)
    if kind == "soft-gating":
        return SoftGate(channels, dim)
    if kind == "identity":
        return nn.Identity()
    if kind == "none":
        return None
    raise ConfigError(f"skip={kind!r}, expected 'linear', 'soft-gating', 'identity' or 'none'")


def coordinates(x: Tensor, endpoint: bool) -> Tensor:
    """Return one channel per axis with coordinates in [0, 1], (B, d, *S), in axis order.

    With ``endpoint`` linspace(0, 1, n), else j / n: the points of a periodic grid.
    """
    shape = x.shape[2:]
    axes = [
        torch.linspace(0, 1, n, device=x.device, dtype=x.dtype)
        if endpoint
        else torch.arange(n, device=x.device, dtype=x.dtype) / n
        for n in shape
    ]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    return grid.expand(len(x), *grid.shape)
