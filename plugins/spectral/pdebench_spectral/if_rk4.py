"""Classical Runge-Kutta on the integrating-factor form."""

from typing import final

import torch
from torch import Tensor

from pdebench_spectral.flow import Flow
from pdebench_spectral.scheme import Scheme, Step


@final
class IFRK4(Scheme):
    """Integrating-factor Runge-Kutta of order four: the linear part is exact.

        v = exp(-L t) w,   v_t = exp(-L t) N(exp(L t) v),   by the classical fourth-order method

    Canuto, Hussaini, Quarteroni and Zang, Spectral Methods (2006), app. D. Advective limit
    h max(|u|/dx + |v|/dy) 2 pi / 3 < 2.83, that is cfl < 1.35.
    """

    def stepper(self, flow: Flow, linear: Tensor, size: Tensor) -> Step:
        exact = torch.exp(linear * (size / 2))
        half, full = exact.to(flow.complex_dtype), exact.square().to(flow.complex_dtype)
        half_size = (exact * (size / 2)).to(flow.complex_dtype)
        full_size = (exact.square() * (size / 6)).to(flow.complex_dtype)
        h = size.to(flow.dtype)

        def advance(w: Tensor) -> Tensor:
            n = len(w)
            e, f, g = half[:n], half_size[:n], full_size[:n]
            step = h[:n]
            a = flow.nonlinear(w)
            moved = e * w
            b = flow.nonlinear(torch.addcmul(moved, f, a))
            c = flow.nonlinear(torch.addcmul(moved, step / 2, b))
            b.add_(c)
            out = full[:n] * w
            d = flow.nonlinear(torch.addcmul(out, f, c, value=2))
            out.addcmul_(g, a).addcmul_(f, b, value=2 / 3)
            return out.addcmul_(step / 6, d)

        return advance
