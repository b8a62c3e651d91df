"""From one field to a block of frames, and from block to block."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch import nn


def encoded(u0: Tensor, count: int) -> Tensor:
    """Return coordinates and the field repeated over ``count`` frames, (B, d + 1 + C, *S, T).

    Space coordinates i / N without the end point, time from 0 to 1 with both ends (Zhao et al.
    2025, released program). u0: (B, C, *S).
    """
    space = u0.shape[2:]
    lines = [torch.arange(n, dtype=u0.dtype, device=u0.device) / n for n in space]
    lines.append(torch.linspace(0, 1, count, dtype=u0.dtype, device=u0.device))
    mesh = torch.stack(torch.meshgrid(*lines, indexing="ij"))
    repeated = u0.unsqueeze(-1).expand(*u0.shape, count)
    return torch.cat([mesh.expand(len(u0), *mesh.shape), repeated], dim=1)


def rollout(network: "nn.Module", u0: Tensor, count: int, blocks: int) -> Tensor:
    """Return the field and ``blocks`` calls, each from the last frame, (B, C, *S, 1 + n T)."""
    frames = [u0.unsqueeze(-1)]
    for _ in range(blocks):
        frames.append(network(encoded(frames[-1][..., -1], count)))
    return torch.cat(frames, dim=-1)
