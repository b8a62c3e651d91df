"""The Gaussian random field that forced Navier-Stokes flows start from."""

import math

import numpy as np
import torch
from torch import Tensor

from pdebench.generation import sample_generator


def deviation(band: int, alpha: float, tau: float) -> np.ndarray:
    """Return the standard deviation of every mode, (2 K + 1, 2 K + 1), for integer wavevectors in
    [-K, K]^2.

        s_k = sqrt(2) tau^{alpha - 1} (4 pi^2 |k|^2 + tau^2)^{-alpha / 2},   s_0 = 0

    Li et al. 2021 (arXiv 2010.08895), sec. 5.3, as their program has it: tau^{alpha-1} multiplies
    the standard deviation.
    """
    k = np.arange(-band, band + 1, dtype=np.float64)
    square = k[:, None] ** 2 + k**2
    s = math.sqrt(2) * tau ** (alpha - 1) * (4 * math.pi**2 * square + tau**2) ** (-alpha / 2)
    s[band, band] = 0.0
    return s


def rms(band: int, alpha: float, tau: float) -> float:
    """Return the expected root-mean-square of the field: ( sum_k s_k^2 / 2 )^{1/2}."""
    return float(np.sqrt((deviation(band, alpha, tau) ** 2).sum() / 2))


def draw(stream: str, indices: range, grid: int, band: int, alpha: float, tau: float) -> Tensor:
    """Return initial fields (B, n, n), float64, of the samples ``indices`` of a stream.

        w0(x) = Re sum_k s_k z_k exp(2 pi i k . x),   z_k complex normal, E |z_k|^2 = 1

    The z_k are drawn on the fixed set |k_i| <= K whatever the grid, so that one sample exists at
    every resolution; a grid keeps the modes |k_i| < n / 2.
    """
    s = deviation(band, alpha, tau)
    keep = min(band, (grid - 1) // 2)
    inner = slice(band - keep, band + keep + 1)
    spectrum = torch.zeros(len(indices), grid, grid, dtype=torch.complex128)
    place = torch.arange(-keep, keep + 1) % grid
    for row, index in enumerate(indices):
        parts = sample_generator(stream, index).standard_normal((2, *s.shape)) / math.sqrt(2)
        modes = (s * (parts[0] + 1j * parts[1]))[inner, inner]
        spectrum[row, place[:, None], place] = torch.from_numpy(modes)
    return torch.fft.ifft2(spectrum, norm="forward").real
