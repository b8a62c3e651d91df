"""Implicit Fourier neural operators: one shared layer, iterated."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pdebench.errors import ConfigError
from pdebench_fno.pointwise import Pointwise, coordinates
from pdebench_fno.spectral_conv import DenseWeight, SpectralConv
from pdebench_fno.transform import Band
from pdebench_fno.unet import UNet1d


@final
class IFNO(nn.Module):
    """Implicit Fourier neural operator.

        v_{l+1} = v_l + 1/L sigma( W v_l + c + F^{-1}(R . F v_l) [ + U(v_l - F^{-1}(R . F v_l)) ] ),
          l = 0 .. L-1

    One layer shared by all L iterations: depth is a time step. You et al., CMAME 2022 (arXiv
    2203.08205), eq. 12. With ``unet`` a one-dimensional U-Net over the flattened points acts on
    what the Fourier layer leaves (IUFNO; Li, Z., et al., Phys. Fluids 35, 075145, 2023). x: (B,
    in_channels, *S).  Returns (B, out_channels, *S).

    Args:
        modes: m per axis: k = -m .. m-1, and 0 .. m-1 on the last axis.
        in_channels, out_channels: channels of input and output.
        width: channels of the hidden field.
        layers: L.
        head: hidden width of the projection.
        unet: whether the U-Net term is added (IUFNO).
        linear_end: no activation in the last iteration, as the released turbulence programs do.
        one_sided: axes (from the first) that keep 0 .. m-1 only.
        clip: use fewer modes on grids that do not hold all, instead of refusing them.

    A trained shallow network starts a deeper one: the weights do not depend on L (shallow-to-deep
    training).
    """

    def __init__(
        self,
        modes: Sequence[int],
        in_channels: int,
        out_channels: int,
        width: int = 32,
        layers: int = 4,
        head: int = 128,
        unet: bool = False,
        linear_end: bool = False,
        one_sided: Sequence[int] = (),
        clip: bool = False,
    ) -> None:
        super().__init__()
        if min(*modes, width, layers) < 1:
            raise ConfigError(
                f"modes={list(modes)}, width={width}, layers={layers}, expected positive integers"
            )
        self.dim, self.in_channels, self.layers, self.linear_end = (
            len(modes),
            in_channels,
            layers,
            linear_end,
        )
        bands = [Band(0 if axis in one_sided else m, m) for axis, m in enumerate(modes[:-1])]
        bands.append(Band(0, modes[-1]))
        self.lift = Pointwise(in_channels + self.dim, width)
        weight = DenseWeight(width, width, [band.count for band in bands])
        with torch.no_grad():
            weight.tensor.copy_(
                torch.view_as_complex(torch.rand(*weight.tensor.shape, 2) / width**2)
            )
        self.conv = SpectralConv(bands, weight, clip=clip)
        self.local = Pointwise(width, width)
        self.unet = UNet1d(width) if unet else None
        self.head, self.out = Pointwise(width, head), Pointwise(head, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != self.dim + 2 or x.shape[1] != self.in_channels:
            raise ConfigError(
                f"the network got x of shape {tuple(x.shape)}, expected (batch, "
                f"{self.in_channels}, "
                f"{', '.join('n' * self.dim)})"
            )
        v = self.lift(torch.cat([x, coordinates(x, endpoint=True)], dim=1))
        for position in range(self.layers):
            spectral = self.conv(v)
            change = spectral + self.local(v)
            if self.unet is not None:
                change = change + self.unet((v - spectral).flatten(2)).view_as(v)
            if not (self.linear_end and position == self.layers - 1):
                change = functional.gelu(change)
            v = v + change / self.layers
        return self.out(functional.gelu(self.head(v)))
