"""Cosine attention in windows with a continuous, log-spaced position bias (Swin-V2)."""

import math
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pdebench.errors import ConfigError

_LARGEST_SCALE = math.log(100.0)  # Liu et al. 2022, sec. 3.2: temperature not below 0.01
_BIAS_WIDTH = 512  # hidden width of the bias network, ibidem
_BIAS_RANGE = 16.0  # ibidem


@final
class PositionBias(nn.Module):
    """Bias of the scores by relative position.

        b(r) = 16 sigmoid( W_2 ReLU(W_1 g(r) + b_1) ),   g(r) = sign(r') log2(|r'| + 1) / 3,
        r' = 8 r / (W - 1),   r = query position - key position, per component

    Returns (H, W^2, W^2). A function of the weights alone: computed once per training step and once
    for all without gradients. Liu et al., CVPR 2022 (arXiv 2111.09883), eqs. 3, 4.

    Args:
        size: W, tokens per side of a window.
        heads: H.
        trained_size: window size that normalises r, where weights come from another; 0 for W.
    """

    table: Tensor
    index: Tensor

    def __init__(self, size: int, heads: int, trained_size: int = 0) -> None:
        super().__init__()
        if size < 2:
            raise ConfigError(
                f"an attention window of {size} token(s) has no relative positions; use fewer "
                "stages, smaller patches or a larger image_size"
            )
        self.size = size
        self.first = nn.Linear(2, _BIAS_WIDTH)
        self.second = nn.Linear(_BIAS_WIDTH, heads, bias=False)
        offset = torch.arange(1 - size, size).float() / ((trained_size or size) - 1) * 8
        scaled = offset.sign() * torch.log2(offset.abs() + 1) / 3
        table = torch.stack(torch.meshgrid(scaled, scaled, indexing="ij"), -1).flatten(0, 1)
        self.register_buffer("table", table, persistent=False)
        place = torch.arange(size)
        difference = place[:, None] - place[None, :] + size - 1
        index = difference[:, None, :, None] * (2 * size - 1) + difference[None, :, None, :]
        self.register_buffer("index", index.reshape(-1), persistent=False)
        self._kept: tuple[tuple[int, ...], Tensor] | None = None

    def train(self, mode: bool = True) -> "PositionBias":
        """Switch modes; what was kept is computed again, whoever changed the weights and how."""
        self._kept = None
        return super().train(mode)

    def forward(self) -> Tensor:
        """Return the bias of every head and pair of tokens."""
        if torch.is_grad_enabled():
            return self._compute()
        weights = (self.first.weight, self.first.bias, self.second.weight)
        state = tuple(n for w in weights for n in (w.data_ptr(), w._version))
        if self._kept is None or self._kept[0] != state:
            self._kept = state, self._compute()
        return self._kept[1]

    def _compute(self) -> Tensor:
        bias = _BIAS_RANGE * self.second(functional.relu(self.first(self.table))).sigmoid()
        return bias.t()[:, self.index].unflatten(1, (self.size**2, -1))


@final
class WindowAttention(nn.Module):
    """Attention among the tokens of each window.

        scores = (q/|q|) . (k/|k|) min(exp(logit_scale), 100) + bias + mask,
        y = softmax(scores) v W_o + b_o

    windows: (B, n, M, dim) with M = W^2; mask: (n, M, M) or None.  Returns (B, n, M, dim).
    Query and value have biases, the key has none.

    Args:
        dim: channels.
        heads: H; divides dim.
        size: W.
        biases: whether query and value have biases.
        trained_size: see `PositionBias`.
    """

    def __init__(
        self, dim: int, heads: int, size: int, biases: bool = True, trained_size: int = 0
    ) -> None:
        super().__init__()
        if dim % heads:
            raise ConfigError(f"{heads} heads do not divide the {dim} channels of their stage")
        self.heads = heads
        self.query = nn.Linear(dim, dim, bias=biases)
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim, bias=biases)
        self.out = nn.Linear(dim, dim)
        self.logit_scale = nn.Parameter(torch.full((heads, 1, 1), math.log(10.0)))
        self.bias = PositionBias(size, heads, trained_size)
        self._kept: tuple[Tensor, Tensor, Tensor] | None = None

    def queries_keys_values(self, windows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return scaled unit queries, unit keys and values, each (B, n, H, M, dim/H)."""
        q, k, v = (
            layer(windows).unflatten(-1, (self.heads, -1)).transpose(2, 3)
            for layer in (self.query, self.key, self.value)
        )
        scale = self.logit_scale.clamp(max=_LARGEST_SCALE).exp()
        return functional.normalize(q, dim=-1) * scale, functional.normalize(k, dim=-1), v

    def forward(self, windows: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return y by a fused kernel of scaled dot products (four dimensions, additive bias)."""
        num = windows.shape[1]
        bias = self.bias()
        q, k, v = self.queries_keys_values(windows)
        if mask is None:  # windows join the batch, one bias serves all
            folded, added = (0, 1), bias
        else:  # windows join the heads, each has its own bias
            folded, added = (1, 2), self._masked(bias, mask)
        y = functional.scaled_dot_product_attention(
            *(t.flatten(*folded) for t in (q, k, v)), attn_mask=added[None], scale=1.0
        )
        y = y.view(len(windows), num, self.heads, *y.shape[-2:])
        return self.out(y.transpose(2, 3).flatten(3))

    def _masked(self, bias: Tensor, mask: Tensor) -> Tensor:
        """Return bias + mask (n H, M, M), kept like the bias itself while no gradient is asked."""
        if torch.is_grad_enabled():
            return (bias + mask[:, None]).flatten(0, 1)
        if self._kept is None or self._kept[0] is not bias or self._kept[1] is not mask:
            self._kept = bias, mask, (bias + mask[:, None]).flatten(0, 1)
        return self._kept[2]
