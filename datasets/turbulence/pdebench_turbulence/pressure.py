"""Pressure systems of a flow between obstacles, after the problems of deep conjugate directions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pdebench.dataset import Card
from pdebench.domain import Axis, Grid
from pdebench.equation import Equation
from pdebench.equations.pressure import FLUID, PressurePoisson, assembled
from pdebench.errors import ConfigError, DataError
from pdebench.files import Layout, Variable
from pdebench.generated import GeneratedDataset, check_counts
from pdebench.generation import Recipe
from pdebench.problem import Index, Problem
from pdebench.samples import Source
from pdebench.stored import Stored
from pdebench_turbulence.obstacles import Kind, divergence, draw_mask

NAME, VERSION = "turbulence/pressure", "1"
_TOLERANCE = 1e-12  # relative residual of the reference
_FINER_TOLERANCE = 1e-14  # of the solution that it is checked by, where round-off lets it
_FIELDS = ("mask", "source", "pressure")
_SHIFTS = {
    "test_large": "twice the points per axis: smaller eigenvalues than any in training",
    "ood_plates": "plates with one hole each: the flow winds, and the matrix is worse conditioned",
}


def solved(mask: NDArray[np.int8], source: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p with |b - A p| <= 1e-12 |b|, by conjugate gradients with algebraic multigrid."""
    from pyamg import ruge_stuben_solver

    where = np.flatnonzero(mask.ravel() == FLUID)
    matrix = assembled(mask, open_top=True)[where][:, where].tocsr()
    b = source.ravel()[where]
    x = ruge_stuben_solver(matrix).solve(b, tol=_TOLERANCE, maxiter=200, accel="cg")
    if not np.linalg.norm(b - matrix @ x) <= 2 * _TOLERANCE * np.linalg.norm(b):
        raise DataError("the pressure system was not solved to 1e-12; is the mask connected?")
    p = np.zeros(mask.size)
    p[where] = x
    return p.reshape(mask.shape)


def refined(matrix: Any, b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return x to round-off, by smoothed aggregation, another coarsening than that of `solved`.

    Memory grows like the number of cells. Sparse elimination fills N^(4/3) entries: gigabytes at
    64^3.
    """
    from pyamg import smoothed_aggregation_solver

    solver = smoothed_aggregation_solver(matrix.tocsr())
    return solver.solve(b, tol=_FINER_TOLERANCE, maxiter=60, accel="cg")


@final
@dataclass(frozen=True)
class PressureRecipe(Recipe):
    """Picklable recipe of all splits."""

    grids: Mapping[str, int]
    kinds: Mapping[str, Kind]
    sizes: Mapping[str, int]
    sources_per_mask: int

    @property
    def counts(self) -> Mapping[str, int]:
        return self.sizes

    @property
    def shard(self) -> int:
        return self.sources_per_mask

    def make(self, split: str, indices: range) -> Mapping[str, NDArray[Any]]:
        # test_large draws the masks and velocities of test on a finer grid.
        stream = f"{NAME}@{VERSION}/{'test' if split == 'test_large' else split}"
        rows: dict[str, list[NDArray[Any]]] = {name: [] for name in _FIELDS}
        for index in indices:
            mask = draw_mask(
                stream, index // self.sources_per_mask, self.grids[split], self.kinds[split]
            )
            source = divergence(stream, index, mask)
            for name, value in zip(_FIELDS, (mask, source, solved(mask, source)), strict=True):
                rows[name].append(value[None])
        return {
            name: np.stack(values).astype(np.int8 if name == "mask" else np.float64)
            for name, values in rows.items()
        }

    def layout(self, split: str) -> Layout:
        axes = ("channel", "x", "y", "z")
        points = (np.arange(self.grids[split]) + 0.5, "1")
        return Layout(
            {
                "mask": Variable(axes, "1", "1 fluid, 0 solid"),
                "source": Variable(axes, "1", "minus the divergence of the velocity"),
                "pressure": Variable(axes, "1", "pressure p"),
            },
            {"channel": (np.array(["value"]), "1"), **dict.fromkeys("xyz", points)},
        )


class _Systems(Source):
    """Stored systems: mask and source as inputs, pressure as target."""

    def __init__(self, stored: Stored, grid: int) -> None:
        self._stored = stored
        self._domain = Grid((Axis.cells(grid, float(grid)),) * 3)

    def __len__(self) -> int:
        return len(self._stored)

    def problem(self, index: Index) -> Problem:
        inputs = {
            name: torch.from_numpy(self._stored.read(name, index)).float()
            for name in ("mask", "source")
        }
        return Problem(PressurePoisson(), self._domain, inputs)

    def target(self, index: Index) -> Tensor:
        return torch.from_numpy(self._stored.read("pressure", index)).float()


@final
class Pressure(GeneratedDataset):
    """Systems A p = b between random obstacles in a box that is open at the top.

    Kaneda et al., ICML 2023 (arXiv 2205.10763), sec. 5: cell-centred seven-point matrices, faces to
    solids dropped, the open face on the diagonal alone. b = -div u* of a random velocity that does
    not enter solids. Their scenes are of smoke; here spheres, boxes and (out of distribution)
    plates, and a plume. Splits: train, valid, test, test_large (test on a grid twice as fine),
    ood_plates.

    Args:
        grid: cells per axis.
        counts: split -> systems.
        sources_per_mask: right-hand sides per set of obstacles.
        workers: processes; None for one per core. Does not change the samples.
    """

    checked: ClassVar[Mapping[str, int]] = {"train": 0, "valid": 0, "test": 2}

    def __init__(
        self,
        grid: int,
        counts: Mapping[str, int],
        sources_per_mask: int = 4,
        workers: int | None = None,
    ) -> None:
        known = ("train", "valid", "test", *_SHIFTS)
        if grid < 8:
            raise ConfigError(f"dataset.grid={grid}, expected at least 8 cells per axis")
        if sources_per_mask < 1:
            raise ConfigError(f"dataset.sources_per_mask={sources_per_mask}, expected at least 1")
        check_counts(counts, known)
        recipe = PressureRecipe(
            {split: 2 * grid if split == "test_large" else grid for split in counts},
            {split: "plates" if split == "ood_plates" else "mixed" for split in counts},
            dict(counts),
            sources_per_mask,
        )
        card = Card(
            name=NAME,
            version=VERSION,
            summary=f"Pressure systems of a flow between obstacles, {grid}^3 cells",
            equation="n_i p_i - sum_j p_j = b_i",
            units={"mask": "1", "source": "1", "pressure": "1"},
            how=f"pyamg: conjugate gradients with algebraic multigrid to {_TOLERANCE:g}",
            reference="Kaneda et al., ICML 2023, arXiv 2205.10763, sec. 5",
            splits=counts,
            shifts={key: why for key, why in _SHIFTS.items() if key in counts},
        )
        settings = {"grid": grid, "sources_per_mask": sources_per_mask}
        super().__init__(card, recipe, settings, workers)
        self._grids = recipe.grids

    @property
    def equation(self) -> Equation:
        return PressurePoisson()

    def source(self, split: str, stored: Stored) -> Source:
        return _Systems(stored, self._grids[split])

    def finer(self, split: str, indices: range) -> Iterator[Tensor]:
        """Solve the same systems by another multigrid, to round-off (`refined`)."""
        for one in self.split(split)[indices.start : indices.stop].chunks(1):
            mask, source = (one.problem.inputs[name][0, 0].numpy() for name in ("mask", "source"))
            where = np.flatnonzero(mask.ravel() == FLUID)
            matrix = assembled(mask.astype(np.int8), open_top=True)[where][:, where]
            exact = np.zeros(mask.size)
            exact[where] = refined(matrix, source.ravel()[where].astype(float))
            yield torch.from_numpy(exact.reshape(1, *mask.shape))
