"""Finite differences and Newton's method as a solver of the suite."""

from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np
import torch
from scipy import sparse

from pdebench.domain import Grid
from pdebench.errors import ConfigError, Diverged, Unsupported
from pdebench.problem import Problem, Solution
from pdebench.solver import Solver, Use
from pdebench_differences.newton import pointwise, unsuitable
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
        return unsuitable(problem, self.order + 2)

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
            residual, slopes = pointwise(problem, u, [op @ u for op in operators])
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
