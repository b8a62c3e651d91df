"""The losses of the paper's experiments."""

import torch
from torch import Tensor

_CUT = 20  # largest integer wavenumber, exclusive, that the truncated H1 loss sees


def relative_l2(prediction: Tensor, target: Tensor) -> Tensor:
    """Return ||p - y|| / ||y|| of each sample, (B,)."""
    error = (prediction - target).flatten(1).norm(dim=1)
    return error / target.flatten(1).norm(dim=1)


def relative_h1(
    prediction: Tensor, target: Tensor, scale: float = 1.0, truncated: bool = True
) -> Tensor:
    """Return the Fourier H1 error of each sample of (B, n, n), (B,).

        || w (F p - F y) || / || w F y ||,    w(k) = sqrt(1 + a^2 (kx^2 + ky^2)),  integer k

    With ``truncated`` components |kx| or |ky| >= 20 count as 0 in w: the quantity that the paper
    trains with and calls H1.
    """
    num = target.shape[1]
    k = torch.fft.fftfreq(num, 1 / num, dtype=target.dtype, device=target.device).abs()
    if truncated:
        k = k * (k < _CUT)
    weight = torch.sqrt(1 + scale**2 * (k[:, None] ** 2 + k**2))
    spectra = [torch.fft.fft2(f, norm="ortho") * weight for f in (prediction - target, target)]
    error, size = (s.abs().flatten(1).norm(dim=1) for s in spectra)
    return error / size


def finite_difference_h1(field: Tensor, points: int) -> Tensor:
    """Return sqrt( sum (10 e^2 + e_x^2 + e_y^2) ) of each sample of (B, n, n), (B,).

    Central differences (one-sided at the edges) with spacing 1 / points; a sum over points, not an
    integral.
    """
    e_x, e_y = torch.gradient(field, spacing=1 / points, dim=(1, 2))
    return torch.sqrt((10 * field**2 + e_x**2 + e_y**2).sum((1, 2)))
