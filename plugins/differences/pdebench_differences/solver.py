"""Finite differences and Newton's method as a solver of the suite."""

from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from pdebench.domain import Grid
from pdebench.errors import ConfigError, Diverged, Unsupported
from pdebench.problem import Problem, Solution
from pdebench.solver import Solver, Use
from pdebench_differences.stencil import second_derivative

if TYPE_CHECKING:
    from pdebench.task import Task


@final
class FiniteDifferences(Solver):
    """Differences of order p on the problem's nodes, Newton's method, sparse elimination.

        F(u) = R(u, D u) = 0 at inner nodes, u = g on the boundary;   u <- u - F'(u)^{-1} F(u)

    R comes from `pdebench.equation.Equation.pointwise` and may hold u and its second derivatives;
    its Jacobian is diagonal in each of them and taken by automatic differentiation. LeVeque, Finite
    Difference Methods (2007), ch. 2.

    Args:
        order: p, even.
        tolerance: stop at |step| <= tolerance max(|u|, 1), largest entries.
        steps: most Newton steps.
    """

    uses: ClassVar[frozenset[Use]] = frozenset({"equation"})

    def __init__(self, order: int = 4, tolerance: float = 1e-10, steps: int = 50) -> None:
        if order not in (2, 4, 6, 8):
            raise ConfigError(f"solver.order={order}, expected 2, 4, 6 or 8")
        if tolerance <= 0:
            raise ConfigError(f"solver.tolerance={tolerance}, expected a positive number")
        if steps < 1:
            raise ConfigError(f"solver.steps={steps}, expected a positive integer")
        self.order, self.tolerance, self.steps = order, tolerance, steps

    def supports(self, task: "Task") -> str | None:
        return self._unsuitable(task.samples(task.evaluate[0])[:1].problem)

    def _unsuitable(self, problem: Problem) -> str | None:
        domain = problem.domain
        if problem.times is not None:
            return "it is for steady problems, the task asks for an evolution in time"
        if not isinstance(domain, Grid) or any(domain.periodic) or domain.dim > 2:
            return "it needs a box of one or two dimensions that is not periodic"
        if not all(axis.uniform for axis in domain.axes):
            return "it needs uniform nodes"
        if min(domain.shape) < self.order + 2:
            return f"differences of order {self.order} need {self.order + 2} nodes per axis"
        if "boundary" not in problem.inputs:
            return f"it needs boundary values, the problem has {sorted(problem.inputs)}"
        try:
            _sources(problem.take(slice(0, 1)), np.zeros(domain.points.shape[0]), [])
        except Unsupported as error:
            return str(error)
        return None

    def solve(self, problem: Problem) -> Solution:
        reason = self._unsuitable(problem)
        if reason or not isinstance(problem.domain, Grid):
            raise Unsupported(f"finite_differences: {reason}")
        operators = self._operators(problem.domain)
        given = problem.inputs["boundary"]
        rows = [self._newton(problem.take(slice(b, b + 1)), operators) for b in range(len(given))]
        u = torch.from_numpy(np.stack(rows)).view(len(given), 1, *problem.domain.shape)
        return Solution(u.to(given))

    def _operators(self, domain: Grid) -> list[Any]:
        """Return d^2/dx_a^2 of every axis, from all nodes to all nodes; zero rows at the ends."""
        found = []
        for axis, coordinate in enumerate(domain.axes):
            n = len(coordinate.nodes)
            inner = second_derivative(n, coordinate.length / (n - 1), self.order)
            empty = sparse.csr_array((1, n))
            line = sparse.vstack([empty, inner, empty])
            before, after = (
                sparse.eye_array(int(np.prod(part)))
                for part in (domain.shape[:axis], domain.shape[axis + 1 :])
            )
            found.append(sparse.kron(sparse.kron(before, line), after).tocsr())
        return found

    def _newton(self, problem: Problem, operators: list[Any]) -> np.ndarray:
        from scipy.sparse.linalg import splu

        edge = problem.domain.boundary.flatten().numpy()
        inner = np.flatnonzero(~edge)
        u = problem.inputs["boundary"].double().flatten().cpu().numpy().copy()
        for _ in range(self.steps):
            residual, slopes = _sources(problem, u, operators)
            jacobian = sparse.diags_array(slopes[0])
            for slope, operator in zip(slopes[1:], operators, strict=True):
                jacobian = jacobian + sparse.diags_array(slope) @ operator
            square = jacobian.tocsr()[inner][:, inner].tocsc()
            step = splu(square).solve(residual[inner])
            if not np.isfinite(step).all():
                raise Diverged("finite_differences: Newton's step is not finite")
            u[inner] -= step
            if np.abs(step).max(initial=0.0) <= self.tolerance * max(np.abs(u).max(), 1.0):
                return u
        raise Diverged(f"finite_differences: Newton's method did not end in {self.steps} steps")


def _sources(
    problem: Problem, u: np.ndarray, operators: list[Any]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return R and its derivatives by u and by every second derivative, at all nodes."""
    entries: list[Tensor] = [torch.from_numpy(u).view(1, -1).clone().requires_grad_()]
    seconds = [op @ u for op in operators] or [np.zeros_like(u)] * problem.domain.dim
    entries += [torch.from_numpy(s).view(1, -1).requires_grad_() for s in seconds]
    zero = torch.zeros_like(entries[0])
    jet = {"u": entries[0]}
    for name, second in zip("xyz", entries[1:], strict=False):
        jet |= {f"u_{name}": zero, f"u_{name}{name}": second}
    residual = problem.equation.pointwise(jet, problem)
    slopes = torch.autograd.grad(residual.sum(), entries, materialize_grads=True)
    return residual.detach()[0].numpy(), [s[0].numpy() for s in slopes]
