"""Gaussian-process solver of the suite: one optimisation per instance, all instances at once."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, final

import torch
from torch import Tensor

from pdebench.errors import ConfigError, Diverged, Unsupported
from pdebench.problem import Problem, Solution
from pdebench.solver import IterativeSolver, Use
from pdebench_gp import posterior
from pdebench_gp.box import take, task_of, unsuitable
from pdebench_gp.fit import Descent, State
from pdebench_gp.kernel import KERNELS, Parameters, kernel_named
from pdebench_gp.objective import Objective, Task, Terms

if TYPE_CHECKING:
    from pdebench.task import Task as SuiteTask

_SECOND = KERNELS["Matern52_1d"]  # of the second stage, one component, as released


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

    With ``change_point``, the first process is frozen after that share of the steps and a second
    one, a plain Matern kernel with one component, is fitted to what it leaves; the answer is the
    sum of both means. The released program does so on its two hardest problems.

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
        change_point: share of the steps after which a second process takes over; None for never.
            Published: 0.5 and 0.01.
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
        change_point: float | None = None,
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
        if change_point is not None and not 0 < change_point < 1:
            raise ConfigError(f"solver.change_point={change_point}, expected a share in (0, 1)")
        self.kernel, self.components, self.freq_scale = kernel_named(kernel), components, freq_scale
        self.jitter, self.boundary_weight, self.lr = jitter, boundary_weight, lr
        self.sparsity, self.corners_twice = sparsity, corners_twice
        self.steps, self.tolerance, self.every = steps, tolerance, every
        self.spread_nodes = spread_nodes
        self.change = None if change_point is None else max(1, int(steps * change_point))

    def supports(self, task: "SuiteTask") -> str | None:
        return unsuitable(task.samples(task.evaluate[0])[:1].problem)

    def objective(self, task: Task) -> Objective:
        """Return the objective of a task with this solver's settings."""
        if task.below is not None:
            return Objective(task, _SECOND, self.jitter, self.boundary_weight)
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
        small = self._mean[0].numel() <= solver.spread_nodes
        self._spread = torch.zeros_like(self._mean) if small else None
        self._first: Tensor | None = None  # mean of the first process, of the instances left
        self._count = 0

    @property
    def done(self) -> bool:
        """Whether no instance is left."""
        return len(self._rows) == 0

    def advance(self, steps: int) -> None:
        """Take up to ``steps`` steps of the instances that are left, and let go those that end."""
        for n in range(steps):
            if self._count == self._solver.change:
                self._add_second()
            terms = self._descent.look()
            if not bool(terms.loss.isfinite().all()):
                raise Diverged("gp: the objective is not finite; use a larger jitter or smaller lr")
            self._count += 1
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

    def _add_second(self) -> None:
        """Freeze the process and start a second one on what it leaves."""
        with torch.no_grad():
            frozen = self._descent.look().prior
            self._first = frozen.mean(*self._task.points)
            self._task = self._task.above(frozen)
        objective = self._solver.objective(self._task)
        state = State.published(objective, 1, 0.0)
        state.log_tau = self._descent.state.log_tau.detach().clone()
        self._descent = Descent(objective, state, self._solver.lr)

    def _gap(self, terms: Terms) -> Tensor:
        ends, nodes = self._task.boundary.shape[-1], self._mean[0].numel()
        return terms.boundary_gap.detach() / ends + terms.equation_gap.detach() / nodes

    def _note(self, terms: Terms, ended: Tensor | None = None) -> None:
        """Keep the answers of this step; where instances end, theirs alone, with their spread."""
        kept = torch.ones_like(self._rows, dtype=torch.bool) if ended is None else ended
        with torch.no_grad():
            where = self._rows[kept]
            mean = terms.prior.mean(*self._task.points)
            self._mean[where] = (mean if self._first is None else mean + self._first)[kept]
            if self._first is None:
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
        precision = posterior.precision(
            prior.factors,
            posterior.linearised(take(self._task, place), prior),
            self._task.edge,
            self._solver.boundary_weight * state.log_tau[place].exp(),
            state.log_v[place].exp(),
        )
        return posterior.spread(prior.factors, posterior.root(precision))

    def _leave(self, rest: Tensor) -> None:
        self._rows = self._rows[rest]
        if len(self._rows):
            self._task = take(self._task, rest)
            self._first = None if self._first is None else self._first[rest]
            self._descent.keep(self._solver.objective(self._task), rest)

    def solution(self) -> Solution:
        """Return the answers as far as they are."""
        spread = self._spread if self.done and self._spread is not None else None
        return Solution(
            self._mean.unsqueeze(1).to(self._like).clone(),
            spread=None if spread is None else spread.unsqueeze(1).to(self._like),
            iterations=self._taken.clone(),
            counts={"frequency": self._loud.clone()},
        )
