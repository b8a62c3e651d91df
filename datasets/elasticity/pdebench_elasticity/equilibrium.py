"""Linear equilibrium of unit cells with voids: sparse symmetric systems on meshes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pdebench.dataset import Card
from pdebench.equation import Equation
from pdebench.equations.elasticity import Equilibrium
from pdebench.equations.unit_cell import MODES, CellMesh, parameters_of
from pdebench.errors import ConfigError
from pdebench.files import Layout, Variable
from pdebench.generated import GeneratedDataset, check_counts
from pdebench.generation import Recipe, sample_generator
from pdebench.problem import Index, Problem
from pdebench.samples import Source
from pdebench.solver import Solver
from pdebench.stored import Stored
from pdebench_elasticity.cell import PRIORS, SHIFTS, mesh_domain
from pdebench_elasticity.voids import draw

NAME, VERSION = "elasticity/equilibrium", "1"
Array = NDArray[Any]
_SHIFTS = SHIFTS | {
    "ood_incompressible": "Poisson ratio 0.49 for 0.3: stiffer in shape, worse conditioned",
    "test_large": "the test bodies on a mesh twice as fine: four times the unknowns",
}


@final
@dataclass(frozen=True)
class EquilibriumRecipe(Recipe):
    """Picklable recipe of all splits."""

    mesh: CellMesh
    sizes: Mapping[str, int]
    solver: Solver

    @property
    def counts(self) -> Mapping[str, int]:
        return self.sizes

    @property
    def shard(self) -> int:
        return 4

    def mesh_of(self, split: str) -> CellMesh:
        """Return the mesh of a split's files."""
        mesh = self.mesh
        return CellMesh(2 * mesh.around, 2 * mesh.across) if split == "test_large" else mesh

    def drawn(self, split: str, indices: range) -> tuple[Array, Array, Array]:
        """Return shape numbers (n, 17), tractions (n, 2) and Poisson ratios (n,)."""
        stream = f"{NAME}@{VERSION}/{'test' if split == 'test_large' else split}"
        prior = PRIORS.get(split, "published")
        numbers = np.stack([draw(stream, i, prior) for i in indices])
        angles = [2 * np.pi * sample_generator(f"{stream}/load", i).random() for i in indices]
        ratio = 0.49 if split == "ood_incompressible" else 0.3
        return numbers, np.stack([np.cos(angles), np.sin(angles)], 1), np.full(len(numbers), ratio)

    def posed(self, split: str, indices: range, mesh: CellMesh) -> Problem:
        """Return the problems of some samples on a mesh."""
        numbers, traction, ratio = self.drawn(split, indices)
        nodes = mesh.nodes(numbers)
        force = traction[:, :, None] * mesh.top_forces(nodes)[:, None]
        inputs = {"points": torch.from_numpy(nodes).mT, "force": torch.from_numpy(force)}
        return Problem(
            Equilibrium(mesh.around, mesh.across),
            mesh_domain(mesh, nodes[0]),
            inputs,
            parameters=parameters_of(numbers) | {"poisson": torch.from_numpy(ratio)},
        )

    def make(self, split: str, indices: range) -> Mapping[str, Array]:
        problem = self.posed(split, indices, self.mesh_of(split))
        kept = {
            "points": problem.inputs["points"],
            "force": problem.inputs["force"],
            "displacement": self.solver.solve(problem).u,
        }
        made = {name: v.contiguous().numpy() for name, v in kept.items()}
        numbers, _, ratio = self.drawn(split, indices)
        return made | {"shape_numbers": numbers, "poisson": ratio}

    def layout(self, split: str) -> Layout:
        nodal = ("component", "node")
        return Layout(
            {
                "points": Variable(nodal, "1", "nodes of the mesh"),
                "force": Variable(nodal, "1", "nodal forces f"),
                "displacement": Variable(nodal, "1", "displacement u"),
                "shape_numbers": Variable(("number",), "1", "s_0, a_1..a_8, b_1..b_8"),
                "poisson": Variable((), "1", "Poisson ratio"),
            },
            {
                "component": (np.array(["x", "y"]), "1"),
                "node": (np.arange(self.mesh_of(split).num_nodes), "1"),
                "number": (np.arange(2 * MODES + 1), "1"),
            },
        )


@final
class _Bodies(Source):
    """Nodes and forces as inputs, displacement as target; single samples have their own mesh."""

    def __init__(self, stored: Stored, mesh: CellMesh) -> None:
        self._stored, self._mesh = stored, mesh
        self._shared = mesh_domain(mesh, mesh.nodes(np.zeros((1, 2 * MODES + 1)))[0])

    def __len__(self) -> int:
        return len(self._stored)

    def problem(self, index: Index) -> Problem:
        points, force = (self._stored.read(name, index) for name in ("points", "force"))
        alone = len(points) == 1
        domain = mesh_domain(self._mesh, points[0].T) if alone else self._shared
        numbers = parameters_of(self._stored.read("shape_numbers", index))
        ratio = torch.from_numpy(self._stored.read("poisson", index))
        return Problem(
            Equilibrium(self._mesh.around, self._mesh.across),
            domain,
            {"points": torch.from_numpy(points).float(), "force": torch.from_numpy(force).float()},
            parameters=numbers | {"poisson": ratio},
        )

    def target(self, index: Index) -> Tensor:
        return torch.from_numpy(self._stored.read("displacement", index)).float()


@final
class Bodies(GeneratedDataset):
    """K u = f: unit cells with random voids under tractions of any direction, E = 1.

    The answer asked for is the discrete one on the stored mesh, as for every linear system; the
    error of the reference is its distance from an independent solution of the same system. Splits:
    train, valid, test, test_large (a mesh twice as fine), ood_amplitude, ood_modes, ood_ellipse,
    ood_incompressible.

    Args:
        around, across: cells of the mesh.
        counts: split -> samples.
        solver: solves ``Equilibrium``.
        other: an independent solver of the same.
        workers: processes; None for one per core. Does not change the samples.
    """

    chunk: ClassVar[int | None] = 1

    def __init__(
        self,
        around: int,
        across: int,
        counts: Mapping[str, int],
        solver: Solver,
        other: Solver,
        workers: int | None = None,
    ) -> None:
        check_counts(counts, ("train", "valid", "test", *_SHIFTS))
        if around < 8 or around % 8 or across < 1:
            raise ConfigError(
                f"dataset.around={around} and across={across}, expected a multiple of 8 and at "
                "least 1 cells"
            )
        recipe = EquilibriumRecipe(CellMesh(around, across), dict(counts), solver)
        card = Card(
            name=NAME,
            version=VERSION,
            summary=f"Linear equilibrium of unit cells, {2 * recipe.mesh.num_nodes} unknowns",
            equation="K u = f, plane stress, E = 1",
            units={"displacement": "1", "points": "1", "force": "1"},
            how=f"biquadratic finite elements, {type(solver).__name__}",
            reference="cells: Li et al., Geo-FNO, arXiv 2207.05209, sec. 4.1; linear, plane stress",
            splits=counts,
            shifts={key: why for key, why in _SHIFTS.items() if key in counts},
        )
        super().__init__(card, recipe, {"around": around, "across": across}, workers)
        self._made, self._other = recipe, other

    @property
    def equation(self) -> Equation:
        return Equilibrium(self._made.mesh.around, self._made.mesh.across)

    def source(self, split: str, stored: Stored) -> Source:
        return _Bodies(stored, self._made.mesh_of(split))

    def finer(self, split: str, indices: range) -> Iterator[Tensor]:
        """Solve the same systems by another method."""
        mesh = self._made.mesh_of(split)
        for index in indices:
            problem = self._made.posed(split, range(index, index + 1), mesh)
            yield self._other.solve(problem).u[0]
