"""Sparse Gaussian elimination as a solver of the suite."""

from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
import torch

from pdebench.errors import SolverError, Unsupported
from pdebench.problem import Problem, Solution
from pdebench.solver import Solver, Use

if TYPE_CHECKING:
    from pdebench.task import Task


@final
class Direct(Solver):
    """SuperLU with a symmetric minimum-degree ordering, instance by instance, in float64.

    Li, ACM Trans. Math. Softw. 31 (2005), as in scipy. Raises SolverError for a singular matrix.
    """

    uses: ClassVar[frozenset[Use]] = frozenset({"equation"})

    def supports(self, task: "Task") -> str | None:
        problem = task.samples(task.evaluate[0])[:1].problem
        if problem.times is not None:
            return "it solves linear systems, the task asks for an evolution in time"
        try:
            system = problem.equation.linear_system(problem)
        except Unsupported as error:
            return str(error)
        return None if system.null_space is None else "its matrix is singular"

    def solve(self, problem: Problem) -> Solution:
        from scipy.sparse.linalg import splu

        system = problem.equation.linear_system(problem)
        right = system.rhs.double().cpu().numpy()
        rows = []
        for b, row in enumerate(right):
            matrix = system.matrices[b if len(system.matrices) == len(right) else 0]
            try:
                rows.append(splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A").solve(row))
            except RuntimeError as error:
                raise SolverError(f"the matrix of instance {b} is singular: {error}") from error
        x = torch.from_numpy(np.stack(rows)).to(system.rhs.device)
        return Solution(x.view(len(right), -1, *problem.domain.shape))
