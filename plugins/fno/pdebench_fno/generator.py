"""The published generator of forced Navier-Stokes data, for comparison with its recorded output."""

import math

import torch
from torch import Tensor


def gaussian_field_deviation(num: int, alpha: float = 2.5, tau: float = 7.0) -> Tensor:
    """Return the spectral standard deviation of the initial field on ``num``^2 points of the unit
    torus.

        s_k = n^2 sqrt(2) tau^{alpha - 1} (4 pi^2 |k|^2 + tau^2)^{-alpha / 2},   s_0 = 0

    for an unnormalised inverse FFT. Li et al. 2021 (arXiv 2010.08895), sec. 5.3; the factor
    tau^{alpha-1} multiplies the standard deviation in the public program, the variance in the
    paper.  Returns (n, n), float64.
    """
    k = torch.fft.fftfreq(num, 1 / num, dtype=torch.float64)
    square = k[:, None] ** 2 + k**2
    deviation = (
        num**2
        * math.sqrt(2)
        * tau ** (alpha - 1)
        * (4 * math.pi**2 * square + tau**2) ** (-alpha / 2)
    )
    deviation[0, 0] = 0.0
    return deviation


def crank_nicolson_euler(
    vorticity: Tensor,
    forcing: Tensor,
    viscosity: float,
    final_time: float,
    step: float,
    frames: int,
) -> tuple[Tensor, Tensor]:
    """Integrate w_t + u . grad w = nu lap w + f on the unit torus as the published program does.

        (1 + h nu |k|^2 / 2) w+ = (1 - h nu |k|^2 / 2) w + h (f - mask F(u . grad w)),   mask |k_i|
        <= (2/3)(n/2)

    Velocity (psi_y, -psi_x), lap psi = -w; complex FFTs whose inverse keeps the real part.
    vorticity: (B, n, n), 1/s; forcing: (n, n), 1/s^2; times in s.  Returns frames (B, n, n, frames)
        and times (frames,).
    Li et al. 2021 (arXiv 2010.08895), appendix A.3.3.
    """
    num = vorticity.shape[-1]
    k = 2 * math.pi * torch.fft.fftfreq(num, 1 / num, dtype=torch.float64)
    kx, ky = k[:, None], k[None]
    square = kx**2 + ky**2
    inverse = torch.where(square > 0, 1 / square.clamp_min(1e-300), 1.0)
    limit = 2 / 3 * math.pi * num * (1 + 1e-12)
    mask = (kx.abs() <= limit) & (ky.abs() <= limit)
    multipliers = torch.stack(
        [
            1j * ky * inverse,
            -1j * kx * inverse,
            (1j * kx).expand_as(square),
            (1j * ky).expand_as(square),
        ]
    )
    w, f = torch.fft.fft2(vorticity.double()), torch.fft.fft2(forcing.double())
    keep = (1 - step / 2 * viscosity * square) / (1 + step / 2 * viscosity * square)
    gain = step / (1 + step / 2 * viscosity * square)
    steps = math.ceil(final_time / step - 1e-9)
    every = steps // frames
    stored: list[Tensor] = []
    for count in range(1, steps + 1):
        u, v, w_x, w_y = torch.fft.ifft2(multipliers[:, None] * w).real
        w = keep * w + gain * (f - mask * torch.fft.fft2(u * w_x + v * w_y))
        if count % every == 0 and len(stored) < frames:
            stored.append(torch.fft.ifft2(w).real)
    times = step * every * torch.arange(1, len(stored) + 1, dtype=torch.float64)
    return torch.stack(stored, -1), times
