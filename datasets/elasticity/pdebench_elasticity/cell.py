"""The stretched unit cell: von Mises stress on the points of a mesh, and on a grid."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pdebench.dataset import Card
from pdebench.domain import Axis, Grid, Mesh
from pdebench.equation import Equation
from pdebench.equations.elasticity import StretchedCell
from pdebench.equations.unit_cell import MODES, CellMesh, parameters_of, radius
from pdebench.errors import ConfigError
from pdebench.files import Layout, Variable
from pdebench.generated import GeneratedDataset, check_counts
from pdebench.generation import Recipe
from pdebench.problem import Index, Problem
from pdebench.samples import Samples, Source
from pdebench.solver import Solver
from pdebench.stored import Stored
from pdebench.task import Question
from pdebench_elasticity.voids import Prior, draw

NAME, VERSION = "elasticity/cell", "1"
Array = NDArray[Any]
PRIORS: dict[str, Prior] = {
    "ood_amplitude": "amplitude",
    "ood_modes": "modes",
    "ood_ellipse": "ellipse",
}
SHIFTS = {
    "ood_amplitude": "voids half as rough again (6 for 4): thinner ligaments, higher peaks",
    "ood_modes": "eight harmonics for five: curvatures that no training void has",
    "ood_ellipse": "turned ellipses: outside the prior, with a constant part it does not draw",
}
_GRID = 41  # points per axis of the interpolated files, Geo-FNO
_RADII = 42  # angles of the published radii, the last one the first again


def mesh_domain(mesh: CellMesh, nodes: Array) -> Mesh:
    """Return the cells, cut in four, over nodes (N, 2)."""
    return Mesh(
        torch.from_numpy(np.ascontiguousarray(nodes, dtype=float)),
        torch.from_numpy(mesh.quadrilaterals),
        torch.from_numpy(mesh.boundary),
    )


@final
@dataclass(frozen=True)
class CellRecipe(Recipe):
    """Picklable recipe of all splits."""

    mesh: CellMesh
    traction: float
    sizes: Mapping[str, int]
    solver: Solver

    @property
    def counts(self) -> Mapping[str, int]:
        return self.sizes

    @property
    def shard(self) -> int:
        return 4

    def drawn(self, split: str, indices: range) -> Array:
        """Return shape numbers (n, 17)."""
        stream, prior = f"{NAME}@{VERSION}/{split}", PRIORS.get(split, "published")
        return np.stack([draw(stream, i, prior) for i in indices])

    def solved(self, numbers: Array, nodes: Array, solver: Solver) -> Array:
        """Return displacement and stress (n, 3, N) at the nodes."""
        problem = Problem(
            StretchedCell(self.mesh.around, self.mesh.across, traction=self.traction, asked="all"),
            mesh_domain(self.mesh, nodes[0]),
            {"points": torch.from_numpy(nodes).mT},
            parameters=parameters_of(numbers),
        )
        return solver.solve(problem).u.numpy()

    def mapped(self, numbers: Array) -> tuple[Array, Array]:
        """Return mask and stress on the grid (n, 1, 41, 41)."""
        grid = Grid((Axis.interval(_GRID),) * 2)
        law = StretchedCell(self.mesh.around, self.mesh.across, traction=self.traction)
        inside = [self.mesh.located(n, grid.points.numpy()).inside for n in numbers]
        mask = np.stack(inside).reshape(-1, 1, _GRID, _GRID)
        given = {"mask": torch.from_numpy(mask)}
        problem = Problem(law, grid, given, parameters=parameters_of(numbers))
        return mask, self.solver.solve(problem).u.numpy()

    def make(self, split: str, indices: range) -> Mapping[str, Array]:
        numbers = self.drawn(split, indices)
        nodes = self.mesh.nodes(numbers)
        fields = self.solved(numbers, nodes, self.solver)
        mask, stress = self.mapped(numbers)
        weights = self.mesh.quadrature(numbers).measure.numpy()
        single = {
            "points": nodes.transpose(0, 2, 1),
            "displacement": fields[:, :2],
            "stress": fields[:, 2:],
            "weights": weights[:, None],
            "grid_mask": mask,
            "grid_stress": stress,
            "radius": radius(numbers, np.linspace(0, 2 * np.pi, _RADII)),
        }
        made = {name: np.ascontiguousarray(v, dtype=np.float32) for name, v in single.items()}
        return made | {"shape_numbers": numbers}

    def layout(self, split: str) -> Layout:
        x = (np.linspace(0, 1, _GRID), "m")
        square = ("channel", "x", "y")
        nodal = ("channel", "node")
        return Layout(
            {
                "points": Variable(("component", "node"), "m", "nodes of the mesh at rest"),
                "displacement": Variable(("component", "node"), "m", "displacement"),
                "stress": Variable(nodal, "N/m^2", "von Mises stress"),
                "weights": Variable(nodal, "m^2", "integrals of the shape functions"),
                "grid_mask": Variable(square, "1", "1 in the body, 0 in the void"),
                "grid_stress": Variable(square, "N/m^2", "von Mises stress, 0 in the void"),
                "radius": Variable(("angle",), "m", "radius of the void"),
                "shape_numbers": Variable(("number",), "1", "s_0, a_1..a_8, b_1..b_8"),
            },
            {
                "component": (np.array(["x", "y"]), "1"),
                "channel": (np.array(["value"]), "1"),
                "node": (np.arange(self.mesh.num_nodes), "1"),
                "x": x,
                "y": x,
                "angle": (np.linspace(0, 2 * np.pi, _RADII), "rad"),
                "number": (np.arange(2 * MODES + 1), "1"),
            },
        )


@final
class PointStress(Source):
    """Nodes as input, stress as target; a single sample has its own mesh, several share the mesh of
    the mean void, r = 0.3, of which theirs are images.
    """

    def __init__(self, stored: Stored, law: StretchedCell, mesh: CellMesh) -> None:
        self.stored, self.law, self._mesh = stored, law, mesh
        self._shared = mesh_domain(mesh, mesh.nodes(np.zeros((1, 2 * MODES + 1)))[0])

    def __len__(self) -> int:
        return len(self.stored)

    def numbers(self, index: Index) -> dict[str, Tensor]:
        """Return the shape numbers as parameters."""
        return parameters_of(self.stored.read("shape_numbers", index))

    def problem(self, index: Index) -> Problem:
        points = torch.from_numpy(self.stored.read("points", index))
        alone = len(points) == 1
        domain = mesh_domain(self._mesh, points[0].numpy().T) if alone else self._shared
        return Problem(self.law, domain, {"points": points}, parameters=self.numbers(index))

    def target(self, index: Index) -> Tensor:
        return torch.from_numpy(self.stored.read("stress", index))


@final
class _GridStress(Source):
    """Mask as input, stress as target, on 41 x 41 points."""

    def __init__(self, points: PointStress) -> None:
        self._points, self._grid = points, Grid((Axis.interval(_GRID),) * 2)

    def __len__(self) -> int:
        return len(self._points)

    def problem(self, index: Index) -> Problem:
        mask = torch.from_numpy(self._points.stored.read("grid_mask", index))
        numbers = self._points.numbers(index)
        return Problem(self._points.law, self._grid, {"mask": mask}, parameters=numbers)

    def target(self, index: Index) -> Tensor:
        return torch.from_numpy(self._points.stored.read("grid_stress", index))


@final
class OnGrid(Question):
    """Ask the stretched cell for its stress on a uniform grid, given the mask of the body."""

    def ask(self, samples: Samples) -> Samples:
        if not isinstance(samples.source, PointStress):
            raise ConfigError(
                "task.question is pdebench_elasticity.cell.OnGrid, which asks elasticity/cell only"
            )
        return Samples(_GridStress(samples.source), samples.indices)


@final
class StretchedCells(GeneratedDataset):
    """Unit cells with random voids, clamped below and pulled above; incompressible rubber.

    Labels come from a finer mesh, kept at the nodes of the mesh ``around`` x ``across`` and
    interpolated to 41 x 41 points. Splits: train, valid, test, ood_amplitude, ood_modes,
    ood_ellipse.

    Args:
        around, across: cells of the mesh whose nodes are kept.
        counts: split -> samples.
        solver: solves ``StretchedCell``.
        finer: the same on a finer mesh, which tells the error of the labels.
        traction: on the top, N/m^2.
        workers: processes; None for one per core. Does not change the samples.
    """

    chunk: ClassVar[int | None] = 1

    def __init__(
        self,
        around: int,
        across: int,
        counts: Mapping[str, int],
        solver: Solver,
        finer: Solver,
        traction: float = 100.0,
        workers: int | None = None,
    ) -> None:
        check_counts(counts, ("train", "valid", "test", *SHIFTS))
        if not traction > 0:
            raise ConfigError(f"dataset.traction={traction}, expected a positive number")
        mesh = CellMesh(around, across)
        self._law = StretchedCell(around, across, traction=traction)
        recipe = CellRecipe(mesh, traction, dict(counts), solver)
        card = Card(
            name=NAME,
            version=VERSION,
            summary=f"Stretched unit cells with voids, {mesh.num_nodes} nodes and {_GRID}^2 points",
            equation="-div P = 0, W = C1 (I1 - 3) + C2 (I2 - 3), plane stress, incompressible",
            units={"stress": "N/m^2", "displacement": "m", "points": "m"},
            how=f"biquadratic finite elements by {type(solver).__name__}, Newton's method; a von "
            "Mises stress alone does not say whether forces balance: no residual",
            reference="Li et al., Geo-FNO, arXiv 2207.05209, sec. 4.1",
            splits=counts,
            shifts={key: why for key, why in SHIFTS.items() if key in counts},
        )
        fineness = [getattr(getattr(one, "mesh", None), "around", 0) for one in (solver, finer)]
        settings = {"around": around, "across": across, "traction": traction, "cells": fineness}
        super().__init__(card, recipe, settings, workers)
        self._made, self._finer = recipe, finer

    @property
    def equation(self) -> Equation:
        return self._law

    def source(self, split: str, stored: Stored) -> Source:
        return PointStress(stored, self._law, self._made.mesh)

    def finer(self, split: str, indices: range) -> Iterator[Tensor]:
        """Solve on a finer mesh."""
        for index in indices:
            numbers = self._made.drawn(split, range(index, index + 1))
            fields = self._made.solved(numbers, self._made.mesh.nodes(numbers), self._finer)
            yield torch.from_numpy(fields[0, 2:])
