"""Gaussian-process solver of the suite: one optimisation per instance."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, final

import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equations.dirichlet import Dirichlet
from pdebench.errors import ConfigError, Diverged, Unsupported
from pdebench.problem import Problem
from pdebench.solver import IterativeSolver, Use
from pdebench_gp.fit import State, descend
from pdebench_gp.kernel import kernel_named
from pdebench_gp.objective import Objective, Task, Terms, edges

if TYPE_CHECKING:
    from pdebench.task import Task as SuiteTask


@final
class GaussianProcess(IterativeSolver):
    """Maximum a posteriori of values, precisions and kernels, by Adam from the published start.

    Fang et al., ICLR 2024 (arXiv 2311.04465). Nothing is learned offline: ``fit`` does nothing and
    every step of the optimisation is online. Stops at

        boundary_gap / Nb + equation_gap / Nc < tolerance

    never on the loss, which has no lower bound, or after ``steps``. The answer is the conditional
    mean at the nodes, of the last step.

    Args:
        kernel: Matern52_Cos_1d (Student-t mixture), SE_Cos_1d (Gaussian mixture), Matern52_1d or
            SE_1d.
        components: Q per axis.
        freq_scale: largest starting frequency, cycles per unit length.
        jitter: added to the diagonal of every factor.
        boundary_weight: lambda.
        lr: of Adam.
        steps: at most.
        tolerance: on the mean squared gaps.
        every: steps between iterates.
    """

    uses: ClassVar[frozenset[Use]] = frozenset({"equation"})

    def __init__(
        self,
        kernel: str = "Matern52_Cos_1d",
        components: int = 30,
        freq_scale: float = 20.0,
        jitter: float = 1e-6,
        boundary_weight: float = 200.0,
        lr: float = 0.01,
        steps: int = 100_000,
        tolerance: float = 1e-6,
        every: int = 500,
    ) -> None:
        for name, value in (("components", components), ("steps", steps), ("every", every)):
            if value < 1:
                raise ConfigError(f"solver.{name}={value}, expected a positive integer")
        for name, value in (("freq_scale", freq_scale), ("jitter", jitter), ("lr", lr)):
            if value <= 0:
                raise ConfigError(f"solver.{name}={value}, expected a positive number")
        self.kernel, self.components, self.freq_scale = kernel_named(kernel), components, freq_scale
        self.jitter, self.boundary_weight, self.lr = jitter, boundary_weight, lr
        self.steps, self.tolerance, self.every = steps, tolerance, every

    def supports(self, task: "SuiteTask") -> str | None:
        return _unsuitable(task.samples(task.evaluate[0])[:1].problem)

    def iterate(self, problem: Problem) -> Iterator[Tensor]:
        """Yield the conditional means of all instances until all are done."""
        reason = _unsuitable(problem)
        if reason:
            raise Unsupported(f"gp: {reason}")
        runs = [_Run(self, problem, index) for index in range(len(problem))]
        out = torch.zeros_like(problem.inputs["source"])
        while True:
            for index, run in enumerate(runs):
                if not run.done:
                    out[index, 0] = run.advance(self.every).to(out.dtype)
            yield out.clone()
            if all(run.done for run in runs):
                return


@final
class _Run:
    """The optimisation of one instance."""

    def __init__(self, solver: GaussianProcess, problem: Problem, index: int) -> None:
        domain, equation = problem.domain, problem.equation
        if not isinstance(domain, Grid) or not isinstance(equation, Dirichlet):
            raise Unsupported("gp: it needs a box with values on its boundary")
        source, given = (problem.inputs[name][index, 0].double() for name in ("source", "boundary"))
        points = tuple(axis.nodes.to(source.device) for axis in domain.axes)
        task = Task(points, source, edges(given), equation.kind)
        self._objective = Objective(task, solver.kernel, solver.jitter, solver.boundary_weight)
        state = State.published(self._objective, solver.components, solver.freq_scale)
        self._steps = descend(self._objective, state, solver.lr)
        self._left, self._tolerance = solver.steps, solver.tolerance
        self._counts = len(task.boundary), source.numel()
        self.done = False

    def advance(self, steps: int) -> Tensor:
        """Take up to ``steps`` steps and return the conditional mean at the nodes."""
        terms: Terms | None = None
        for _ in range(min(steps, self._left)):
            _, terms = next(self._steps)
            self._left -= 1
            if not bool(torch.isfinite(terms.loss)):
                raise Diverged("gp: the objective is not finite; use a larger jitter or smaller lr")
            if self._gap(terms) < self._tolerance:
                self._left = 0
                break
        self.done = self._left <= 0
        if terms is None:
            raise Diverged("gp: no step was taken")
        with torch.no_grad():
            return terms.prior.mean(*self._objective.task.points)

    def _gap(self, terms: Terms) -> float:
        ends, nodes = self._counts
        return (
            float(terms.boundary_gap.detach()) / ends + float(terms.equation_gap.detach()) / nodes
        )


def _unsuitable(problem: Problem) -> str | None:
    equation, domain = problem.equation, problem.domain
    if not isinstance(equation, Dirichlet):
        return f"it solves Dirichlet problems, the task's is {type(equation).__name__}"
    if not isinstance(domain, Grid) or any(domain.periodic) or domain.dim > 2:
        return "it needs a box of one or two dimensions that is not periodic"
    if not {"source", "boundary"} <= set(problem.inputs):
        return f"it needs source and boundary, the problem has {sorted(problem.inputs)}"
    return None
