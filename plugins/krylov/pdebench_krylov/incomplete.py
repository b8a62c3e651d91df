"""Incomplete Cholesky factors without fill."""

from typing import Any, final

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from pdebench.equation import LinearSystem
from pdebench.errors import ConfigError, SolverError
from pdebench.problem import Problem
from pdebench_krylov.preconditioner import Map, Preconditioner, rowwise

_TOLERANCE = 1e-12  # largest change of an entry of the scaled factor in the last sweep


def factor(matrix: Any, sweeps: int = 1000) -> Any:
    """Return L (N, N), lower triangular on the pattern of A, with (L L^T)_ij = a_ij on it.

    By fixed-point sweeps over all entries at once,

        l_ij = (a_ij - sum_{k < j} l_ik l_jk) / l_jj,    l_ii = (a_ii - sum_{k < i} l_ik^2)^{1/2}

    which reach the factor of the sequential algorithm in as many sweeps as the longest chain of
    dependent rows has links, and to round-off in far fewer (Chow and Patel, SIAM J. Sci. Comput.
    37 (2015) C169, alg. 2). A is scaled to unit diagonal first. Raises SolverError where a pivot is
    not positive: the factor does not exist, though A may be positive definite.
    """
    scale = 1 / np.sqrt(matrix.diagonal())
    scaled = sparse.diags_array(scale) @ matrix @ sparse.diags_array(scale)
    lower = sparse.tril(scaled).tocsr()
    lower.sort_indices()
    rows = np.repeat(np.arange(lower.shape[0]), np.diff(lower.indptr))
    columns, wanted = lower.indices, lower.data.copy()
    on_diagonal = rows == columns
    for _ in range(sweeps):
        pivots = lower.data[on_diagonal]
        whole = (lower @ lower.T).tocsr()
        held = np.asarray(whole[rows, columns]).ravel()
        below = held - lower.data * pivots[columns]  # without the term k = j
        rest = wanted - below
        if bool((rest[on_diagonal] <= 0).any()):
            raise SolverError(
                "incomplete Cholesky met a pivot that is not positive; take solver=jacobi_cg or "
                "amg_cg"
            )
        new = np.where(
            on_diagonal, np.sqrt(np.where(on_diagonal, rest, 1.0)), rest / pivots[columns]
        )
        change = float(np.abs(new - lower.data).max(initial=0.0))
        lower.data[:] = new
        if change < _TOLERANCE:
            break
    return sparse.diags_array(1 / scale) @ lower


def _shifted_factor(matrix: sparse.csr_array, sweeps: int) -> sparse.csr_array:
    """Return the factor of the first A + s diag A that has one."""
    for shift in (0.0, *(0.01 * 2**n for n in range(8))):
        try:
            return factor((matrix + shift * sparse.diags_array(matrix.diagonal())).tocsr(), sweeps)
        except SolverError:
            if shift > 1:
                raise
    raise SolverError("incomplete Cholesky found no factor")


@final
class IncompleteCholesky(Preconditioner):
    """M = L L^T on the pattern of A: IC(0).

    Meijerink and van der Vorst, Math. Comp. 31 (1977). Where the factor does not exist, that of
    A + s diag A is taken, s = 0.01, 0.02, 0.04 and so on (Manteuffel, Math. Comp. 34 (1980)).
    Triangular solves on the CPU, one instance after the other.

    Args:
        sweeps: most sweeps of the factorisation.
    """

    def __init__(self, sweeps: int = 1000) -> None:
        if sweeps < 1:
            raise ConfigError(f"solver.preconditioner.sweeps={sweeps}, expected at least one")
        self.sweeps = sweeps

    def build(self, system: LinearSystem, problem: Problem) -> Map:
        maps = []
        for matrix in system.matrices:
            lower = _shifted_factor(matrix, self.sweeps).tocsc()
            # the factor of a triangular matrix is itself: no fill, and solves in compiled code
            options = {"SymmetricMode": True, "DiagPivotThresh": 0.0}
            solve = splu(lower, permc_spec="NATURAL", options=options).solve
            maps.append(lambda r, solve=solve: solve(solve(r), "T"))
        return rowwise(maps, len(system.rhs))
