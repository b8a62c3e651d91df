"""The advection of vorticity in Fourier space, in two forms."""

import math
from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equations.vorticity import Vorticity
from pdebench.spectral import Modes


class Flow(ABC):
    """w_t = L w + N(w) for the spectrum of a vorticity field: ``linear`` is L, ``nonlinear`` evaluates N.

    Spectra are (B, X, M): all modes of the first axis, the first M of the second (real FFT).
    """

    def __init__(
        self, equation: Vorticity, grid: Grid, viscosity: Tensor, columns: int, dtype: torch.dtype
    ) -> None:
        device = viscosity.device
        modes = Modes.of(grid.shape, grid.extent, device, torch.float64)
        self.shape, self.spacing = grid.shape, tuple(L / n for L, n in zip(grid.extent, grid.shape, strict=True))
        self.columns = columns
        complex_dtype = torch.complex128 if dtype == torch.float64 else torch.complex64
        self.dtype, self.complex_dtype = dtype, complex_dtype
        kx, ky = modes.k[0], modes.k[1][:, :columns]
        square = modes.square[:, :columns]
        inverse = modes.inverse_square[:, :columns]
        # Nyquist rows have no representable first derivative: their velocity is zero.
        nyquist = torch.zeros_like(kx, dtype=torch.bool)
        if grid.shape[0] % 2 == 0:
            nyquist[grid.shape[0] // 2] = True
        self.kx, self.ky = torch.where(nyquist, 0.0, kx), self._without_nyquist(ky)
        self.to_velocity = torch.stack([1j * self.ky * inverse, -1j * self.kx * inverse]).to(complex_dtype)
        self.linear = -(viscosity.double().view(-1, 1, 1) * square + equation.drag)
        self.kept = modes.kept()[:, :columns]
        forcing = torch.fft.rfft2(equation.forcing.on(grid).to(device))[:, :columns]
        self.forcing = forcing.to(complex_dtype) if bool(forcing.abs().max() > 0) else None

    def _without_nyquist(self, ky: Tensor) -> Tensor:
        num = self.shape[1]
        if num % 2 == 0 and self.columns == num // 2 + 1:
            ky = ky.clone()
            ky[..., -1] = 0.0
        return ky

    @abstractmethod
    def nonlinear(self, w_hat: Tensor) -> Tensor:
        """Return N(w) = -u . grad w + f as a spectrum (B, X, M)."""

    def spectrum(self, w: Tensor) -> Tensor:
        """Return the spectrum (B, X, M) of a field (B, X, Y)."""
        return torch.fft.fft(torch.fft.rfft(w)[..., : self.columns], dim=-2)

    def field(self, w_hat: Tensor) -> Tensor:
        """Return the field (B, X, Y) of a spectrum; the missing columns are zero."""
        return torch.fft.irfft(torch.fft.ifft(w_hat, dim=-2), n=self.shape[1])

    def fastest(self, w_hat: Tensor) -> float:
        """Return max over points of |u|/dx + |v|/dy, 1/s: the inverse of the advective time step."""
        velocity = self.field(self.to_velocity[:, None] * w_hat)
        return float((velocity[0].abs() / self.spacing[0] + velocity[1].abs() / self.spacing[1]).max())


@final
class Conservative(Flow):
    """Advection as the curl of the momentum flux, dealiased by the strict two-thirds rule.

        N_hat = (k_x^2 - k_y^2) F(u v) + k_x k_y F(v^2 - u^2) + f_hat,     |k_i| < n_i / 3

    Two inverse and two forward real FFTs instead of four and one (Basdevant, J. Comput. Phys. 50 (1983) 209); only the
    kept columns are stored and transformed. Equal to -u . grad w wherever the product is resolved.
    """

    def __init__(self, equation: Vorticity, grid: Grid, viscosity: Tensor, dtype: torch.dtype) -> None:
        super().__init__(equation, grid, viscosity, math.ceil(grid.shape[1] / 3), dtype)
        both = torch.stack([self.kx**2 - self.ky**2, self.kx * self.ky]) * self.kept
        self._flux = both.to(self.complex_dtype)
        if self.forcing is not None:
            self.forcing = self.forcing * self.kept

    def spectrum(self, w: Tensor) -> Tensor:
        return super().spectrum(w) * self.kept

    def nonlinear(self, w_hat: Tensor) -> Tensor:
        u, v = self.field(self.to_velocity[:, None] * w_hat)
        products = torch.empty(2, *u.shape, dtype=u.dtype, device=u.device)
        torch.mul(u, v, out=products[0])
        torch.mul(v - u, v + u, out=products[1])
        flux = super().spectrum(products)
        n_hat = torch.mul(flux[0], self._flux[0])
        n_hat.addcmul_(flux[1], self._flux[1])
        return n_hat if self.forcing is None else n_hat.add_(self.forcing)


@final
class Advective(Flow):
    """Advection u . grad w with the mask of the published generator: what it computes, for comparison.

        N_hat = -mask F(u w_x + v w_y) + f_hat,     mask: |k_i| <= (2/3) (n_i / 2)

    Li et al. 2021 (arXiv 2010.08895), appendix A.3.3. The mask acts on the product only, so that fields with energy
    beyond it alias, and it keeps the edge mode, which aliases where 3 divides n.
    """

    def __init__(self, equation: Vorticity, grid: Grid, viscosity: Tensor, dtype: torch.dtype) -> None:
        super().__init__(equation, grid, viscosity, grid.shape[1] // 2 + 1, dtype)
        modes = Modes.of(grid.shape, grid.extent, viscosity.device, torch.float64)
        kx, ky = modes.k
        gradient = torch.broadcast_tensors(1j * self.kx, 1j * self.ky)
        self._gradient = torch.stack(gradient).to(self.complex_dtype)
        limits = [2 / 3 * math.pi * n / length for n, length in zip(grid.shape, grid.extent, strict=True)]
        self._mask = (kx.abs() <= limits[0] * (1 + 1e-12)) & (ky.abs() <= limits[1] * (1 + 1e-12))

    def nonlinear(self, w_hat: Tensor) -> Tensor:
        multipliers = torch.cat([self.to_velocity, self._gradient])
        u, v, w_x, w_y = self.field(multipliers[:, None] * w_hat)
        n_hat = -self.spectrum(u * w_x + v * w_y) * self._mask
        return n_hat if self.forcing is None else n_hat + self.forcing
