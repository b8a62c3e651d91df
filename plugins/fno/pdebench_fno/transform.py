"""Truncated Fourier transforms: a few modes of a grid and back, as matrix products.

Only the kept modes are ever computed. For the few modes an operator keeps, a product with the rows
of the Fourier matrix costs less time than a full FFT that computes all of them (measured in
benchmarks/fno_step.py), and is the same number.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, final

import torch
from torch import Tensor


class Band(NamedTuple):
    """Kept modes of one axis: k = -negative .. positive - 1. The last axis of a real field has
    negative = 0.
    """

    negative: int
    positive: int

    @property
    def count(self) -> int:
        """Number of kept modes."""
        return self.negative + self.positive

    def clipped(self, num: int, real: bool) -> "Band":
        """Return the part that a grid of ``num`` points holds; where -k and k coincide the negative
        one stays.
        """
        if real:
            return Band(0, min(self.positive, num // 2 + 1))
        negative = min(self.negative, num // 2)
        return Band(negative, min(self.positive, num - negative))

    def frequencies(self, device: torch.device) -> Tensor:
        """Return k, float64."""
        return torch.arange(-self.negative, self.positive, dtype=torch.float64, device=device)


@final
class Truncation:
    """The transform between a grid of ``shape`` and the kept ``bands``; build once per shape and
    device.

        x_hat(k) = 1/N sum_j x_j exp(-2 pi i k . j / n)
        y_j = Re sum_k c_k y_hat(k) exp(2 pi i k . j / n)

    with c_k = 2 for modes of the last axis that stand for their conjugates too (all but k = 0 and
    Nyquist), else 1: what ``rfftn`` and ``irfftn`` with norm="forward" give where all other modes
    vanish.
    """

    def __init__(
        self, shape: Sequence[int], bands: Sequence[Band], like: Tensor, shifted: Sequence[int] = ()
    ) -> None:
        self.shape, self.bands = tuple(shape), tuple(bands)
        shifts = tuple(shifted) or (0,) * len(self.shape)
        real = like.dtype
        num, band = self.shape[-1], self.bands[-1]
        angle = _angles(num, band.frequencies(like.device))
        weight = torch.full((band.count, 1), 2.0, dtype=torch.float64, device=like.device)
        weight[0] = 1.0
        if num % 2 == 0 and band.count == num // 2 + 1:
            weight[-1] = 1.0
        # (n, 2K): cosine and sine columns interleaved, so that the product is a complex array seen
        # as pairs of reals.
        self._last = (
            torch.stack([angle.cos(), -angle.sin()], -1).movedim(0, 1).flatten(1).div(num).to(real)
        )
        self._last_back = (
            torch.stack([angle.cos() * weight, -angle.sin() * weight], 1).flatten(0, 1).to(real)
        )
        self._others: list[tuple[Tensor, Tensor]] = []
        for n, b, shift in zip(self.shape[:-1], self.bands[:-1], shifts, strict=False):
            k = b.frequencies(like.device)
            there = torch.exp(-1j * _angles(n, k)) / n
            back = torch.exp(1j * _angles(n, k + shift)).T
            self._others.append((_planes(there, real), _planes(back, real)))

    def forward(self, x: Tensor) -> Tensor:
        """Return the kept modes (B, C, *K), complex, of a real field (B, C, *S)."""
        z = torch.view_as_complex((x @ self._last).unflatten(-1, (-1, 2)))
        for axis in range(len(self.shape) - 2, -1, -1):
            z = _apply(self._others[axis][0], z, axis + 2)
        return z

    def inverse(self, z: Tensor) -> Tensor:
        """Return the real field (B, C, *S) of the kept modes (B, C, *K)."""
        for axis in range(len(self.shape) - 1):
            z = _apply(self._others[axis][1], z, axis + 2)
        return torch.view_as_real(z).flatten(-2) @ self._last_back


def _angles(num: int, k: Tensor) -> Tensor:
    """Return 2 pi k j / n (K, n), with k j reduced modulo n so that large products stay exact."""
    j = torch.arange(num, dtype=torch.float64, device=k.device)
    return torch.remainder(k[:, None] * j, num) * (2 * math.pi / num)


def _planes(matrix: Tensor, real: torch.dtype) -> Tensor:
    """Return a complex matrix (m, n) as its real rows above its imaginary rows (2m, n)."""
    return torch.cat([matrix.real, matrix.imag]).to(real)


def _apply(planes: Tensor, z: Tensor, axis: int) -> Tensor:
    """Multiply a complex matrix, given as `_planes` (2m, n), into axis ``axis`` of z, length n.

    (A + iB) z = A z + i B z: one real product, whose gradient is one too. Complex batched products
    copy matrix by matrix in the backward pass.
    """
    columns = torch.view_as_real(z).flatten(axis + 1)
    product = (planes @ columns).unflatten(-1, (*z.shape[axis + 1 :], 2))
    real, imaginary = torch.view_as_complex(product).chunk(2, dim=axis)
    return torch.add(real, imaginary, alpha=1j)
