"""Spectral collocation on uniform nodes of a box: Fourier series on a longer interval."""

import math
from functools import reduce
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
import torch

from pdebench.domain import Axis, Grid
from pdebench.errors import ConfigError, Diverged, Unsupported
from pdebench.problem import Problem, Solution
from pdebench.solver import Solver, Use
from pdebench_differences.newton import (
    Array,
    Derivatives,
    derivatives,
    pointwise,
    shortened,
    unsuitable,
)

if TYPE_CHECKING:
    from pdebench.task import Task

_NODES = 2500  # rows of the dense least-squares problem: seconds
_FLAT = 1e-3  # of the misfit's norm: a step that saves less is at a minimum
_LEFT = 1e-2  # of the misfit of zero: a minimum above it is no solution


def modes(axis: Axis, stretch: float, share: float) -> tuple[Array, Array, Array]:
    """Return the cosines and sines of an interval T times as long at the nodes, their first and
    their second derivatives, (n, 2 K + 1) each; T = ``stretch``, 2 K + 1 is about ``share`` n.
    """
    n = len(axis.nodes)
    k = 2 * np.pi * np.arange(max(1, int(share * n / 2)) + 1) / (stretch * axis.length)
    angle = (axis.nodes - axis.nodes[0]).numpy()[:, None] * k
    cosine, sine = np.cos(angle), np.sin(angle)
    basis = np.hstack([cosine, sine[:, 1:]])
    first = np.hstack([-k * sine, k[1:] * cosine[:, 1:]])
    return basis, first, -basis * np.concatenate([k, k[1:]]) ** 2


@final
class FourierExtension(Solver):
    """Collocation at the problem's nodes by Fourier series on an interval T times as long.

        u = sum_k c_k phi_k,    min over c:  sum_free R(u, ..)^2 / s^2 + sum_given (u - g)^2

    by Gauss-Newton steps and singular values above ``cut``; s is the largest entry of the free
    nodes' rows. No periodicity is asked of u, and a wave needs little more than 2 T nodes. One
    whose wavelength goes into T lengths of the box is itself in the basis and found to round-off;
    the default keeps the waves of the tracks off this accident. Steps are shortened where they
    overshoot. Huybrechs, SIAM J. Numer. Anal. 47 (2010); Adcock, Huybrechs and Martin-Vaquero,
    Found. Comput. Math. 14 (2014).

    Args:
        stretch: T.
        share: Fourier modes per node.
        cut: smallest singular value kept, of the largest.
        tolerance: stop at |step| <= tolerance max(|u|, 1), largest entries, or where a step would
            not lower the misfit.
        steps: most Gauss-Newton steps.
    """

    uses: ClassVar[frozenset[Use]] = frozenset({"equation"})

    def __init__(
        self,
        stretch: float = 1.45,
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
        self._along: dict[str, Array] = {}

    def supports(self, task: "Task") -> str | None:
        return self._unsuitable(task.samples(task.evaluate[0])[:1].problem)

    def _unsuitable(self, problem: Problem) -> str | None:
        reason, nodes = unsuitable(problem, 8), math.prod(problem.domain.shape)
        if reason is None and nodes > _NODES:
            return f"its least-squares problem has {nodes} rows, more than {_NODES}"
        return reason

    def prepare(self, problem: Problem) -> None:
        """Evaluate the series and the derivatives that the equation holds at the nodes."""
        assert isinstance(problem.domain, Grid)
        lines = [modes(axis, self.stretch, self.share) for axis in problem.domain.axes]
        self._basis = reduce(np.kron, [line[0] for line in lines])
        self._along = {
            name: reduce(
                np.kron,
                [line[name.count(letter)] for letter, line in zip("xyz", lines, strict=False)],
            )
            for name in derivatives(problem.take(slice(0, 1)))
        }

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

        basis, along = self._basis, self._along
        assert basis is not None
        edge = problem.equation.prescribed(problem.domain).flatten().numpy()
        given = problem.inputs["boundary"].double().flatten().cpu().numpy()
        scale = first = 0.0

        def misfit(c: Array) -> tuple[Array, Array, Derivatives]:
            moved = {name: rows @ c for name, rows in along.items()}
            residual, own, slopes = pointwise(problem, basis @ c, moved)
            return np.where(edge, basis @ c - given, residual), own, slopes

        c = np.zeros(basis.shape[1])
        wanted, own, slopes = misfit(c)
        for _ in range(self.steps):
            rows = own[:, None] * basis
            for name, slope in slopes.items():
                rows += slope[:, None] * along[name]
            scale = scale or float(np.abs(rows[~edge]).max())
            weight = np.where(edge, 1.0, 1 / scale)
            rows = weight[:, None] * np.where(edge[:, None], basis, rows)
            found = lstsq(rows, weight * wanted, cond=self.cut, check_finite=False)
            assert found is not None
            change = np.asarray(found[0])
            if not np.isfinite(change).all():
                raise Diverged("fourier_extension: the step is not finite")
            left, size = weight * wanted - rows @ change, np.abs(basis @ change).max()
            now, after = (float(np.linalg.norm(part)) for part in (weight * wanted, left))
            first = first or now
            ended = after > (1 - _FLAT) * now
            if ended and now > _LEFT * first:
                raise Diverged(
                    f"fourier_extension: Gauss-Newton ended in a minimum with {now / first:.2g} of "
                    "the misfit of u = 0, no solution"
                )
            if ended or size <= self.tolerance * max(np.abs(basis @ c).max(), 1.0):
                return basis @ (c - change)
            c, (wanted, own, slopes) = shortened(c, change, misfit, weight)
        raise Diverged(f"fourier_extension: Gauss-Newton did not end in {self.steps} steps")
