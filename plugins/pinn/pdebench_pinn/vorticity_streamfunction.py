"""Two-dimensional flow in vorticity and stream function, for networks of coordinates."""

from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equation import Equation
from pdebench.equations.vorticity import Vorticity, coefficients
from pdebench.problem import Problem
from pdebench_pinn.form import Form, mean_square, per_instance
from pdebench_pinn.jet import Jet
from pdebench_pinn.seeded import check_positive


@final
class VorticityStreamfunction(Form):
    """q = (w, psi), held to transport and to the Poisson equation between them.

        R = dw/dt + psi_y w_x - psi_x w_y - nu lap w + alpha w - f,   P = w + lap psi
        loss = a <R^2> + b <P^2>

    The velocity (psi_y, -psi_x) has no divergence, and no derivative is of higher than second
    order, which -lap psi in place of w would need. The counterpart of NSFnets' vorticity-velocity
    form, Jin et al., J. Comput. Phys. 426 (2021) 109951. The mean of psi is free.

    Args:
        transport: a.
        poisson: b.
    """

    mixed = False

    def __init__(self, transport: float = 1.0, poisson: float = 1.0) -> None:
        check_positive(**{"form.transport": transport, "form.poisson": poisson})
        self.transport, self.poisson = transport, poisson

    def refused(self, law: Equation, dim: int) -> str | None:
        if isinstance(law, Vorticity):
            return None
        return (
            f"it is for Vorticity in two dimensions, the task's equation is {type(law).__name__}; "
            "solver=pinn_flow answers flows in velocities"
        )

    def channels(self, dim: int) -> int:
        return 2

    def scales(self, size: Tensor, length: float, dim: int) -> Tensor:
        return torch.stack([size, size * length**2], -1)

    def residuals(
        self, jet: Jet, lattice: Grid, problem: Problem, size: Tensor, length: float
    ) -> Mapping[str, Tensor]:
        transport, poisson = self.residual(jet, lattice, problem)
        return {
            "transport": self.transport * mean_square(transport) / size.square().square(),
            "poisson": self.poisson * mean_square(poisson) / size.square(),
        }

    def residual(self, jet: Jet, lattice: Grid, problem: Problem) -> tuple[Tensor, Tensor]:
        """Return R, 1/s^2, and P, 1/s, both (B, I N).

        Raises Unsupported where the viscosity is missing.
        """
        law = problem.equation
        assert isinstance(law, Vorticity)
        w, (bend, curl) = jet.value[..., 0], jet.laplacian.unbind(-1)
        nu, drag = (per_instance(value, w) for value in coefficients(problem))
        slope, stream = jet.gradient.unbind(-2)  # (B, M, 2) each
        advection = stream[..., 1] * slope[..., 0] - stream[..., 0] * slope[..., 1]
        force = law.forcing.on(lattice).to(w).flatten()
        instants = w.shape[1] // len(force)
        transport = jet.rate[..., 0] + advection - nu * bend + drag * w - force.repeat(instants)
        return transport, w + curl

    def disclosures(self) -> Mapping[str, str]:
        return {"viscosity": "the problem's"}
