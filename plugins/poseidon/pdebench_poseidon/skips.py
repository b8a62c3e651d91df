"""Residual blocks on the way from encoder to decoder."""

from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pdebench.errors import ConfigError
from pdebench_poseidon.norm import make_norm

Residual = Literal["convnext", "resnet"]


@final
class ConvNext(nn.Module):
    """y = x + s * W_2 GELU( W_1 Norm( depthwise 7 x 7 convolution of x, t ) ), s starting at 1e-6.

    x: (B, h, w, dim). Liu et al., CVPR 2022 (arXiv 2201.03545).
    """

    def __init__(self, dim: int, conditional: bool, eps: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(dim, dim, 7, padding=3, groups=dim)
        self.norm = make_norm(dim, conditional, eps)
        self.expand, self.contract = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.scale = nn.Parameter(torch.full((dim,), 1e-6))

    def forward(self, x: Tensor, time: Tensor | None) -> Tensor:
        """Return y."""
        y = self.norm(self.depthwise(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1), time)
        y = self.contract(functional.gelu(self.expand(y)))
        return torch.addcmul(x, self.scale, y)


@final
class ResNet(nn.Module):
    """y = x + BN( C_2 LeakyReLU( BN( C_1 x ) ) ), 3 x 3 convolutions; x: (B, h, w, dim).

    The lead time is not seen. The batch norms keep running statistics: batch-dependent in training.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(dim, dim, 3, padding=1) for _ in range(2))
        self.norm1, self.norm2 = nn.BatchNorm2d(dim), nn.BatchNorm2d(dim)

    def forward(self, x: Tensor, time: Tensor | None) -> Tensor:
        """Return y."""
        image = x.permute(0, 3, 1, 2)
        y = functional.leaky_relu(self.norm1(self.conv1(image)), 0.01)
        return (image + self.norm2(self.conv2(y))).permute(0, 2, 3, 1)


@final
class Skip(nn.ModuleList):
    """``num`` residual blocks; the identity where there are none."""

    def __init__(self, num: int, dim: int, kind: Residual, conditional: bool, eps: float) -> None:
        if kind not in ("convnext", "resnet"):
            raise ConfigError(f"residual={kind!r}, expected 'convnext' or 'resnet'")
        super().__init__(
            ConvNext(dim, conditional, eps) if kind == "convnext" else ResNet(dim)
            for _ in range(num)
        )
        self.kind: Residual = kind

    def forward(self, x: Tensor, time: Tensor | None) -> Tensor:
        """Return (B, h, w, dim)."""
        for block in self:
            x = block(x, time)
        return x
