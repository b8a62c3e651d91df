"""Finite differences and Newton's method as a solver of the suite."""

from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np
import torch
from scipy import sparse

from pdebench.domain import Grid
from pdebench.errors import ConfigError, Diverged, Unsupported
from pdebench.problem import Problem, Solution
from pdebench.solver import Solver, Use
from pdebench_differences.newton import (
    Array,
    Misfit,
    derivatives,
    pointwise,
    shortened,
    unsuitable,
)
from pdebench_differences.stencil import derivative

if TYPE_CHECKING:
    from pdebench.task import Task


@final
class FiniteDifferences(Solver):
    """Differences of order p on the problem's nodes, Newton's method, sparse elimination.

        F(u) = R(u, D u) = 0 at free nodes, u = g where it is given;   u <- u - t F'(u)^{-1} F(u)

    R comes from `pdebench.equation.Equation.pointwise` and may hold u and its first and second
    derivatives; its Jacobian is diagonal in each of them and taken by automatic differentiation; t
    is 1 unless |F| would not fall. LeVeque, Finite Difference Methods (2007), ch. 2. Advection is
    solved in space and time at once: centred, one-sided at the outflow and the final time (a
    boundary value method; Brugnano and Trigiante, Solving Differential Problems by Multistep
    Initial and Boundary Value Methods, 1998).

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
        if reason:
            raise Unsupported(f"finite_differences: {reason}")
        operators = self._operators(problem)
        given = problem.inputs["boundary"]
        rows = [self._newton(problem.take(slice(b, b + 1)), operators) for b in range(len(given))]
        u = torch.from_numpy(np.stack(rows)).view(len(given), 1, *problem.domain.shape)
        return Solution(u.to(given))

    def _operators(self, problem: Problem) -> dict[str, Any]:
        """Return the matrices, from all nodes to all nodes, of the derivatives in the equation."""
        domain, found = problem.domain, {}
        assert isinstance(domain, Grid)
        for name in derivatives(problem.take(slice(0, 1))):
            axis, times = "xyz".index(name[-1]), len(name) - len("u_")
            coordinate = domain.axes[axis]
            n = len(coordinate.nodes)
            line = derivative(n, coordinate.length / (n - 1), self.order, times)
            before, after = (
                sparse.eye_array(int(np.prod(part)))
                for part in (domain.shape[:axis], domain.shape[axis + 1 :])
            )
            found[name] = sparse.kron(sparse.kron(before, line), after).tocsr()
        return found

    def _newton(self, problem: Problem, operators: dict[str, Any]) -> np.ndarray:
        from scipy.sparse.linalg import splu

        free = np.flatnonzero(~problem.equation.prescribed(problem.domain).flatten().numpy())
        given = problem.inputs["boundary"].double().flatten().cpu().numpy().copy()

        def misfit(inner: Array) -> Misfit:
            u = given.copy()
            u[free] = inner
            along = {name: operator @ u for name, operator in operators.items()}
            residual, own, slopes = pointwise(problem, u, along)
            return residual[free], own, slopes

        u = given[free]
        residual, own, slopes = misfit(u)
        for _ in range(self.steps):
            jacobian = sparse.diags_array(own)
            for name, operator in operators.items():
                jacobian = jacobian + sparse.diags_array(slopes[name]) @ operator
            step = splu(jacobian.tocsr()[free][:, free].tocsc()).solve(residual)
            if not np.isfinite(step).all():
                raise Diverged("finite_differences: Newton's step is not finite")
            if np.abs(step).max(initial=0.0) <= self.tolerance * max(np.abs(u).max(), 1.0):
                given[free] = u - step
                return given
            u, (residual, own, slopes) = shortened(u, step, misfit)
        raise Diverged(f"finite_differences: Newton's method did not end in {self.steps} steps")
