"""FactFormer: chained axial attention in distinct blocks, then marching in a latent space."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pdebench.errors import ConfigError
from pdebench_ifactformer.block import AxialBlock
from pdebench_ifactformer.coordinates import Coordinates
from pdebench_ifactformer.network import Encoder, Lifting, lifting
from pdebench_ifactformer.norm import Norm

_GROUPS = 8  # of the grouped convolution after the latent space, in every released model


@final
class LatentMarch(nn.Module):
    """Steps in the latent space, each decoded to a field.

        z_0 = W u,   z <- z + e_l,   z_{l+1} = z + W_2 GELU(W_1 LayerNorm(z) + b_1) + b_2
        y_l = W_5 GELU(W_4 GELU(W_3 GroupNorm(z_{l+1}))) + b_5,   W_3 acts on 8 groups

    u: (B, N, dim).  Returns (B, steps, out, N).
    """

    def __init__(self, dim: int, latent: int, out: int, steps: int, norm_groups: int) -> None:
        super().__init__()
        if latent % _GROUPS or dim % _GROUPS or latent % norm_groups:
            raise ConfigError(
                f"dim={dim} and latent={latent}, expected multiples of {_GROUPS} and, for the "
                f"latter, of norm_groups={norm_groups}"
            )
        self.expand = nn.Linear(dim, latent, bias=False)
        self.steps = nn.Parameter(0.02 * torch.randn(steps, latent))
        self.norm = nn.LayerNorm(latent)
        self.first, self.second = nn.Linear(latent, dim), nn.Linear(dim, latent)
        self.group_norm = nn.GroupNorm(norm_groups, latent)
        self.grouped = nn.Conv1d(latent, dim, 1, groups=_GROUPS, bias=False)
        self.hidden = nn.Conv1d(dim, dim // 2, 1, bias=False)
        self.out = nn.Conv1d(dim // 2, out, 1)

    def forward(self, u: Tensor) -> Tensor:
        """Return every decoded step."""
        z = self.expand(u)
        fields = []
        for embedding in self.steps:
            z = z + embedding
            z = z + self.second(functional.gelu(self.first(self.norm(z))))
            fields.append(self.decode(z))
        return torch.stack(fields, 1)

    def decode(self, z: Tensor) -> Tensor:
        """Return the field (B, out, N) of a latent state (B, N, latent)."""
        h = functional.gelu(self.grouped(self.group_norm(z.transpose(1, 2))))
        return self.out(functional.gelu(self.hidden(h)))


@final
class FactFormer(nn.Module):
    """Factorised transformer with latent marching, on tensor grids of any dimension.

        u <- lift(x);   per block  u <- u + P_i,  u <- u + Block_i(u);   then `LatentMarch`

    x: (B, in_channels, *S), frames outermost.  Returns (B, out_channels, *S): the decoded steps one
    after the other, ``out_channels / steps`` components each. Li, Shu, Barati Farimani, NeurIPS
    2023 (arXiv 2305.17560).

    Args:
        in_channels, out_channels: channels of input and output (all steps).
        coordinates: nodes of every axis.
        steps: latent steps.
        frames: frames the input channels hold, for lift="grouped".
        dim: channels of the hidden field.
        heads: H.
        head_width: d.
        depth: number of distinct blocks.
        multiplier: kernel width in units of d.
        latent_multiplier: latent width in units of dim.
        norm: of the attention output: "instance", "group" (as released) or "x_plane" (before).
        lift: "linear" (released 2-D) or "grouped" (released 3-D).
        norm_groups: groups of the norm of the latent state; None: 8 latent_multiplier in two
            dimensions, else 8, as released.
        qk_gain: start of queries and keys.
        checkpointed: trade time for memory in training.
        periodic: which axes are periodic; these follow the input to other resolutions.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        coordinates: Sequence[Tensor],
        steps: int = 1,
        frames: int = 1,
        dim: int = 128,
        heads: int = 8,
        head_width: int = 64,
        depth: int = 4,
        multiplier: float = 2,
        latent_multiplier: float = 2.0,
        norm: Norm = "instance",
        lift: Lifting = "linear",
        norm_groups: int | None = None,
        qk_gain: float = 0.02,
        checkpointed: bool = False,
        periodic: Sequence[bool] | None = None,
    ) -> None:
        super().__init__()
        if min(dim, heads, head_width, depth, steps) < 1 or out_channels % steps:
            raise ConfigError(
                f"dim={dim}, heads={heads}, head_width={head_width}, depth={depth}, steps={steps}, "
                f"expected positive integers, and steps that divide the {out_channels} channels of "
                "the answer"
            )
        axes = len(coordinates)
        self.in_channels = in_channels
        self.coordinates = Coordinates(coordinates, periodic)
        self.lift = lifting(lift, in_channels, frames, dim)
        blocks = [
            AxialBlock(axes, dim, heads, head_width, multiplier, "chained", norm, qk_gain=qk_gain)
            for _ in range(depth)
        ]
        self.encoder = Encoder(blocks, axes, dim, 1, checkpointed)
        if norm_groups is None:
            norm_groups = int(_GROUPS * latent_multiplier) if axes == 2 else _GROUPS
        latent = int(dim * latent_multiplier + 1e-6)  # a ratio of two widths may fall short
        self.march = LatentMarch(dim, latent, out_channels // steps, steps, norm_groups)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, *S) to (B, out_channels, *S)."""
        shape = self.coordinates.checked(x, self.in_channels)
        u = self.encoder(self.lift(x.flatten(2)), shape, self.coordinates.of(shape))
        return self.march(u).flatten(1, 2).unflatten(2, shape)
