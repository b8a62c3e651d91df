"""A factorised Fourier operator over space and time."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import final

import torch
from torch import Tensor, nn

from pdebench.errors import ConfigError
from pdebench_lesnets.network import activation_of, everywhere, headed, pointwise


@final
class AxisFourierLayer(nn.Module):
    """y = sum_a F_a^{-1}( R_a . F_a x ): one-dimensional transforms, one axis at a time.

    Tran et al., ICLR 2023 (arXiv 2111.13802), eq. 4. Weights grow with the sum of the modes of the
    axes, not with their product. x: (B, C, *S).  Returns the same shape.

    Args:
        channels: C.
        modes: m per axis, indices 0 .. m - 1 of the real transform.

    Raises ConfigError where an axis has fewer modes.
    """

    def __init__(self, channels: int, modes: Sequence[int]) -> None:
        super().__init__()
        self.modes = tuple(modes)
        scale = math.sqrt(2 / (2 * channels))
        self.weights = nn.ParameterList(
            nn.Parameter(torch.view_as_complex(scale * torch.randn(m, channels, channels, 2)))
            for m in self.modes
        )

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor | None = None
        for axis, (m, weight) in enumerate(zip(self.modes, self.weights, strict=True)):
            n = x.shape[axis + 2]
            if m > n // 2 + 1:
                raise ConfigError(
                    f"modes: axis {axis} keeps {m}, but its {n} points have {n // 2 + 1}; "
                    "keep fewer modes or use a finer grid"
                )
            z = torch.fft.rfft(x.movedim(axis + 2, -1), norm="ortho")[..., :m]
            z = z.movedim(-1, 0).movedim(2, -1)  # (m, B, *rest, C)
            mixed = torch.bmm(z.flatten(1, -2).contiguous(), weight.to(z.dtype)).view(z.shape)
            y = torch.fft.irfft(mixed.movedim(-1, 2).movedim(0, -1), n=n, norm="ortho")
            y = y.movedim(-1, axis + 2)
            total = y if total is None else total + y
        assert total is not None
        return total


@final
class FactorisedFourierOperator(nn.Module):
    """Lift, layers h <- h + V_2 act(V_1 (sum_a F_a^{-1} R_a F_a h)), then pointwise layers.

    F-FNO (Tran et al., ICLR 2023, arXiv 2111.13802, eq. 3 and 4) over all axes, time among them.
    x: (B, C_in, *S).  Returns (B, C_out, *S).

    Args:
        in_channels: C_in.
        out_channels: C_out.
        modes: kept modes per axis, time last.
        width: channels.
        layers: number of layers.
        head: channels between the last layer and the output.
        activation: gelu, tanh, relu, elu or leaky_relu.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        modes: Sequence[int],
        width: int,
        layers: int = 4,
        head: Sequence[int] = (128,),
        activation: str = "gelu",
    ) -> None:
        super().__init__()
        self.act = activation_of(activation)
        self.lift = pointwise(in_channels, width)
        self.spectral = nn.ModuleList(AxisFourierLayer(width, modes) for _ in range(layers))
        self.first = nn.ModuleList(pointwise(width, 2 * width) for _ in range(layers))
        self.second = nn.ModuleList(pointwise(2 * width, width) for _ in range(layers))
        ends = [width, *head, out_channels]
        self.head = nn.ModuleList(pointwise(a, b) for a, b in pairwise(ends))

    def forward(self, x: Tensor) -> Tensor:
        h = everywhere(self.lift, x)
        for spectral, first, second in zip(self.spectral, self.first, self.second, strict=True):
            h = h + everywhere(second, self.act(everywhere(first, spectral(h))))
        return headed(self.head, self.act, h)
