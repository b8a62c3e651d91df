"""Residuals of PINO in its own discretisations (Li et al., arXiv 2111.03794).

neuraloperator/physics_informed at 3b6bc30. The right forms of the suite are in
`pdebench.equations`; these let the mean of the vorticity decay and keep wavenumber -N/2.
"""

import math

import torch
from torch import Tensor

from pdebench.errors import DataError


def _half_inverse(spectrum: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Return the real field of which only the first half of the last axis's modes is read."""
    n = spectrum.shape[dims[-1]]
    return torch.fft.irfftn(
        spectrum.narrow(dims[-1], 0, n // 2 + 1), s=[spectrum.shape[d] for d in dims], dim=dims
    )


def vorticity_residual(w: Tensor, viscosity: float, duration: float) -> Tensor:
    """Return w_t + u . grad w - nu lap w at the interior frames of w (B, T, N, N) on [0, 2 pi)^2.

    Central differences in time, spectral without dealiasing in space; |k|^2 of the mean is 1.
    Returns (B, T - 2, N, N).
    """
    n = w.shape[-1]
    if w.shape[-2] != n or n % 2:
        raise DataError(f"PINO's vorticity residual needs a square even grid, got {w.shape[-2:]}")
    k = torch.fft.fftfreq(n, 1 / n, dtype=w.dtype)
    kx, ky = k[:, None], k[None, :]
    square = kx**2 + ky**2
    square[0, 0] = 1.0
    inner = w[:, 1:-1]
    w_hat = torch.fft.fft2(inner)
    spectra = (
        1j * ky * w_hat / square,
        -1j * kx * w_hat / square,
        1j * kx * w_hat,
        1j * ky * w_hat,
        -square * w_hat,
    )
    u, v, wx, wy, lap = (_half_inverse(s, (-2, -1)) for s in spectra)
    rate = (w[:, 2:] - w[:, :-2]) / (2 * duration / (w.shape[1] - 1))
    return rate + u * wx + v * wy - viscosity * lap


def burgers_residual(u: Tensor, viscosity: float, duration: float) -> Tensor:
    """Return u_t + u u_x - nu u_xx at the interior frames of u (B, T, N) on [0, 1), (B, T-2, N)."""
    n = u.shape[-1]
    k = 2 * math.pi * torch.fft.fftfreq(n, 1 / n, dtype=u.dtype)
    inner = u[:, 1:-1]
    u_hat = torch.fft.fft(inner)
    slope, bend = (_half_inverse(s, (-1,)) for s in (1j * k * u_hat, -(k**2) * u_hat))
    rate = (u[:, 2:] - u[:, :-2]) / (2 * duration / (u.shape[1] - 1))
    return rate + inner * slope - viscosity * bend


def darcy_operator(u: Tensor, a: Tensor) -> Tensor:
    """Return -div(a grad u) of nodal u, a (B, N, N) on [0, 1]^2 at (B, N - 4, N - 4) inner nodes.

    Both derivatives are central differences over two cells, one after the other.
    """
    step = 1 / (u.shape[-1] - 1)
    inside = a[:, 1:-1, 1:-1]
    flux_x = inside * (u[:, 2:, 1:-1] - u[:, :-2, 1:-1]) / (2 * step)
    flux_y = inside * (u[:, 1:-1, 2:] - u[:, 1:-1, :-2]) / (2 * step)
    along_x = (flux_x[:, 2:, 1:-1] - flux_x[:, :-2, 1:-1]) / (2 * step)
    along_y = (flux_y[:, 1:-1, 2:] - flux_y[:, 1:-1, :-2]) / (2 * step)
    return -(along_x + along_y)


def relative(got: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean over samples of |got - wanted|_2 / |wanted|_2.

    Raises DataError where a sample of ``wanted`` is zero: without forcing, this loss of PINO does
    not exist.
    """
    size = wanted.flatten(1).norm(dim=1)
    if bool((size == 0).any()):
        raise DataError("the loss divides by the forcing, which is zero; take an absolute one")
    return ((got - wanted).flatten(1).norm(dim=1) / size).mean()
