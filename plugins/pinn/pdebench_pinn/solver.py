"""Physics-informed networks as iterative solvers of the suite."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.errors import ConfigError, Diverged, Unsupported
from pdebench.problem import Problem
from pdebench_pinn.network import Coordinates
from pdebench_pinn.seeded import Seeded, check_counts, check_positive, start_alike

if TYPE_CHECKING:
    from pdebench.task import Task


@final
class Pinn(Seeded):
    """One network of coordinates per instance, fitted to the equation online.

        loss = <R(u)^2>_free + lambda <(u - g)^2>_given

    at the nodes of the grid, R from `pdebench.equation.Equation.pointwise`. Raissi, Perdikaris and
    Karniadakis, J. Comput. Phys. 378 (2019); with ``scales``, random Fourier features (Wang, Wang,
    Perdikaris 2021). Each instance has its own loss and weights; Adam steps them all at once.

    Args:
        width: units of a hidden layer.
        depth: hidden layers.
        scales: of the random features, cycles per half length of the box; empty for none.
        features: frequencies per scale.
        boundary_weight: lambda.
        lr: of Adam.
        steps: at most.
        tolerance: stop at <R^2> + <(u - g)^2> below this.
        every: steps between iterates.
    """

    def __init__(
        self,
        width: int = 64,
        depth: int = 4,
        scales: Sequence[float] = (),
        features: int = 32,
        boundary_weight: float = 100.0,
        lr: float = 1e-3,
        steps: int = 10_000,
        tolerance: float = 1e-6,
        every: int = 200,
    ) -> None:
        check_counts(width=width, depth=depth, features=features, steps=steps, every=every)
        check_positive(boundary_weight=boundary_weight, lr=lr)
        if any(s <= 0 for s in scales):
            raise ConfigError(f"solver.scales={list(scales)}, expected positive numbers")
        self.width, self.depth, self.scales, self.features = width, depth, tuple(scales), features
        self.boundary_weight, self.lr = boundary_weight, lr
        self.steps, self.tolerance, self.every = steps, tolerance, every

    def supports(self, task: "Task") -> str | None:
        return _unsuitable(task.samples(task.evaluate[0])[:1].problem)

    def iterate(self, problem: Problem) -> Iterator[Tensor]:
        """Yield u (B, 1, *S) at the nodes every few steps until all instances are done.

        Raises Diverged where the loss is not finite.
        """
        reason = _unsuitable(problem)
        if reason:
            raise Unsupported(f"pinn: {reason}")
        fit = _Fit(self, problem)
        for _ in range(-(-self.steps // self.every)):
            done = fit.advance(min(self.every, self.steps - fit.taken))
            yield fit.answer()
            if done:
                return


@final
class _Fit:
    """The networks of a batch under training."""

    def __init__(self, solver: Pinn, problem: Problem) -> None:
        assert isinstance(problem.domain, Grid)
        self._solver, self._problem = solver, problem
        given = problem.inputs["boundary"]
        points = problem.domain.points.to(given.device)
        low, high = points.amin(0), points.amax(0)
        # x in [-1, 1]: derivatives with respect to the problem's own coordinates carry this factor
        self._rate = (2 / (high - low)).float()
        self._x = (2 * (points - low) / (high - low) - 1).float()
        self._edge = problem.equation.prescribed(problem.domain).flatten().to(given.device)
        self._given = given.flatten(1).float()
        self._networks = self._network(len(problem)).to(given.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(solver.seed)
            start_alike(self._networks, self._network(1))
        self._optimizer = torch.optim.Adam(self._networks.parameters(), lr=solver.lr)
        self.taken = 0

    def _network(self, count: int) -> Coordinates:
        s = self._solver
        dim = self._problem.domain.dim
        return Coordinates(count, dim, s.width, s.depth, s.scales, s.features)

    def advance(self, steps: int) -> bool:
        """Take steps and say whether every instance is below the tolerance."""
        worst = float("inf")
        for _ in range(steps):
            self._optimizer.zero_grad()
            inside, edge = self._losses()
            total = inside + self._solver.boundary_weight * edge
            total.sum().backward()
            self._optimizer.step()
            self.taken += 1
            worst = float((inside + edge).detach().max())
            if worst < self._solver.tolerance:
                break
        if worst != worst or worst == float("inf"):
            raise Diverged(
                f"pinn: the loss is not finite after {self.taken} steps; use a smaller lr"
            )
        return worst < self._solver.tolerance

    def _losses(self) -> tuple[Tensor, Tensor]:
        u, first, second = self._networks(self._x)
        jet = {"u": u}
        for axis, name in zip(range(self._x.shape[1]), "xyz", strict=False):
            jet[f"u_{name}"] = first[..., axis] * self._rate[axis]
            jet[f"u_{name}{name}"] = second[..., axis] * self._rate[axis] ** 2
        residual = self._problem.equation.pointwise(jet, self._problem)
        inside = residual[:, ~self._edge].square().mean(1)
        return inside, (u - self._given)[:, self._edge].square().mean(1)

    def answer(self) -> Tensor:
        """Return u at the nodes, (B, 1, *S)."""
        with torch.no_grad():
            u = self._networks(self._x)[0]
        return u.view(len(u), 1, *self._problem.domain.shape).to(self._problem.inputs["boundary"])


def _unsuitable(problem: Problem) -> str | None:
    if problem.times is not None:
        return (
            "it is for steady problems, the task asks for an evolution in time; "
            "solver=pinn_flow and solver=pinn_vorticity answer flows on a torus"
        )
    if not isinstance(problem.domain, Grid) or problem.domain.dim > 3:
        return "it takes its points from a grid of one to three axes"
    if "boundary" not in problem.inputs:
        return f"it needs boundary values, the problem has {sorted(problem.inputs)}"
    points = problem.domain.points.shape[0]
    zero = problem.inputs["boundary"].new_zeros(len(problem), points)
    jet = {"u": zero}
    for name in "xyz"[: problem.domain.dim]:
        jet |= {f"u_{name}": zero, f"u_{name}{name}": zero}
    try:
        problem.equation.pointwise(jet, problem)
    except Unsupported as error:
        return str(error)
    return None
