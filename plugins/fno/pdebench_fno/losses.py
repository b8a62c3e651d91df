"""Losses and normalisers of the published programs, for comparison with their numbers."""

from collections.abc import Sequence

import torch
from torch import Tensor

_STD_FLOOR = 1e-5  # added to standard deviations, Li et al. 2021, public scripts


def relative_lp(prediction: Tensor, target: Tensor, p: float = 2) -> Tensor:
    """Return ||x - y||_p / ||y||_p of each sample over all its points and channels, (B,)."""
    difference = (prediction - target).flatten(1).norm(p, dim=1)
    return difference / target.flatten(1).norm(p, dim=1)


def absolute_lp(prediction: Tensor, target: Tensor, dim: int = 2, p: float = 2) -> Tensor:
    """Return h^{d/p} ||x - y||_p of each sample, h = 1 / (n - 1) with n the length of axis 1,
    (B,).
    """
    h = 1.0 / (prediction.shape[1] - 1)
    return h ** (dim / p) * (prediction - target).flatten(1).norm(p, dim=1)


def relative_sobolev(
    prediction: Tensor, target: Tensor, order: int = 1, group: bool = False
) -> Tensor:
    """Return the batch mean of the relative error in a Fourier-weighted norm of fields (B, X, Y,
    ...).

        ||e||_H = || (1 + sum_{j=1..order} |k|^{2j})^{1/2} e_hat ||_2,  integer k, |k|^2 = k_x^2 +
        k_y^2

    With ``group`` the errors of the orders 0..order, each weighted by its own |k|^j, are averaged
    instead.
    """
    n, m = prediction.shape[1:3]
    kx = torch.fft.fftfreq(n, 1 / n, device=prediction.device).abs().view(1, n, 1)
    ky = torch.fft.fftfreq(m, 1 / m, device=prediction.device).abs().view(1, 1, m)
    square = kx**2 + ky**2
    x, y = (
        torch.fft.fftn(field.reshape(len(field), n, m, -1), dim=(1, 2))
        for field in (prediction, target)
    )

    def error(weight: Tensor | float) -> Tensor:
        scale = weight.unsqueeze(-1) if isinstance(weight, Tensor) else weight
        return relative_lp(x * scale, y * scale).mean()

    powers = [square**j for j in range(1, order + 1)]
    if group:
        return (error(1.0) + sum(error(power.sqrt()) for power in powers)) / (order + 1)
    return error((1 + sum(powers)).sqrt())


class Standardised:
    """z = (x - mean) / (std + 1e-5), fitted over the given axes with the unbiased standard
    deviation.
    """

    def __init__(self, samples: Tensor, over: Sequence[int] | None = None) -> None:
        axes = tuple(over) if over is not None else tuple(range(samples.ndim))
        self.mean, self.std = samples.mean(axes), samples.std(axes)

    def encode(self, x: Tensor) -> Tensor:
        """Return the standardised field."""
        return (x - self.mean) / (self.std + _STD_FLOOR)

    def decode(self, z: Tensor) -> Tensor:
        """Return the field of a standardised one."""
        return z * (self.std + _STD_FLOOR) + self.mean


class Ranged:
    """z = a x + b, per point, such that the samples' smallest value becomes ``low`` and the largest
    ``high``.
    """

    def __init__(self, samples: Tensor, low: float = 0.0, high: float = 1.0) -> None:
        smallest, largest = samples.amin(0), samples.amax(0)
        self.scale = (high - low) / (largest - smallest)
        self.offset = high - self.scale * largest

    def encode(self, x: Tensor) -> Tensor:
        """Return a x + b."""
        return self.scale * x + self.offset


def library_lp(
    prediction: Tensor, target: Tensor, dim: int, reduction: str = "sum", relative: bool = True
) -> Tensor:
    """Return the Lp loss (p = 2) of neuraloperator 2.0.0 over the last ``dim`` axes.

    relative: ||e|| / (||y|| + 1e-8);  absolute: (h_1 .. h_d)^{1/2} ||e|| with h_i = 1 / n_i.
        ``reduction`` "sum" or "mean"
    is taken over samples and channels.
    """
    error = (prediction - target).flatten(-dim).norm(dim=-1)
    if relative:
        error = error / (target.flatten(-dim).norm(dim=-1) + 1e-8)
    else:
        cells = torch.tensor(prediction.shape[-dim:]).prod()
        error = error / cells.sqrt()
    return error.sum() if reduction == "sum" else error.mean()


def library_h1(
    prediction: Tensor, target: Tensor, dim: int, reduction: str = "sum", periodic: bool = True
) -> Tensor:
    """Return the relative H1 loss of neuraloperator 2.0.0: field and central differences over the
    last ``dim`` axes.

    ( ||e||^2 + sum_i ||D_i e||^2 )^{1/2} / ( ||y||^2 + sum_i ||D_i y||^2 + 1e-8 )^{1/2},   h_i = 1
    / n_i
    """

    def square(field: Tensor) -> Tensor:
        total = field.flatten(-dim).square().sum(-1)
        for axis in range(-dim, 0):
            total = total + _difference(field, axis, periodic).flatten(-dim).square().sum(-1)
        return total

    error = (square(prediction - target)).sqrt() / (square(target).sqrt() + 1e-8)
    return error.sum() if reduction == "sum" else error.mean()


def _difference(field: Tensor, axis: int, periodic: bool) -> Tensor:
    """Return the central difference with h = 1 / n; third-order one-sided at the ends of axes that
    are not periodic.
    """
    n = field.shape[axis]
    d = (field.roll(-1, axis) - field.roll(1, axis)) * (n / 2)
    if not periodic:
        for end, sign in ((0, 1), (-1, -1)):
            f0, f1, f2, f3 = (field.select(axis, end + sign * j) for j in range(4))
            d.select(axis, end).copy_((-11 * f0 + 18 * f1 - 9 * f2 + 2 * f3) * (sign * n / 6))
    return d
