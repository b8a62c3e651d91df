"""Training vectors from the approximate eigenvectors of a matrix."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pdebench.errors import ConfigError, SolverError

Map = Callable[[Tensor], Tensor]
Array = NDArray[np.float64]
_ZERO = 1e-8  # Ritz values below it belong to the null space


def lanczos(
    matvec: Map, start: Tensor, steps: int, spare_last: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Return orthonormal rows Q (m, N), diagonal (m,) and sub-diagonal (m - 1,) of Q A Q^T.

    Every new vector is orthogonalised against all former ones, twice; ``spare_last`` leaves out
    the last one and the second pass, as the released program does. Ends early, with fewer rows,
    where the Krylov space is exhausted. start: (N,), float64; matvec maps (1, N) to (1, N).
    """
    norm = float(start.norm())
    if not norm > 0:
        raise ConfigError("the start vector of the Lanczos process is zero")
    rows = start.new_empty(min(steps, len(start)), len(start))
    rows[0] = start / norm
    diagonal, below = [], []
    for n in range(len(rows)):
        w = matvec(rows[n : n + 1])[0]
        diagonal.append(float(w @ rows[n]))
        w = w - diagonal[-1] * rows[n] - (below[-1] * rows[n - 1] if n else 0.0)
        for _ in range(1 if spare_last else 2):
            against = rows[: n if spare_last else n + 1]
            w = w - against.mT @ (against @ w)
        length = float(w.norm())
        if n + 1 == len(rows):
            break
        if length <= 1e-12 * max(map(abs, diagonal)):
            rows = rows[: n + 1]
            break
        below.append(length)
        rows[n + 1] = w / length
    return rows, torch.tensor(diagonal, dtype=torch.float64), torch.tensor(below).double()


def ritz(diagonal: Array, below: Array) -> tuple[Array, Array]:
    """Return Ritz values, ascending, and the eigenvectors of the tridiagonal matrix as columns."""
    matrix = np.diag(diagonal) + np.diag(below, 1) + np.diag(below, -1)
    values, vectors = np.linalg.eigh(matrix)
    kept = values >= _ZERO
    return values[kept], vectors[:, kept]


def mixtures(rows: Tensor, vectors: Array, coefficients: Array) -> Tensor:
    """Return unit vectors  sum_i g_i v_i,  (n, N), of Ritz vectors v_i = Q^T (column i).

    coefficients: (Ritz vectors, n).
    """
    mixed = torch.from_numpy(vectors @ coefficients).to(rows)
    found = mixed.mT @ rows
    return found.div_(found.norm(dim=-1, keepdim=True))


def training_vectors(
    matvec: Map, size: int, steps: int, count: int, lowest: float, boost: float
) -> Tensor:
    """Return ``count`` unit vectors (count, size) in float64 whose low frequencies dominate.

    Coefficients are normal; the first ``lowest`` share of the Ritz vectors has them ``boost``-fold.
    Kaneda et al., ICML 2023 (arXiv 2205.10763), sec. 4.1: m = 10,000 steps, 0.55, 9. Random numbers
    come from torch's global generator. Raises SolverError where the matrix has no range.
    """
    start = matvec(torch.randn(1, size, dtype=torch.float64))[0]
    rows, diagonal, below = lanczos(matvec, start, steps)
    values, vectors = ritz(diagonal.numpy(), below.numpy())
    if len(values) == 0:
        raise SolverError("the matrix has no eigenvalue above zero; there is nothing to train on")
    coefficients = torch.randn(len(values), count, dtype=torch.float64)
    coefficients[: round(lowest * len(values))] *= boost
    return mixtures(rows, vectors, coefficients.numpy())
