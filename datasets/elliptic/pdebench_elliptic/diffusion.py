"""Diffusion with random coefficients: Darcy flow, smooth and rough, and multiscale media."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pdebench.dataset import Card
from pdebench.domain import Axis, Grid
from pdebench.equation import Equation
from pdebench.equations.divergence_form import DivergenceForm
from pdebench.errors import ConfigError
from pdebench.files import Layout, Variable
from pdebench.generated import GeneratedDataset, check_counts
from pdebench.generation import Recipe, sample_generator
from pdebench.problem import Index, Problem
from pdebench.samples import Source
from pdebench.solver import Solver
from pdebench.stored import Stored
from pdebench_elliptic.laws import Law

VERSION = "1"
Array = NDArray[Any]
_WHY = {
    "test_fine": "the test samples on a finer grid, which no training sample had",
    "ood_length": "half the correlation length: more interfaces than in training",
    "ood_contrast": "a contrast of 100: the low phase blocks the flow far more than in training",
    "ood_lognormal": "a smooth lognormal coefficient: values between and beyond the two phases",
    "ood_levels": "one more level: twice the highest frequency of the training coefficients",
}


def _grid(points: int) -> Grid:
    return Grid((Axis.interval(points),) * 2)


@final
@dataclass(frozen=True)
class DiffusionRecipe(Recipe):
    """Picklable recipe of all splits."""

    name: str
    solve: int
    stored: Mapping[str, int]
    laws: Mapping[str, Law]
    sizes: Mapping[str, int]
    solver: Solver

    @property
    def counts(self) -> Mapping[str, int]:
        return self.sizes

    @property
    def shard(self) -> int:
        return 4

    def solved(self, split: str, indices: range, points: int) -> tuple[Array, Array]:
        """Return a and u (n, points, points), solved on that grid."""
        stream = f"{self.name}@{VERSION}/{'test' if split == 'test_fine' else split}"
        law, x = self.laws[split], np.linspace(0, 1, points)
        drawn = [law.draw(sample_generator(stream, i)) for i in indices]
        a = np.stack([law.field(numbers, x, x) for numbers in drawn])[:, None]
        problem = Problem(DivergenceForm(), _grid(points), {"coefficient": torch.from_numpy(a)})
        self.solver.prepare(problem)
        return a[:, 0], self.solver.solve(problem).u[:, 0].numpy()

    def make(self, split: str, indices: range) -> Mapping[str, Array]:
        a, u = self.solved(split, indices, self.solve)
        step = (self.solve - 1) // (self.stored[split] - 1)
        kept = {"coefficient": a, "u": u}
        return {
            name: v[:, None, ::step, ::step].astype(np.float32).copy() for name, v in kept.items()
        }

    def layout(self, split: str) -> Layout:
        nodes = np.linspace(0, 1, self.stored[split])
        axes = ("channel", "x", "y")
        return Layout(
            {
                "coefficient": Variable(axes, "1", "coefficient a"),
                "u": Variable(axes, "1", "solution u"),
            },
            {"channel": (np.array(["value"]), "1"), "x": (nodes, "1"), "y": (nodes, "1")},
        )


class _Fields(Source):
    """Stored coefficients as inputs, solutions as targets."""

    def __init__(self, stored: Stored, points: int) -> None:
        self._stored, self._domain = stored, _grid(points)

    def __len__(self) -> int:
        return len(self._stored)

    def problem(self, index: Index) -> Problem:
        a = torch.from_numpy(self._stored.read("coefficient", index))
        return Problem(DivergenceForm(), self._domain, {"coefficient": a})

    def target(self, index: Index) -> Tensor:
        return torch.from_numpy(self._stored.read("u", index))


@final
class Diffusion(GeneratedDataset):
    """-div(a grad u) = 1 on the unit square, u = 0 on its boundary, a random.

    Coefficients are evaluated at the nodes of the grid that is solved on; every stored grid holds a
    subset of those nodes. Splits: train, valid, test; test_fine (the test samples on a finer grid);
    any ood split with a law of its own.

    Args:
        name: of the data set, such as darcy.
        solve: nodes per axis of the grid that is solved on.
        stored: nodes per axis that are kept; ``solve - 1`` is a multiple of ``stored - 1``.
        fine: the same of test_fine.
        law: how coefficients are drawn.
        counts: split -> samples.
        solver: solves ``DivergenceForm``.
        shifts: ood split -> its law.
        reference: citation of the recipe.
        workers: processes; None for one per core. Does not change the samples.
    """

    def __init__(
        self,
        name: str,
        solve: int,
        stored: int,
        fine: int,
        law: Law,
        counts: Mapping[str, int],
        solver: Solver,
        shifts: Mapping[str, Law] | None = None,
        reference: str = "Li et al., ICLR 2021, arXiv 2010.08895",
        workers: int | None = None,
    ) -> None:
        shifts = dict(shifts or {})
        if unknown := set(shifts) - set(_WHY):
            raise ConfigError(
                f"dataset.shifts has {sorted(unknown)}, expected some of {', '.join(_WHY)}"
            )
        check_counts(counts, ("train", "valid", "test", "test_fine", *shifts))
        for key, points in (("stored", stored), ("fine", fine)):
            if points < 9 or (solve - 1) % (points - 1):
                raise ConfigError(
                    f"dataset.{key}={points}, expected at least 9 nodes and solve - 1 = "
                    f"{solve - 1} to be a multiple of {key} - 1"
                )
        recipe = DiffusionRecipe(
            f"elliptic/{name}",
            solve,
            {split: fine if split == "test_fine" else stored for split in counts},
            {split: shifts.get(split, law) for split in counts},
            dict(counts),
            solver,
        )
        card = Card(
            name=f"elliptic/{name}",
            version=VERSION,
            summary=f"Diffusion with random coefficients ({name}), {solve}^2 kept on {stored}^2",
            equation=DivergenceForm.formula,
            units={"coefficient": "1", "u": "1"},
            how=f"fluxes with harmonic means on {solve}^2 nodes by {type(solver).__name__}",
            reference=reference,
            splits=counts,
            shifts={key: why for key, why in _WHY.items() if key in counts},
        )
        settings = {
            "solve": solve,
            "stored": stored,
            "fine": fine,
            "laws": {s: [type(one).__name__, asdict(one)] for s, one in _laws(recipe).items()},
        }
        super().__init__(card, recipe, settings, workers)
        self._made = recipe

    @property
    def equation(self) -> Equation:
        return DivergenceForm()

    def source(self, split: str, stored: Stored) -> Source:
        return _Fields(stored, self._made.stored[split])

    def finer(self, split: str, indices: range) -> Iterator[Tensor]:
        """Solve on twice as many intervals per axis."""
        points = 2 * (self._made.solve - 1) + 1
        step = (points - 1) // (self._made.stored[split] - 1)
        for index in indices:
            _, u = self._made.solved(split, range(index, index + 1), points)
            yield torch.from_numpy(u[:, ::step, ::step].copy())


def _laws(recipe: DiffusionRecipe) -> dict[str, Any]:
    """Laws by split; they are frozen dataclasses."""
    return {split: recipe.laws[split] for split in sorted(recipe.laws)}
