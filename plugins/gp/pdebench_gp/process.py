"""Gaussian processes on tensor grids: factors per axis, conditional means and their derivatives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pdebench_gp.kernel import Kernel, Parameters


def uniform(x: Tensor) -> bool:
    """Whether points (N,) are evenly spaced to round-off, so that kernel matrices are Toeplitz."""
    if len(x) < 3:
        return True
    steps = x.diff()
    return bool((steps - steps.mean()).abs().max() <= 1e-12 * x.abs().max().clamp_min(1.0))


@final
@dataclass(frozen=True)
class Factor:
    """One axis: K + jitter I by its Cholesky factor, and derivative matrices without jitter."""

    points: Tensor
    kernel: Kernel
    parameters: Parameters
    matrices: list[Tensor]
    cholesky: Tensor

    @classmethod
    def of(
        cls,
        points: Tensor,
        kernel: Kernel,
        parameters: Parameters,
        jitter: float,
        order: int = 2,
        even: bool | None = None,
    ) -> "Factor":
        """Build the factor at ``points`` (N,) with derivatives up to ``order``."""
        even = uniform(points) if even is None else even
        matrices = kernel.matrices(points, points, parameters, order, even)
        eye = torch.eye(len(points), dtype=points.dtype, device=points.device)
        return cls(
            points, kernel, parameters, matrices, torch.linalg.cholesky(matrices[0] + jitter * eye)
        )

    def solve(self, values: Tensor) -> Tensor:
        """Return (K + jitter I)^{-1} values, values (N, M) or (N,)."""
        if values.ndim == 1:
            return torch.cholesky_solve(values[:, None], self.cholesky)[:, 0]
        return torch.cholesky_solve(values, self.cholesky)

    @property
    def logdet(self) -> Tensor:
        """Log |K + jitter I|."""
        return 2 * self.cholesky.diagonal().log().sum()

    def cross(self, x: Tensor) -> Tensor:
        """Return k(x, points) without jitter."""
        return self.kernel.at(x[:, None] - self.points, self.parameters, 0)[0]


@final
class Prior:
    """The process of a field u (N1, .., Nd) with a product kernel: C = K1 (x) .. (x) Kd.

    A derivative of the conditional mean along an axis needs that axis alone, since the other
    factors cancel: u_xx = K1'' K1^{-1} u. Fang et al. 2024, sec. 4.
    """

    def __init__(self, factors: Sequence[Factor], values: Tensor) -> None:
        self.factors, self.values = tuple(factors), values
        self.solved = [self._along(axis, factor.solve) for axis, factor in enumerate(self.factors)]

    def _along(
        self, axis: int, apply: Callable[[Tensor], Tensor], values: Tensor | None = None
    ) -> Tensor:
        """Apply a map of rows (N_a, M) along one axis."""
        moved = (self.values if values is None else values).movedim(axis, 0)
        flat = moved.flatten(1) if moved.ndim > 1 else moved
        return apply(flat).view(moved.shape).movedim(0, axis)

    def derivative(self, axis: int, order: int) -> Tensor:
        """Return the derivative of the conditional mean along an axis, at the grid."""
        matrix = self.factors[axis].matrices[order]
        return self._along(axis, lambda rows: matrix @ rows, self.solved[axis])

    @property
    def precision_times_values(self) -> Tensor:
        """C^{-1} u."""
        solved = self.solved[0]
        for axis in range(1, len(self.factors)):
            factor = self.factors[axis]
            solved = self._along(axis, factor.solve, solved)
        return solved

    @property
    def log_density(self) -> Tensor:
        """-1/2 u^T C^{-1} u, without the determinant."""
        return -0.5 * (self.values * self.precision_times_values).sum()

    @property
    def logdet(self) -> Tensor:
        """Log |C| = sum over axes of (N / N_a) log |K_a|."""
        total = self.values.numel()
        parts = [total / len(f.points) * f.logdet for f in self.factors]
        return torch.stack(parts).sum()

    def mean(self, *points: Tensor) -> Tensor:
        """Return the conditional mean on the tensor grid of ``points``, one vector per axis."""
        mean = self.precision_times_values
        for axis, (factor, x) in enumerate(zip(self.factors, points, strict=True)):
            cross = factor.cross(x)
            moved = mean.movedim(axis, 0)
            out = cross @ (moved.flatten(1) if moved.ndim > 1 else moved)
            mean = out.view(len(x), *moved.shape[1:]).movedim(0, axis)
        return mean
