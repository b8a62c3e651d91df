"""Layer norms over channels, with and without conditioning on the lead time."""

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional


@final
class PlainNorm(nn.LayerNorm):
    """LayerNorm over the last axis; takes a lead time and ignores it."""

    def forward(self, input: Tensor, time: Tensor | None = None) -> Tensor:
        return super().forward(input)


@final
class ConditionalNorm(nn.Module):
    """LayerNorm whose gain and shift are affine in the lead time.

        y = a(t) (x - mean) / sqrt(var + eps) + b(t),   a(t) = w_a t + c_a,  b(t) = w_b t + c_b

    x: (B, h, w, dim), statistics over dim; time: (B,).
    """

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps
        self.weight, self.bias = nn.Linear(1, dim), nn.Linear(1, dim)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Return y, see the class."""
        t = time.view(-1, *(1,) * (x.ndim - 1))
        plain = functional.layer_norm(x, (self.dim,), eps=self.eps)
        return torch.addcmul(self.bias(t), self.weight(t), plain)


def make_norm(dim: int, conditional: bool, eps: float) -> nn.Module:
    """Return the norm of ``dim`` channels; both kinds are called with (x, time)."""
    return ConditionalNorm(dim, eps) if conditional else PlainNorm(dim, eps)
