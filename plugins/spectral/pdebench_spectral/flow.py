"""The advection of vorticity in Fourier space, in two forms."""

import math
from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equations.vorticity import Forcing
from pdebench.spectral import Modes, resample_spectrum


class Flow(ABC):
    """The tables of one discretisation of  w_t = L w + N(w),  L = -nu |k|^2 - alpha.

    Spectra are (B, X, M): all modes of the first axis, the first M of the second (real FFT).

    Args:
        forcing: f, part of N.
        grid: the torus computed on.
        columns: M.
        device: where the tables live.
        dtype: torch.float32 or torch.float64.
    """

    def __init__(
        self,
        forcing: Forcing,
        grid: Grid,
        columns: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        modes = Modes.of(grid.shape, grid.extent, device)
        self.shape, self.columns, self.dtype = grid.shape, columns, dtype
        self.complex_dtype = torch.complex128 if dtype == torch.float64 else torch.complex64
        self.laplacian = -modes.square[:, :columns]
        slopes = torch.stack(torch.broadcast_tensors(*modes.slopes))[:, None, :, :columns]
        self.to_gradient = slopes.to(self.complex_dtype)
        inverse = modes.inverse_square[:, :columns]
        self.to_velocity = (torch.stack([slopes[1], -slopes[0]]) * inverse).to(self.complex_dtype)
        spacing = [length / num for length, num in zip(grid.extent, grid.shape, strict=True)]
        self._spacing = torch.tensor(spacing, device=device, dtype=dtype).view(2, 1, 1, 1)
        f_hat = torch.fft.rfft2(forcing.on(grid).to(device))[:, :columns]
        self.forcing = f_hat.to(self.complex_dtype) if bool(f_hat.abs().max() > 0) else None

    @abstractmethod
    def nonlinear(self, w_hat: Tensor) -> Tensor:
        """Return N(w) = -u . grad w + f as a new spectrum (B, X, M)."""

    def linear(self, viscosity: Tensor, drag: Tensor) -> Tensor:
        """Return L (b, X, M), float64, of viscosities and drags (b,)."""
        nu, alpha = (value.to(self.laplacian).view(-1, 1, 1) for value in (viscosity, drag))
        return nu * self.laplacian - alpha

    def spectrum(self, w: Tensor) -> Tensor:
        """Return the spectrum (B, X, M) of a field (B, X, Y)."""
        return torch.fft.fft(torch.fft.rfft(w)[..., : self.columns], dim=-2)

    def field(self, w_hat: Tensor, shape: tuple[int, ...] | None = None) -> Tensor:
        """Return the field (B, X, Y) of a spectrum, on a grid of another ``shape`` where given."""
        shape = self.shape if shape is None else shape
        if shape != self.shape:
            return torch.fft.irfft2(resample_spectrum(w_hat, self.shape, shape), s=shape)
        # Columns beyond M are zero: leave them out of the transform along the first axis.
        return torch.fft.irfft(torch.fft.ifft(w_hat, dim=-2), n=shape[1])

    def rate(self, w_hat: Tensor) -> Tensor:
        """Return max over points of |u|/dx + |v|/dy (B,), 1/s: the inverse advective time step."""
        crossing = self.field(self.to_velocity * w_hat).abs_().div_(self._spacing)
        return (crossing[0] + crossing[1]).amax((-2, -1))


@final
class Conservative(Flow):
    """Advection as the curl of the momentum flux, dealiased by the strict two-thirds rule.

        N_hat = (k_x^2 - k_y^2) F(u v) + k_x k_y F(v^2 - u^2) + f_hat,     |k_i| < n_i / 3

    Two inverse and two forward real FFTs instead of four and one (Basdevant, J. Comput. Phys. 50
    (1983) 209). The mask acts on the state, too, and only its columns are stored and transformed:
    products are then free of aliasing, and N conserves energy and enstrophy to round-off.
    """

    def __init__(
        self, forcing: Forcing, grid: Grid, device: torch.device, dtype: torch.dtype
    ) -> None:
        super().__init__(forcing, grid, math.ceil(grid.shape[1] / 3), device, dtype)
        modes = Modes.of(grid.shape, grid.extent, device)
        kx, ky = modes.k[0], modes.k[1][:, : self.columns]
        self._kept = modes.kept[:, : self.columns]
        self._of_product = ((kx**2 - ky**2) * self._kept).to(self.complex_dtype)
        self._of_difference = (kx * ky * self._kept).to(self.complex_dtype)
        if self.forcing is not None:
            self.forcing = self.forcing * self._kept

    def spectrum(self, w: Tensor) -> Tensor:
        return super().spectrum(w) * self._kept

    def nonlinear(self, w_hat: Tensor) -> Tensor:
        u, v = self.field(self.to_velocity * w_hat)
        products = torch.empty((2, *u.shape), dtype=u.dtype, device=u.device)
        torch.mul(u, v, out=products[0])
        torch.mul(v - u, v + u, out=products[1])
        product, difference = super().spectrum(products)
        n_hat = torch.mul(product, self._of_product)
        n_hat.addcmul_(difference, self._of_difference)
        return n_hat if self.forcing is None else n_hat.add_(self.forcing)


@final
class Advective(Flow):
    """Advection u . grad w under the mask of the released generator: what it computes.

        N_hat = -mask F(u w_x + v w_y) + f_hat,     mask: |k_i| <= (2/3) (n_i / 2)

    Li et al. 2021 (arXiv 2010.08895), appendix A.3.3. The mask acts on the product alone, so that
    energy beyond it aliases, and it keeps the edge mode, which aliases where 3 divides n_i.
    """

    def __init__(
        self, forcing: Forcing, grid: Grid, device: torch.device, dtype: torch.dtype
    ) -> None:
        super().__init__(forcing, grid, grid.shape[1] // 2 + 1, device, dtype)
        kx, ky = (torch.fft.fftfreq(n, 1 / n, dtype=torch.float64).abs() for n in grid.shape)
        inside_x, inside_y = (3 * k <= n for k, n in zip((kx, ky), grid.shape, strict=True))
        mask = inside_x[:, None] & inside_y[: self.columns]
        self._minus_mask = -mask.to(device, self.complex_dtype)
        self._multipliers = torch.cat([self.to_velocity, self.to_gradient])

    def nonlinear(self, w_hat: Tensor) -> Tensor:
        u, v, w_x, w_y = self.field(self._multipliers * w_hat)
        n_hat = self.spectrum(torch.addcmul(u * w_x, v, w_y)).mul_(self._minus_mask)
        return n_hat if self.forcing is None else n_hat.add_(self.forcing)
