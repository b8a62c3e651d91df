"""Velocity gradients and symmetric tensors of flows on a torus.

A velocity is (..., d, *S). A symmetric tensor is packed, (..., P, *S) with P = d (d + 1) / 2
entries in the order of `pairs`: 00, 01, 02, 11, 12, 22 in three dimensions.
"""

import torch
from torch import Tensor

from pdebench.spectral import Modes


def pairs(dim: int) -> list[tuple[int, int]]:
    """Return the index pairs i <= j of a packed symmetric tensor."""
    return [(i, j) for i in range(dim) for j in range(i, dim)]


def parts(field: Tensor, modes: Modes) -> tuple[Tensor, ...]:
    """Return the components of a vector or packed tensor, each (..., *S)."""
    return field.unbind(-len(modes.shape) - 1)


def packed(components: list[Tensor], modes: Modes) -> Tensor:
    """Stack components in front of the space axes."""
    return torch.stack(components, -len(modes.shape) - 1)


def unpacked(tensor: Tensor, modes: Modes) -> Tensor:
    """Return a packed tensor as (..., d, d, *S)."""
    dim = len(modes.shape)
    found = dict(zip(pairs(dim), parts(tensor, modes), strict=True))
    rows = [
        torch.stack([found[min(i, j), max(i, j)] for j in range(dim)], -dim - 1) for i in range(dim)
    ]
    return torch.stack(rows, -dim - 2)


def contracted(a: Tensor, b: Tensor, modes: Modes) -> Tensor:
    """Return a_ij b_ij (..., *S) of two packed tensors."""
    dim = len(modes.shape)
    terms = zip(pairs(dim), parts(a, modes), parts(b, modes), strict=True)
    total: Tensor | None = None
    for (i, j), x, y in terms:
        times = 1 if i == j else 2
        total = x * y if total is None else torch.addcmul(total, x, y, value=times)
    assert total is not None
    return total


def products(u: Tensor, modes: Modes) -> Tensor:
    """Return u_i u_j, packed, (..., P, *S)."""
    u_ = parts(u, modes)
    channel = -len(modes.shape) - 1
    rows = [one.unsqueeze(channel) * u.narrow(channel, i, len(u_) - i) for i, one in enumerate(u_)]
    return torch.cat(rows, channel)


def gradient(u_hat: Tensor, modes: Modes) -> Tensor:
    """Return g_ij = d u_i / d x_j, (..., d, d, *S), of a spectrum (..., d, *S_half)."""
    return modes.inverse(u_hat.unsqueeze(-len(modes.shape) - 1) * modes.slope_table)


def strain(u_hat: Tensor, modes: Modes) -> Tensor:
    """Return S_ij = (d_i u_j + d_j u_i) / 2, packed, of a spectrum (..., d, *S_half)."""
    u_, k = parts(u_hat, modes), modes.slopes
    return modes.inverse(
        packed(
            [
                k[i] * u_[i] if i == j else torch.addcmul(0.5 * k[i] * u_[j], 0.5 * k[j], u_[i])
                for i, j in pairs(len(u_))
            ],
            modes,
        )
    )


def magnitude(s: Tensor, modes: Modes) -> Tensor:
    """Return |S| = (2 S_ij S_ij)^{1/2}, (..., *S); its gradient is zero, not NaN, where S is."""
    square = 2 * contracted(s, s, modes)
    return torch.where(square > 0, square.clamp_min(torch.finfo(square.dtype).tiny), 0.0).sqrt()


def stress_divergence(
    tau_hat: Tensor, modes: Modes, slopes: tuple[Tensor, ...] | None = None
) -> Tensor:
    """Return d_j tau_ij as a spectrum (..., d, *S_half) of a packed one (..., P, *S_half).

    ``slopes`` replace the multipliers of the derivatives, such as those cut to some modes.
    """
    k = modes.slopes if slopes is None else slopes
    dim = len(modes.shape)
    found = dict(zip(pairs(dim), parts(tau_hat, modes), strict=True))
    rows: list[Tensor] = []
    for i in range(dim):
        row = k[0] * found[0, i]
        for j in range(1, dim):
            row = torch.addcmul(row, k[j], found[min(i, j), max(i, j)])
        rows.append(row)
    return packed(rows, modes)
