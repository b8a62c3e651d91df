"""Deflation by blocks of cells."""

from typing import final

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equation import LinearSystem
from pdebench.errors import ConfigError, Unsupported
from pdebench.problem import Problem
from pdebench_krylov.jacobi import Jacobi
from pdebench_krylov.preconditioner import Map, Preconditioner


@final
class Deflation(Preconditioner):
    """Jacobi with the piecewise constants of a coarse partition solved for exactly.

        Q = Z E^{-1} Z^T,   E = Z^T A Z,   M^{-1} = (I - Q A) D^{-1} + Q,   x_0 = Q b

    Nicolaides, SIAM J. Numer. Anal. 24 (1987); this form, A-DEF2, Tang et al., J. Sci. Comput. 39
    (2009), table 1: in exact arithmetic the iterates of deflated conjugate gradients.

    Args:
        blocks: parts per axis.
    """

    def __init__(self, blocks: int = 4) -> None:
        if blocks < 1:
            raise ConfigError(f"solver.preconditioner.blocks={blocks}, expected at least one")
        self.blocks = blocks
        self._coarse: Map | None = None

    def build(self, system: LinearSystem, problem: Problem) -> Map:
        domain = problem.domain
        if not isinstance(domain, Grid):
            raise Unsupported("deflation by blocks needs a grid; take solver=amg_cg")
        blocks = self._partition(domain.shape)
        count, size = int(blocks.max()) + 1, len(blocks)
        z = sparse.csr_array((np.ones(size), (np.arange(size), blocks)), shape=(size, count))
        energies = [torch.from_numpy((z.T @ (m @ z)).toarray()) for m in system.matrices]
        # A block without unknowns of its own would make E singular: the pseudo-inverse leaves it.
        inverse = torch.linalg.pinv(torch.stack(energies), hermitian=True).to(system.rhs.device)
        part = torch.from_numpy(blocks).to(system.rhs.device)

        def coarse(r: Tensor) -> Tensor:
            sums = r.new_zeros(len(r), count).index_add_(1, part, r)
            return (inverse @ sums.unsqueeze(-1)).squeeze(-1)[:, part]

        smooth = Jacobi().build(system, problem)
        self._coarse = coarse

        def apply(r: Tensor) -> Tensor:
            y = smooth(r)
            return y + coarse(r - system.matvec(y))

        return apply

    def _partition(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the block of every unknown, row-major."""
        whole = np.zeros(shape, np.int64)
        for axis, n in enumerate(shape):
            line = np.arange(n) * min(self.blocks, n) // n
            spread = line.reshape([-1 if a == axis else 1 for a in range(len(shape))])
            whole = whole * min(self.blocks, n) + spread
        return whole.ravel()

    def start(self, system: LinearSystem, inverse: Map) -> Tensor:
        assert self._coarse is not None
        return self._coarse(system.rhs.double())
