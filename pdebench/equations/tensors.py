"""Velocity gradients and symmetric tensors of flows on a torus.

A velocity is (..., d, *S). A symmetric tensor is packed, (..., P, *S) with P = d (d + 1) / 2
entries in the order of `pairs`: 00, 01, 02, 11, 12, 22 in three dimensions.
"""

import math
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


def blank(like: Tensor, count: int, modes: Modes) -> Tensor:
    """Return memory for (..., count, *S), with the space axes in the order that ``like`` has them:
    as they stand, or the last one first, as transforms over the others leave it.
    """
    dim = len(modes.shape)
    shape = (*like.shape[: -dim - 1], count, *like.shape[-dim:])
    if like.stride(-1) == 1:
        return like.new_empty(shape)
    order = (*shape[:-dim], shape[-1], *shape[-dim:-1])
    strides = [math.prod(order[axis + 1 :]) for axis in range(len(order))]
    strides.append(strides.pop(-dim))
    return like.new_empty_strided(shape, strides)


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


def products(u: Tensor, modes: Modes, plus: Tensor | None = None) -> Tensor:
    """Return u_i u_j, packed, (..., P, *S), and a packed tensor ``plus`` in the same pass."""
    if u.requires_grad and torch.is_grad_enabled():
        return _Products.apply(u, modes, plus)  # type: ignore[no-any-return]
    u_, added = parts(u, modes), None if plus is None else parts(plus, modes)
    out = blank(u, len(pairs(len(u_))), modes)
    for p, ((i, j), entry) in enumerate(zip(pairs(len(u_)), parts(out, modes), strict=True)):
        if added is None:
            torch.mul(u_[i], u_[j], out=entry)
        else:
            torch.addcmul(added[p], u_[i], u_[j], out=entry)
    return out


class _Products(torch.autograd.Function):
    """`products`, whose gradient is  sum_j w_ij G_ij u_j,  w_ii = 2, else 1."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, modes: Modes, plus: Tensor | None) -> Tensor:
        ctx.save_for_backward(u)
        ctx.modes, ctx.alone = modes, plus is None
        return products(u, modes, plus)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, None, Tensor | None]:
        (u,) = ctx.saved_tensors
        rows = _rows(grads[0], parts(u, ctx.modes), ctx.modes, diagonal=2)
        return rows, None, None if ctx.alone else grads[0]


def _rows(tensor: Tensor, b: tuple[Tensor, ...], modes: Modes, diagonal: float = 1) -> Tensor:
    """Return sum_j w_ij A_ij b_j (..., d, *S) of a packed A, w_ii = ``diagonal``, else 1."""
    dim = len(modes.shape)
    found = dict(zip(pairs(dim), parts(tensor, modes), strict=True))
    out = blank(tensor, dim, modes)
    for i, row in enumerate(parts(out, modes)):
        for n, j in enumerate(sorted(range(dim), key=lambda j: j == i)):  # the diagonal last
            entry = found[min(i, j), max(i, j)]
            if n == 0:
                torch.mul(entry, b[j], out=row)
            else:
                row.addcmul_(entry, b[j], value=diagonal if i == j else 1)
    return out


def _sums(vector: Tensor, factors: tuple[Tensor, ...], modes: Modes, rest: float = 1) -> Tensor:
    """Return w_ij (a_i b_j + a_j b_i), packed, once where i = j; w_ij ``rest`` elsewhere."""
    a = parts(vector, modes)
    out = blank(vector, len(pairs(len(a))), modes)
    b = factors if rest == 1 else tuple(rest * factor for factor in factors)
    for (i, j), entry in zip(pairs(len(a)), parts(out, modes), strict=True):
        if i == j:
            torch.mul(a[i], factors[i], out=entry)
        else:
            torch.mul(a[i], b[j], out=entry).addcmul_(a[j], b[i])
    return out


def gradient(u_hat: Tensor, modes: Modes) -> Tensor:
    """Return g_ij = d u_i / d x_j, (..., d, d, *S), of a spectrum (..., d, *S_half)."""
    return modes.inverse(u_hat.unsqueeze(-len(modes.shape) - 1) * modes.slope_table)


def strain(u_hat: Tensor, modes: Modes) -> Tensor:
    """Return S_ij = (d_i u_j + d_j u_i) / 2, packed, of a spectrum (..., d, *S_half)."""
    if u_hat.requires_grad and torch.is_grad_enabled():
        return _Strain.apply(u_hat, modes)  # type: ignore[no-any-return]
    return modes.inverse(_sums(u_hat, modes.slopes, modes, rest=0.5))


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
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        modes: Modes = ctx.modes
        half = tuple(0.5 * k for k in modes.adjoint_slopes)
        return _rows(modes.forward(grads[0]), half, modes, diagonal=2), None


def magnitude(s: Tensor, modes: Modes) -> Tensor:
    """Return |S| = (2 S_ij S_ij)^{1/2}, (..., *S); its gradient is zero, not NaN, where S is."""
    square = 2 * contracted(s, s, modes)
    return torch.where(square > 0, square.clamp_min(torch.finfo(square.dtype).tiny), 0.0).sqrt()


def sized(s: Tensor, modes: Modes, scale: float = 1.0) -> Tensor:
    """Return scale |S| S_ij, packed, of a packed S; its gradient is zero, not NaN, where S is."""
    if s.requires_grad and torch.is_grad_enabled():
        return _Sized.apply(s, modes, scale)  # type: ignore[no-any-return]
    size = contracted(s, s, modes).sqrt_().mul_(math.sqrt(2) * scale)
    return size.unsqueeze(-len(modes.shape) - 1) * s


class _Sized(torch.autograd.Function):
    """`sized`, whose gradient is  scale ( |S| G_p + 2 w_p (sum_q G_q S_q) S_p / |S| ),
    w_p the number of places that entry p of a packed tensor stands for.
    """

    @staticmethod
    def forward(ctx: Any, s: Tensor, modes: Modes, scale: float) -> Tensor:
        size = contracted(s, s, modes).sqrt_().mul_(math.sqrt(2) * scale)
        ctx.save_for_backward(s, size)
        ctx.modes, ctx.scale = modes, scale
        return size.unsqueeze(-len(modes.shape) - 1) * s

    @staticmethod
    @once_differentiable  # the size that is kept does not know where it came from
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, None, None]:
        s, size = ctx.saved_tensors
        modes: Modes = ctx.modes
        entries = list(zip(parts(grads[0], modes), parts(s, modes), strict=True))
        along = entries[0][0] * entries[0][1]
        for g, entry in entries[1:]:
            along.addcmul_(g, entry)
        along.mul_(2 * ctx.scale**2).div_(size).nan_to_num_(0.0)  # 0 / 0 at rest
        out = size.unsqueeze(-len(modes.shape) - 1) * grads[0]
        rows = zip(pairs(len(modes.shape)), parts(out, modes), parts(s, modes), strict=True)
        for (i, j), row, entry in rows:
            row.addcmul_(along, entry, value=1 if i == j else 2)
        return out, None, None


def stress_divergence(
    tau_hat: Tensor, modes: Modes, slopes: tuple[Tensor, ...] | None = None
) -> Tensor:
    """Return d_j tau_ij as a spectrum (..., d, *S_half) of a packed one (..., P, *S_half).

    ``slopes`` replace the multipliers of the derivatives, such as those cut to some modes.
    """
    k = modes.slopes if slopes is None else slopes
    if tau_hat.requires_grad and torch.is_grad_enabled():
        return _StressDivergence.apply(tau_hat, modes, k)  # type: ignore[no-any-return]
    return _rows(tau_hat, k, modes)


class _StressDivergence(torch.autograd.Function):
    """`stress_divergence`, whose gradient is  conj(k_j) G_i + conj(k_i) G_j,  once where i = j."""

    @staticmethod
    def forward(ctx: Any, tau_hat: Tensor, modes: Modes, slopes: tuple[Tensor, ...]) -> Tensor:
        ctx.modes, ctx.slopes = modes, slopes
        return stress_divergence(tau_hat, modes, slopes)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        k = tuple(slope.conj().resolve_conj() for slope in ctx.slopes)
        return _sums(grads[0], k, ctx.modes), None, None
