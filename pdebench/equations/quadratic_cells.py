"""Biquadratic quadrilaterals, isoparametric, assembled for a whole batch of geometries at once.

Every geometry has the same cells (E, 9): corners, then mid-nodes of the edges 01, 12, 23, 30, then
the centre. Vectors are numbered component by component, (B, 2 N). Zienkiewicz and Taylor, The
Finite Element Method, vol. 1, ch. 8 and 9.
"""

from functools import cached_property
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]
# Position of the nine nodes on the lines -1, 0, 1 of the reference square.
_PLACES = np.array([[0, 0], [2, 0], [2, 2], [0, 2], [1, 0], [2, 1], [1, 2], [0, 1], [1, 1]])
_GAUSS = np.polynomial.legendre.leggauss(3)  # exact for degree 5


def shapes(x: Array) -> tuple[Array, Array]:
    """Return values (..., 9) and gradients (..., 9, 2) of the shape functions at x (..., 2)."""
    line = np.stack([x * (x - 1) / 2, 1 - x * x, x * (x + 1) / 2], -1)  # (..., 2, 3)
    slope = np.stack([x - 0.5, -2 * x, x + 0.5], -1)
    a, b = _PLACES.T
    values = line[..., 0, a] * line[..., 1, b]
    first = slope[..., 0, a] * line[..., 1, b]
    second = line[..., 0, a] * slope[..., 1, b]
    return values, np.stack([first, second], -1)


@final
class Cells:
    """Quadrature of a batch of geometries.

    Args:
        nodes: (B, N, 2), float64.
        cells: (E, 9).

    Attributes:
        weights: (B, E, 9), area of every Gauss point.
        values: (9, 9), shape functions at the Gauss points.
        gradients: (B, E, 9, 9, 2), by Gauss point, node, direction.
    """

    def __init__(self, nodes: Tensor, cells: Tensor) -> None:
        points = np.stack(np.meshgrid(_GAUSS[0], _GAUSS[0], indexing="ij"), -1).reshape(-1, 2)
        values, slopes = (torch.from_numpy(part) for part in shapes(points))
        jacobian = torch.einsum("beai,qam->beqim", nodes[:, cells], slopes)
        self.nodes, self.cells, self.values = nodes, cells, values
        self.gradients = slopes @ torch.linalg.inv(jacobian)
        self.weights = torch.linalg.det(jacobian) * torch.from_numpy(
            np.outer(_GAUSS[1], _GAUSS[1]).ravel()
        )

    @cached_property
    def points(self) -> Tensor:
        """Gauss points (B, E, 9, 2)."""
        return torch.einsum("qa,beai->beqi", self.values, self.nodes[:, self.cells])

    def gradient(self, u: Tensor) -> Tensor:
        """Return du_i/dx_j (B, E, 9, 2, 2) at the Gauss points; u (B, 2, N)."""
        return torch.einsum("biea,beqaj->beqij", u[:, :, self.cells], self.gradients)

    def divergence(self, stress: Tensor) -> Tensor:
        """Return int P : grad N, (B, 2, N): the nodal forces of a stress (B, E, 9, 2, 2)."""
        forces = torch.einsum("beq,beqij,beqaj->biea", self.weights, stress, self.gradients)
        out = forces.new_zeros(*forces.shape[:2], self.nodes.shape[1])
        return out.index_add_(2, self.cells.reshape(-1), forces.flatten(2))

    def averaged(self, values: Tensor) -> Tensor:
        """Return nodal values (B, N) of a field (B, E, 9) at Gauss points: lumped projection."""
        share = torch.einsum("beq,qa->bea", self.weights * values, self.values)
        return self._summed(share) / self.measure

    @cached_property
    def measure(self) -> Tensor:
        """Integrals of the shape functions (B, N), positive; their sum is the area."""
        return self._summed(torch.einsum("beq,qa->bea", self.weights, self.values))

    def _summed(self, share: Tensor) -> Tensor:
        out = share.new_zeros(len(share), self.nodes.shape[1])
        return out.index_add_(1, self.cells.reshape(-1), share.flatten(1))

    def local_matrices(self, tangent: Tensor) -> Tensor:
        """Return int grad N : A : grad N, (B, E, 18, 18), component before node.

        tangent: A_ijkl = dP_ij/dF_kl (B or 1, E or 1, 9 or 1, 2, 2, 2, 2).
        """
        full = (*self.weights.shape, 2, 2, 2, 2)
        weighted = self.weights[..., None, None, None, None] * tangent.expand(full)
        half = torch.einsum("beqijkl,beqaj->beqiakl", weighted, self.gradients)
        local = torch.einsum("beqiakl,beqcl->beiakc", half, self.gradients)
        return local.reshape(*local.shape[:2], 18, 18)

    @cached_property
    def pattern(self) -> "Pattern":
        """Sparsity pattern of all geometries."""
        return Pattern(self.cells.numpy(), self.nodes.shape[1])


@final
class Pattern:
    """Where local matrices go in a CSR matrix of 2 N unknowns."""

    def __init__(self, cells: Array, num_nodes: int) -> None:
        unknowns = np.concatenate([cells, cells + num_nodes], 1)  # (E, 18)
        self.size = 2 * num_nodes
        rows = np.repeat(unknowns, 18, axis=1).ravel()
        columns = np.tile(unknowns, (1, 18)).ravel()
        keys, self._place = np.unique(rows * self.size + columns, return_inverse=True)
        self.columns = keys % self.size
        self.rows = keys // self.size
        self.starts = np.searchsorted(self.rows, np.arange(self.size + 1))

    def matrix(self, local: Tensor, fixed: Array) -> Any:
        """Return the CSR matrix of one geometry from (E, 18, 18), with the identity at unknowns
        ``fixed`` (2 N,) bool.
        """
        from scipy import sparse

        values = np.bincount(self._place, local.numpy().ravel(), len(self.columns))
        held = fixed[self.rows] | fixed[self.columns]
        values[held] = (self.rows == self.columns)[held]
        shape = (self.size, self.size)
        return sparse.csr_array((values, self.columns, self.starts), shape=shape)


def edge_forces(nodes: Array, edges: Array) -> Array:
    """Return int N ds (B, N) over edges (K, 3) of two ends and a mid-node; nodes (B, N, 2)."""
    x, weight = _GAUSS
    values = np.stack([x * (x - 1) / 2, x * (x + 1) / 2, 1 - x * x], -1)
    slopes = np.stack([x - 0.5, x + 0.5, -2 * x], -1)
    length = np.linalg.norm(np.einsum("bkai,qa->bkqi", nodes[:, edges], slopes), axis=-1)
    share = np.einsum("bkq,q,qa->bka", length, weight, values)
    out = np.zeros(nodes.shape[:2])
    for b in range(len(nodes)):
        np.add.at(out[b], edges.ravel(), share[b].ravel())
    return out
