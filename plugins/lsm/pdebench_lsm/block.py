"""The neural spectral block: attention into latent tokens, a trigonometric series, and back."""

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pdebench.errors import ConfigError
from pdebench_lsm.series import trigonometric


def to_patches(x: Tensor, patch: Sequence[int]) -> Tensor:
    """Return (B, *S, C) cut into patches, (B * patches, points per patch, C)."""
    counts = [n // p for n, p in zip(x.shape[1:-1], patch, strict=True)]
    dim = len(patch)
    split = x.reshape(
        len(x), *(n for pair in zip(counts, patch, strict=True) for n in pair), x.shape[-1]
    )
    order = [0, *range(1, 2 * dim, 2), *range(2, 2 * dim + 1, 2), 2 * dim + 1]
    return split.permute(order).reshape(-1, math.prod(patch), x.shape[-1])


def from_patches(y: Tensor, shape: Sequence[int], patch: Sequence[int]) -> Tensor:
    """Return patches put together again, (B, *S, C)."""
    counts = [n // p for n, p in zip(shape, patch, strict=True)]
    dim = len(patch)
    split = y.reshape(-1, *counts, *patch, y.shape[-1])
    order = [0, *(n for a in range(dim) for n in (1 + a, 1 + dim + a)), 2 * dim + 1]
    return split.permute(order).reshape(-1, *shape, y.shape[-1])


@final
class SpectralBlock(nn.Module):
    """Neural spectral block on every patch of p_1 x ... x p_d points.

        Z' = softmax_points(Z K^T) V + Z            tokens, per head; K, V = linear maps of x
        Z'' = Z' + sum_m a_m sin(pi m Z' / M) + b_m cos(pi m Z' / M)
        out = x + softmax_tokens(Q Z''^T) Z''       Q = a linear map of x

    Wu et al., ICML 2023 (arXiv 2301.12664), sec. 3.2-3.3. There is no scaling by 1/sqrt(d), no norm
    and no activation. Keys are never formed: Z K^T is (Z W_k) x^T up to a constant that the softmax
    removes. All heads share one product with the tokens, which stand on the diagonal of a matrix of
    blocks: many small products per head cost more than the zeros.
    x: (B, *S, C), every S_a a multiple of patch[a].  Returns (B, *S, C).

    Args:
        width: channels C.
        basis: terms M of the series.
        tokens: latent tokens T per head.
        patch: points per patch and axis.
        heads: attention heads, a divisor of C.
    """

    def __init__(
        self, width: int, basis: int, tokens: int, patch: Sequence[int], heads: int = 8
    ) -> None:
        super().__init__()
        if width % heads:
            raise ConfigError(f"width={width} is no multiple of heads={heads}")
        self.patch, self.heads = tuple(patch), heads
        self.weights = nn.Parameter(torch.rand(width, 2 * basis) / width)
        self.latent = nn.Parameter(torch.rand(heads, tokens, width // heads) / width)
        self.encode = nn.Linear(width, 2 * width)
        self.decode = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        if any(n % p for n, p in zip(x.shape[1:-1], self.patch, strict=True)):
            raise ConfigError(
                f"patches of {self.patch} points do not divide a grid of {tuple(x.shape[1:-1])}"
            )
        points = to_patches(x, self.patch)
        z = self._gather(points)
        z = z + trigonometric(z, self.weights)
        return from_patches(self._read(points, z), x.shape[1:-1], self.patch)

    def _gather(self, x: Tensor) -> Tensor:
        """(N, L, C) -> tokens (N, T, C), channels h d + c."""
        heads, tokens, d = self.latent.shape
        kernel = self.encode.weight.view(heads, d, 2, -1)  # key and value alternate
        attend = torch.einsum("htd,hdc->thc", self.latent, kernel[:, :, 0]).flatten(0, 1)
        share = functional.linear(x, attend).softmax(1)  # (N, L, T H)
        bias = self.encode.bias.view(heads, d, 2)[:, :, 1]
        value = functional.linear(x, kernel[:, :, 1].flatten(0, 1), bias.flatten())
        mixed = (share.mT @ value).view(-1, tokens, heads, heads, d)  # each head of every head's
        own = mixed.diagonal(dim1=2, dim2=3).mT
        return (own + self.latent.transpose(0, 1)).flatten(2)

    def _read(self, x: Tensor, z: Tensor) -> Tensor:
        """(N, L, C), (N, T, C) -> (N, L, C), x included."""
        heads, tokens, d = self.latent.shape
        own = torch.eye(heads, dtype=z.dtype, device=z.device).unsqueeze(-1)
        split = (z.view(-1, tokens, 1, heads, d) * own).view(len(z), tokens * heads, -1)
        score = split @ self.decode(x).mT  # (N, T H, L)
        share = score.view(len(z), tokens, -1).softmax(1).view_as(score)
        return torch.baddbmm(x, share.mT, split)
