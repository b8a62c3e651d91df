"""One multi-channel V-cycle: a linear map between fields with the cost of a few convolutions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor, nn

from pdebench.errors import ConfigError

Boundary = Literal["zeros", "circular", "reflect", "replicate"]


@final
@dataclass(frozen=True)
class Cycle:
    """What all V-cycles of a network have in common.

    Attributes:
        shape: points per axis of the finest level.
        steps: (before, after) smoothing steps of every level, finest first; none runs after on the
            coarsest.
        boundary: padding of all convolutions but the prolongation.
        bias: whether smoothers have one.
        restrict_residual: restrict f - A u instead of f, as linear multigrid does.
        grow: level l has l + 1 times the channels of level 0.
        transfer_padding: 1, or 0 for transfers without padding.
    """

    shape: tuple[int, int]
    steps: tuple[tuple[int, int], ...]
    boundary: Boundary = "zeros"
    bias: bool = False
    restrict_residual: bool = False
    grow: bool = False
    transfer_padding: int = 1

    def __post_init__(self) -> None:
        if not self.steps or self.steps[0][0] < 1 or min(min(s) for s in self.steps) < 0:
            raise ConfigError(
                f"steps={[list(s) for s in self.steps]}, expected (before, after) per level and at "
                "least one step before on the finest"
            )
        if self.transfer_padding not in (0, 1):
            raise ConfigError(f"transfer_padding={self.transfer_padding}, expected 0 or 1")
        smallest = min(min(shape) for shape in self.shapes)
        if smallest < (1 if self.boundary in ("zeros", "replicate") else 2):
            raise ConfigError(
                f"a grid of {self.shape[0]} x {self.shape[1]} points has no {len(self.steps)} "
                "levels; use fewer levels or a finer grid"
            )

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Points per axis of every level: n -> ceil(n / 2), or (n - 1) // 2 without padding."""
        shapes = [self.shape]
        for _ in self.steps[1:]:
            x, y = ((n - 1 + 2 * self.transfer_padding - 2) // 2 + 1 for n in shapes[-1])
            shapes.append((x, y))
        return shapes

    def kernel(self, level: int) -> tuple[int, int]:
        """Prolongation kernel from level + 1 to level: 3 on axes of odd length, 4 on even ones."""
        x, y = (3 if n % 2 else 4 for n in self.shapes[level])
        return x, y

    def channels(self, base: int, level: int) -> int:
        """Channels of a level."""
        return base * (level + 1) if self.grow else base


@final
class Smoother(nn.Module):
    """One smoothing step u + S(f - A u); without A the first one from u = 0, S f."""

    def __init__(self, width: int, source: int, cycle: Cycle, first: bool = False) -> None:
        super().__init__()
        self.apply_s = _same(source, width, cycle, cycle.bias)
        self.apply_a = None if first else _same(width, source, cycle, cycle.bias)

    def forward(self, u: Tensor | None, f: Tensor) -> Tensor:
        if u is None or self.apply_a is None:
            return self.apply_s(f)
        return u + self.apply_s(f - self.apply_a(u))


def _same(inputs: int, outputs: int, cycle: Cycle, bias: bool) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode=cycle.boundary, bias=bias)


@final
class VCycle(nn.Module):
    """u = MG f with learned smoothers, transfers and operators.

        u_0 = S_0 f,   u_l = Pi_l u_{l-1},  f_l = R_l f_{l-1}   (or R_l (f_{l-1} - A u_{l-1}))
        before:  u_l <- u_l + S (f_l - A u_l)                     on every level
        up:      u_l <- N_l( u_l + P_l u_{l+1} ),  then the steps after

    He, Liu and Xu, ICLR 2024 (arXiv 2310.19809), sec. 3 and algorithm 1; data are restricted, not
    residuals, and the coarse iterate starts from Pi u. Linear in f without bias and norm.
    f: (B, source, X, Y).  Returns (B, width, X, Y), on the grid of ``cycle`` or, where all its
    lengths are even, on any grid that is even as often.

    Args:
        width: channels of u.
        source: channels of f.
        cycle: levels, steps, boundary.
        norm: layer normalisation over channels and points after every prolongation; it fixes the
            grid.
        affine: whether that normalisation has a weight and a bias per point.
    """

    def __init__(
        self, width: int, source: int, cycle: Cycle, norm: bool = False, affine: bool = True
    ) -> None:
        super().__init__()
        self.cycle = cycle
        levels = range(len(cycle.steps))
        u, f = ([cycle.channels(base, level) for level in levels] for base in (width, source))
        self.before, self.after = nn.ModuleList(), nn.ModuleList()
        for level, (before, after) in enumerate(cycle.steps):
            kept = after if level + 1 < len(cycle.steps) else 0
            self.before.append(
                nn.ModuleList(
                    Smoother(u[level], f[level], cycle, first=level == 0 and step == 0)
                    for step in range(before)
                )
            )
            self.after.append(
                nn.ModuleList(Smoother(u[level], f[level], cycle) for _ in range(kept))
            )
        self.restrict_u, self.restrict_f, self.prolong = (nn.ModuleList() for _ in range(3))
        self.operators, self.norms = nn.ModuleList(), nn.ModuleList()
        pad = cycle.transfer_padding
        for fine in levels[:-1]:
            for target, channels in ((self.restrict_u, u), (self.restrict_f, f)):
                target.append(_half(channels[fine], channels[fine + 1], cycle))
            kernel = cycle.kernel(fine)
            self.prolong.append(
                nn.ConvTranspose2d(u[fine + 1], u[fine], kernel, 2, padding=pad, bias=False)
            )
            if cycle.restrict_residual:
                self.operators.append(_same(u[fine], f[fine], cycle, cycle.bias))
            if norm:
                self.norms.append(
                    nn.LayerNorm((u[fine], *cycle.shapes[fine]), elementwise_affine=affine)
                )

    def forward(self, f: Tensor) -> Tensor:
        iterates: list[Tensor] = []
        sources = [f]
        u: Tensor | None = None
        for level, smoothers in enumerate(self.before):
            if u is not None:
                fine = level - 1
                if self.cycle.restrict_residual:
                    f = f - self.operators[fine](u)
                f = self.restrict_f[fine](f)
                u = self.restrict_u[fine](u)
                sources.append(f)
            for smooth in smoothers:
                u = smooth(u, f)
            if u is None:
                raise ConfigError("the finest level has no smoothing step before")
            iterates.append(u)
        coarse = iterates[-1]
        for level in range(len(iterates) - 2, -1, -1):
            coarse = torch.add(iterates[level], self.prolong[level](coarse))
            if self.norms:
                coarse = self.norms[level](coarse)
            for smooth in self.after[level]:
                coarse = smooth(coarse, sources[level])
        return coarse


def _half(inputs: int, outputs: int, cycle: Cycle) -> nn.Conv2d:
    pad = cycle.transfer_padding
    mode = cycle.boundary if pad else "zeros"
    return nn.Conv2d(inputs, outputs, 3, 2, padding=pad, padding_mode=mode, bias=False)


def steps_of(levels: Sequence[Sequence[int] | int]) -> tuple[tuple[int, int], ...]:
    """Return (before, after) per level from pairs or, without steps after, from numbers."""
    return tuple(
        (level, 0) if isinstance(level, int) else (int(level[0]), int(level[1])) for level in levels
    )
