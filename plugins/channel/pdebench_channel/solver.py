"""Direct and large-eddy simulation of channel flow as a solver of the suite."""

from typing import TYPE_CHECKING, ClassVar, final

import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equations.channel_flow import ChannelFlow, channel_axes
from pdebench.errors import ConfigError, Unsupported
from pdebench.problem import Problem, Solution
from pdebench.solver import Solver, Use
from pdebench_channel.eddies import Eddies
from pdebench_channel.evolve import frames, plan
from pdebench_channel.march import March

if TYPE_CHECKING:
    from pdebench.task import Task


@final
class Channel(Solver):
    """Fourier in x and z, Chebyshev in y, Runge-Kutta and Crank-Nicolson in time.

        (lap v)_t = h_v + nu lap^2 v,   eta_t = h_g + nu lap eta      see `flow.Flow`

    Args:
        grid: points of the computation in x, y, z; None for the problem's own. The state is brought
            there and back by spectral truncation or padding, and Chebyshev interpolation.
        step: fixed time step, s; None for adaptive ones.
        cfl: adaptive step in units of the stability limit.
        eddies: subgrid model of large-eddy simulation; None for direct simulation.

    Instances are integrated one by one, so that an answer does not depend on what else is in the
    batch; those of one viscosity share their tables. float64 throughout. Raises Diverged with the
    time of a blow-up.
    """

    uses: ClassVar[frozenset[Use]] = frozenset({"equation"})

    def __init__(
        self,
        grid: tuple[int, int, int] | None = None,
        step: float | None = None,
        cfl: float = 0.5,
        eddies: Eddies | None = None,
    ) -> None:
        if grid is not None and (len(grid) != 3 or min(grid) < 4):
            raise ConfigError(
                f"solver.grid={grid}, expected points in x, y, z, at least 4 each, or null"
            )
        if step is not None and step <= 0:
            raise ConfigError(f"solver.step={step}, expected a positive time in s or null")
        if not 0 < cfl <= 1:
            raise ConfigError(f"solver.cfl={cfl}, expected a number in (0, 1]")
        self.grid = None if grid is None else (grid[0], grid[1], grid[2])
        self.step, self.cfl, self.eddies = step, cfl, eddies
        self._marches: dict[tuple[object, ...], March] = {}

    def supports(self, task: "Task") -> str | None:
        return _unsuitable(task.samples(task.evaluate[0])[:1].problem)

    def prepare(self, problem: Problem) -> None:
        """Build the matrices of every viscosity in the batch, for the step where it is fixed."""
        self._marches = {}
        for value in problem.parameters["viscosity"].unique().tolist():
            march = self._march(problem, value)
            if self.step is not None and problem.times is not None:
                march.tables(_even(problem, self.step))

    def solve(self, problem: Problem) -> Solution:
        domain = problem.domain
        reason = _unsuitable(problem)
        if reason or not isinstance(domain, Grid) or problem.times is None:
            raise Unsupported(f"channel: {reason}")
        start = 0.0 if problem.history is None else float(problem.history[-1])
        found: list[Tensor] = []
        for u0, nu in zip(problem.initial, problem.parameters["viscosity"].tolist(), strict=True):
            march = self._march(problem, nu)
            every = frames(u0[None], problem.times.tolist(), domain, march, start)
            found.append(torch.stack([u[0].to(u0.dtype) for u in every]))
        return Solution(torch.stack(found))

    def _march(self, problem: Problem, viscosity: float) -> March:
        """Return the tables for a problem: the prepared ones where they fit."""
        domain, equation, device = problem.domain, problem.equation, problem.initial.device
        assert isinstance(domain, Grid)
        assert isinstance(equation, ChannelFlow)
        key = (viscosity, domain.shape, domain.extent, equation, device)
        if key not in self._marches:
            flux = equation.drive == "mass_flux"
            self._marches[key] = plan(
                domain,
                viscosity,
                grid=self.grid,
                gradient=None if flux else equation.gradient,
                step=self.step,
                cfl=self.cfl,
                eddies=self.eddies,
                device=device,
            )
        return self._marches[key]


def _even(problem: Problem, step: float) -> float:
    """Return the step that lands on the first output time."""
    assert problem.times is not None
    start = 0.0 if problem.history is None else float(problem.history[-1])
    wait = float(problem.times[0]) - start
    return wait / max(1, -int(-wait / step * (1 - 1e-6) // 1))


def _unsuitable(problem: Problem) -> str | None:
    if not isinstance(problem.equation, ChannelFlow):
        return f"it solves channel flow, the task's equation is {type(problem.equation).__name__}"
    if problem.times is None:
        return "it integrates in time, the problem is steady"
    try:
        channel_axes(problem.domain, "it")
    except Unsupported as error:
        return str(error)
    if "viscosity" not in problem.parameters:
        return f"it needs the viscosity, the problem has {sorted(problem.parameters)}"
    return None
