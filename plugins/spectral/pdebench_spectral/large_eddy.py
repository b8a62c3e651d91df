"""Large-eddy simulation, and direct simulation on a coarse grid, as a solver of the suite."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal, final

import torch

from pdebench.domain import Grid
from pdebench.equations.closures import Closure, NoClosure
from pdebench.equations.filtered_flow import FilteredNavierStokes
from pdebench.errors import ConfigError, Unsupported
from pdebench.problem import Problem, Solution
from pdebench.solver import Solver, Use
from pdebench_spectral.velocity import evolve_velocity

if TYPE_CHECKING:
    from pdebench.task import Task


@final
class LargeEddy(Solver):
    """Pseudo-spectral solution of the filtered Navier-Stokes equations.

    Args:
        closure: takes ``width`` and returns a closure of `pdebench.equations.closures`; None for
            none, that is direct simulation on a coarse grid.
        cells: filter width Delta in units of L / n, n = 2 grid / 3: the resolved spacing.
        grid: points per axis of the computation; None for 3/2 of the problem's own, so that
            dealiasing keeps every mode that the problem's grid holds.
        step: time step, s; None for adaptive ones.
        cfl: adaptive step in units of the stability limit.
        dtype: precision of the computation.

    Instances are integrated one by one, so that an answer does not depend on the batch.
    """

    uses: ClassVar[frozenset[Use]] = frozenset({"equation"})

    def __init__(
        self,
        closure: Callable[..., Closure] | None = None,
        cells: float = 1.0,
        grid: int | None = None,
        step: float | None = None,
        cfl: float = 0.8,
        dtype: Literal["float32", "float64"] = "float32",
    ) -> None:
        if grid is not None and grid < 4:
            raise ConfigError(f"solver.grid={grid}, expected at least 4 points per axis or null")
        if cells < 1:
            raise ConfigError(
                f"solver.cells={cells}: a filter narrower than the grid filters nothing; "
                "expected 1 or more"
            )
        if step is not None and step <= 0:
            raise ConfigError(f"solver.step={step}, expected a positive time in s or null")
        if not 0 < cfl <= 1:
            raise ConfigError(f"solver.cfl={cfl}, expected a number in (0, 1]")
        if dtype not in ("float32", "float64"):
            raise ConfigError(f"solver.dtype={dtype!r}, expected 'float32' or 'float64'")
        self.closure, self.cells, self.grid, self.step, self.cfl = closure, cells, grid, step, cfl
        self.dtype = torch.float64 if dtype == "float64" else torch.float32

    def supports(self, task: "Task") -> str | None:
        return _unsuitable(task.samples(task.evaluate[0])[:1].problem)

    def prepare(self, problem: Problem) -> None:
        """Nothing is shared by the instances but the tables of a grid, made in no time."""

    def solve(self, problem: Problem) -> Solution:
        equation, domain = problem.equation, problem.domain
        reason = _unsuitable(problem)
        if (
            reason
            or not isinstance(equation, FilteredNavierStokes)
            or not isinstance(domain, Grid)
            or problem.times is None
        ):
            raise Unsupported(f"large_eddy: {reason}")
        padded = tuple(2 * math.ceil(0.75 * n) for n in domain.shape)
        shape = padded if self.grid is None else (self.grid,) * domain.dim
        spacing = max(1.5 * length / n for length, n in zip(domain.extent, shape, strict=True))
        closure = self.closure(width=self.cells * spacing) if self.closure else NoClosure()
        law = replace(equation, closure=closure, dealias="two_thirds")
        u0, nu = problem.initial, problem.parameters["viscosity"]
        laws = [law] * len(u0)
        if law.forcing is not None:
            forces = [law.forcing.of_sample(problem.parameters, b) for b in range(len(u0))]
            laws = [replace(law, forcing=force) for force in forces]
        frames = [
            evolve_velocity(
                u0[b : b + 1],
                problem.times.tolist(),
                float(nu[b]),
                laws[b],
                extent=domain.extent,
                grid=shape,
                store=domain.shape,
                step=self.step,
                cfl=self.cfl,
                dtype=self.dtype,
                start=0.0 if problem.history is None else float(problem.history[-1]),
            )
            for b in range(len(u0))
        ]
        return Solution(torch.cat(frames).to(u0.dtype))


def _unsuitable(problem: Problem) -> str | None:
    equation, domain = problem.equation, problem.domain
    if not isinstance(equation, FilteredNavierStokes):
        return f"it solves the Navier-Stokes equations in velocities, not {type(equation).__name__}"
    if problem.times is None:
        return "it integrates in time, the problem is steady"
    if not isinstance(domain, Grid) or not domain.is_torus:
        return "it needs a periodic uniform grid"
    if "viscosity" not in problem.parameters:
        return f"it needs the viscosity, the problem has {sorted(problem.parameters)}"
    return None
