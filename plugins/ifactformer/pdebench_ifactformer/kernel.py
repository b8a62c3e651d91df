"""The small kernel A_a (n_a x n_a) of one axis, made from the field averaged over all others."""

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

# Coordinates are stretched by this before they rotate queries and keys (released FactFormer).
_STRETCH = 64.0


@final
class Reducer(nn.Module):
    """Make the function of one axis from the pooled field.

        s = F(m W),   F = LayerNorm, linear to 2 dim, GELU(first half) * second half, linear

    m: (B, n, dim), the field averaged over the other axes.  Returns (B, n, latent).
    """

    def __init__(self, dim: int, latent: int) -> None:
        super().__init__()
        self.mix = nn.Linear(dim, dim, bias=False)
        self.norm = nn.LayerNorm(dim)
        self.expand = nn.Linear(dim, 2 * dim)
        self.contract = nn.Linear(dim, latent)

    def forward(self, pooled: Tensor) -> Tensor:
        gate, carried = self.expand(self.norm(self.mix(pooled))).chunk(2, -1)
        return self.contract(functional.gelu(gate) * carried)


@final
class AxialKernel(nn.Module):
    """The kernel of one axis, per head.

        A = c R(s W_q) R(s W_k)^T,   R(t)_i = t_i cos(64 x_i f) + [-t'', t']_i sin(64 x_i f),
        f_j = 10000^(-2j/D), j = 0 .. D/2 - 1, laid out [f, f];  t', t'' the halves of t

    A depends on differences of the coordinates x only. It is signed, its rows are not normalised
    and carry no quadrature weights. c = 1 as published, 1/sqrt(D) where D > 4 d or with
    ``softmax``. Li, Shu, Barati Farimani, NeurIPS 2023 (arXiv 2305.17560), sec. 3.

    Args:
        dim: channels of the pooled field.
        heads: H.
        head_width: d.
        multiplier: D / d.
        latent: channels between reducer and queries; None for dim.
        softmax: normalise the rows of A (off in every published model).
        gain: of the Xavier-uniform start of W_q and W_k.
    """

    frequencies: Tensor

    def __init__(
        self,
        dim: int,
        heads: int,
        head_width: int,
        multiplier: float = 3,
        latent: int | None = None,
        softmax: bool = False,
        gain: float = 0.02,
    ) -> None:
        super().__init__()
        self.heads, self.softmax = heads, softmax
        self.width = int(head_width * multiplier)
        self.scale = self.width**-0.5 if softmax or multiplier > 4 else 1.0
        self.reduce = Reducer(dim, latent or dim)
        self.query = nn.Linear(latent or dim, heads * self.width, bias=False)
        self.key = nn.Linear(latent or dim, heads * self.width, bias=False)
        for layer in (self.query, self.key):
            nn.init.xavier_uniform_(layer.weight, gain=gain)
        exponent = torch.arange(0, self.width, 2).float() / self.width
        self.register_buffer("frequencies", 10000.0**-exponent, persistent=False)

    def rotation(self, coordinate: Tensor) -> tuple[Tensor, Tensor]:
        """Return cos and sin (n, D) of the angles at ``coordinate`` (n,), in the network's
        precision.
        """
        # float32 phases reach hundreds of radians: this order of products is the authors'.
        angle = (coordinate * _STRETCH)[:, None] * self.frequencies
        return angle.cos().repeat(1, 2), angle.sin().repeat(1, 2)

    def forward(self, pooled: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        """Return A (B, H, n, n) of the pooled field (B, n, dim)."""
        s = self.reduce(pooled)
        q, k = (
            _rotated(layer(s).unflatten(-1, (self.heads, -1)).transpose(1, 2), rotation)
            for layer in (self.query, self.key)
        )
        kernel = q @ k.transpose(-1, -2)
        if self.scale != 1.0:
            kernel = kernel * self.scale
        return kernel.softmax(-1) if self.softmax else kernel


def _rotated(t: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    first, second = t.chunk(2, -1)
    cos, sin = rotation
    return t * cos + torch.cat([-second, first], -1) * sin


def apply_along(kernel: Tensor, v: Tensor, axis: int, shape: tuple[int, ...]) -> Tensor:
    """Return A v along one axis of the grid.

        (A v)_{.., i, ..} = sum_j A_ij v_{.., j, ..}

    kernel: (B, H, n, n) with n = shape[axis]; v: (B, H, N, d) with N = prod(shape), last axis of
    the grid fastest.  Returns (B, H, N, d).
    """
    before = 1
    for num in shape[:axis]:
        before *= num
    lines = v.reshape(*v.shape[:2], before, shape[axis], -1)
    return (kernel.unsqueeze(2) @ lines).view(v.shape)
