"""Gaussian processes on tensor grids: factors per axis, conditional means and their derivatives."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pdebench.errors import Diverged, SolverError
from pdebench_gp.kernel import Kernel, Parameters

RAISES = (1.0, 10.0, 100.0, 1e3, 1e4)  # of the jitter, in turn, until K is positive definite


def uniform(x: Tensor) -> bool:
    """Whether points (N,) are evenly spaced to round-off, so that kernel matrices are Toeplitz."""
    if len(x) < 3:
        return True
    steps = x.diff()
    return bool((steps - steps.mean()).abs().max() <= 1e-12 * x.abs().max().clamp_min(1.0))


def _cholesky(matrix: Tensor, jitter: float, parameters: Parameters) -> tuple[Tensor, Tensor]:
    """Return the factor of K + jitter I, and the jitter (..,) that each matrix took."""
    if not bool(matrix.detach().isfinite().all()):
        raise Diverged("gp: a kernel matrix is not finite; use a smaller solver.lr")
    eye = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    taken = matrix.new_full(matrix.shape[:-2], jitter)
    factor, info = torch.linalg.cholesky_ex(matrix + jitter * eye)
    for raised in RAISES[1:]:
        failed = info > 0
        if not bool(failed.any()):
            return factor, taken
        taken = torch.where(failed, jitter * raised, taken)
        factor, info = torch.linalg.cholesky_ex(matrix + taken[..., None, None] * eye)
    if bool((info > 0).any()):
        inverse = parameters.log_ls.detach().exp()
        raise SolverError(
            f"gp: the kernel matrix of {matrix.shape[-1]} nodes along one axis is not positive "
            f"definite with jitter up to {jitter * RAISES[-1]:g}; its length parameters "
            f"exp(log_ls) are {float(inverse.min()):.3g} to {float(inverse.max()):.3g} (the "
            "larger, the shorter the length scale). Take fewer nodes, or a larger solver.jitter"
        )
    return factor, taken


@final
@dataclass(frozen=True)
class Factor:
    """One axis: K + jitter I by its Cholesky factor, and derivative matrices without jitter.

    All matrices are (.., N, N); axes in front are instances. ``jitter`` (..,) is what was added.
    """

    points: Tensor
    kernel: Kernel
    parameters: Parameters
    matrices: list[Tensor]
    cholesky: Tensor
    jitter: Tensor

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
        """Build the factor at ``points`` (N,) with derivatives up to ``order``.

        Where K + jitter I is not positive definite, the jitter is raised ten-, hundred-, thousand-
        and ten-thousandfold; then SolverError names the grid and the lengths.
        """
        even = uniform(points) if even is None else even
        matrices = kernel.matrices(points, points, parameters, order, even)
        factor, taken = _cholesky(matrices[0], jitter, parameters)
        return cls(points, kernel, parameters, matrices, factor, taken)

    def solve(self, values: Tensor) -> Tensor:
        """Return (K + jitter I)^{-1} values, values (.., N, M) or (N,)."""
        if values.ndim == 1:
            return torch.cholesky_solve(values[:, None], self.cholesky)[:, 0]
        return torch.cholesky_solve(values, self.cholesky)

    @property
    def logdet(self) -> Tensor:
        """Log |K + jitter I|, (..,)."""
        return 2 * self.cholesky.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def cross(self, x: Tensor) -> Tensor:
        """Return k(x, points) without jitter, (.., M, N)."""
        return self.kernel.at(x[:, None] - self.points, self.parameters, 0)[0]


@final
class Prior:
    """The process of a field u (.., N1, .., Nd) with a product kernel: C = K1 (x) .. (x) Kd.

    A derivative of the conditional mean along an axis needs that axis alone, since the other
    factors cancel: u_xx = K1'' K1^{-1} u. Fang et al. 2024, sec. 4. Axes in front are instances.
    """

    def __init__(self, factors: Sequence[Factor], values: Tensor) -> None:
        self.factors, self.values = tuple(factors), values
        self._front = values.ndim - len(self.factors)
        self.solved = [
            self._along(axis, factor.solve, values) for axis, factor in enumerate(self.factors)
        ]

    def _along(self, axis: int, apply: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
        """Apply a map of rows (.., N_a, M) along one axis."""
        moved = values.movedim(self._front + axis, self._front)
        flat = moved.reshape(*moved.shape[: self._front + 1], -1)
        done = apply(flat)
        rest = moved.shape[self._front + 1 :]
        return done.view(*done.shape[:-1], *rest).movedim(self._front, self._front + axis)

    def derivative(self, axis: int, order: int) -> Tensor:
        """Return the derivative of the conditional mean along an axis, at the grid."""
        matrix = self.factors[axis].matrices[order]
        return self._along(axis, lambda rows: matrix @ rows, self.solved[axis])

    @property
    def precision_times_values(self) -> Tensor:
        """C^{-1} u."""
        solved = self.solved[0]
        for axis in range(1, len(self.factors)):
            solved = self._along(axis, self.factors[axis].solve, solved)
        return solved

    @property
    def log_density(self) -> Tensor:
        """-1/2 u^T C^{-1} u, (..,), without the determinant."""
        return -0.5 * (self.values * self.precision_times_values).flatten(self._front).sum(-1)

    @property
    def logdet(self) -> Tensor:
        """Log |C| = sum over axes of (N / N_a) log |K_a|, (..,)."""
        total = math.prod(self.values.shape[self._front :])
        parts = [total / len(f.points) * f.logdet for f in self.factors]
        return torch.stack(parts).sum(0)

    def mean(self, *points: Tensor) -> Tensor:
        """Return the conditional mean on the tensor grid of ``points``, one vector per axis."""
        mean = self.precision_times_values
        for axis, (factor, x) in enumerate(zip(self.factors, points, strict=True)):
            cross = factor.cross(x)
            mean = self._along(axis, lambda rows, c=cross: c @ rows, mean)
        return mean
