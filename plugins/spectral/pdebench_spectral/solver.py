"""Pseudo-spectral solver of the vorticity equation on a torus."""

import math
from typing import TYPE_CHECKING, ClassVar, Literal, final

import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equations.vorticity import Vorticity
from pdebench.errors import ConfigError, Diverged, Unsupported
from pdebench.problem import Problem, Solution
from pdebench.solver import Solver, Use
from pdebench.spectral import resample
from pdebench_spectral.flow import Flow
from pdebench_spectral.if_rk4 import IFRK4
from pdebench_spectral.scheme import Scheme, Step

if TYPE_CHECKING:
    from pdebench.task import Task

_REVIEW = 10  # steps between looks at the velocity: it grows by a few per cent in that time
_LONGEST = 0.1  # s, largest adaptive step: keeps slow flows at fourth-order accuracy below 1e-7


@final
class Spectral(Solver):
    """Fourier-Galerkin in space, exponential Runge-Kutta in time.

        w_t + u . grad w = nu lap w - alpha w + f    on a torus; see `pdebench.equations.vorticity`

    Args:
        grid: points per axis that the computation runs on; None for the problem's own grid. The answer is brought to the
            problem's grid by spectral truncation or padding.
        step: time step, s; None for an adaptive one.
        cfl: adaptive step in units of 1 / max(|u|/dx + |v|/dy); stable below 1.35 for fourth-order schemes.
        scheme: time stepping.
        dtype: precision of the computation.

    The adaptive step is common to a batch and follows its fastest member. Raises Diverged with the time of a blow-up.
    """

    uses: ClassVar[frozenset[Use]] = frozenset({"equation"})

    def __init__(
        self,
        grid: int | None = None,
        step: float | None = None,
        cfl: float = 1.2,
        scheme: Scheme | None = None,
        dtype: Literal["float32", "float64"] = "float64",
    ) -> None:
        if grid is not None and grid < 4:
            raise ConfigError(f"solver.grid={grid}, expected at least 4 points per axis or null")
        if step is not None and step <= 0:
            raise ConfigError(f"solver.step={step}, expected a positive time in s or null")
        if cfl <= 0:
            raise ConfigError(f"solver.cfl={cfl}, expected a positive number")
        if dtype not in ("float32", "float64"):
            raise ConfigError(f"solver.dtype={dtype!r}, expected 'float32' or 'float64'")
        self.grid, self.step, self.cfl = grid, step, cfl
        self.scheme: Scheme = scheme or IFRK4()
        self.dtype = torch.float64 if dtype == "float64" else torch.float32

    def supports(self, task: "Task") -> str | None:
        problem = task.samples(task.evaluate[0])[:1].problem
        return _unsuitable(problem)

    def solve(self, problem: Problem) -> Solution:
        reason = _unsuitable(problem)
        if reason or problem.times is None:
            raise Unsupported(f"spectral: {reason}")
        start = 0.0 if problem.history is None else float(problem.history[-1])
        waits = (problem.times.double() - start).tolist()
        frames = self.evolve(problem, waits)
        return Solution(frames.unsqueeze(2).to(problem.initial.dtype))

    def evolve(self, problem: Problem, waits: list[float]) -> Tensor:
        """Return the vorticity (B, T, X, Y) on the problem's grid, ``waits`` seconds after the initial field."""
        domain = problem.domain
        if not isinstance(domain, Grid):
            raise Unsupported("spectral: the domain is no grid")
        shape = domain.shape if self.grid is None else (self.grid, self.grid)
        inner = Grid.torus(shape, domain.extent)
        viscosity = problem.parameters["viscosity"]
        if bool((viscosity == viscosity[0]).all()):
            viscosity = viscosity[:1]
        equation = problem.equation
        if not isinstance(equation, Vorticity):
            raise Unsupported(f"spectral: the equation is {type(equation).__name__}")
        flow = self.scheme.flow(equation, inner, viscosity, self.dtype)
        w = flow.spectrum(resample(problem.initial[:, 0].to(self.dtype), shape))
        out = torch.empty(len(w), len(waits), *domain.shape, dtype=self.dtype, device=w.device)
        marching = _March(self, flow)
        now = 0.0
        for position, wait in enumerate(waits):
            w = marching.advance(w, now, wait)
            now = wait
            out[:, position] = resample(flow.field(w), domain.shape)
        return out


class _March:
    """Steps of equal size between output times; tables of one step size are kept until it changes."""

    def __init__(self, solver: Spectral, flow: Flow) -> None:
        self._solver, self._flow = solver, flow
        self._size, self._step = math.nan, None

    def advance(self, w: Tensor, now: float, until: float) -> Tensor:
        """Return the spectrum at ``until``, landing there exactly."""
        while until - now > 1e-12 * max(abs(until), 1.0):
            left = until - now
            # Times stored in float32 must not cost one more step.
            count = max(1, math.ceil(left / self._largest(w, now) * (1 - 1e-6)))
            size = left / count
            step = self._stepper(size)
            for _ in range(count if self._solver.step is not None else min(count, _REVIEW)):
                w = step(w)
                now += size
        if not bool(torch.isfinite(torch.view_as_real(w)).all()):
            raise Diverged(f"spectral blew up before t={until:g} s after the start; use a smaller step or a finer grid")
        return w

    def _largest(self, w: Tensor, now: float) -> float:
        if self._solver.step is not None:
            return self._solver.step
        rate = self._flow.fastest(w)
        if not math.isfinite(rate):
            raise Diverged(f"spectral blew up by t={now:g} s after the start; use a smaller cfl or a finer grid")
        return min(_LONGEST, self._solver.cfl / rate) if rate > 0 else _LONGEST

    def _stepper(self, size: float) -> Step:
        if self._step is None or not math.isclose(size, self._size, rel_tol=1e-12):
            self._size, self._step = size, self._solver.scheme.stepper(self._flow, size)
        return self._step


def _unsuitable(problem: Problem) -> str | None:
    if not isinstance(problem.equation, Vorticity):
        return f"it solves the vorticity equation, the task's equation is {type(problem.equation).__name__}"
    if problem.times is None:
        return "it integrates in time, the problem is steady"
    if not isinstance(problem.domain, Grid) or not problem.domain.is_torus or problem.domain.dim != 2:
        return "it needs a two-dimensional periodic uniform grid"
    return None
