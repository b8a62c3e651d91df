"""The Fourier layer: a linear map of the channels, one for every kept mode."""

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from pdebench.errors import ConfigError
from pdebench_fno.transform import Band, Truncation


def centred(total: int) -> Band:
    """Return k = -(m // 2) .. m // 2 + m % 2 - 1: ``total`` modes centred on zero."""
    return Band(total // 2, total - total // 2)


def check_modes(bands: Sequence[Band], shape: Sequence[int]) -> None:
    """Raise ConfigError, naming the limit, where a band asks for modes that the grid does not
    have.
    """
    for axis, (band, num) in enumerate(zip(bands, shape, strict=True)):
        last = axis == len(shape) - 1
        limit = num // 2 + 1 if last else num
        if band.count > limit or (
            not last and (band.negative > num // 2 or band.positive > (num + 1) // 2)
        ):
            raise ConfigError(
                f"modes: axis {axis} keeps {band.count} modes (k = "
                f"{-band.negative}..{band.positive - 1}), but its "
                f"{num} points have {limit}; keep fewer modes or use a finer grid"
            )


@final
class DenseWeight(nn.Module):
    """R(k) for every kept mode: complex (*K, C_in, C_out)."""

    def __init__(self, in_channels: int, out_channels: int, kept: Sequence[int]) -> None:
        super().__init__()
        # Complex normal of standard deviation sqrt(2 / (C_in + C_out)) in each part: the library's
        # start.
        scale = math.sqrt(2 / (in_channels + out_channels))
        parts = scale * torch.randn(*kept, in_channels, out_channels, 2)
        self.tensor = nn.Parameter(torch.view_as_complex(parts))

    def forward(self) -> Tensor:
        return self.tensor


@final
class TuckerWeight(nn.Module):
    """R(k) as a core tensor with one factor per axis (Tucker decomposition, TFNO).

        R[k.., i, o] = sum core[a.., p, q] prod_axis U_axis[k_axis, a_axis] U_in[i, p] U_out[o, q]

    Kossaifi et al., TMLR 2024 (arXiv 2310.00120). ``rank`` is the fraction of the dense layer's
    parameters kept.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kept: Sequence[int],
        rank: float = 0.1,
        ranks: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        sizes = (*kept, in_channels, out_channels)
        ranks = tuple(ranks) if ranks is not None else _tucker_ranks(sizes, rank)
        # Product of the factors' and the core's scales gives the dense start's standard deviation.
        scale = (2 / (in_channels + out_channels)) ** 0.5
        each = (scale / math.sqrt(math.prod(ranks))) ** (1 / (len(ranks) + 1))
        self.core = nn.Parameter(torch.view_as_complex(each * torch.randn(*ranks, 2)))
        self.factors = nn.ParameterList(
            nn.Parameter(torch.view_as_complex(each * torch.randn(n, r, 2)))
            for n, r in zip(sizes, ranks, strict=True)
        )

    def forward(self) -> Tensor:
        dense = self.core
        for factor in (
            self.factors
        ):  # contracting the first axis and appending the result cycles through all of them
            dense = torch.tensordot(dense, factor, dims=([0], [1]))
        return dense


def _tucker_ranks(sizes: Sequence[int], fraction: float) -> tuple[int, ...]:
    """Return ranks proportional to the sizes such that core and factors hold ``fraction`` of the
    dense parameters.
    """
    if not 0 < fraction <= 1:
        raise ConfigError(f"rank={fraction}, expected a fraction of the dense parameters in (0, 1]")
    low, high = 0.0, 1.0
    for _ in range(
        60
    ):  # bisection of the common ratio c: prod(c n) + sum(c n^2) = fraction prod(n)
        c = (low + high) / 2
        held = math.prod(c * n for n in sizes) + sum(c * n * n for n in sizes)
        low, high = (c, high) if held < fraction * math.prod(sizes) else (low, c)
    return tuple(max(1, min(n, round(low * n))) for n in sizes)


@final
class SpectralConv(nn.Module):
    """Fourier layer y = F^{-1}( R . F x ) [+ b], on grids of any size that hold the kept modes.

        y_hat[b, o, k] = sum_i x_hat[b, i, k] R[k, i, o]   for kept k, zero elsewhere

    Li et al., ICLR 2021 (arXiv 2010.08895), eq. 5. x: (B, C_in, *S) real.  Returns (B, C_out, *S').

    Args:
        bands: kept modes per axis; the last axis has no negative ones.
        weight: gives R (*K, C_in, C_out).
        bias: whether a constant per output channel is added.
        clip: keep only the part of the bands that a grid holds instead of refusing a grid that is
            too coarse.
        misplace_odd: on axes of odd length but the last, write mode k at k - 1, as neuraloperator
            2.0.0 does, whose second fftshift should be its inverse.

    Raises ConfigError where the grid has fewer modes than kept, naming the limit.
    """

    def __init__(
        self,
        bands: Sequence[Band],
        weight: DenseWeight | TuckerWeight,
        bias: int | None = None,
        clip: bool = False,
        misplace_odd: bool = False,
    ) -> None:
        super().__init__()
        self.bands, self.weight, self.clip, self.misplace_odd = (
            tuple(bands),
            weight,
            clip,
            misplace_odd,
        )
        self.bias = None
        if bias is not None:
            self.bias = nn.Parameter(torch.zeros(bias).view(-1, *(1,) * len(self.bands)))
        self._plans: dict[tuple[object, ...], Truncation] = {}

    def _plan(
        self, x: Tensor, shape: Sequence[int], bands: tuple[Band, ...], shifted: bool
    ) -> Truncation:
        key = (tuple(shape), bands, x.device, x.dtype, shifted)
        if key not in self._plans:
            shifts = [-(n % 2) for n in shape[:-1]] + [0] if shifted else ()
            with torch.inference_mode(
                False
            ):  # a plan made while solving may serve a later training
                self._plans[key] = Truncation(
                    shape, bands, torch.empty(0, device=x.device, dtype=x.dtype), shifts
                )
        return self._plans[key]

    def _held(self, shape: Sequence[int]) -> tuple[Band, ...]:
        if not self.clip:
            check_modes(self.bands, shape)
            return self.bands
        last = len(shape) - 1
        return tuple(
            b.clipped(n, axis == last)
            for axis, (b, n) in enumerate(zip(self.bands, shape, strict=True))
        )

    def forward(self, x: Tensor, out_shape: Sequence[int] | None = None) -> Tensor:
        shape = x.shape[2:]
        bands = self._held(shape)
        target = tuple(out_shape) if out_shape is not None else tuple(shape)
        if target != tuple(shape):
            bands = tuple(
                Band(min(a.negative, b.negative), min(a.positive, b.positive))
                for a, b in zip(bands, self._held(target), strict=True)
            )
        z = self._plan(x, shape, bands, False).forward(x)
        z = _mix(z, self._weight_of(bands).to(z.dtype))  # .double() leaves complex weights alone
        y = self._plan(x, target, bands, self.misplace_odd).inverse(z)
        return y if self.bias is None else y + self.bias

    def _weight_of(self, bands: tuple[Band, ...]) -> Tensor:
        weight = self.weight()
        if bands == self.bands:
            return weight
        rows = tuple(
            slice(full.negative - part.negative, full.negative + part.positive)
            for full, part in zip(self.bands, bands, strict=True)
        )
        return weight[rows]


def _mix(z: Tensor, weight: Tensor) -> Tensor:
    """Return sum_i z[b, i, k] R[k, i, o] as one batched matrix product over the modes."""
    kept = z.shape[2:]
    modes_first = z.flatten(2).permute(2, 0, 1).contiguous()
    mixed = torch.bmm(modes_first, weight.flatten(0, -3))
    return mixed.permute(1, 2, 0).unflatten(-1, kept)
