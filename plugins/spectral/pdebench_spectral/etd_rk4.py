"""Exponential time differencing of order four."""

import math
from typing import final

import torch
from torch import Tensor

from pdebench_spectral.flow import Flow
from pdebench_spectral.scheme import Scheme, Step

_CONTOUR = 32  # points of the contour means, Kassam and Trefethen 2005, sec. 3


@final
class ETDRK4(Scheme):
    """The exponential Runge-Kutta method of Cox and Matthews.

    Cox and Matthews, J. Comput. Phys. 176 (2002), eqs. 26-29; the phi functions are means over circles of radius one in
    the complex plane, Kassam and Trefethen, SIAM J. Sci. Comput. 26 (2005), eq. 2.5.
    """

    def stepper(self, flow: Flow, step: float) -> Step:
        z = flow.linear * step
        angles = math.pi * (torch.arange(1, _CONTOUR + 1, dtype=torch.float64, device=z.device) - 0.5) / _CONTOUR
        r = z.unsqueeze(-1) + torch.exp(1j * angles)
        e = torch.exp(r)

        def mean(value: Tensor) -> Tensor:
            return (step * value.mean(-1).real).to(flow.complex_dtype)

        q = mean((torch.exp(r / 2) - 1) / r)
        first = mean((-4 - r + e * (4 - 3 * r + r**2)) / r**3)
        middle = mean((2 + r + e * (r - 2)) / r**3)
        last = mean((-4 - 3 * r - r**2 + e * (4 - r)) / r**3)
        full, half = torch.exp(z).to(flow.complex_dtype), torch.exp(z / 2).to(flow.complex_dtype)

        def advance(w: Tensor) -> Tensor:
            n_w = flow.nonlinear(w)
            moved = half * w
            a = torch.addcmul(moved, q, n_w)
            n_a = flow.nonlinear(a)
            n_b = flow.nonlinear(torch.addcmul(moved, q, n_a))
            n_c = flow.nonlinear(torch.addcmul(half * a, q, 2 * n_b - n_w))
            out = torch.addcmul(full * w, first, n_w)
            out.addcmul_(middle, n_a + n_b, value=2)
            return out.addcmul_(last, n_c)

        return advance
