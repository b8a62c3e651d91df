"""The Fourier modes of x and z, and how their coefficients lie in memory."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from torch import Tensor


@final
@dataclass(frozen=True, eq=False)
class Modes:
    """Modes |a| < X/2, 0 <= b < Z/2 of a grid of X by Z points; Nyquist modes are left out.

        u(x, y, z) = sum_{a, b} u_ab(y) exp(2 pi i (a x / L_x + b z / L_z)),   b < 0 by conjugation

    Coefficients are (C, A, Z', n, 2, B) complex: component, |a|, b, wall-normal node, sign of a,
    instance. Real matrices per (|a|, b) then act on both signs and all instances at once. a = 0 has
    one sign only; its second entry is zero.

    Attributes:
        shape: X, Z.
        extent: L_x, L_z.
        device: of the tables.
    """

    shape: tuple[int, int]
    extent: tuple[float, float]
    device: torch.device

    @property
    def count(self) -> tuple[int, int]:
        """A = X/2 and Z' = Z/2, rounded up: modes of each axis without negative ones."""
        return (self.shape[0] + 1) // 2, (self.shape[1] + 1) // 2

    @property
    def padded(self) -> tuple[int, int]:
        """Points on which products of two fields do not alias, 3/2 of the grid's."""
        return 2 * math.ceil(0.75 * self.shape[0]), 2 * math.ceil(0.75 * self.shape[1])

    @cached_property
    def kx(self) -> Tensor:
        """Streamwise wavenumbers (A, 1, 1, 2, 1)."""
        k = torch.arange(self.count[0], dtype=torch.float64) * (2 * math.pi / self.extent[0])
        return torch.stack([k, -k], 1).view(-1, 1, 1, 2, 1).to(self.device)

    @cached_property
    def kz(self) -> Tensor:
        """Spanwise wavenumbers (Z', 1, 1, 1)."""
        k = torch.arange(self.count[1], dtype=torch.float64) * (2 * math.pi / self.extent[1])
        return k.view(-1, 1, 1, 1).to(self.device)

    @cached_property
    def square(self) -> Tensor:
        """k^2 = k_x^2 + k_z^2 (A, Z', 1, 1, 1)."""
        return self.kx[..., :1, :].square() + self.kz.square()

    @cached_property
    def inverse_square(self) -> Tensor:
        """1/k^2, zero for the mean."""
        return torch.where(self.square > 0, 1 / self.square.clamp_min(1e-300), 0.0)

    def forward(self, field: Tensor) -> Tensor:
        """Return the coefficients of fields (B, C, n, X', Z''), on any number of points."""
        num_x, num_z = self.count
        spectrum = torch.fft.rfft2(field, norm="forward")[..., :num_z]
        out = spectrum.new_zeros((field.shape[1], num_x, num_z, field.shape[2], 2, len(field)))
        order = (1, 3, 4, 2, 0)  # (B, C, n, x, z) -> (C, x, z, n, B)
        held = min(num_x, (field.shape[-2] + 1) // 2)
        kept = min(num_z, (field.shape[-1] + 1) // 2)
        out[:, :held, :kept, :, 0] = spectrum[..., :held, :kept].permute(order)
        if held > 1:
            back = spectrum[..., 1 - held :, :kept].flip(-2)
            out[:, 1:held, :kept, :, 1] = back.permute(order)
        return out

    def inverse(self, coefficients: Tensor, shape: tuple[int, int]) -> Tensor:
        """Return the fields (B, C, n, *shape); modes that ``shape`` does not hold are dropped."""
        num_x, num_z = self.count
        parts = coefficients.permute(5, 0, 3, 4, 1, 2)  # (B, C, n, sign, a, b)
        out = coefficients.new_zeros((*parts.shape[:3], shape[0], shape[1] // 2 + 1))
        held = min(num_x, (shape[0] + 1) // 2)
        kept = min(num_z, (shape[1] + 1) // 2)
        out[..., :held, :kept] = parts[..., 0, :held, :kept]
        if held > 1:
            out[..., 1 - held :, :kept] = parts[..., 1, 1:held, :kept].flip(-2)
        return torch.fft.irfft2(out, s=shape, norm="forward")


def times(matrix: Tensor, coefficients: Tensor) -> Tensor:
    """Apply real matrices (..., m, n) to coefficients (..., n, 2, B) along the wall normal."""
    flat = torch.view_as_real(coefficients).flatten(-3)
    if matrix.ndim == 2:  # one product of two matrices, not one per wavenumber
        rows = flat.transpose(-1, -2)
        product = rows.reshape(-1, rows.shape[-1]) @ matrix.T
        product = product.view(*rows.shape[:-1], -1).transpose(-1, -2)
    else:
        product = matrix @ flat
    shaped = product.unflatten(-1, (*coefficients.shape[-2:], 2))
    return torch.view_as_complex(shaped.contiguous())
