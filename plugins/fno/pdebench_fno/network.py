"""The Fourier neural operator in its modern form (FNO, TFNO) for one, two and three dimensions."""

from collections.abc import Sequence
from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pdebench.errors import ConfigError
from pdebench.spectral import resample
from pdebench_fno.pointwise import ChannelMLP, Skip, coordinates, skip
from pdebench_fno.spectral_conv import DenseWeight, SpectralConv, TuckerWeight, centred
from pdebench_fno.transform import Band

Norm = Literal["group_norm", "instance_norm"]


@final
class Block(nn.Module):
    """One Fourier layer with skip connections and a channel MLP.

        y = GELU( norm( K x ) + S_1 x );   z = GELU( norm( MLP y + S_2 x ) )          (no GELU after
        the last block)

    with ``preactivation``: x <- norm(GELU(x)) first, and y = GELU(K x + S_1 x), z = MLP(norm y) +
        S_2 x.
    """

    def __init__(
        self,
        conv: SpectralConv,
        width: int,
        dim: int,
        last: bool,
        mlp: ChannelMLP | None,
        conv_skip: Skip,
        mlp_skip: Skip,
        norm: Norm | None,
        preactivation: bool,
        scaling: Sequence[float] | None,
        activate_twice: bool,
    ) -> None:
        super().__init__()
        self.conv, self.mlp, self.last, self.activate_twice = conv, mlp, last, activate_twice
        self.conv_skip = skip(conv_skip, width, dim)
        self.mlp_skip = skip(mlp_skip, width, dim) if mlp is not None else None
        count = 0 if norm is None else 2 if mlp is not None or activate_twice else 1
        self.norms = nn.ModuleList(_norm(norm, width) for _ in range(count))
        self.preactivation, self.scaling = preactivation, scaling

    def forward(self, x: Tensor) -> Tensor:
        if self.preactivation:
            x = self._normed(functional.gelu(x), 0)
        shape = tuple(x.shape[2:])
        target = shape
        if self.scaling is not None:
            target = tuple(round(n * factor) for n, factor in zip(shape, self.scaling, strict=True))
        kept = None if self.conv_skip is None else _resampled(self.conv_skip(x), target)
        through = None if self.mlp_skip is None else _resampled(self.mlp_skip(x), target)
        y = self.conv(x, target)
        if not self.preactivation:
            y = self._normed(y, 0)
        if kept is not None:
            y = y + kept
        if not self.last:
            y = functional.gelu(y)
        return self._mixed(y, through)

    def _mixed(self, y: Tensor, through: Tensor | None) -> Tensor:
        if self.mlp is None and not self.activate_twice:
            return y
        if self.preactivation:
            y = self._normed(y, 1)
        if self.mlp is not None:
            y = self.mlp(y)
            if through is not None:
                y = y + through
        if self.preactivation:
            return y
        y = self._normed(y, 1)
        return y if self.last else functional.gelu(y)

    def _normed(self, x: Tensor, which: int) -> Tensor:
        return self.norms[which](x) if which < len(self.norms) else x


def _norm(kind: Norm | None, width: int) -> nn.Module:
    if kind == "group_norm":
        return nn.GroupNorm(1, width)
    if kind == "instance_norm":
        return _InstanceNorm()
    raise ConfigError(f"norm={kind!r}, expected 'group_norm', 'instance_norm' or null")


@final
class _InstanceNorm(nn.Module):
    """Zero mean and unit variance over space, per sample and channel, without parameters."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.instance_norm(x.flatten(2)).unflatten(2, x.shape[2:])


def _resampled(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Bring a skip to another grid: linear in 1D, bicubic in 2D (corners aligned), spectral in
    3D.
    """
    if tuple(x.shape[2:]) == shape:
        return x
    if len(shape) == 1:
        return functional.interpolate(x, size=shape, mode="linear", align_corners=True)
    if len(shape) == 2:
        return functional.interpolate(
            x, size=shape, mode="bicubic", align_corners=True, antialias=True
        )
    return resample(x, shape)


@final
class FNO(nn.Module):
    """Fourier neural operator, modern form.

        lift = MLP(x, coordinates);  blocks;  y = MLP(v)

    Kossaifi et al. 2024 (arXiv 2412.10354), after Li et al., ICLR 2021 (arXiv 2010.08895).
    x: (B, in_channels, *S).  Returns (B, out_channels, *S), any grid that holds the modes.

    Args:
        modes: modes kept per axis, both signs counted: k = -(m//2) .. (m-1)//2, and 0 .. m//2 on
            the last axis.
        in_channels, out_channels: channels of input and output.
        width: channels of the hidden field.
        layers: number of blocks.
        lifting_ratio, projection_ratio: hidden widths of the first and last MLP, in units of
            ``width``.
        embedding: coordinates appended to the input: "grid" j/n, "endpoint" linspace(0, 1, n),
            None.
        mlp_expansion: hidden width of the blocks' MLP in units of ``width``; None for no MLP.
        conv_skip, mlp_skip: skip connections around the Fourier layer and around the block.
        norm: "group_norm", "instance_norm" or None.
        preactivation: activate before instead of after.
        padding: fraction of every axis padded with zeros on both sides, one number or one per axis;
            None for none.
        scaling: per block, the factor by which it refines each axis; None for none.
        rank: fraction of parameters kept by a Tucker decomposition of R (TFNO); None for dense R.
        clip: use fewer modes on grids that do not hold all, instead of refusing them.
        misplace_odd: as in `SpectralConv`: neuraloperator 2.0.0 on axes of odd length.
        activate_twice: without a block MLP, normalise and activate a second time, as neuraloperator
            2.0.0 does.
    """

    def __init__(
        self,
        modes: Sequence[int],
        in_channels: int,
        out_channels: int,
        width: int = 32,
        layers: int = 4,
        lifting_ratio: float = 2,
        projection_ratio: float = 2,
        embedding: Literal["grid", "endpoint"] | None = "grid",
        mlp_expansion: float | None = 0.5,
        conv_skip: Skip = "linear",
        mlp_skip: Skip = "soft-gating",
        norm: Norm | None = None,
        preactivation: bool = False,
        padding: float | Sequence[float] | None = None,
        scaling: Sequence[Sequence[float]] | None = None,
        rank: float | None = None,
        clip: bool = False,
        misplace_odd: bool = False,
        activate_twice: bool = False,
    ) -> None:
        super().__init__()
        if min(*modes, width, layers) < 1:
            raise ConfigError(
                f"modes={list(modes)}, width={width}, layers={layers}, expected positive integers"
            )
        dim = len(modes)
        self.dim, self.embedding = dim, embedding
        self.padding = _per_axis(padding, dim)
        self.scaling = None if scaling is None else tuple(tuple(s) for s in scaling)
        entering = in_channels + (dim if embedding else 0)
        self.in_channels = in_channels
        self.lifting = ChannelMLP(entering, round(lifting_ratio * width), width)
        bands = (*(centred(m) for m in modes[:-1]), Band(0, modes[-1] // 2 + 1))
        self.blocks = nn.ModuleList()
        for position in range(layers):
            weight = _weight(width, bands, rank)
            conv = SpectralConv(bands, weight, bias=width, clip=clip, misplace_odd=misplace_odd)
            nn.init.normal_(conv.bias, std=(2 / (2 * width)) ** 0.5)
            mlp = (
                None
                if mlp_expansion is None
                else ChannelMLP(width, round(width * mlp_expansion), width)
            )
            factors = None if self.scaling is None else self.scaling[position]
            last = position == layers - 1
            self.blocks.append(
                Block(
                    conv,
                    width,
                    dim,
                    last,
                    mlp,
                    conv_skip,
                    mlp_skip,
                    norm,
                    preactivation,
                    factors,
                    activate_twice,
                )
            )
        self.projection = ChannelMLP(width, round(projection_ratio * width), out_channels)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != self.dim + 2 or x.shape[1] != self.in_channels:
            raise ConfigError(
                f"the network got x of shape {tuple(x.shape)}, expected (batch, "
                f"{self.in_channels}, "
                f"{', '.join('n' * self.dim)})"
            )
        if self.embedding is not None:
            x = torch.cat([x, coordinates(x, self.embedding == "endpoint")], dim=1)
        x = self.lifting(x)
        x, pads = self._padded(x)
        for block in self.blocks:
            x = block(x)
        return self.projection(self._unpadded(x, pads))

    def _padded(self, x: Tensor) -> tuple[Tensor, tuple[int, ...]]:
        if self.padding is None:
            return x, ()
        pads = tuple(round(p * n) for p, n in zip(self.padding, x.shape[2:], strict=True))
        both = [side for pad in reversed(pads) for side in (pad, pad)]
        return functional.pad(x, both), pads

    def _unpadded(self, x: Tensor, pads: tuple[int, ...]) -> Tensor:
        for axis, pad in enumerate(pads):
            factor = 1.0
            for scales in self.scaling or ():
                factor *= scales[axis]
            cut = round(pad * factor)
            x = x.narrow(axis + 2, cut, x.shape[axis + 2] - 2 * cut)
        return x


def _per_axis(value: float | Sequence[float] | None, dim: int) -> tuple[float, ...] | None:
    if value is None:
        return None
    return (float(value),) * dim if isinstance(value, int | float) else tuple(value)


def _weight(width: int, bands: Sequence[Band], rank: float | None) -> DenseWeight | TuckerWeight:
    kept = [band.count for band in bands]
    return (
        DenseWeight(width, width, kept) if rank is None else TuckerWeight(width, width, kept, rank)
    )
