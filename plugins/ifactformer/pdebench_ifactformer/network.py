"""IFactFormer: one factorised attention block, iterated as steps of size 1/L."""

from collections.abc import Sequence
from typing import Literal, cast, final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from pdebench.errors import ConfigError
from pdebench_ifactformer.block import AxialBlock, Combine, FourierPosition
from pdebench_ifactformer.coordinates import Coordinates
from pdebench_ifactformer.norm import Norm

Lifting = Literal["grouped", "linear"]


@final
class GroupedLift(nn.Module):
    """Lift every component alone, then join components and frames.

        h = W_2 GELU(w x_c + b)

    x: (B, frames * components, N), frames outermost.  Returns (B, N, dim).
    """

    def __init__(self, components: int, frames: int, dim: int) -> None:
        super().__init__()
        half = dim // 2
        if dim % 2 or half % components:
            raise ConfigError(
                f"dim={dim} lifts {components} components by dim/2 channels, expected an even "
                "number whose half is a multiple of the components; or lift='linear'"
            )
        self.components, self.frames = components, frames
        first = nn.Conv1d(components, half, 1, groups=components)
        self.weight, self.bias = first.weight, first.bias
        self.join = nn.Linear(frames * half, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        field = x.unflatten(1, (self.frames, self.components, 1))
        shape = (self.components, -1, 1)
        h = torch.addcmul(_filled(self.bias).view(shape), field, self.weight.view(shape))
        return self.join(functional.gelu(h.flatten(1, 3)).transpose(1, 2))


def _filled(bias: Tensor | None) -> Tensor:
    if bias is None:
        raise ConfigError("the lift has no bias")
    return bias


@final
class LinearLift(nn.Module):
    """h = W x + b over all components and frames. x: (B, C, N).  Returns (B, N, dim)."""

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        self.join = nn.Linear(channels, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.join(x.transpose(1, 2))


def lifting(lift: Lifting, in_channels: int, frames: int, dim: int) -> nn.Module:
    """Return the lift of ``in_channels`` channels that hold ``frames`` frames."""
    if lift == "linear":
        return LinearLift(in_channels, dim)
    if lift != "grouped":
        raise ConfigError(f"lift={lift!r}, expected 'grouped' or 'linear'")
    if frames < 1 or in_channels % frames:
        raise ConfigError(f"frames={frames} does not divide the {in_channels} input channels")
    return GroupedLift(in_channels // frames, frames, dim)


@final
class Encoder(nn.Module):
    """Blocks, each with a position term before it, each iterated ``iterations`` = L times.

        u <- u + P;   L times:  u <- u + Block(u) / L

    u: (B, N, dim). With L -> infinity this is the flow du/ds = Block(u), s in [0, 1], first order.
    ``checkpointed`` recomputes a block's inner arrays in the backward pass instead of keeping them.
    """

    def __init__(
        self,
        blocks: Sequence[AxialBlock],
        axes: int,
        dim: int,
        iterations: int,
        checkpointed: bool = False,
    ) -> None:
        super().__init__()
        self.iterations, self.checkpointed = iterations, checkpointed
        self.positions = nn.ModuleList(FourierPosition(axes, dim) for _ in blocks)
        self.blocks = nn.ModuleList(blocks)

    def forward(self, u: Tensor, shape: tuple[int, ...], coordinates: Sequence[Tensor]) -> Tensor:
        """Return the encoded field (B, N, dim)."""
        save_memory = self.checkpointed and torch.is_grad_enabled()
        for position, block in zip(self.positions, self.blocks, strict=True):
            u = u + position(coordinates)
            rotations = cast(AxialBlock, block).rotations(coordinates)
            for _ in range(self.iterations):
                if save_memory:
                    change = checkpoint(block, u, shape, rotations, use_reentrant=False)
                else:
                    change = block(u, shape, rotations)
                u = torch.add(u, change, alpha=1 / self.iterations)
        return u


@final
class IFactFormer(nn.Module):
    """Implicit factorised transformer: u(t) -> u(t + dt) on tensor grids of any dimension.

        u_0 = lift(x) + P,   u_{l+1} = u_l + Block(u_l) / L,   y = W GELU(W' u_L) + b

    x: (B, in_channels, *S), frames outermost among the channels.  Returns (B, out_channels, *S),
    the next field itself. Yang, Wang, Wang, Sci. China PMA 69, 214606 (arXiv 2412.18840).
    The released parameter counts are those of dim=96, heads=5, head_width=96, 3 components.

    Args:
        in_channels, out_channels: channels of input and output.
        coordinates: nodes of every axis; their number is the dimension of the grid.
        frames: frames that the input channels hold; None: in_channels / out_channels where that is
            whole, else 1.
        dim: channels of the hidden field.
        heads: H.
        head_width: d.
        iterations: L.
        depth: distinct blocks, each iterated L times.
        multiplier: kernel width in units of d.
        combine: "parallel" (m) or "chained" (o).
        norm: see `AxialBlock`.
        extra_mlp: see `AxialBlock`.
        lift: "grouped" (every component alone first) or "linear".
        qk_gain: start of queries and keys; 0.02 as released, where the chained form hardly learns.
        checkpointed: trade time for memory in training.
        periodic: which axes are periodic; these follow the input to other resolutions.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        coordinates: Sequence[Tensor],
        frames: int | None = None,
        dim: int = 96,
        heads: int = 5,
        head_width: int = 96,
        iterations: int = 10,
        depth: int = 1,
        multiplier: float = 3,
        combine: Combine = "parallel",
        norm: Norm = "instance",
        extra_mlp: bool = False,
        lift: Lifting = "grouped",
        qk_gain: float = 0.02,
        checkpointed: bool = False,
        periodic: Sequence[bool] | None = None,
    ) -> None:
        super().__init__()
        if min(dim, heads, head_width, iterations, depth) < 1:
            raise ConfigError(
                f"dim={dim}, heads={heads}, head_width={head_width}, iterations={iterations}, "
                f"depth={depth}, expected positive integers"
            )
        axes = len(coordinates)
        self.in_channels = in_channels
        self.coordinates = Coordinates(coordinates, periodic)
        if frames is None:
            frames = 1 if in_channels % out_channels else in_channels // out_channels
        self.lift = lifting(lift, in_channels, frames, dim)
        blocks = [
            AxialBlock(
                axes, dim, heads, head_width, multiplier, combine, norm, extra_mlp, qk_gain=qk_gain
            )
            for _ in range(depth)
        ]
        self.encoder = Encoder(blocks, axes, dim, iterations, checkpointed)
        self.hidden = nn.Linear(dim, dim // 2, bias=False)
        self.out = nn.Linear(dim // 2, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, *S) to (B, out_channels, *S)."""
        shape = self.coordinates.checked(x, self.in_channels)
        u = self.encoder(self.lift(x.flatten(2)), shape, self.coordinates.of(shape))
        y = self.out(functional.gelu(self.hidden(u)))
        return y.transpose(1, 2).unflatten(2, shape)
