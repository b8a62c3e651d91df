"""Exponential time differencing of order four."""

import math
from typing import final

import torch
from torch import Tensor

from pdebench_spectral.flow import Flow
from pdebench_spectral.scheme import Scheme, Step

_TERMS = 18  # of the series on |z| < 1: the next is below 1/21!, 2e-20


@final
class ETDRK4(Scheme):
    """The exponential Runge-Kutta method of Cox and Matthews: the linear part is exact.

        w_{n+1} = e^z w_n + h ( b_1 N(w_n) + b_2 (N(a) + N(b)) + b_4 N(c) ),   z = h L
        b_1 = phi_1 - 3 phi_2 + 4 phi_3,  b_2 = 2 phi_2 - 4 phi_3,  b_4 = 4 phi_3 - phi_2

    J. Comput. Phys. 176 (2002), eqs. 26-29, written with phi_j of z <= 0, see `phi`.
    """

    def stepper(self, flow: Flow, linear: Tensor, size: Tensor) -> Step:
        z = linear * size
        first, second, third = phi(z)
        weights = (
            torch.exp(z),
            size * (first - 3 * second + 4 * third),
            size * (2 * second - 4 * third),
            size * (4 * third - second),
            torch.exp(z / 2),
            size / 2 * phi(z / 2)[0],
        )
        tables = tuple(weight.to(flow.complex_dtype) for weight in weights)

        def advance(w: Tensor) -> Tensor:
            full, b_1, b_2, b_4, half, q = (table[: len(w)] for table in tables)
            n_w = flow.nonlinear(w)
            moved = half * w
            a = torch.addcmul(moved, q, n_w)
            n_a = flow.nonlinear(a)
            n_b = flow.nonlinear(moved.addcmul_(q, n_a))
            n_c = flow.nonlinear(torch.addcmul(half * a, q, torch.sub(2 * n_b, n_w)))
            out = torch.addcmul(full * w, b_1, n_w)
            return out.addcmul_(b_2, n_a.add_(n_b)).addcmul_(b_4, n_c)

        return advance


def phi(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return phi_1, phi_2, phi_3 of real z <= 0, to about 1e-15.

        phi_0 = e^z,   phi_{j+1} = (phi_j - 1/j!) / z,   phi_j(z) = sum_k z^k / (k + j)!

    The recursion cancels digits near zero: the series is used on |z| < 1.
    """
    near = z.clamp(min=-1.0)
    series = torch.full_like(z, 1 / math.factorial(_TERMS + 3))
    for k in range(_TERMS - 1, -1, -1):
        series = torch.addcmul(torch.full_like(z, 1 / math.factorial(k + 3)), series, near)
    second_near = 0.5 + near * series
    far = z.clamp(max=-1.0)
    first = torch.expm1(far) / far
    second = (first - 1) / far
    third = (second - 0.5) / far
    inside = z > -1
    return (
        torch.where(inside, 1 + near * second_near, first),
        torch.where(inside, second_near, second),
        torch.where(inside, series, third),
    )
