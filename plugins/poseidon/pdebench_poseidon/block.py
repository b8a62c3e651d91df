"""Transformer blocks on a grid of tokens, and the stages made of them."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from pdebench_poseidon.attention import WindowAttention
from pdebench_poseidon.norm import make_norm
from pdebench_poseidon.windows import Windows


@final
class Block(nn.Module):
    """One post-norm block.

        x <- x + Norm_1( attention(x), t ),   x <- x + Norm_2( W_2 GELU(W_1 x + b_1) + b_2, t )

    x: (B, h, w, dim); time: (B,) or None.  Returns (B, h, w, dim).

    Args:
        dim, heads: channels and attention heads.
        windows: size and shift of the windows.
        mlp_ratio: hidden width in units of dim.
        conditional: norms follow the lead time.
        eps: of the norms.
        biases, trained_size: see `WindowAttention`.
        mask_score: added to scores of tokens from elsewhere; -inf excludes them.
        drop_path: probability of leaving out a branch of a sample in training.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        windows: Windows,
        mlp_ratio: float,
        conditional: bool,
        eps: float,
        biases: bool,
        trained_size: int,
        mask_score: float,
        drop_path: float,
    ) -> None:
        super().__init__()
        self.windows, self.mask_score, self.drop_path = windows, mask_score, drop_path
        self.attention = WindowAttention(dim, heads, windows.size, biases, trained_size)
        self.norm1, self.norm2 = (make_norm(dim, conditional, eps) for _ in range(2))
        hidden = int(mlp_ratio * dim)
        self.first, self.second = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, x: Tensor, time: Tensor | None) -> Tensor:
        """Return the block's output; see the class."""
        shape = (x.shape[1], x.shape[2])
        mask = self.windows.mask(shape, self.mask_score, x)
        attended = self.attention(self.windows.split(x), mask)
        x = x + self._kept(self.norm1(self.windows.merge(attended, shape), time))
        mixed = self.second(functional.gelu(self.first(x)))
        return x + self._kept(self.norm2(mixed, time))

    def _kept(self, branch: Tensor) -> Tensor:
        if not (self.training and self.drop_path):
            return branch
        kept = 1 - self.drop_path
        chance = torch.rand(len(branch), *(1,) * (branch.ndim - 1), device=branch.device)
        return branch * (chance < kept).to(branch.dtype) / kept


@final
class Blocks(nn.ModuleList):
    """Blocks one after the other; ``checkpointed`` recomputes them in the backward pass."""

    def __init__(self, blocks: Sequence[Block], checkpointed: bool) -> None:
        super().__init__(blocks)
        self.checkpointed = checkpointed

    def forward(self, x: Tensor, time: Tensor | None) -> Tensor:
        """Return the output (B, h, w, dim) of the last block."""
        for block in self:
            if self.checkpointed and torch.is_grad_enabled():
                x = checkpoint(block, x, time, use_reentrant=False)
            else:
                x = block(x, time)
        return x
