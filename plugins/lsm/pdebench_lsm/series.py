"""A trigonometric series per channel, evaluated by Horner's rule."""

import math
from typing import Any, final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


@final
class _Series(torch.autograd.Function):
    """Keeps two arrays for the backward pass instead of two per frequency."""

    @staticmethod
    def forward(ctx: Any, theta: Tensor, coefficients: Tensor) -> Tensor:
        turn = torch.polar(torch.ones_like(theta), theta)
        value = torch.zeros_like(turn)
        slope = torch.zeros_like(turn)
        for c in coefficients.flip(-1).unbind(-1):  # value' e + value is the derivative of value e
            slope = torch.addcmul(value, slope, turn)
            value = torch.addcmul(c.expand_as(turn), value, turn)
        ctx.save_for_backward(turn, slope)
        ctx.terms = coefficients.shape[-1]
        return value.real.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        turn, slope = ctx.saved_tensors
        g = grads[0]
        # d/dtheta Re p(e^{i theta}) = -Im(e p'(e))
        inner = -g * (turn * slope).imag
        power = g.to(turn.dtype)
        sums = []
        for _ in range(ctx.terms):
            sums.append(power.flatten(0, -2).sum(0))
            power = power * turn
        return inner, torch.stack(sums, dim=-1).conj()


def trigonometric(z: Tensor, weights: Tensor) -> Tensor:
    """Return sum_m  a_m sin(pi m z / M) + b_m cos(pi m z / M),  m = 0 .. M-1, per channel.

    z: (..., C).  weights: (C, 2 M), sine coefficients first.  Returns (..., C).  First derivatives
    only. Wu et al., ICML 2023 (arXiv 2301.12664), sec. 3.3, with the frequencies of the released
    program.
    """
    terms = weights.shape[1] // 2
    sine, cosine = weights[:, :terms], weights[:, terms:]
    return _Series.apply(z * (math.pi / terms), torch.complex(cosine, -sine))  # pyright: ignore[reportReturnType]
