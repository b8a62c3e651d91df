"""A Gaussian process whose kernel is fitted once and shared by all instances."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, final

import torch
from torch import Tensor

from pdebench.atomic import atomic_path
from pdebench.equations.dirichlet import Dirichlet
from pdebench.errors import ConfigError, DataError, SolverError, Unsupported
from pdebench.problem import Problem, Solution
from pdebench.samples import Samples
from pdebench.solver import Budget, Solver, Use
from pdebench_gp import posterior
from pdebench_gp.box import task_of, unsuitable
from pdebench_gp.fit import Descent, State
from pdebench_gp.kernel import Parameters, kernel_named
from pdebench_gp.objective import Objective
from pdebench_gp.process import Factor, Prior

if TYPE_CHECKING:
    from pdebench.task import Task

_FILE = "kernel.safetensors"
_NODES = 4096  # rows of the dense matrix that prepare factors: 128 MB, seconds


@final
class FrozenProcess(Solver):
    """Kernel and precisions from one training problem, then one linear solve per instance.

        (C^{-1} + b E^T E + v L^T L) u = b E^T g + v L^T f

    ``fit`` runs the optimisation of `pdebench_gp.solver` on the first training problem, whose
    solution it does not see; ``prepare`` factors the matrix, which all instances share; ``solve``
    is two triangular solves. An extension: with everything but u frozen and a linear equation, the
    optimum of Fang et al. (ICLR 2024) in u is this system. The spread is that of the posterior and
    the same for all instances. ``budget`` is not used; ``steps`` and ``tolerance`` end the fit.

    Args:
        kernel: as for `GaussianProcess`; so are the others.
        components: Q per axis.
        freq_scale: largest starting frequency, cycles per unit length.
        jitter: added to the diagonal of every factor.
        boundary_weight: lambda.
        lr: of Adam.
        steps: at most.
        tolerance: on the mean squared gaps.
    """

    uses: ClassVar[frozenset[Use]] = frozenset({"equation"})

    def __init__(
        self,
        kernel: str = "SE_Cos_1d",
        components: int = 8,
        freq_scale: float = 4.0,
        jitter: float = 1e-6,
        boundary_weight: float = 200.0,
        lr: float = 0.01,
        steps: int = 5000,
        tolerance: float = 1e-6,
    ) -> None:
        for name, value in (("components", components), ("steps", steps)):
            if value < 1:
                raise ConfigError(f"solver.{name}={value}, expected a positive integer")
        for name, value in (("freq_scale", freq_scale), ("jitter", jitter), ("lr", lr)):
            if value <= 0:
                raise ConfigError(f"solver.{name}={value}, expected a positive number")
        self.kernel, self.components, self.freq_scale = kernel_named(kernel), components, freq_scale
        self.jitter, self.boundary_weight, self.lr = jitter, boundary_weight, lr
        self.steps, self.tolerance = steps, tolerance
        self._fitted: dict[str, Tensor] | None = None
        self._ready: tuple[list[Factor], Tensor, Tensor, Tensor, Tensor] | None = None

    def supports(self, task: "Task") -> str | None:
        problem = task.samples(task.evaluate[0])[:1].problem
        return self._unsuitable(problem)

    def _unsuitable(self, problem: Problem) -> str | None:
        reason = unsuitable(problem)
        if reason:
            return reason
        if problem.equation == Dirichlet("allencahn"):
            return "one linear solve per instance needs a linear equation"
        size = problem.domain.points.shape[0]
        return None if size <= _NODES else f"its matrix has {size} rows, more than {_NODES}"

    def fit(self, train: Samples, valid: Samples, budget: Budget) -> None:
        """Fit kernel and precisions to the first training problem."""
        task = task_of(train[:1].problem)
        objective = Objective(task, self.kernel, self.jitter, self.boundary_weight)
        state = State.published(objective, self.components, self.freq_scale)
        descent = Descent(objective, state, self.lr)
        ends, nodes = task.boundary.shape[-1], task.source[0].numel()
        for _ in range(self.steps):
            terms = descent.look()
            gap = terms.boundary_gap.detach() / ends + terms.equation_gap.detach() / nodes
            if float(gap) < self.tolerance:
                break
            descent.step()
        found = {"log_tau": state.log_tau, "log_v": state.log_v}
        for axis, p in enumerate(state.axes):
            found |= {f"{n}_{axis}": getattr(p, n) for n in ("log_w", "log_ls", "freq")}
        self._fitted = {name: value.detach()[0].clone() for name, value in found.items()}
        self._ready = None

    def prepare(self, problem: Problem) -> None:
        """Factor the matrix that all instances of this discretisation share."""
        found = self._fitted
        if found is None:
            raise SolverError("gp_frozen was asked to prepare before fit or load; call one first")
        task = task_of(problem.take(slice(0, 1)))
        device = task.source.device
        factors = []
        for axis, x in enumerate(task.points):
            kernel = (found[f"{n}_{axis}"].to(device) for n in ("log_w", "log_ls", "freq"))
            parameters = Parameters(*kernel)
            factors.append(Factor.of(x, self.kernel, parameters, self.jitter, task.order))
        b = self.boundary_weight * found["log_tau"].to(device).exp()
        v = found["log_v"].to(device).exp()
        operator = posterior.linearised(task, Prior(factors, torch.zeros_like(task.source[0])))
        root = posterior.root(posterior.precision(factors, operator, task.edge, b, v))
        ends = torch.zeros(len(operator), len(task.edge)).to(operator)
        ends[task.edge, torch.arange(len(task.edge), device=device)] = b
        spread = posterior.spread(factors, root)
        self._ready = factors, root, ends, v * operator.mT, spread

    def solve(self, problem: Problem) -> Solution:
        """Return conditional means and their standard deviation."""
        reason = self._unsuitable(problem)
        if reason:
            raise Unsupported(f"gp_frozen: {reason}")
        if self._ready is None:
            self.prepare(problem)
        assert self._ready is not None
        factors, root, ends, operator, spread = self._ready
        task = task_of(problem)
        right = task.boundary @ ends.mT + task.source.flatten(1) @ operator.mT
        u = torch.cholesky_solve(right.mT, root).mT.reshape(task.source.shape)
        like = problem.inputs["source"]
        mean = torch.stack([Prior(factors, one).mean(*task.points) for one in u])
        same = spread.view(1, 1, *problem.domain.shape).expand(len(u), 1, *problem.domain.shape)
        return Solution(mean.unsqueeze(1).to(like), spread=same.to(like))

    def save(self, path: Path) -> None:
        from safetensors.torch import save_file

        if self._fitted is None:
            raise SolverError("gp_frozen was asked to save before fit or load; call one first")
        path.mkdir(parents=True, exist_ok=True)
        with atomic_path(path / _FILE) as partial:
            save_file(self._fitted, partial)

    def load(self, path: Path) -> None:
        from safetensors.torch import load_file

        file = path / _FILE
        if not file.is_file():
            raise DataError(f"'{file}' does not exist, expected the kernel that save() wrote")
        self._fitted, self._ready = load_file(file), None
