"""The time stepping of the published forced Navier-Stokes data."""

from typing import final

import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equations.vorticity import Forcing
from pdebench_spectral.flow import Advective, Flow
from pdebench_spectral.scheme import Scheme, Step


@final
class CrankNicolsonEuler(Scheme):
    """Crank-Nicolson for the linear part, explicit Euler for advection and forcing: order one.

        (1 - h L / 2) w_{n+1} = (1 + h L / 2) w_n + h N(w_n)

    Li et al. 2021 (arXiv 2010.08895), appendix A.3.3, who take h = 1e-4. Euler amplifies neutral
    modes: the step must fall with the square of the velocity.

    Args:
        released_mask: dealias as the released generator does, |k_i| <= n_i / 3 on the product alone
            (`Advective`); else strictly and on the state, too (`Conservative`).
    """

    def __init__(self, released_mask: bool = False) -> None:
        self.released_mask = released_mask

    def flow(self, forcing: Forcing, grid: Grid, device: torch.device, dtype: torch.dtype) -> Flow:
        if self.released_mask:
            return Advective(forcing, grid, device, dtype)
        return super().flow(forcing, grid, device, dtype)

    def stepper(self, flow: Flow, linear: Tensor, size: Tensor) -> Step:
        half = linear * (size / 2)
        explicit, implicit = ((1 + sign * half).to(flow.complex_dtype) for sign in (1, -1))
        h = size.to(flow.complex_dtype)

        def advance(w: Tensor) -> Tensor:
            n = len(w)
            right = torch.addcmul(explicit[:n] * w, h[:n], flow.nonlinear(w))
            return right.div_(implicit[:n])

        return advance
