"""The convolutional network that proposes search directions."""

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pdebench.errors import ConfigError

_CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_POOL = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}


@final
class DirectionNetwork(nn.Module):
    """Residual to search direction,  d = f(r / |r|), on any grid.

        t = conv(r);  a = c(t), b = c(a);  ``fine`` times: a = c(b) + a, b = c(a)
        p = mean over 2^d of b;            ``coarse`` times: q = c(p), p = c(q) + p
        u = nearest-neighbour raise(p) + b; ``up`` times: v = c(u), u = c(v) + u;  d = linear(u)

    c(.) = ReLU(conv(.)), all of 3^d points with zeros outside. Kaneda et al., ICML 2023 (arXiv
    2205.10763), fig. 3; the two published sizes are (fine, coarse, up) = (1, 3, 2) and (2, 5, 3).
    Weights start by Glorot's rule with zero biases, as the released program's framework does, so
    that a residual of small amplitude is not drowned by biases.
    Grids of odd length are filled up by one layer of zeros and cropped.
    x: (B, 1, *S).  Returns (B, 1, *S).

    Args:
        dim: axes, 1 to 3.
        channels: of every inner layer.
        fine, coarse, up: residual blocks of the three parts.
    """

    def __init__(
        self, dim: int = 3, channels: int = 16, fine: int = 1, coarse: int = 3, up: int = 2
    ) -> None:
        super().__init__()
        if dim not in _CONV:
            raise ConfigError(f"dim={dim}, expected 1, 2 or 3")
        counts = {"channels": channels, "fine": fine, "coarse": coarse, "up": up}
        for name, value in counts.items():
            if value < 1:
                raise ConfigError(f"{name}={value}, expected a positive integer")
        made = _CONV[dim]
        self.dim, self.fine, self.coarse, self.up = dim, fine, coarse, up
        self.enter = made(1, channels, 3, padding=1)
        inner = 2 + 2 * (fine + coarse + up)
        self.convs = nn.ModuleList(made(channels, channels, 3, padding=1) for _ in range(inner))
        self.out = made(channels, 1, 1)
        for layer in (self.enter, *self.convs, self.out):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        shape = x.shape[2:]
        odd = [n % 2 for n in reversed(shape)]
        if any(odd):
            x = functional.pad(x, [n for end in odd for n in (0, end)])
        layers = iter(self.convs)

        def c(field: Tensor) -> Tensor:
            return functional.relu(_convolved(next(layers), field))

        a = c(self.enter(x))
        b = c(a)
        for _ in range(self.fine):
            a = c(b) + a
            b = c(a)
        p = _POOL[self.dim](b, 2)
        for _ in range(self.coarse):
            p = c(c(p)) + p
        u = functional.interpolate(p, scale_factor=2, mode="nearest") + b
        for _ in range(self.up):
            u = c(c(u)) + u
        return self.out(u)[(..., *(slice(0, n) for n in shape))]


def _convolved(layer: nn.Module, x: Tensor) -> Tensor:
    """Return layer(x); for one small 3D field on a CPU through oneDNN, which torch takes for large
    fields and batches alone. Its own kernel for the rest takes ten times as long.
    """
    plain = x.ndim == 5 and x.device.type == "cpu" and x.dtype == torch.float32
    if not (plain and len(x) == 1 and torch.backends.mkldnn.is_available()):
        return layer(x)
    assert isinstance(layer, nn.Conv3d)
    weight, bias = layer.weight, layer.bias
    return torch.mkldnn_convolution(x, weight, bias, (1, 1, 1), (1, 1, 1), (1, 1, 1), 1)
