"""Where a problem lives: tensor grids, meshes and point clouds, each with quadrature weights.

Every norm of the suite is a quadrature ||u||^2 = sum_i w_i |u_i|^2, so that one definition serves
uniform and stretched grids, meshes and clouds alike.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import final

import torch
from torch import Tensor


@final
@dataclass(frozen=True)
class Axis:
    """One coordinate direction: ``nodes`` (n,), quadrature ``weights`` (n,) with sum = ``length``,
    ``periodic``.

    Units are those of the domain. ``rule`` names how the weights came about: "periodic" (rectangle
    rule, spectrally exact), "trapezoid", "midpoint" or "clenshaw-curtis".
    """

    nodes: Tensor
    weights: Tensor
    length: float
    periodic: bool
    rule: str

    def __post_init__(self) -> None:
        if self.nodes.ndim != 1 or self.nodes.shape != self.weights.shape:
            raise ValueError(
                f"nodes has shape {tuple(self.nodes.shape)} and weights "
                f"{tuple(self.weights.shape)}, "
                "expected two vectors of one length"
            )

    @cached_property
    def uniform(self) -> bool:
        """Whether the nodes are equally spaced (to 1e-9 of the length, round-off of float64
        constructions).
        """
        steps = self.nodes.diff()
        if len(steps) == 0:
            return True
        first, low, high = map(float, (steps[0], *steps.aminmax()))
        return max(high - first, first - low) <= 1e-9 * self.length

    @classmethod
    def torus(cls, num: int, length: float = 1.0, start: float = 0.0) -> "Axis":
        """Return x_j = start + j L/n, j = 0..n-1, on a periodic interval; weights L/n."""
        spacing = length / num
        nodes = start + spacing * torch.arange(num, dtype=torch.float64)
        return cls(nodes, torch.full_like(nodes, spacing), length, True, "periodic")

    @classmethod
    def nodal(cls, nodes: Tensor) -> "Axis":
        """Return a bounded axis through increasing ``nodes`` (end points included); trapezoidal
        weights.
        """
        nodes = nodes.to(torch.float64)
        steps = nodes.diff()
        if len(nodes) < 2 or bool((steps <= 0).any()):
            raise ValueError("nodes must hold at least two strictly increasing coordinates")
        weights = torch.zeros_like(nodes)
        weights[:-1] += steps / 2
        weights[1:] += steps / 2
        return cls(nodes, weights, float(nodes[-1] - nodes[0]), False, "trapezoid")

    @classmethod
    def interval(cls, num: int, length: float = 1.0, start: float = 0.0) -> "Axis":
        """Return ``num`` uniform nodes on a bounded interval, end points included; trapezoidal
        weights.
        """
        return cls.nodal(torch.linspace(start, start + length, num, dtype=torch.float64))

    @classmethod
    def cells(cls, num: int, length: float = 1.0, start: float = 0.0) -> "Axis":
        """Return ``num`` uniform cell centres of a bounded interval; midpoint weights."""
        spacing = length / num
        nodes = start + spacing * (torch.arange(num, dtype=torch.float64) + 0.5)
        return cls(nodes, torch.full_like(nodes, spacing), length, False, "midpoint")

    @classmethod
    def chebyshev(cls, num: int, length: float = 2.0, start: float = -1.0) -> "Axis":
        """Return Chebyshev-Gauss-Lobatto nodes, increasing, with Clenshaw-Curtis weights.

            x_j = start + L/2 (1 - cos(pi j/(n-1))),  j = 0..n-1

        Weights integrate polynomials of degree n-1 exactly (Clenshaw and Curtis 1960).
        """
        if num < 2:
            raise ValueError(f"num={num}, expected at least 2 Chebyshev nodes")
        order = num - 1
        theta = math.pi * torch.arange(num, dtype=torch.float64) / order
        k = torch.arange(1, order // 2 + 1, dtype=torch.float64)
        factor = torch.where(2 * k == order, 1.0, 2.0) / (4 * k * k - 1)
        inner = 1 - (factor * torch.cos(2 * theta[:, None] * k)).sum(-1)
        weights = 2 * inner / order
        weights[0] = weights[-1] = weights[0] / 2
        nodes = start + length / 2 * (1 - torch.cos(theta))
        return cls(nodes, weights * (length / 2), length, False, "clenshaw-curtis")


class Domain(ABC):
    """A discretised region: ``points`` (N, d), ``weights`` (*S,), ``boundary`` (*S,) bool, with N =
    prod(S).
    """

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The space shape S: one entry per axis of a grid, (N,) on meshes and clouds."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """Number of space dimensions d."""

    @cached_property
    @abstractmethod
    def points(self) -> Tensor:
        """Coordinates (N, d), float64, last axis of the grid fastest."""

    @cached_property
    @abstractmethod
    def weights(self) -> Tensor:
        """Quadrature weights (*S,), float64; their sum is the volume."""

    @cached_property
    @abstractmethod
    def boundary(self) -> Tensor:
        """Mask (*S,) of points on a boundary that is not periodic."""

    @property
    def volume(self) -> float:
        """Length, area or volume of the region, as the quadrature sees it."""
        return float(self.weights.sum())


@final
@dataclass(frozen=True)
class Grid(Domain):
    """A tensor-product grid, one `Axis` per dimension."""

    axes: tuple[Axis, ...]

    @classmethod
    def torus(cls, shape: tuple[int, ...], extent: tuple[float, ...] | float = 1.0) -> "Grid":
        """Return a uniform periodic grid on [0, L_1) x ... x [0, L_d)."""
        lengths = (extent,) * len(shape) if isinstance(extent, (int, float)) else extent
        return cls(tuple(Axis.torus(n, float(L)) for n, L in zip(shape, lengths, strict=True)))

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(axis.nodes) for axis in self.axes)

    @property
    def dim(self) -> int:
        return len(self.axes)

    @property
    def extent(self) -> tuple[float, ...]:
        """Length of every axis."""
        return tuple(axis.length for axis in self.axes)

    @property
    def periodic(self) -> tuple[bool, ...]:
        """Whether each axis is periodic."""
        return tuple(axis.periodic for axis in self.axes)

    @property
    def is_torus(self) -> bool:
        """Whether every axis is periodic and uniform, so that discrete Fourier transforms apply."""
        return all(axis.periodic and axis.uniform for axis in self.axes)

    @cached_property
    def points(self) -> Tensor:
        mesh = torch.meshgrid(*(axis.nodes for axis in self.axes), indexing="ij")
        return torch.stack([x.reshape(-1) for x in mesh], dim=-1)

    @cached_property
    def weights(self) -> Tensor:
        total = self.axes[0].weights
        for axis in self.axes[1:]:
            total = total.unsqueeze(-1) * axis.weights
        return total

    @cached_property
    def boundary(self) -> Tensor:
        mask = torch.zeros(self.shape, dtype=torch.bool)
        for position, axis in enumerate(self.axes):
            if not axis.periodic and axis.rule != "midpoint":  # cell centres never lie on the wall
                mask.select(position, 0).fill_(True)
                mask.select(position, -1).fill_(True)
        return mask


@final
@dataclass(frozen=True)
class Points(Domain):
    """A point cloud: ``coordinates`` (N, d); without ``measure`` (N,) every point carries the
    weight 1/N.
    """

    coordinates: Tensor
    measure: Tensor | None = None
    on_boundary: Tensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.coordinates),)

    @property
    def dim(self) -> int:
        return self.coordinates.shape[1]

    @cached_property
    def points(self) -> Tensor:
        return self.coordinates

    @cached_property
    def weights(self) -> Tensor:
        num = len(self.coordinates)
        return (
            torch.full((num,), 1.0 / num, dtype=torch.float64)
            if self.measure is None
            else self.measure
        )

    @cached_property
    def boundary(self) -> Tensor:
        none = torch.zeros(self.shape, dtype=torch.bool)
        return none if self.on_boundary is None else self.on_boundary


@final
@dataclass(frozen=True)
class Mesh(Domain):
    """Simplices or quadrilaterals over nodes: ``nodes`` (N, d), ``cells`` (E, V) node indices.

    Weights lump each cell's measure equally onto its vertices, exact for functions linear on
    simplices. Supported cells: segments (1D), triangles and quadrilaterals (2D, vertices in order
    around the cell), tetrahedra (3D).
    """

    nodes: Tensor
    cells: Tensor
    on_boundary: Tensor | None = field(default=None)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.nodes),)

    @property
    def dim(self) -> int:
        return self.nodes.shape[1]

    @cached_property
    def points(self) -> Tensor:
        return self.nodes

    @cached_property
    def cell_measures(self) -> Tensor:
        """Length, area or volume of every cell (E,)."""
        corners = self.nodes.to(torch.float64)[self.cells]
        num_vertices = self.cells.shape[1]
        if num_vertices == self.dim + 1:
            edges = corners[:, 1:] - corners[:, :1]
            return torch.linalg.det(edges).abs() / math.factorial(self.dim)
        if num_vertices == 4 and self.dim == 2:
            diagonal_a = corners[:, 2] - corners[:, 0]
            diagonal_b = corners[:, 3] - corners[:, 1]
            return (
                diagonal_a[:, 0] * diagonal_b[:, 1] - diagonal_a[:, 1] * diagonal_b[:, 0]
            ).abs() / 2
        raise ValueError(
            f"cells has {num_vertices} vertices in {self.dim} dimensions, "
            "expected simplices or quadrilaterals"
        )

    @cached_property
    def weights(self) -> Tensor:
        num_vertices = self.cells.shape[1]
        share = (self.cell_measures / num_vertices).repeat_interleave(num_vertices)
        total = torch.zeros(len(self.nodes), dtype=torch.float64)
        return total.index_add_(0, self.cells.reshape(-1), share)

    @cached_property
    def boundary(self) -> Tensor:
        none = torch.zeros(self.shape, dtype=torch.bool)
        return none if self.on_boundary is None else self.on_boundary
