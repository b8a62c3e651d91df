"""The Fourier layer on any number of axes, time among them."""

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from pdebench.errors import ConfigError


@final
class FourierLayer(nn.Module):
    """y = F^{-1}( R . F x ) over all axes, time as the last one, without padding.

    Kept indices are 0 .. m-1 and -m .. -1 on every axis but the last, 0 .. m-1 there. Every axis is
    transformed and cut before the next one, so that the later transforms are small.
    x: (B, C_in, *S).  Returns (B, C_out, *S).

    Args:
        in_channels: C_in.
        out_channels: C_out.
        modes: m per axis.

    Raises ConfigError where the grid has too few modes.
    """

    def __init__(self, in_channels: int, out_channels: int, modes: Sequence[int]) -> None:
        super().__init__()
        self.modes = tuple(modes)
        rows = math.prod((*(2 * m for m in self.modes[:-1]), self.modes[-1]))
        scale = 1 / (in_channels * out_channels)
        start = scale * torch.rand(rows, in_channels, out_channels, 2)
        self.weight = nn.Parameter(torch.view_as_complex(start))  # one matrix per kept mode

    def _check(self, shape: Sequence[int]) -> None:
        limits = [n // 2 for n in shape[:-1]] + [shape[-1] // 2 + 1]
        for axis, (m, limit) in enumerate(zip(self.modes, limits, strict=True)):
            if m > limit:
                raise ConfigError(
                    f"modes: axis {axis} keeps {m}, but its {shape[axis]} points have {limit}; "
                    "keep fewer modes or use a finer grid"
                )

    def forward(self, x: Tensor) -> Tensor:
        shape = x.shape[2:]
        self._check(shape)
        last = self.modes[-1]
        z = torch.fft.rfft(x)[..., :last]
        for axis, m in reversed(list(enumerate(self.modes[:-1], 2))):
            z = torch.fft.fft(z, dim=axis)
            length = z.shape[axis]
            z = torch.cat([z.narrow(axis, 0, m), z.narrow(axis, length - m, m)], axis)
        kept = z.shape[2:]
        # a complex product of strided operands is done one matrix at a time, forward and backward
        z = torch.bmm(z.flatten(2).permute(2, 0, 1).contiguous(), self.weight.to(z.dtype))
        if z.requires_grad:
            z.register_hook(Tensor.contiguous)
        z = z.permute(1, 2, 0).unflatten(-1, kept)
        for axis, m in enumerate(self.modes[:-1], 2):
            gap = z.new_zeros((*z.shape[:axis], shape[axis - 2] - 2 * m, *z.shape[axis + 1 :]))
            z = torch.cat([z.narrow(axis, 0, m), gap, z.narrow(axis, m, m)], axis)
            z = torch.fft.ifft(z, dim=axis)
        return torch.fft.irfft(z, n=shape[-1])  # pads the missing modes
