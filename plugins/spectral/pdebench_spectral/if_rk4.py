"""Classical Runge-Kutta on the integrating-factor form."""

from typing import final

import torch
from torch import Tensor

from pdebench_spectral.flow import Flow
from pdebench_spectral.scheme import Scheme, Step


@final
class IFRK4(Scheme):
    """Integrating-factor Runge-Kutta of order four: the linear part is exact.

        v = exp(-L t) w,   v_t = exp(-L t) N(exp(L t) v),   advanced by the classical fourth-order method

    Canuto, Hussaini, Quarteroni and Zang, Spectral Methods (2006), app. D.
    """

    def stepper(self, flow: Flow, step: float) -> Step:
        half = torch.exp(flow.linear * (step / 2)).to(flow.complex_dtype)
        full = half * half

        def advance(w: Tensor) -> Tensor:
            a = flow.nonlinear(w)
            moved = half * w
            b = flow.nonlinear(torch.addcmul(moved, half, a, value=step / 2))
            c = flow.nonlinear(torch.add(moved, b, alpha=step / 2))
            b += c
            moved *= half  # now exp(L h) w
            d = flow.nonlinear(torch.addcmul(moved, half, c, value=step))
            moved.addcmul_(full, a, value=step / 6)
            moved.addcmul_(half, b, value=step / 3)
            return moved.add_(d, alpha=step / 6)

        return advance
