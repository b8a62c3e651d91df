"""Operators trained on the residual of the equation as solvers of the suite."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, final

import torch
from torch import Tensor, nn

from pdebench.domain import Grid
from pdebench.equations.closures import Closure
from pdebench.equations.filtered_flow import FilteredNavierStokes
from pdebench.errors import ConfigError, Unsupported
from pdebench.learning import LearnedSolver, Sizes, Training
from pdebench.problem import Problem
from pdebench.solver import Use
from pdebench_lesnets.block import Block

if TYPE_CHECKING:
    from pdebench.task import Task


@final
class LESnets(LearnedSolver):
    """An operator over space and time that learns from the equation, from labels, or from both.

        loss = sum_c w_c <R_c^2>  +  g |u - y| / |y|,     R = the task's residual, channel c

    over the frames of one block, the given field the first of them, so that the initial condition
    holds by construction. Zhao et al., J. Comput. Phys. 537 (2025) 114125, with g = 0; with g > 0
    PINO (Li et al., arXiv 2111.03794) and the mixed runs of the former. The residual is
    `pdebench.equation.Equation.residual` of the task's own equation, with a closure where the
    equation is filtered.

    Args:
        architecture: takes ``in_channels`` and ``out_channels`` and returns a network
            (B, C_in, *S, T) -> (B, C_out, *S, T).
        frames: T of a block; None for the whole horizon.
        increment: whether the network gives the change since the field it started from.
        closure: takes ``width`` and returns a closure for a filtered equation; None for none.
        cells: filter width in cells of the task's grid.
        residual: weight of the residual.
        channels: w_c, one per channel of the residual; None for ones. For velocities in d
            dimensions: 1/d for each momentum, 1 for continuity, as published.
        labels: g; 0 withholds every target.
        training: optimiser, schedule, batch size; its loss is the labelled one.
    """

    uses: ClassVar[frozenset[Use]] = frozenset({"equation"})

    def __init__(
        self,
        architecture: Callable[..., nn.Module],
        frames: int | None = None,
        increment: bool = False,
        closure: Callable[..., Closure] | None = None,
        cells: float = 1.0,
        residual: float = 1.0,
        channels: Sequence[float] | None = None,
        labels: float = 0.0,
        training: Training | None = None,
    ) -> None:
        if residual < 0 or labels < 0 or residual + labels == 0:
            raise ConfigError(
                f"solver.residual={residual}, solver.labels={labels}, expected weights of which "
                "neither is negative and one is positive"
            )
        if cells < 1:
            raise ConfigError(
                f"solver.cells={cells}: a filter narrower than the grid filters nothing; "
                "expected 1 or more"
            )
        super().__init__(Block(frames, increment), training)
        self._architecture, self._closure, self.cells = architecture, closure, cells
        self.weights = (residual, labels)
        self.channels = None if channels is None else tuple(channels)
        if labels > 0:
            uses: set[Use] = {"labels", "equation"} if residual > 0 else {"labels"}
            self.uses = frozenset(uses)  # pyright: ignore[reportAttributeAccessIssue]

    def network(self, sizes: Sizes) -> nn.Module:
        return self._architecture(in_channels=sizes.in_channels, out_channels=sizes.out_channels)

    def supports(self, task: "Task") -> str | None:
        unfit = super().supports(task)
        if unfit is not None:
            return unfit
        problem = task.samples("train")[:1].problem
        domain = problem.domain
        if not isinstance(domain, Grid) or not domain.is_torus:
            return "it transforms every space axis, which takes a periodic uniform grid"
        modes = getattr(self._architecture, "keywords", {}).get("modes", ())
        if len(modes) != domain.dim + 1:
            return (
                f"its modes {list(modes)} are for {len(modes)} axes, the task has {domain.dim} and "
                "time; set solver.architecture.modes"
            )
        if self.weights[0] == 0:
            return None
        try:
            self._residual(self._block(problem), problem)
        except (Unsupported, ConfigError) as error:
            return str(error)
        return None

    def _block(self, problem: Problem) -> Tensor:
        """Return the given field repeated: any frames, to try the residual on."""
        assert isinstance(self.form, Block)
        times = self.form.first(problem).times
        count = 0 if times is None else len(times)
        return problem.initial.unsqueeze(1).expand(-1, count, *problem.initial.shape[1:])

    def _residual(self, u: Tensor, problem: Problem) -> Tensor:
        assert isinstance(self.form, Block)
        equation, domain = problem.equation, problem.domain
        if isinstance(equation, FilteredNavierStokes):
            if self._closure is not None and isinstance(domain, Grid):
                spacing = [a / n for a, n in zip(domain.extent, domain.shape, strict=True)]
                closure = self._closure(width=self.cells * max(spacing))
                equation = replace(equation, closure=closure)
        elif self._closure is not None:
            raise ConfigError(
                f"solver.closure is for filtered equations, the task's is "
                f"{type(equation).__name__}; set it to null"
            )
        found = equation.residual(u, self.form.first(problem))
        if self.channels is not None and len(self.channels) != found.shape[2]:
            raise ConfigError(
                f"solver.channels={list(self.channels)}, expected {found.shape[2]} weights, one "
                "per channel of the residual"
            )
        return found

    def loss(
        self, model: nn.Module, problem: Problem, target: Tensor | None, weights: Tensor
    ) -> Tensor:
        assert isinstance(self.form, Block)
        u = self.form.predict(model, self.form.first(problem))
        total = u.new_zeros(())
        if self.weights[0] > 0:
            found = self._residual(u, problem)
            means = found.square().transpose(1, 2).flatten(2).mean((0, 2))
            scale = 1.0 if self.channels is None else means.new_tensor(self.channels)
            total = total + self.weights[0] * (scale * means).sum()
        if self.weights[1] > 0:
            assert target is not None
            part = target[:, : u.shape[1]]
            total = total + self.weights[1] * self.training.loss(u, part, weights)
        return total


def residual_floor(solver: LESnets, problem: Problem, frames: Tensor) -> float:
    """Return <R^2> of given frames (B, T, C, *S), with which no training can compete.

    With the frames of a fine simulation of the same equation it is the error of the time
    differences alone; with filtered ones it holds the error of the closure, too.
    """
    with torch.no_grad():
        found = solver._residual(frames, problem)
    return float(found.square().mean()) if math.prod(found.shape) else math.nan
