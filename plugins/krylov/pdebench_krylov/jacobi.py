"""The diagonal as preconditioner."""

from typing import final

import torch

from pdebench.equation import LinearSystem
from pdebench.errors import DataError
from pdebench.problem import Problem
from pdebench_krylov.preconditioner import Map, Preconditioner


@final
class Jacobi(Preconditioner):
    """M = diag A. Saad, Iterative Methods for Sparse Linear Systems (2003), sec. 10.2."""

    def build(self, system: LinearSystem, problem: Problem) -> Map:
        rows = [torch.from_numpy(matrix.diagonal()) for matrix in system.matrices]
        diagonal = torch.stack(rows).to(system.rhs.device)
        if bool((diagonal <= 0).any()):
            raise DataError(
                f"the matrix has {int((diagonal <= 0).sum())} diagonal entries that are not "
                "positive: it is not positive definite"
            )
        inverse = 1 / diagonal
        return lambda r: r * inverse
