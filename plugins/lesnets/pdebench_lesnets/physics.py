"""The residual that an operator is trained on, and its weights."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pdebench.domain import Grid
from pdebench.equation import Equation
from pdebench.equations.closures import Closure, Smagorinsky
from pdebench.equations.filtered_flow import FilteredNavierStokes
from pdebench.errors import ConfigError, Unsupported
from pdebench.problem import Problem
from pdebench_lesnets.released import Program


class _Squares(torch.autograd.Function):
    """sum w R^2, which keeps w R for its gradient 2 w R. w broadcasts against R."""

    @staticmethod
    def forward(ctx: Any, found: Tensor, weights: Tensor) -> Tensor:
        weighted = found * weights
        ctx.save_for_backward(weighted)
        return torch.dot(weighted.flatten(), found.flatten())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (weighted,) = ctx.saved_tensors
        return weighted * (2 * grads[0]), None


@final
class Physics:
    """sum_c w_c <R_c^2> of frames, R the residual of the problem's equation with a closure.

    Args:
        closure: takes ``width`` (and ``coefficient`` where that is learned); None for none.
        cells: filter width in cells of the problem's grid.
        channels: w_c; None for ones.
        program: takes ``box``, ``width``, ``viscosity``, ``coefficient`` and returns a released
            residual; None for the problem's equation.

    Half precision overflows in the squares of a residual: frames in half precision are raised to
    float32, with one warning.
    """

    def __init__(
        self,
        closure: Callable[..., Closure] | None,
        cells: float,
        channels: Sequence[float] | None,
        program: Callable[..., Program] | None,
    ) -> None:
        if cells < 1:
            raise ConfigError(
                f"solver.cells={cells}: a filter narrower than the grid filters nothing; "
                "expected 1 or more"
            )
        if closure is not None:
            closure(width=1.0)  # refuses its arguments now, not in the middle of a sweep
        self._closure, self.cells, self._program = closure, cells, program
        self.channels = None if channels is None else tuple(channels)
        self._warned = False

    def check_learned(self) -> None:
        """Raise ConfigError unless the closure's coefficient can be learned."""
        if self._program is not None or not isinstance(self._made(1.0, None), Smagorinsky):
            raise ConfigError(
                "solver.coefficient learns Smagorinsky's; set solver.closure._target_ to "
                "pdebench.equations.closures.Smagorinsky and solver.program to null"
            )

    @property
    def given(self) -> float | None:
        """The coefficient that the configuration gives, where the closure has one."""
        made = self._made(1.0, None)
        return made.coefficient if isinstance(made, Smagorinsky) else None  # type: ignore[return-value]

    def _made(self, width: float, coefficient: Tensor | float | None) -> Closure | None:
        if self._closure is None:
            return None
        extra = {} if coefficient is None else {"coefficient": coefficient}
        return self._closure(width=width, **extra)

    def equation(self, problem: Problem, coefficient: Tensor | float | None = None) -> Equation:
        """Return the problem's equation with the closure in it."""
        law, domain = problem.equation, problem.domain
        if isinstance(law, FilteredNavierStokes):
            if self._closure is None or not isinstance(domain, Grid):
                return law
            closure = self._made(self.width(domain), coefficient)
            return law if closure is None else replace(law, closure=closure)
        if self._closure is not None:
            raise ConfigError(
                f"solver.closure is for filtered equations, the task's is {type(law).__name__}; "
                "set it to null"
            )
        return law

    def width(self, domain: Grid) -> float:
        """Return the filter width, length."""
        spacing = [a / n for a, n in zip(domain.extent, domain.shape, strict=True)]
        return self.cells * max(spacing)

    def residual(
        self, u: Tensor, problem: Problem, coefficient: Tensor | float | None = None
    ) -> Tensor:
        """Return R (B, T', C, *S) of frames u (B, T, C, *S) at ``problem.times``."""
        found = self.equation(problem, coefficient).residual(self._single(u), problem)
        if self.channels is not None and len(self.channels) != found.shape[2]:
            raise ConfigError(
                f"solver.channels={list(self.channels)}, expected {found.shape[2]} weights, one "
                "per channel of the residual"
            )
        return found

    def _single(self, u: Tensor) -> Tensor:
        if u.dtype not in (torch.float16, torch.bfloat16):
            return u
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"lesnets: frames are {u.dtype}, in which residuals overflow; they are formed in "
                "float32",
                stacklevel=2,
            )
        return u.float()

    def loss(
        self, u: Tensor, problem: Problem, coefficient: Tensor | float | None = None
    ) -> Tensor:
        """Return sum_c w_c <R_c^2>, a scalar."""
        if self._program is not None:
            return self._released(self._single(u), problem)
        found = self.residual(u, problem, coefficient)
        weights = found.new_ones(found.shape[2])
        if self.channels is not None:
            weights = found.new_tensor(self.channels)
        weights = weights * (found.shape[2] / found.numel())
        return _Squares.apply(found, weights.view(-1, *(1,) * (found.ndim - 3)))  # type: ignore[no-any-return]

    def _released(self, u: Tensor, problem: Problem) -> Tensor:
        domain, nu, times = problem.domain, problem.parameters["viscosity"], problem.times
        if not isinstance(domain, Grid) or any(n % 2 for n in domain.shape):
            raise Unsupported(f"the released residual needs an even grid, got {domain.shape}")
        if times is None or bool((nu != nu[0]).any()):
            raise Unsupported("the released residual knows one viscosity and equal time steps")
        assert self._program is not None
        program = self._program(
            box=domain.extent,
            width=self.width(domain),
            viscosity=float(nu[0]),
            coefficient=self.given or 0.0,
        )
        frames = torch.cat([problem.initial.to(u).unsqueeze(1), u], dim=1)
        return program.loss(frames, float(times[1] - times[0]))
