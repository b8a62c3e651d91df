"""The unit cell with a void: its shape, its structured mesh, and points found again in that mesh.

    r(t) = 0.2 + 0.2 / (1 + exp s(t)),   s = s_0 + sum_k (a_k cos k t + b_k sin k t)

about the centre of [0, 1]^2, t the angle. Li et al., Geo-FNO (arXiv 2207.05209), sec. 4.1. The mesh
is an O-grid of biquadratic cells: equal angles, rays from the void to the sides, finer at the void.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pdebench.equations.quadratic_cells import Cells, edge_forces, shapes
from pdebench.errors import ConfigError, Unsupported

if TYPE_CHECKING:
    from pdebench.problem import Problem

Array = NDArray[Any]
MODES = 8  # harmonics that describe a void
NAMES = ("s0", *(f"{kind}{k}" for kind in "ab" for k in range(1, MODES + 1)))
_GRADING = 1.5  # of the radial lines; the outermost cell is e^1.5 times the innermost
_CENTRE = 0.5


def radius(numbers: Array, theta: Array) -> Array:
    """Return r(theta): numbers (B, 17) = s_0, a_1..a_8, b_1..b_8; theta (T,) or (B, T), rad."""
    k = np.arange(1, MODES + 1)
    phase = theta[..., None] * k
    first, second = numbers[:, None, 1 : MODES + 1], numbers[:, None, MODES + 1 :]
    waves = (first * np.cos(phase) + second * np.sin(phase)).sum(-1)
    return 0.2 + 0.2 / (1 + np.exp(numbers[:, :1] + waves))


def numbers_of(problem: "Problem") -> Array:
    """Return the shape numbers (B, 17) that a problem carries as parameters."""
    missing = [name for name in NAMES if name not in problem.parameters]
    if missing:
        raise Unsupported(f"the problem's parameters lack the void's shape numbers {missing}")
    return np.stack([problem.parameters[n].double().cpu().numpy() for n in NAMES], 1)


def parameters_of(numbers: Array) -> dict[str, Tensor]:
    """Return shape numbers (B, 17) as parameters of a problem."""
    return {name: torch.from_numpy(numbers[:, i].copy()) for i, name in enumerate(NAMES)}


def _outer(theta: Array) -> Array:
    """Distance of the sides from the centre along rays."""
    return _CENTRE / np.maximum(np.abs(np.cos(theta)), np.abs(np.sin(theta)))


@final
@dataclass(frozen=True)
class CellMesh:
    """O-grid of ``around`` x ``across`` biquadratic cells; N = 2 around (2 across + 1) nodes.

    Node j * 2 around + i lies on ring j, counted from the void, and ray i. ``around`` is a multiple
    of 8, so that the corners of the square are nodes. A mesh of twice as many cells both ways has
    all these nodes.
    """

    around: int
    across: int

    def __post_init__(self) -> None:
        if self.around < 8 or self.around % 8:
            raise ConfigError(f"around={self.around}, expected a multiple of 8 cells")
        if self.across < 1:
            raise ConfigError(f"across={self.across}, expected at least 1 cell")

    @property
    def rays(self) -> int:
        """Nodes per ring."""
        return 2 * self.around

    @property
    def rings(self) -> int:
        """Nodes per ray."""
        return 2 * self.across + 1

    @property
    def num_nodes(self) -> int:
        """N."""
        return self.rays * self.rings

    @cached_property
    def cells(self) -> Array:
        """Nodes of every cell (E, 9); see `quadratic_cells`."""
        j, i = np.meshgrid(2 * np.arange(self.across), 2 * np.arange(self.around), indexing="ij")
        ring = np.array([0, 2, 2, 0, 1, 2, 1, 0, 1])
        ray = np.array([0, 0, 2, 2, 0, 1, 2, 1, 1])
        rings = j.reshape(-1, 1) + ring
        rays = (i.reshape(-1, 1) + ray) % self.rays
        return rings * self.rays + rays

    @cached_property
    def quadrilaterals(self) -> Array:
        """The same cells cut in four each, (4 E, 4)."""
        c = self.cells
        parts = [[0, 4, 8, 7], [4, 1, 5, 8], [8, 5, 2, 6], [7, 8, 6, 3]]
        return np.concatenate([c[:, part] for part in parts])

    @cached_property
    def boundary(self) -> Array:
        """Nodes on the void or the sides (N,) bool."""
        ring = np.arange(self.num_nodes) // self.rays
        return (ring == 0) | (ring == self.rings - 1)

    def nodes(self, numbers: Array) -> Array:
        """Return (B, N, 2) of the voids with shape numbers (B, 17)."""
        theta = 2 * np.pi * np.arange(self.rays) / self.rays
        s = np.linspace(0, 1, self.rings)
        graded = np.expm1(_GRADING * s) / np.expm1(_GRADING)
        inner, outer = radius(numbers, theta), _outer(theta)
        rho = inner[:, None, :] + graded[None, :, None] * (outer - inner)[:, None, :]
        where = np.stack([rho * np.cos(theta), rho * np.sin(theta)], -1) + _CENTRE
        # The sides are exact, so that they can be told by their coordinates.
        where[:, -1] = np.where(np.abs(where[:, -1]) < 1e-9, 0.0, where[:, -1])
        where[:, -1] = np.where(np.abs(where[:, -1] - 1) < 1e-9, 1.0, where[:, -1])
        return where.reshape(len(numbers), self.num_nodes, 2)

    def fixed(self, nodes: Array) -> Array:
        """Return the unknowns (2 N,) bool of the clamped bottom."""
        bottom = nodes[0, :, 1] == 0.0
        return np.concatenate([bottom, bottom])

    def top_forces(self, nodes: Array) -> Array:
        """Return int_top N dx, (B, N)."""
        ring = (self.rings - 1) * self.rays
        first = np.arange(0, self.rays, 2)
        edges = ring + np.stack([first, (first + 2) % self.rays, first + 1], 1)
        on_top = (nodes[0][edges][..., 1] == 1.0).all(1)
        return edge_forces(nodes, edges[on_top])

    def quadrature(self, numbers: Array) -> Cells:
        """Return the quadrature of these voids."""
        return Cells(torch.from_numpy(self.nodes(numbers)), torch.from_numpy(self.cells))

    def kept_by(self, coarse: "CellMesh") -> Array:
        """Return this mesh's numbers of a coarser mesh's nodes (N_coarse,)."""
        step, skip = self.around // coarse.around, self.across // coarse.across
        if coarse.around * step != self.around or coarse.across * skip != self.across:
            raise ConfigError(
                f"a mesh of {self.around} x {self.across} cells does not hold the nodes of one of "
                f"{coarse.around} x {coarse.across}"
            )
        rings = skip * np.arange(coarse.rings)
        return (rings[:, None] * self.rays + step * np.arange(coarse.rays)).ravel()

    def located(self, numbers: Array, points: Array) -> "Located":
        """Find points (M, 2) of one cell, shape numbers (17,), in the mesh."""
        away = points - _CENTRE
        theta = np.arctan2(away[:, 1], away[:, 0]) % (2 * np.pi)
        rho = np.linalg.norm(away, axis=1)
        inner, outer = radius(numbers[None], theta)[0], _outer(theta)
        share = (rho - inner) / (outer - inner)
        s = np.log1p(np.clip(share, 0, 1) * np.expm1(_GRADING)) / _GRADING * self.across
        t = theta / (2 * np.pi) * self.around
        j, i = (
            np.clip(np.floor(part + 1e-9).astype(int), 0, top - 1)
            for part, top in ((s, self.across), (t, self.around))
        )
        cell = self.cells[j * self.around + i]
        local = np.clip(2 * np.stack([s - j, t - i], -1) - 1, -1, 1)
        corners = self.nodes(numbers[None])[0][cell]
        for _ in range(3):  # from the smooth map to the biquadratic one
            weight, slope = shapes(local)
            gap = points - np.einsum("ma,mai->mi", weight, corners)
            step = np.linalg.solve(np.einsum("mai,mak->mik", corners, slope), gap[..., None])
            local = np.clip(local + step[..., 0], -1, 1)
        weight, slope = shapes(local)
        inverse = np.linalg.inv(np.einsum("mai,mak->mik", corners, slope))
        return Located(cell, weight, slope @ inverse, share >= -1e-5)


@final
@dataclass(frozen=True)
class Located:
    """Points in a mesh.

    Attributes:
        cell: nodes of each point's cell (M, 9).
        values, gradients: shape functions there (M, 9) and (M, 9, 2).
        inside: (M,) bool, whether the point is in the body (to the rounding of single precision).
    """

    cell: Array
    values: Array
    gradients: Array
    inside: Array

    def field(self, u: Array) -> Array:
        """Return nodal fields (C, N) at the points, (C, M)."""
        return np.einsum("ma,cma->cm", self.values, u[:, self.cell])

    def gradient(self, u: Array) -> Array:
        """Return du_i/dx_j (M, 2, 2) of (2, N) at the points."""
        return np.einsum("maj,ima->mij", self.gradients, u[:, self.cell])
