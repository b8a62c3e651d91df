"""Coordinates of the axes of a grid, and those of the channel-flow data."""

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from pdebench.errors import ConfigError

# b = sqrt(1 + 1/q), q = (sqrt(pi^2 beta^2 + 1) - 1)/2 of Xcompact3d's two-sided stretching with
# beta = 0.259065151; reproduces the wall units of the published profiles to 2e-9.
_STRETCHING = 2.8128807


def channel_wall_normal(num: int) -> Tensor:
    """Return the wall-normal nodes (num,) of the published channel-flow grids, from 0 to 2.

        y_j = 1 + (2/pi) atan( b tan(pi (j/(N-1) - 1/2)) ),   b = 2.8128807

    float64, half channel heights. N = 33, 49, 65 at Re_tau = 180, 395, 590.
    """
    if num < 3:
        raise ConfigError(f"num={num}, expected at least 3 wall-normal nodes")
    inner = torch.arange(1, num - 1, dtype=torch.float64) / (num - 1) - 0.5
    y = 1 + (2 / math.pi) * torch.atan(_STRETCHING * torch.tan(math.pi * inner))
    return torch.cat([y.new_tensor([0.0]), y, y.new_tensor([2.0])])


def with_both_ends(num: int, length: float, start: float = 0.0) -> Tensor:
    """Return start + j L/(n-1): both ends, also on periodic axes, as the released programs do."""
    return torch.linspace(start, start + length, num)


@final
class Coordinates(nn.Module):
    """The nodes of every axis, kept with the weights.

    Args:
        nodes: coordinates (n,) of every axis.
        periodic: which axes are periodic; None for none.
    """

    def __init__(self, nodes: Sequence[Tensor], periodic: Sequence[bool] | None = None) -> None:
        super().__init__()
        self.num = len(nodes)
        self.periodic = tuple(periodic) if periodic is not None else (False,) * self.num
        if self.num < 1 or len(self.periodic) != self.num:
            raise ConfigError(
                f"{self.num} coordinate vectors and {len(self.periodic)} periodic flags, expected "
                "one of each per axis"
            )
        for axis, x in enumerate(nodes):
            self.register_buffer(f"axis{axis}", x.detach().reshape(-1).float().clone())

    def checked(self, x: Tensor, channels: int) -> tuple[int, ...]:
        """Return the shape of the grid; ConfigError where x is not (B, channels, *S)."""
        if x.ndim != 2 + self.num or x.shape[1] != channels:
            expected = ", ".join(["batch", str(channels), *["n"] * self.num])
            raise ConfigError(f"the input has shape {tuple(x.shape)}, expected ({expected})")
        return tuple(x.shape[2:])

    def of(self, shape: tuple[int, ...]) -> list[Tensor]:
        """Return the coordinates (n,) of every axis for a grid of ``shape``.

        Uniform periodic axes may be sampled otherwise than in training; ConfigError on others.
        """
        return [self._axis(axis, num) for axis, num in enumerate(shape)]

    def _axis(self, axis: int, num: int) -> Tensor:
        nodes = self.get_buffer(f"axis{axis}")
        if len(nodes) == num:
            return nodes
        steps = nodes.diff()
        uniform = len(steps) > 0 and bool((steps - steps[0]).abs().max() <= 1e-4 * steps[0])
        if not (self.periodic[axis] and uniform):
            raise ConfigError(
                f"axis {axis} has {num} points, the network knows the coordinates of {len(nodes)}; "
                "only uniform periodic axes can be sampled otherwise"
            )
        length = (nodes[-1] - nodes[0]) / (len(nodes) - 1) * len(nodes)
        return nodes[0] + length / num * torch.arange(num, device=nodes.device, dtype=nodes.dtype)
