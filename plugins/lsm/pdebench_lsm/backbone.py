"""The U-shaped multiscale backbone with a neural spectral block on every level."""

from collections.abc import Sequence
from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pdebench.errors import ConfigError
from pdebench_lsm.block import SpectralBlock

Norm = Literal["batch", "instance"]
LEVELS = 5
COARSEST = 2 ** (LEVELS - 1)  # the coarsest grid has this many times fewer points per axis
_CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_POOL = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
_NORM = {
    "batch": {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d},
    "instance": {1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d},
}
_FORMAT = {  # channels last is what the blocks read and what convolutions are fastest in
    1: torch.contiguous_format,
    2: torch.channels_last,
    3: torch.channels_last_3d,
}
_UPSAMPLE = {1: "linear", 2: "bilinear", 3: "trilinear"}


@final
class DoubleConv(nn.Sequential):
    """Two times: 3^d convolution with zeros outside, norm, ReLU."""

    def __init__(self, dim: int, inner: int, outer: int, middle: int, norm: Norm) -> None:
        layers: list[nn.Module] = []
        for a, b in ((inner, middle), (middle, outer)):
            made = _NORM[norm][dim](b, affine=True)
            conv = _CONV[dim](a, b, 3, padding=1, bias=False).to(memory_format=_FORMAT[dim])
            layers += [conv, made, nn.ReLU(inplace=True)]
        super().__init__(*layers)


@final
class Backbone(nn.Module):
    """Five levels of convolutions; spectral blocks act on the skips and on the bottleneck.

        x_1 = D(x),  x_{i+1} = D(pool x_i);   s_i = block_i(x_i);   y_5 = s_5,
        y_i = D([s_i, up y_{i+1}])            up: (bi)linear with aligned corners

    Wu et al., ICML 2023 (arXiv 2301.12664), sec. 3.1; channels w, 2w, 4w, 8w, 8w.
    x: (B, w, *S), S_a a multiple of 16 patch[a].  Returns (B, w, *S).

    Args:
        dim: axes, 1 to 3.
        width: channels w.
        basis, tokens, patch, heads: of the spectral blocks, the same on every level.
        norm: "batch" or "instance" (affine, without running statistics).
    """

    def __init__(
        self,
        dim: int,
        width: int,
        basis: int,
        tokens: int,
        patch: Sequence[int],
        heads: int = 8,
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        if norm not in _NORM:
            raise ConfigError(f"norm={norm!r}, expected 'batch' or 'instance'")
        w = width
        widths = (w, 2 * w, 4 * w, 8 * w, 8 * w)
        pairs = zip((w, *widths), widths, strict=False)
        self.down = nn.ModuleList(DoubleConv(dim, a, b, b, norm) for a, b in pairs)
        ups = [(16 * w, 4 * w, 8 * w), (8 * w, 2 * w, 4 * w), (4 * w, w, 2 * w), (2 * w, w, w)]
        self.up = nn.ModuleList(DoubleConv(dim, a, b, m, norm) for a, b, m in ups)
        self.blocks = nn.ModuleList(SpectralBlock(c, basis, tokens, patch, heads) for c in widths)
        self.out = _CONV[dim](w, w, 1)
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        x = x.contiguous(memory_format=_FORMAT[self.dim])
        for level, conv in enumerate(self.down):
            x = conv(x if level == 0 else _POOL[self.dim](x, 2))
            skips.append(self.blocks[level](x.movedim(1, -1)).movedim(-1, 1))
        y = skips.pop()
        mode = _UPSAMPLE[self.dim]
        for conv in self.up:
            raised = functional.interpolate(y, scale_factor=2, mode=mode, align_corners=True)
            y = conv(torch.cat([skips.pop(), raised], dim=1))
        return self.out(y)
