"""Conjugate gradients as an iterative solver of the suite."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, final

from pdebench.errors import ConfigError, Unsupported
from pdebench.problem import Problem, Solution
from pdebench.solver import IterativeSolver, Use
from pdebench_krylov.gradients import conjugate_gradients
from pdebench_krylov.preconditioner import Identity, Preconditioner

if TYPE_CHECKING:
    from pdebench.task import Task


def unsuitable(task: "Task") -> str | None:
    """Return why a task has no symmetric positive system, or None."""
    problem = task.samples(task.evaluate[0])[:1].problem
    if problem.times is not None:
        return "it solves linear systems, the task asks for an evolution in time"
    try:
        system = problem.equation.linear_system(problem)
    except Unsupported as error:
        return str(error)
    return None if system.symmetric_positive else "its matrix is not symmetric positive definite"


@final
class ConjugateGradients(IterativeSolver):
    """Preconditioned conjugate gradients for A x = b of the task's equation.

    The preconditioner depends on the matrix, which differs from instance to instance: it is built
    inside ``solve``, and its cost counts there. Null spaces are projected out; a right-hand side
    that is not finite or inconsistent raises DataError, a matrix that is not symmetric SolverError.

    Args:
        preconditioner: M; the identity by default.
        tolerance: stop at |b - A x| <= tolerance |b|, checked with the true residual.
        steps: stop after so many.
    """

    uses: ClassVar[frozenset[Use]] = frozenset({"equation"})

    def __init__(
        self,
        preconditioner: Preconditioner | None = None,
        tolerance: float = 1e-8,
        steps: int = 5000,
    ) -> None:
        if tolerance < 0:
            raise ConfigError(f"solver.tolerance={tolerance}, expected 0 or a positive number")
        if steps < 1:
            raise ConfigError(f"solver.steps={steps}, expected a positive integer")
        self.preconditioner: Preconditioner = preconditioner or Identity()
        self.tolerance, self.steps = tolerance, steps

    def supports(self, task: "Task") -> str | None:
        reason = unsuitable(task)
        if reason is not None:
            return reason
        problem = task.samples(task.evaluate[0])[:1].problem
        try:
            self.preconditioner.build(problem.equation.linear_system(problem), problem)
        except Unsupported as error:
            return str(error)
        return None

    def iterate(self, problem: Problem) -> Iterator[Solution]:
        """Yield (B, C, *S) and the steps of every instance until all residuals are below the
        tolerance.
        """
        system = problem.equation.linear_system(problem)
        b = system.right_hand_side()
        system.check_symmetric()
        inverse = self.preconditioner.build(system, problem)
        start = self.preconditioner.start(system, inverse)
        steps = conjugate_gradients(
            system.matvec,
            b,
            lambda r: system.project(inverse(r)),
            system.project(start),
            self.tolerance,
            self.steps,
        )
        shape = problem.domain.shape
        for step in steps:
            yield Solution(step.x.view(len(b), -1, *shape), iterations=step.steps)
