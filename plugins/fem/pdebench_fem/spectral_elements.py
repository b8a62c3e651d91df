"""Spectral elements for the Helmholtz equation."""

from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
import torch

from pdebench.domain import Grid
from pdebench.equations.helmholtz import Helmholtz, Line
from pdebench.errors import ConfigError, SolverError, Unsupported
from pdebench.problem import Problem, Solution
from pdebench.solver import Solver, Use

if TYPE_CHECKING:
    from pdebench.task import Task


@final
class SpectralElements(Solver):
    """Elements of order p with Gauss-Lobatto-Legendre nodes and lumped mass, sparse elimination.

    A = K x M + M x K - diag(k^2 M x M), the matrices of a line; the error falls exponentially with
    p, and with it the pollution. Speeds between the given nodes come from a cubic spline; answers
    at the nodes asked for, from the polynomials of their elements. Komatitsch and Tromp, Geophys.
    J. Int. 139 (1999).

    Args:
        elements: per axis.
        order: p.
    """

    uses: ClassVar[frozenset[Use]] = frozenset({"equation"})

    def __init__(self, elements: int = 20, order: int = 6) -> None:
        if elements < 1 or order < 1:
            raise ConfigError(
                f"solver.elements={elements} and order={order}, expected positive integers"
            )
        self._line = Line(elements, order)

    def supports(self, task: "Task") -> str | None:
        return _unsuitable(task.samples(task.evaluate[0])[:1].problem)

    def solve(self, problem: Problem) -> Solution:
        law, grid = problem.equation, problem.domain
        reason = _unsuitable(problem)
        if reason or not isinstance(law, Helmholtz) or not isinstance(grid, Grid):
            raise Unsupported(f"spectral elements: {reason}")
        axes = [axis.nodes.numpy() for axis in grid.axes]
        ends = [self._line.evaluation(x) for x in axes]
        driven = np.zeros((self._line.size,) * 2)
        driven[:, -1] = self._line.integrals(law.low, law.high)
        speeds = problem.inputs["speed"][:, 0].double().cpu().numpy()
        rows = []
        for b, speed in enumerate(speeds):
            u = self._solved(law.omega, axes, speed, driven, b)
            rows.append(ends[0] @ u @ ends[1].T)
        out = torch.from_numpy(np.stack(rows)).unsqueeze(1)
        return Solution(out.to(problem.inputs["speed"].device))

    def _solved(
        self, omega: float, axes: list[np.ndarray], speed: np.ndarray, driven: np.ndarray, b: int
    ) -> np.ndarray:
        """Return u at the nodes of the elements (n, n)."""
        from scipy import sparse
        from scipy.interpolate import RectBivariateSpline
        from scipy.sparse.linalg import splu

        line = self._line
        c = RectBivariateSpline(*axes, speed)(line.nodes, line.nodes)
        stiff, mass = sparse.csr_array(line.stiffness), sparse.diags_array(line.mass)
        shift = (omega / c) ** 2 * np.outer(line.mass, line.mass)
        matrix = sparse.kron(stiff, mass) + sparse.kron(mass, stiff)
        matrix = sparse.csc_array(matrix - sparse.diags_array(shift.ravel()))
        try:
            u = splu(matrix, permc_spec="MMD_AT_PLUS_A").solve(driven.ravel())
        except RuntimeError as error:
            raise SolverError(f"the matrix of instance {b} is singular: a resonance") from error
        return u.reshape(driven.shape)


def _unsuitable(problem: Problem) -> str | None:
    if not isinstance(problem.equation, Helmholtz):
        return f"they are for Helmholtz, the task's is {type(problem.equation).__name__}"
    if not isinstance(problem.domain, Grid) or problem.domain.dim != 2:
        return "they need a grid of two dimensions"
    return None
