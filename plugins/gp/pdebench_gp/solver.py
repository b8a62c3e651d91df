"""Gaussian-process solver of the suite: one optimisation per instance, all instances at once."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, final

import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equations.dirichlet import Dirichlet
from pdebench.errors import ConfigError, Diverged, Unsupported
from pdebench.problem import Problem, Solution
from pdebench.solver import IterativeSolver, Use
from pdebench_gp import posterior
from pdebench_gp.fit import Descent, State
from pdebench_gp.kernel import Parameters, kernel_named
from pdebench_gp.objective import Objective, Task, Terms, faces

if TYPE_CHECKING:
    from pdebench.task import Task as SuiteTask


@final
class GaussianProcess(IterativeSolver):
    """Maximum a posteriori of values, precisions and kernels, by Adam from the published start.

    Fang et al., ICLR 2024 (arXiv 2311.04465). Nothing is learned offline: ``fit`` does nothing and
    every step of the optimisation is online. An instance stops at

        boundary_gap / Nb + equation_gap / Nc < tolerance

    never on the loss, which has no lower bound, or after ``steps``; instances are stepped together
    and leave when they are done. The answer is the conditional mean at the nodes, of the last step;
    its ``spread`` the posterior standard deviation given kernels and precisions
    (`pdebench_gp.posterior`; for Allen-Cahn by linearisation), on grids of up to ``spread_nodes``
    nodes. ``counts`` holds the loudest frequency of the first axis, cycles per unit length.

    Args:
        kernel: Matern52_Cos_1d (Student-t mixture), SE_Cos_1d (Gaussian mixture), Matern52_1d or
            SE_1d.
        components: Q per axis.
        freq_scale: largest starting frequency, cycles per unit length.
        jitter: added to the diagonal of every factor; raised in tenfold steps where it must be.
        boundary_weight: lambda.
        sparsity: rate of the exponential prior that prunes components; 0 is published.
        corners_twice: count corners in two faces, as the released program does.
        lr: of Adam.
        steps: at most.
        tolerance: on the mean squared gaps.
        every: steps between iterates.
        spread_nodes: largest grid whose spread is computed, with matrices of that many rows.
    """

    uses: ClassVar[frozenset[Use]] = frozenset({"equation"})

    def __init__(
        self,
        kernel: str = "Matern52_Cos_1d",
        components: int = 30,
        freq_scale: float = 20.0,
        jitter: float = 1e-6,
        boundary_weight: float = 200.0,
        sparsity: float = 0.0,
        corners_twice: bool = False,
        lr: float = 0.01,
        steps: int = 100_000,
        tolerance: float = 1e-6,
        every: int = 500,
        spread_nodes: int = 1024,
    ) -> None:
        for name, value in (("components", components), ("steps", steps), ("every", every)):
            if value < 1:
                raise ConfigError(f"solver.{name}={value}, expected a positive integer")
        for name, value in (("freq_scale", freq_scale), ("jitter", jitter), ("lr", lr)):
            if value <= 0:
                raise ConfigError(f"solver.{name}={value}, expected a positive number")
        for name, value in (("sparsity", sparsity), ("spread_nodes", spread_nodes)):
            if value < 0:
                raise ConfigError(f"solver.{name}={value}, expected 0 or a positive number")
        self.kernel, self.components, self.freq_scale = kernel_named(kernel), components, freq_scale
        self.jitter, self.boundary_weight, self.lr = jitter, boundary_weight, lr
        self.sparsity, self.corners_twice = sparsity, corners_twice
        self.steps, self.tolerance, self.every = steps, tolerance, every
        self.spread_nodes = spread_nodes

    def supports(self, task: "SuiteTask") -> str | None:
        return unsuitable(task.samples(task.evaluate[0])[:1].problem)

    def objective(self, task: Task) -> Objective:
        """Return the objective of a task with this solver's settings."""
        return Objective(
            task, self.kernel, self.jitter, self.boundary_weight, sparsity=self.sparsity
        )

    def iterate(self, problem: Problem) -> Iterator[Solution]:
        """Yield the conditional means of all instances until all are done, the last with spread."""
        reason = unsuitable(problem)
        if reason:
            raise Unsupported(f"gp: {reason}")
        run = _Run(self, problem)
        while True:
            run.advance(self.every)
            yield run.solution()
            if run.done:
                return


@final
class _Run:
    """The optimisation of a batch."""

    def __init__(self, solver: GaussianProcess, problem: Problem) -> None:
        self._solver, self._like = solver, problem.inputs["source"]
        self._task = task_of(problem, solver.corners_twice)
        objective = solver.objective(self._task)
        state = State.published(objective, solver.components, solver.freq_scale)
        self._descent = Descent(objective, state, solver.lr)
        self._rows = torch.arange(len(problem), device=self._like.device)
        self._taken = torch.zeros_like(self._rows)
        self._mean = torch.zeros_like(self._task.source)
        self._loud = self._mean.new_zeros(len(problem))
        self._spread = torch.zeros_like(self._mean) if self._small else None

    @property
    def _small(self) -> bool:
        return self._task.source[0].numel() <= self._solver.spread_nodes

    @property
    def done(self) -> bool:
        """Whether no instance is left."""
        return len(self._rows) == 0

    def advance(self, steps: int) -> None:
        """Take up to ``steps`` steps of the instances that are left, and let go those that end."""
        for n in range(steps):
            terms = self._descent.look()
            if not bool(terms.loss.isfinite().all()):
                raise Diverged("gp: the objective is not finite; use a larger jitter or smaller lr")
            self._taken[self._rows] += 1
            ended = self._gap(terms) < self._solver.tolerance
            ended |= self._taken[self._rows] >= self._solver.steps
            if bool(ended.any()):
                self._note(terms, ended)
                self._leave(~ended)
                if self.done:
                    return
                terms = self._descent.look()
            if n + 1 == steps:
                self._note(terms)
            self._descent.step()

    def _gap(self, terms: Terms) -> Tensor:
        ends, nodes = self._task.boundary.shape[-1], self._task.source[0].numel()
        return terms.boundary_gap.detach() / ends + terms.equation_gap.detach() / nodes

    def _note(self, terms: Terms, ended: Tensor | None = None) -> None:
        """Keep the answers of this step; where instances end, theirs alone, with their spread."""
        kept = torch.ones(len(self._rows), dtype=torch.bool) if ended is None else ended
        with torch.no_grad():
            where = self._rows[kept]
            self._mean[where] = terms.prior.mean(*self._task.points)[kept]
            kernel = self._descent.state.axes[0]
            loudest = kernel.log_w[kept].argmax(-1, keepdim=True)
            self._loud[where] = kernel.freq[kept].gather(-1, loudest)[:, 0].abs()
            if ended is not None and self._spread is not None:
                for place in kept.nonzero()[:, 0].tolist():
                    row = self._rows[place]
                    self._spread[row] = self._deviation(place).view(self._mean.shape[1:])

    def _deviation(self, place: int) -> Tensor:
        """Return the posterior standard deviation (N,) of one instance."""
        state, axes = self._descent.state, []
        for p in state.axes:
            axes.append(Parameters(p.log_w[place], p.log_ls[place], p.freq[place]))
        prior = self._descent.objective.prior(state.u[place], axes)
        operator = torch.stack(posterior.operators(prior.factors, 2)).sum(0)
        if self._task.equation == "allencahn":
            operator = operator + torch.diag((3 * prior.values.square() - 1).flatten())
        precision = posterior.precision(
            prior.factors,
            operator,
            self._task.edge,
            self._solver.boundary_weight * state.log_tau[place].exp(),
            state.log_v[place].exp(),
        )
        return posterior.spread(prior.factors, posterior.root(precision))

    def _leave(self, rest: Tensor) -> None:
        self._rows = self._rows[rest]
        if len(self._rows):
            task = take(self._task, self._rows)
            self._descent.keep(self._solver.objective(task), rest)

    def solution(self) -> Solution:
        """Return the answers as far as they are."""
        spread = self._spread if self.done and self._spread is not None else None
        return Solution(
            self._mean.unsqueeze(1).to(self._like).clone(),
            spread=None if spread is None else spread.unsqueeze(1).to(self._like),
            iterations=self._taken.clone(),
            counts={"frequency": self._loud.clone()},
        )


def task_of(problem: Problem, corners_twice: bool = False) -> Task:
    """Return what a batch of Dirichlet problems asks for, float64."""
    domain, equation = problem.domain, problem.equation
    if not isinstance(domain, Grid) or not isinstance(equation, Dirichlet):
        raise Unsupported("gp: it needs a box with values on its boundary")
    source, given = (problem.inputs[name][:, 0].double() for name in ("source", "boundary"))
    where = faces(domain.shape, corners_twice).to(source.device)
    points = tuple(axis.nodes.to(source.device) for axis in domain.axes)
    return Task(points, source, given.flatten(1)[:, where], equation.kind, where=where)


def take(task: Task, rows: Tensor) -> Task:
    """Return the task of some instances."""
    source, boundary = task.source[rows], task.boundary[rows]
    return Task(task.points, source, boundary, task.equation, task.beta, task.where)


def unsuitable(problem: Problem) -> str | None:
    """Return why the process does not fit a problem, or None."""
    equation, domain = problem.equation, problem.domain
    if not isinstance(equation, Dirichlet):
        return (
            "its objective weighs values on the boundary of a box (Dirichlet) and its kernels are "
            f"not periodic; the task's equation is {type(equation).__name__}"
        )
    if not isinstance(domain, Grid) or any(domain.periodic) or domain.dim > 3:
        return "it needs a box of one to three dimensions that is not periodic"
    if not {"source", "boundary"} <= set(problem.inputs):
        return f"it needs source and boundary, the problem has {sorted(problem.inputs)}"
    return None
