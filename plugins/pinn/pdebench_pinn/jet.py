"""Fields with their derivatives at points of space and time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor


def pairs(dim: int, mixed: bool) -> tuple[tuple[int, int], ...]:
    """Return the pairs of space axes whose second derivatives a jet holds: i = j, or all i <= j."""
    return tuple((i, j) for i in range(dim) for j in range(i, dim) if mixed or i == j)


@final
@dataclass(frozen=True)
class Jet:
    """Values, first derivatives along d space axes and time, second ones in space.

    Attributes:
        streams: (B, 1 + (d + 1) + P, N, C): the value, d/dx_1 ... d/dx_d, d/dt, then the second
            derivatives of ``pairs``.
        dim: d.
        pairs: of space axes i <= j.
    """

    streams: Tensor
    dim: int
    pairs: Sequence[tuple[int, int]]

    @property
    def value(self) -> Tensor:
        """(B, N, C)."""
        return self.streams[:, 0]

    @property
    def rate(self) -> Tensor:
        """d/dt (B, N, C), per second."""
        return self.streams[:, 1 + self.dim]

    @property
    def gradient(self) -> Tensor:
        """d/dx_j (B, N, C, d), per length."""
        return self.streams[:, 1 : 1 + self.dim].movedim(1, -1)

    @property
    def laplacian(self) -> Tensor:
        """(B, N, C), per length^2."""
        parts = [self._second(axis, axis) for axis in range(self.dim)]
        return torch.stack(parts).sum(0)

    @property
    def bend(self) -> Tensor:
        """d^2/dx_j dx_k (B, N, C, d, d), per length^2. Needs mixed pairs."""
        axes = range(self.dim)
        rows = [torch.stack([self._second(j, k) for k in axes], -1) for j in axes]
        return torch.stack(rows, -2)

    def _second(self, i: int, j: int) -> Tensor:
        place = self.pairs.index((min(i, j), max(i, j)))
        return self.streams[:, 2 + self.dim + place]
