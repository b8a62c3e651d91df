"""Spectral collocation on uniform nodes of a box: Fourier series on a longer interval."""

import math
from functools import reduce
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray

from pdebench.domain import Axis, Grid
from pdebench.errors import ConfigError, Diverged, Unsupported
from pdebench.problem import Problem, Solution
from pdebench.solver import Solver, Use
from pdebench_differences.newton import pointwise, unsuitable

if TYPE_CHECKING:
    from pdebench.task import Task

Array = NDArray[np.float64]
_NODES = 2500  # rows of the dense least-squares problem: seconds


def modes(axis: Axis, stretch: float, share: float) -> tuple[Array, Array]:
    """Return the cosines and sines of an interval T times as long at the nodes, and their second
    derivatives, (n, 2 K + 1) each; T = ``stretch``, 2 K + 1 is about ``share`` n.
    """
    n = len(axis.nodes)
    k = 2 * np.pi * np.arange(max(1, int(share * n / 2)) + 1) / (stretch * axis.length)
    angle = (axis.nodes - axis.nodes[0]).numpy()[:, None] * k
    basis = np.hstack([np.cos(angle), np.sin(angle[:, 1:])])
    return basis, -basis * np.concatenate([k, k[1:]]) ** 2


@final
class FourierExtension(Solver):
    """Collocation at the problem's nodes by Fourier series on an interval T times as long.

        u = sum_k c_k phi_k,    min over c:  sum_inner R(u, ..)^2 / s^2 + sum_boundary (u - g)^2

    by Gauss-Newton steps and singular values above ``cut``; s is the largest entry of an inner row.
    No periodicity is asked of u, and a wave needs little more than 2 T nodes. Huybrechs, SIAM J.
    Numer. Anal. 47 (2010); Adcock, Huybrechs and Martin-Vaquero, Found. Comput. Math. 14 (2014).

    Args:
        stretch: T.
        share: Fourier modes per node.
        cut: smallest singular value kept, of the largest.
        tolerance: stop at |step| <= tolerance max(|u|, 1), largest entries.
        steps: most Gauss-Newton steps.
    """

    uses: ClassVar[frozenset[Use]] = frozenset({"equation"})

    def __init__(
        self,
        stretch: float = 1.5,
        share: float = 0.9,
        cut: float = 1e-12,
        tolerance: float = 1e-8,
        steps: int = 50,
    ) -> None:
        if stretch <= 1:
            raise ConfigError(f"solver.stretch={stretch}, expected more than 1")
        for name, value in (("share", share), ("cut", cut)):
            if not 0 < value <= 1:
                raise ConfigError(f"solver.{name}={value}, expected a number in (0, 1]")
        if tolerance <= 0:
            raise ConfigError(f"solver.tolerance={tolerance}, expected a positive number")
        if steps < 1:
            raise ConfigError(f"solver.steps={steps}, expected a positive integer")
        self.stretch, self.share, self.cut = stretch, share, cut
        self.tolerance, self.steps = tolerance, steps
        self._basis: Array | None = None
        self._seconds: list[Array] = []

    def supports(self, task: "Task") -> str | None:
        return self._unsuitable(task.samples(task.evaluate[0])[:1].problem)

    def _unsuitable(self, problem: Problem) -> str | None:
        reason, nodes = unsuitable(problem, 8), math.prod(problem.domain.shape)
        if reason is None and nodes > _NODES:
            return f"its least-squares problem has {nodes} rows, more than {_NODES}"
        return reason

    def prepare(self, problem: Problem) -> None:
        """Evaluate the series and its second derivatives at the nodes."""
        assert isinstance(problem.domain, Grid)
        pairs = [modes(axis, self.stretch, self.share) for axis in problem.domain.axes]
        self._basis = reduce(np.kron, [basis for basis, _ in pairs])
        self._seconds = [
            reduce(np.kron, [pair[a == axis] for a, pair in enumerate(pairs)])
            for axis in range(len(pairs))
        ]

    def solve(self, problem: Problem) -> Solution:
        reason = self._unsuitable(problem)
        if reason:
            raise Unsupported(f"fourier_extension: {reason}")
        if self._basis is None:
            self.prepare(problem)
        given = problem.inputs["boundary"]
        rows = [self._newton(problem.take(slice(b, b + 1))) for b in range(len(given))]
        u = torch.from_numpy(np.stack(rows)).view(len(given), 1, *problem.domain.shape)
        return Solution(u.to(given))

    def _newton(self, problem: Problem) -> Array:
        from scipy.linalg import lstsq

        basis, seconds = self._basis, self._seconds
        assert basis is not None
        edge = problem.domain.boundary.flatten().numpy()
        given = problem.inputs["boundary"].double().flatten().cpu().numpy()
        c = np.zeros(basis.shape[1])
        for _ in range(self.steps):
            u = basis @ c
            residual, slopes = pointwise(problem, u, [second @ c for second in seconds])
            rows = slopes[0][:, None] * basis
            for slope, second in zip(slopes[1:], seconds, strict=True):
                rows += slope[:, None] * second
            scale = np.abs(rows[~edge]).max()
            rows = np.where(edge[:, None], basis, rows / scale)
            wanted = np.where(edge, u - given, residual / scale)
            change = lstsq(rows, wanted, cond=self.cut, check_finite=False)[0]
            if not np.isfinite(change).all():
                raise Diverged("fourier_extension: the step is not finite")
            c -= change
            size = np.abs(basis @ change).max()
            if size <= self.tolerance * max(np.abs(u).max(), 1.0):
                return basis @ c
        raise Diverged(f"fourier_extension: Gauss-Newton did not end in {self.steps} steps")
