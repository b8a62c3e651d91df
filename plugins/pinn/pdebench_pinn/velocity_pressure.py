"""The filtered Navier-Stokes equations in velocity and pressure, for networks of coordinates."""

from collections.abc import Callable, Mapping
from typing import final

import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equation import Equation
from pdebench.equations.closures import Closure, Smagorinsky
from pdebench.equations.filtered_flow import FilteredNavierStokes
from pdebench.errors import ConfigError, Unsupported
from pdebench.problem import Problem
from pdebench.spectral import Modes
from pdebench_pinn.form import Form, mean_square, per_instance
from pdebench_pinn.jet import Jet
from pdebench_pinn.seeded import check_positive


@final
class VelocityPressure(Form):
    """q = (u, p), held to momentum and continuity.

        R = du/dt + u . grad u + grad p + div tau - nu lap u - f,   loss = a <R^2> + b <(div u)^2>

    NSFnets' velocity-pressure form, Jin, Cai, Li and Karniadakis, J. Comput. Phys. 426 (2021)
    109951, with a subgrid stress. A force depends on the flow by its Fourier modes: it is evaluated
    on the lattice of the points, which must hold them.

    Args:
        closure: takes ``width`` and returns a closure; None for the equation's own.
        cells: filter width in cells of the task's grid.
        momentum: a.
        continuity: b.
    """

    mixed = True

    def __init__(
        self,
        closure: Callable[..., Closure] | None = None,
        cells: float = 1.0,
        momentum: float = 1.0,
        continuity: float = 1.0,
    ) -> None:
        if cells < 1:
            raise ConfigError(
                f"solver.form.cells={cells}: a filter narrower than the grid filters nothing; "
                "expected 1 or more"
            )
        check_positive(**{"form.momentum": momentum, "form.continuity": continuity})
        if closure is not None:
            closure(width=1.0)  # refuses its arguments now, not in the middle of a sweep
        self._closure, self.cells = closure, cells
        self.momentum, self.continuity = momentum, continuity

    def refused(self, law: Equation, dim: int) -> str | None:
        if isinstance(law, FilteredNavierStokes):
            return None
        return (
            f"it is for FilteredNavierStokes in velocities, the task's equation is "
            f"{type(law).__name__}; solver=pinn_vorticity answers flows in vorticity"
        )

    def channels(self, dim: int) -> int:
        return dim + 1

    def scales(self, size: Tensor, length: float, dim: int) -> Tensor:
        return torch.stack([*[size] * dim, size.square()], -1)

    def residuals(
        self, jet: Jet, lattice: Grid, problem: Problem, size: Tensor, length: float
    ) -> Mapping[str, Tensor]:
        momentum, divergence = self.residual(jet, lattice, problem)
        return {
            "momentum": self.momentum * mean_square(momentum) * (length / size.square()).square(),
            "continuity": self.continuity * mean_square(divergence) * (length / size).square(),
        }

    def residual(self, jet: Jet, lattice: Grid, problem: Problem) -> tuple[Tensor, Tensor]:
        """Return R (B, I N, d), length/s^2, and div u (B, I N), 1/s.

        Raises Unsupported for a closure without a pointwise form, a random force and where the
        viscosity is missing.
        """
        law, dim = problem.equation, jet.dim
        assert isinstance(law, FilteredNavierStokes)
        if "viscosity" not in problem.parameters:
            raise Unsupported(
                "the Navier-Stokes equations need parameters['viscosity'], the problem has "
                f"{sorted(problem.parameters)}"
            )
        gradient = jet.gradient  # (B, M, d + 1, d)
        u, slope = jet.value[..., :dim], gradient[..., :dim, :]
        nu = per_instance(problem.parameters["viscosity"], u)
        closure = self.closure(law, problem)
        steady = torch.einsum("...j,...ij->...i", u, slope)
        steady = steady + closure.divergence(slope, jet.bend[..., :dim, :, :])
        diffusion = nu * jet.laplacian[..., :dim]
        residual = jet.rate[..., :dim] + steady + gradient[..., dim, :] - diffusion
        if law.forcing is not None:
            residual = residual - self._force(u, -steady, lattice, problem)
        return residual, torch.einsum("...ii->...", slope)

    def closure(self, law: FilteredNavierStokes, problem: Problem) -> Closure:
        """Return the closure at the filter width of the problem's grid."""
        if self._closure is None:
            return law.closure
        assert isinstance(problem.domain, Grid)
        domain = problem.domain
        spacing = max(a / n for a, n in zip(domain.extent, domain.shape, strict=True))
        return self._closure(width=self.cells * spacing)

    def _force(self, u: Tensor, rate: Tensor, lattice: Grid, problem: Problem) -> Tensor:
        """Return f (B, I N, d) of the velocity and of du/dt without force and viscosity."""
        law = problem.equation
        assert isinstance(law, FilteredNavierStokes) and law.forcing is not None
        modes = Modes.of(lattice.shape, lattice.extent, u.device, u.dtype)
        shape = (len(u), -1, *lattice.shape, lattice.dim)
        u_hat, rate_hat = (modes.forward(v.reshape(shape).movedim(-1, 2)) for v in (u, rate))
        damping = per_instance(problem.parameters["viscosity"], u_hat.real) * modes.square
        f_hat = law.forcing.added(rate_hat, u_hat, modes, damping, None) - rate_hat
        return modes.inverse(f_hat).movedim(2, -1).reshape(u.shape)

    def disclosures(self) -> Mapping[str, str]:
        said = {"viscosity": "the problem's"}
        made = None if self._closure is None else self._closure(width=1.0)
        if isinstance(made, Smagorinsky):
            said["coefficient"] = f"C = {made.coefficient:g}, given, not tuned on this data"
            said["filter width"] = f"{self.cells:g} cells, given, not tuned"
        return said
