"""The latent spectral model on grids of one, two or three axes."""

import math
from collections.abc import Sequence
from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pdebench.errors import ConfigError
from pdebench_lsm.backbone import COARSEST, Backbone, Norm


def padded_sizes(
    shape: Sequence[int], patch: Sequence[int], padding: Sequence[int] | None = None
) -> tuple[int, ...]:
    """Return the padded sizes; by default the next multiples of 16 patch[a].

    Raises ConfigError where a given padding does not make such a multiple.
    """
    units = [COARSEST * p for p in patch]
    if padding is None:
        return tuple(-(-n // unit) * unit for n, unit in zip(shape, units, strict=True))
    sizes = tuple(n + p for n, p in zip(shape, padding, strict=True))
    wrong = [(n, unit) for n, unit in zip(sizes, units, strict=True) if n % unit]
    if wrong:
        n, unit = wrong[0]
        raise ConfigError(
            f"padding={list(padding)} makes an axis of {n} points, expected a multiple of "
            f"{COARSEST} times its patch, {unit}; padding=null pads to the next one"
        )
    return sizes


def automatic_patch(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the patch that makes 16 patches per axis on the finest level."""
    return tuple(max(1, math.ceil(n / COARSEST)) for n in shape)


def unit_grid(shape: Sequence[int], like: Tensor) -> Tensor:
    """Return index / (n - 1) along every axis, (1, d, *S)."""
    axes = [torch.linspace(0, 1, n, dtype=like.dtype, device=like.device) for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")).unsqueeze(0)


def time_features(time: Tensor, width: int) -> Tensor:
    """Return cos(t f_j), sin(t f_j),  f_j = 10000^(-j / half),  (B, 2 half) of t: (B, 1)."""
    half = width // 2
    j = torch.arange(half, dtype=time.dtype, device=time.device)
    angle = time * torch.exp(-math.log(10000.0) * j / half)
    return torch.cat([angle.cos(), angle.sin()], dim=-1)


@final
class LSM(nn.Module):
    """Latent spectral model: lift, backbone with spectral blocks, project.

    Wu et al., ICML 2023 (arXiv 2301.12664). The grid is filled up with zeros at the end of every
    axis to a multiple of 16 patch[a] and cropped again, so any size is taken.
    x: (B, in_channels, *S), ``time``: (B, 1) where ``conditioned``.  Returns (B, out_channels, *S).

    Args:
        in_channels, out_channels: channels of input and output.
        shape: points per axis; sets the automatic patch and the number of axes.
        width: channels w after lifting, a multiple of ``heads``.
        basis: terms M of the series.
        tokens: latent tokens per head and patch.
        patch: points per patch and axis; null makes 16 patches per axis.
        padding: zeros at the end of each axis; null for the fewest that fit.
        heads: attention heads.
        norm: "batch", or "instance" for rollouts.
        grid: append the unit grid to the input.
        lifting: "linear", or "mlp" through 2 w channels.
        head_width: hidden channels of the projection; null for 128.
        conditioned: whether a time is embedded and added after lifting.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        shape: Sequence[int],
        width: int = 32,
        basis: int = 12,
        tokens: int = 4,
        patch: Sequence[int] | None = None,
        padding: Sequence[int] | None = None,
        heads: int = 8,
        norm: Norm = "batch",
        grid: bool = True,
        lifting: Literal["linear", "mlp"] = "linear",
        head_width: int | None = None,
        conditioned: bool = False,
    ) -> None:
        super().__init__()
        dim = len(shape)
        if dim not in (1, 2, 3):
            raise ConfigError(f"shape={list(shape)}, expected one to three axes")
        if lifting not in ("linear", "mlp"):
            raise ConfigError(f"lifting={lifting!r}, expected 'linear' or 'mlp'")
        self.patch = tuple(patch) if patch is not None else automatic_patch(shape)
        if len(self.patch) != dim or min(self.patch) < 1:
            raise ConfigError(f"patch={list(self.patch)}, expected {dim} sizes of at least 1")
        self.padding, self.grid, self.in_channels, self.dim = padding, grid, in_channels, dim
        entering = in_channels + (dim if grid else 0)
        hidden = 128 if head_width is None else head_width
        self.lift = lift(entering, width, lifting)
        self.time = time_embedding(width) if conditioned else None
        self.backbone = Backbone(dim, width, basis, tokens, self.patch, heads, norm)
        self.project = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, out_channels)
        )
        self.width = width

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        if x.ndim != self.dim + 2 or x.shape[1] != self.in_channels:
            raise ConfigError(
                f"the network got x of shape {tuple(x.shape)}, expected (batch, "
                f"{self.in_channels}) and {self.dim} axes"
            )
        shape = x.shape[2:]
        sizes = padded_sizes(shape, self.patch, self.padding)
        if self.grid:
            x = torch.cat([x, unit_grid(shape, x).expand(len(x), *(-1,) * (self.dim + 1))], dim=1)
        u = self.lift(x.movedim(1, -1))
        if self.time is not None:
            if time is None:
                raise ConfigError("the network is conditioned on a time, none was given")
            embedded = self.time(time_features(time, self.width))
            u = u + embedded.view(len(u), *(1,) * self.dim, -1)
        u = u.movedim(-1, 1)
        ends = [
            n for old, new in zip(shape[::-1], sizes[::-1], strict=True) for n in (0, new - old)
        ]
        y = self.backbone(functional.pad(u, ends))
        y = y[(..., *(slice(0, n) for n in shape))]
        return self.project(y.movedim(1, -1)).movedim(-1, 1)


def lift(entering: int, width: int, kind: str) -> nn.Module:
    """Return the pointwise map to ``width`` channels."""
    if kind == "linear":
        return nn.Linear(entering, width)
    return nn.Sequential(nn.Linear(entering, 2 * width), nn.GELU(), nn.Linear(2 * width, width))


def time_embedding(width: int) -> nn.Module:
    """Return the map of time features to channels."""
    return nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
