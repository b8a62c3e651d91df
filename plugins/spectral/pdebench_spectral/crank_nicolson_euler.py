"""The time stepping of the published forced Navier-Stokes data."""

from typing import final

import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equations.vorticity import Vorticity
from pdebench_spectral.flow import Advective, Flow
from pdebench_spectral.scheme import Scheme, Step


@final
class CrankNicolsonEuler(Scheme):
    """Crank-Nicolson for the viscous term, explicit Euler for advection and forcing: order one.

        (1 - h L / 2) w_{n+1} = (1 + h L / 2) w_n + h N(w_n)

    Li et al. 2021 (arXiv 2010.08895), appendix A.3.3, who take h = 1e-4. With their form of the advection (`Advective`).
    """

    def flow(self, equation: Vorticity, grid: Grid, viscosity: Tensor, dtype: torch.dtype) -> Flow:
        return Advective(equation, grid, viscosity, dtype)

    def stepper(self, flow: Flow, step: float) -> Step:
        keep = ((1 + step / 2 * flow.linear) / (1 - step / 2 * flow.linear)).to(flow.complex_dtype)
        gain = (step / (1 - step / 2 * flow.linear)).to(flow.complex_dtype)

        def advance(w: Tensor) -> Tensor:
            return torch.addcmul(keep * w, gain, flow.nonlinear(w))

        return advance
