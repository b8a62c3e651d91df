"""The networks of LESnets and PINO: Fourier layers over space and time."""

from collections.abc import Sequence
from itertools import pairwise
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pdebench.errors import ConfigError
from pdebench_lesnets.fourier import FourierLayer

_ACTIVATIONS = {
    "gelu": functional.gelu,
    "tanh": torch.tanh,
    "relu": functional.relu,
    "elu": functional.elu,
    "leaky_relu": functional.leaky_relu,
}


def activation_of(name: str):
    """Return the function called ``name``. Raises ConfigError for an unknown one."""
    if name not in _ACTIVATIONS:
        raise ConfigError(f"activation='{name}', expected one of {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[name]


def pointwise(in_channels: int, out_channels: int) -> nn.Conv1d:
    """Return a linear map of the channels, the same at every point."""
    return nn.Conv1d(in_channels, out_channels, 1)


def everywhere(layer: nn.Conv1d, x: Tensor) -> Tensor:
    """Return the map ``layer`` of the channels of x (B, C, *S) on any number of axes."""
    weight = layer.weight.squeeze(-1).expand(len(x), -1, -1)
    assert layer.bias is not None
    # a batched product takes half the time of a 1x1 convolution on a processor
    y = torch.baddbmm(layer.bias.view(1, -1, 1), weight, x.flatten(2))
    return y.view(len(x), -1, *x.shape[2:])


@final
class FourierOperator(nn.Module):
    """Lift, Fourier layers h <- act(K h + W h), the last without act, then two or three pointwise.

    LESnets-FNO (Zhao et al., J. Comput. Phys. 537 (2025) 114125) and the operators of PINO (Li et
    al., arXiv 2111.03794). Zeros may pad the axes, since time is not periodic.
    x: (B, C_in, *S).  Returns (B, C_out, *S).

    Args:
        in_channels: C_in.
        out_channels: C_out.
        modes: kept modes per axis, time last.
        widths: channels before the first and after every Fourier layer.
        head: channels of the layers between the last Fourier layer and the output.
        activation: gelu, tanh, relu, elu or leaky_relu.
        pad: shares of the length added before and behind each axis named in ``padded``.
        padded: axes that are padded, counted from the end.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        modes: Sequence[int],
        widths: Sequence[int],
        head: Sequence[int] = (128,),
        activation: str = "gelu",
        pad: tuple[float, float] = (0.0, 0.0),
        padded: Sequence[int] = (-1,),
    ) -> None:
        super().__init__()
        self.act, self.pad, self.padded = activation_of(activation), pad, tuple(padded)
        steps = list(pairwise(widths))
        self.lift = pointwise(in_channels, widths[0])
        self.spectral = nn.ModuleList(FourierLayer(a, b, modes) for a, b in steps)
        self.local = nn.ModuleList(pointwise(a, b) for a, b in steps)
        ends = [widths[-1], *head, out_channels]
        self.head = nn.ModuleList(pointwise(a, b) for a, b in pairwise(ends))

    def forward(self, x: Tensor) -> Tensor:
        h = everywhere(self.lift, x)
        margins = [
            tuple(round(h.shape[axis] * share) for share in self.pad) for axis in self.padded
        ]
        for axis, (left, right) in zip(self.padded, margins, strict=True):
            inner = (0, 0) * (-1 - axis)
            h = functional.pad(h, (*inner, left, right))
        last = len(self.spectral) - 1
        for index, (spectral, local) in enumerate(zip(self.spectral, self.local, strict=True)):
            h = spectral(h) + everywhere(local, h)
            h = self.act(h) if index < last else h
        for axis, (left, right) in zip(self.padded, margins, strict=True):
            h = h.narrow(axis, left, h.shape[axis] - left - right)
        return headed(self.head, self.act, h)


@final
class ImplicitFourierOperator(nn.Module):
    """One shared layer, L times: h <- h + act(K h + W h) / L, the last time without act.

    LESnets-IFNO (Zhao et al. 2025), after You et al., J. Comput. Phys. 469 (2022).
    x: (B, C_in, *S).  Returns (B, C_out, *S).

    Args:
        in_channels: C_in.
        out_channels: C_out.
        modes: kept modes per axis, time last.
        width: channels.
        layers: L.
        head: channels between the last layer and the output.
        activation: gelu, tanh, relu, elu or leaky_relu.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        modes: Sequence[int],
        width: int,
        layers: int = 20,
        head: Sequence[int] = (128,),
        activation: str = "gelu",
    ) -> None:
        super().__init__()
        self.act, self.layers = activation_of(activation), layers
        self.lift = pointwise(in_channels, width)
        self.spectral = FourierLayer(width, width, modes)
        self.local = pointwise(width, width)
        ends = [width, *head, out_channels]
        self.head = nn.ModuleList(pointwise(a, b) for a, b in pairwise(ends))

    def forward(self, x: Tensor) -> Tensor:
        h = everywhere(self.lift, x)
        for index in range(self.layers):
            step = self.spectral(h) + everywhere(self.local, h)
            h = h + (self.act(step) if index < self.layers - 1 else step) / self.layers
        return headed(self.head, self.act, h)


def headed(head: nn.ModuleList, act, h: Tensor) -> Tensor:
    """Return h through the last maps, ``act`` between them."""
    for index, layer in enumerate(head):
        h = everywhere(layer, h)
        h = act(h) if index < len(head) - 1 else h
    return h
