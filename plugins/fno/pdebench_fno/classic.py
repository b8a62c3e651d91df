"""The Fourier neural operator as first published, for one, two and three dimensions."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pdebench.errors import ConfigError
from pdebench_fno.pointwise import Pointwise, coordinates
from pdebench_fno.spectral_conv import DenseWeight, SpectralConv
from pdebench_fno.transform import Band

_HEAD = 128  # hidden width of the projection, Li et al. 2021, sec. 5


@final
class ClassicFNO(nn.Module):
    """Fourier neural operator, published form.

        v_0 = P (x, coordinates)
        v_{l+1} = GELU( W_l v_l + b_l + F^{-1}(R_l . F v_l) ),   l = 0 .. L-1
        y = Q_2 GELU(Q_1 v_L)

    without activation after the last layer. Coordinates are linspace(0, 1, n), end point included.
    Li et al., ICLR 2021 (arXiv 2010.08895), sec. 4 and eq. 5; the public scripts' defaults.
    x: (B, in_channels, *S).  Returns (B, out_channels, *S).

    Args:
        modes: m per axis: k = -m .. m-1, and 0 .. m-1 on the last axis.
        in_channels, out_channels: channels of input and output.
        width: channels of the hidden field.
        layers: number of Fourier layers.
        padding: zeros appended at the end of every axis before the first layer and cut off after
            the last.
        clip: use fewer modes on grids that do not hold all, instead of refusing them.
    """

    def __init__(
        self,
        modes: Sequence[int],
        in_channels: int,
        out_channels: int,
        width: int = 20,
        layers: int = 4,
        padding: Sequence[int] | None = None,
        clip: bool = False,
    ) -> None:
        super().__init__()
        if min(*modes, width, layers) < 1:
            raise ConfigError(
                f"modes={list(modes)}, width={width}, layers={layers}, expected positive integers"
            )
        self.dim, self.in_channels = len(modes), in_channels
        self.padding = tuple(padding) if padding is not None else (0,) * self.dim
        if len(self.padding) != self.dim:
            raise ConfigError(
                f"padding={list(self.padding)}, expected one number for each of {self.dim} axes"
            )
        bands = (*(Band(m, m) for m in modes[:-1]), Band(0, modes[-1]))
        self.lift = Pointwise(in_channels + self.dim, width)
        self.convs = nn.ModuleList()
        for _ in range(layers):
            weight = DenseWeight(width, width, [band.count for band in bands])
            with (
                torch.no_grad()
            ):  # the published start: uniform in the positive quadrant, 1 / (C_in C_out)
                parts = torch.rand(*weight.tensor.shape, 2) / width**2
                weight.tensor.copy_(torch.view_as_complex(parts))
            self.convs.append(SpectralConv(bands, weight, clip=clip))
        self.locals = nn.ModuleList(Pointwise(width, width) for _ in range(layers))
        self.head, self.out = Pointwise(width, _HEAD), Pointwise(_HEAD, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != self.dim + 2 or x.shape[1] != self.in_channels:
            raise ConfigError(
                f"the network got x of shape {tuple(x.shape)}, expected (batch, "
                f"{self.in_channels}, "
                f"{', '.join('n' * self.dim)})"
            )
        shape = x.shape[2:]
        v = self.lift(torch.cat([x, coordinates(x, endpoint=True)], dim=1))
        if any(self.padding):
            v = functional.pad(v, [side for pad in reversed(self.padding) for side in (0, pad)])
        last = len(self.convs) - 1
        for position, (conv, local) in enumerate(zip(self.convs, self.locals, strict=True)):
            v = conv(v) + local(v)
            if position != last:
                v = functional.gelu(v)
        if any(self.padding):
            v = v[(..., *(slice(0, n) for n in shape))]
        return self.out(functional.gelu(self.head(v)))
