"""Velocity gradients and symmetric tensors of flows on a torus.

A velocity is (..., d, *S). A symmetric tensor is packed, (..., P, *S) with P = d (d + 1) / 2
entries in the order of `pairs`: 00, 01, 02, 11, 12, 22 in three dimensions.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

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
    if u.requires_grad and torch.is_grad_enabled():
        return _Products.apply(u, modes)  # type: ignore[no-any-return]
    u_ = parts(u, modes)
    channel = -len(modes.shape) - 1
    rows = [one.unsqueeze(channel) * u.narrow(channel, i, len(u_) - i) for i, one in enumerate(u_)]
    return torch.cat(rows, channel)


class _Products(torch.autograd.Function):
    """`products`, whose gradient is  sum_j w_ij G_ij u_j,  w_ii = 2, else 1."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, modes: Modes) -> Tensor:
        ctx.save_for_backward(u)
        ctx.modes = modes
        return products(u, modes)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        modes: Modes = ctx.modes
        u_ = parts(ctx.saved_tensors[0], modes)
        found = dict(zip(pairs(len(u_)), parts(grads[0], modes), strict=True))
        rows: list[Tensor] = []
        for i in range(len(u_)):
            row = 2 * found[i, i] * u_[i]
            for j in set(range(len(u_))) - {i}:
                row = torch.addcmul(row, found[min(i, j), max(i, j)], u_[j])
            rows.append(row)
        return packed(rows, modes), None


def gradient(u_hat: Tensor, modes: Modes) -> Tensor:
    """Return g_ij = d u_i / d x_j, (..., d, d, *S), of a spectrum (..., d, *S_half)."""
    return modes.inverse(u_hat.unsqueeze(-len(modes.shape) - 1) * modes.slope_table)


def strain(u_hat: Tensor, modes: Modes) -> Tensor:
    """Return S_ij = (d_i u_j + d_j u_i) / 2, packed, of a spectrum (..., d, *S_half)."""
    if u_hat.requires_grad and torch.is_grad_enabled():
        return _Strain.apply(u_hat, modes)  # type: ignore[no-any-return]
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


class _Strain(torch.autograd.Function):
    """`strain`, whose gradient is a divergence: three sums in place of a chain of twelve products.

    <G, S(u)> = sum_i < sum_j w_ij conj(i k_j) F G_ij / c, u_i >,  w_ii = 1, else 1/2,
    c = `Modes.adjoint`.
    """

    @staticmethod
    def forward(ctx: Any, u_hat: Tensor, modes: Modes) -> Tensor:
        ctx.modes = modes
        return strain(u_hat, modes)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        modes: Modes = ctx.modes
        dim = len(modes.shape)
        found = dict(zip(pairs(dim), parts(modes.forward(grads[0]), modes), strict=True))
        k = [slope.conj().resolve_conj() / modes.adjoint for slope in modes.slopes]
        rows: list[Tensor] = []
        for i in range(dim):
            row = k[i] * found[i, i]
            for j in set(range(dim)) - {i}:
                row = torch.addcmul(row, k[j], found[min(i, j), max(i, j)], value=0.5)
            rows.append(row)
        return packed(rows, modes), None


def magnitude(s: Tensor, modes: Modes) -> Tensor:
    """Return |S| = (2 S_ij S_ij)^{1/2}, (..., *S); its gradient is zero, not NaN, where S is."""
    square = 2 * contracted(s, s, modes)
    return torch.where(square > 0, square.clamp_min(torch.finfo(square.dtype).tiny), 0.0).sqrt()


def sized(s: Tensor, modes: Modes, scale: float = 1.0) -> Tensor:
    """Return scale |S| S_ij, packed, of a packed S; its gradient is zero, not NaN, where S is."""
    if s.requires_grad and torch.is_grad_enabled():
        return _Sized.apply(s, modes, scale)  # type: ignore[no-any-return]
    return (scale * magnitude(s, modes)).unsqueeze(-len(modes.shape) - 1) * s


class _Sized(torch.autograd.Function):
    """`sized`, whose gradient is  scale ( |S| G_p + 2 w_p (sum_q G_q S_q) S_p / |S| ),
    w_p the number of places that entry p of a packed tensor stands for.
    """

    @staticmethod
    def forward(ctx: Any, s: Tensor, modes: Modes, scale: float) -> Tensor:
        size = scale * magnitude(s, modes)
        ctx.save_for_backward(s, size)
        ctx.modes, ctx.scale = modes, scale
        return size.unsqueeze(-len(modes.shape) - 1) * s

    @staticmethod
    @once_differentiable  # the size that is kept does not know where it came from
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, None, None]:
        s, size = ctx.saved_tensors
        dim = len(ctx.modes.shape)
        entries = list(zip(parts(grads[0], ctx.modes), parts(s, ctx.modes), strict=True))
        along = entries[0][0] * entries[0][1]
        for g, entry in entries[1:]:
            along = along.addcmul_(g, entry)
        along = torch.where(size == 0, 0.0, along.mul_(2 * ctx.scale**2) / size)
        rows = [
            torch.addcmul(size * g, along, entry, value=1 if i == j else 2)
            for (i, j), (g, entry) in zip(pairs(dim), entries, strict=True)
        ]
        return packed(rows, ctx.modes), None, None


def stress_divergence(
    tau_hat: Tensor, modes: Modes, slopes: tuple[Tensor, ...] | None = None
) -> Tensor:
    """Return d_j tau_ij as a spectrum (..., d, *S_half) of a packed one (..., P, *S_half).

    ``slopes`` replace the multipliers of the derivatives, such as those cut to some modes.
    """
    k = modes.slopes if slopes is None else slopes
    if tau_hat.requires_grad and torch.is_grad_enabled():
        return _StressDivergence.apply(tau_hat, modes, k)  # type: ignore[no-any-return]
    dim = len(modes.shape)
    found = dict(zip(pairs(dim), parts(tau_hat, modes), strict=True))
    rows: list[Tensor] = []
    for i in range(dim):
        row = k[0] * found[0, i]
        for j in range(1, dim):
            row = torch.addcmul(row, k[j], found[min(i, j), max(i, j)])
        rows.append(row)
    return packed(rows, modes)


class _StressDivergence(torch.autograd.Function):
    """`stress_divergence`, whose gradient is  conj(k_j) G_i + conj(k_i) G_j,  once where i = j."""

    @staticmethod
    def forward(ctx: Any, tau_hat: Tensor, modes: Modes, slopes: tuple[Tensor, ...]) -> Tensor:
        ctx.modes, ctx.slopes = modes, slopes
        return stress_divergence(tau_hat, modes, slopes)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        g, k = parts(grads[0], ctx.modes), [slope.conj().resolve_conj() for slope in ctx.slopes]
        entries = [
            k[i] * g[i] if i == j else torch.addcmul(k[j] * g[i], k[i], g[j])
            for i, j in pairs(len(g))
        ]
        return packed(entries, ctx.modes), None, None
