"""Orthonormal transforms of a grid, truncated to the lowest coefficients, as matrix products."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor


def dct(x: Tensor, norm: str | None = "ortho", dims: Sequence[int] = (-1,)) -> Tensor:
    """Return the DCT-II of x along ``dims``, in scipy's conventions.

    X_k = 2 sum_j x_j cos(pi k (2 j + 1) / (2 n));   "ortho": X_0 / (2 sqrt n), X_k / sqrt(2 n)
    """
    for dim in dims:
        n = x.shape[dim]
        x = _along(_cosines(n, n, norm, x), x, dim)
    return x


def idct(x: Tensor, norm: str | None = "ortho", dims: Sequence[int] = (-1,)) -> Tensor:
    """Return the inverse of `dct` along ``dims`` (a DCT-III)."""
    for dim in dims:
        n = x.shape[dim]
        matrix = _cosines(n, n, "ortho", x).T
        if norm is None:
            scale = torch.full((n,), 1 / math.sqrt(2 * n), dtype=x.dtype, device=x.device)
            scale[0] = 1 / (2 * math.sqrt(n))
            matrix = matrix * scale
        x = _along(matrix, x, dim)
    return x


def _cosines(kept: int, n: int, norm: str | None, like: Tensor) -> Tensor:
    """The first rows of the DCT-II matrix (kept, n), angles reduced so that they stay exact."""
    k = torch.arange(kept, dtype=torch.float64)[:, None]
    j = torch.arange(n, dtype=torch.float64)
    matrix = 2 * torch.cos(torch.remainder(k * (2 * j + 1), 4 * n) * (math.pi / (2 * n)))
    if norm == "ortho":
        matrix = matrix / math.sqrt(2 * n)
        matrix[0] = matrix[0] / math.sqrt(2)
    return matrix.to(like.device, like.dtype)


def _along(matrix: Tensor, x: Tensor, dim: int) -> Tensor:
    return (x.movedim(dim, -1) @ matrix.T).movedim(-1, dim)


class Truncated(ABC):
    """T and T^{-1} between a grid (B, C, *S) and its lowest coefficients (B, C, *M)."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Return the kept coefficients."""

    @abstractmethod
    def inverse(self, z: Tensor) -> Tensor:
        """Return the field whose other coefficients are zero."""


@final
class Cosine(Truncated):
    """Orthonormal DCT-II, the lowest ``modes`` of every axis.

    Coefficients of a function sampled on another grid differ by sqrt(N' / N); ``points`` is the N
    that they are expressed for, so that weights serve every resolution.
    """

    def __init__(
        self, shape: Sequence[int], modes: Sequence[int], points: int, like: Tensor
    ) -> None:
        self._rows = [_cosines(m, n, "ortho", like) for m, n in zip(modes, shape, strict=True)]
        self._scale = math.sqrt(points / math.prod(shape))

    def forward(self, x: Tensor) -> Tensor:
        for axis, rows in enumerate(self._rows):
            x = _along(rows, x, axis + 2)
        return x * self._scale if self._scale != 1 else x

    def inverse(self, z: Tensor) -> Tensor:
        for axis, rows in enumerate(self._rows):
            z = _along(rows.T, z, axis + 2)
        return z / self._scale if self._scale != 1 else z


@final
class Fourier(Truncated):
    """Orthonormal real FFT: k = 0 .. m - 1 on the last axis, both signs on the others.

    Coefficients are complex; all axes but the last keep k = -(m // 2) .. (m - 1) // 2 in the order
    of the FFT.
    """

    def __init__(self, shape: Sequence[int], modes: Sequence[int], points: int) -> None:
        self._shape, self._modes = tuple(shape), tuple(modes)
        self._scale = math.sqrt(points / math.prod(shape))
        self._dims = tuple(range(-len(self._shape), 0))

    def _rows(self, axis: int) -> list[slice]:
        m = self._modes[axis]
        return [slice(0, (m + 1) // 2), *([slice(-(m // 2), None)] if m // 2 else [])]

    def forward(self, x: Tensor) -> Tensor:
        z = torch.fft.rfftn(x, dim=self._dims, norm="ortho")[..., : self._modes[-1]]
        for axis in range(len(self._shape) - 1):
            dim = axis + 2
            parts = [z.movedim(dim, 0)[rows] for rows in self._rows(axis)]
            z = torch.cat(parts).movedim(0, dim)
        return z * self._scale

    def inverse(self, z: Tensor) -> Tensor:
        half = self._shape[-1] // 2 + 1
        z = torch.nn.functional.pad(z, (0, half - z.shape[-1]))
        for axis in range(len(self._shape) - 1):
            dim = axis + 2
            first = z.movedim(dim, 0)
            full = first.new_zeros((self._shape[axis], *first.shape[1:]))
            start = 0
            for rows in self._rows(axis):
                count = (self._modes[axis] + 1) // 2 if start == 0 else self._modes[axis] // 2
                full[rows] = first[start : start + count]
                start += count
            z = full.movedim(0, dim)
        return torch.fft.irfftn(z / self._scale, s=self._shape, dim=self._dims, norm="ortho")
