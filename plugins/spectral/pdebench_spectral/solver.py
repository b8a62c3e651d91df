"""Pseudo-spectral solver of the vorticity equation on a torus."""

from typing import TYPE_CHECKING, ClassVar, Literal, final

import torch

from pdebench.domain import Grid
from pdebench.equations.vorticity import Forcing, Vorticity, coefficients
from pdebench.errors import ConfigError, Unsupported
from pdebench.problem import Problem, Solution
from pdebench.solver import Solver, Use
from pdebench_spectral.evolve import evolve
from pdebench_spectral.flow import Flow
from pdebench_spectral.if_rk4 import IFRK4
from pdebench_spectral.scheme import Scheme

if TYPE_CHECKING:
    from pdebench.task import Task

_Key = tuple[Forcing, tuple[int, ...], tuple[float, ...], torch.device]


@final
class Spectral(Solver):
    """Fourier-Galerkin in space, exponential Runge-Kutta in time.

        w_t + u . grad w = nu lap w - alpha w + f    on a torus, see `pdebench.equations.vorticity`

    Args:
        grid: points that the computation runs on, one number for both axes or two; None for the
            problem's own. The state is brought there and back by spectral truncation or padding.
        step: time step, s; None for adaptive ones.
        cfl: adaptive step in units of 1 / max(|u|/dx + |v|/dy); stable below 1.35 for fourth-order
            schemes.
        scheme: time stepping, `IFRK4` by default.
        dtype: precision of the computation.

    Every instance has adaptive steps of its own, so that an answer does not depend on what else is
    in the batch. Output times are met exactly. Raises Diverged with the time of a blow-up.
    """

    uses: ClassVar[frozenset[Use]] = frozenset({"equation"})

    def __init__(
        self,
        grid: int | tuple[int, int] | None = None,
        step: float | None = None,
        cfl: float = 1.2,
        scheme: Scheme | None = None,
        dtype: Literal["float32", "float64"] = "float64",
    ) -> None:
        points = (grid, grid) if isinstance(grid, int) else grid
        if points is not None and (len(points) != 2 or min(points) < 4):
            raise ConfigError(f"solver.grid={grid}, expected at least 4 points per axis or null")
        if step is not None and step <= 0:
            raise ConfigError(f"solver.step={step}, expected a positive time in s or null")
        if cfl <= 0:
            raise ConfigError(f"solver.cfl={cfl}, expected a positive number")
        if dtype not in ("float32", "float64"):
            raise ConfigError(f"solver.dtype={dtype!r}, expected 'float32' or 'float64'")
        self.grid = None if points is None else (points[0], points[1])
        self.step, self.cfl = step, cfl
        self.scheme: Scheme = scheme or IFRK4()
        self.dtype = torch.float64 if dtype == "float64" else torch.float32
        self._prepared: tuple[_Key, Flow] | None = None

    def supports(self, task: "Task") -> str | None:
        return _unsuitable(task.samples(task.evaluate[0])[:1].problem)

    def prepare(self, problem: Problem) -> None:
        """Build the tables of grid, forcing and device; those of the viscosity are per instance."""
        self._prepared = self._plan(problem)

    def solve(self, problem: Problem) -> Solution:
        key, flow = self._plan(problem)
        if problem.times is None:
            raise Unsupported("spectral: the problem is steady")
        viscosity, drag = coefficients(problem)
        frames = evolve(
            problem.initial[:, 0],
            problem.times.tolist(),
            viscosity,
            drag=drag,
            grid=(key[1][0], key[1][1]),
            scheme=self.scheme,
            step=self.step,
            cfl=self.cfl,
            dtype=self.dtype,
            start=0.0 if problem.history is None else float(problem.history[-1]),
            flow=flow,
        )
        return Solution(frames.unsqueeze(2).to(problem.initial.dtype))

    def _plan(self, problem: Problem) -> tuple[_Key, Flow]:
        """Return the tables for a problem: the prepared ones where they fit."""
        reason = _unsuitable(problem)
        equation, domain = problem.equation, problem.domain
        if reason or not isinstance(equation, Vorticity) or not isinstance(domain, Grid):
            raise Unsupported(f"spectral: {reason}")
        shape = domain.shape if self.grid is None else self.grid
        key = equation.forcing, shape, domain.extent, problem.initial.device
        if self._prepared is not None and self._prepared[0] == key:
            return self._prepared
        torus = Grid.torus(shape, domain.extent)
        return key, self.scheme.flow(equation.forcing, torus, key[3], self.dtype)


def _unsuitable(problem: Problem) -> str | None:
    equation, domain = problem.equation, problem.domain
    if not isinstance(equation, Vorticity):
        return f"it solves the vorticity equation, the task's is {type(equation).__name__}"
    if problem.times is None:
        return "it integrates in time, the problem is steady"
    if not isinstance(domain, Grid) or not domain.is_torus or domain.dim != 2:
        return "it needs a two-dimensional periodic uniform grid"
    if "viscosity" not in problem.parameters:
        return f"it needs the viscosity, the problem has {sorted(problem.parameters)}"
    return None
