"""Both sides of the equations of a flow on a torus, as fields, with one transform for all."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pdebench.equations import tensors
from pdebench.spectral import Modes


def imbalance(
    u_hat: Tensor, rate: Tensor, damping: Tensor, change: Tensor | None, modes: Modes
) -> Tensor:
    """Return momentum and continuity (..., d + 1, *S) of an incompressible flow.

        du/dt - F^{-1}( N^ - nu |k|^2 u^ ),    F^{-1}( i k.u^ )

    u_hat: (..., d, *S_half); rate: N^, the same shape or without the last columns, which are zero;
    damping: nu |k|^2, broadcasts against u_hat; change: du/dt (..., d, *S), None for zero.
    """
    return _Imbalance.apply(u_hat, rate, damping, change, modes)  # type: ignore[no-any-return]


class _Imbalance(torch.autograd.Function):
    """`imbalance`, whose gradient is one transform; with c = `Modes.adjoint`

    ( nu |k|^2 F G_i + conj(i k_i) F G_d ) / c  by u^,    - F G_i / c  by N^,
    sum_i Re conj(u^_i) F G_i / c               by nu |k|^2.
    """

    @staticmethod
    def forward(
        ctx: Any, u_hat: Tensor, rate: Tensor, damping: Tensor, change: Tensor | None, modes: Modes
    ) -> Tensor:
        ctx.save_for_backward(damping, u_hat if ctx.needs_input_grad[2] else None)
        ctx.modes, ctx.columns = modes, rate.shape[-1]
        dim = len(modes.shape)
        sides = tensors.blank(u_hat, dim + 1, modes)
        momentum, continuity = sides.split([dim, 1], -dim - 1)
        torch.mul(u_hat, damping.to(u_hat.dtype), out=momentum)
        momentum[..., : ctx.columns] -= rate
        continuity.copy_(modes.divergence(u_hat).unsqueeze(-dim - 1))
        found = modes.inverse(sides)
        if change is not None:
            found.narrow(-dim - 1, 0, dim).add_(change)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        damping, u_hat = ctx.saved_tensors
        modes: Modes = ctx.modes
        dim = len(modes.shape)
        momentum, continuity = modes.forward(grads[0]).split([dim, 1], -dim - 1)
        along = momentum * (damping / modes.adjoint)
        rows = zip(tensors.parts(along, modes), modes.adjoint_slopes, strict=True)
        for row, slope in rows:
            row.addcmul_(continuity.squeeze(-dim - 1), slope)
        by_damping = None
        if u_hat is not None:
            by_damping = (u_hat.conj() * momentum / modes.adjoint).real.sum_to_size(damping.shape)
        by_rate = momentum[..., : ctx.columns] * -modes.adjoint[: ctx.columns].reciprocal()
        return along, by_rate, by_damping, grads[0].narrow(-dim - 1, 0, dim), None
