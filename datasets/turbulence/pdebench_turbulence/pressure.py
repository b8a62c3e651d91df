"""Pressure systems of a flow between obstacles, after the problems of deep conjugate directions."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pdebench.atomic import write_atomically
from pdebench.dataset import Card, Dataset
from pdebench.domain import Axis, Grid
from pdebench.equation import Equation
from pdebench.equations.pressure import FLUID, PressurePoisson, assembled
from pdebench.errors import ConfigError, DataError
from pdebench.files import Layout, Stored, Variable, verify
from pdebench.generation import Recipe, generate
from pdebench.problem import Index, Problem
from pdebench.samples import Samples, Source
from pdebench_turbulence.obstacles import Kind, divergence, draw_mask

NAME, VERSION = "turbulence/pressure", "1"
_TOLERANCE = 1e-12  # relative residual of the reference
_CHECKED = 2  # samples solved again by a direct method
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


@final
@dataclass(frozen=True)
class PressureRecipe(Recipe):
    """Picklable recipe of all splits."""

    grids: Mapping[str, int]
    kinds: Mapping[str, Kind]
    sizes: Mapping[str, int]
    sources_per_mask: int
    attributes: Mapping[str, str]

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
            {**self.attributes, "split": split},
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
class Pressure(Dataset):
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
        if set(counts) - set(known) or min(counts.values(), default=0) < 1:
            raise ConfigError(
                f"dataset.counts={dict(counts)}, expected positive numbers for some of "
                f"{', '.join(known)}"
            )
        recipe = json.dumps({"grid": grid, "sources_per_mask": sources_per_mask}, sort_keys=True)
        attributes = {
            "dataset": NAME,
            "version": VERSION,
            "equation": "n_i p_i - sum_j p_j = b_i",
            "recipe": recipe,
        }
        self._recipe = PressureRecipe(
            {split: 2 * grid if split == "test_large" else grid for split in counts},
            {split: "plates" if split == "ood_plates" else "mixed" for split in counts},
            dict(counts),
            sources_per_mask,
            attributes,
        )
        self._workers = workers
        self._folder: Path | None = None
        self._reference_error: dict[str, float] | None = None

    @property
    def equation(self) -> Equation:
        return PressurePoisson()

    @property
    def card(self) -> Card:
        counts = self._recipe.counts
        grid = self._recipe.grids.get("test", next(iter(self._recipe.grids.values())))
        return Card(
            name=NAME,
            version=VERSION,
            summary=f"Pressure systems of a flow between obstacles, {grid}^3 cells",
            equation=self._recipe.attributes["equation"],
            units={"mask": "1", "source": "1", "pressure": "1"},
            how=f"pyamg: conjugate gradients with algebraic multigrid to {_TOLERANCE:g}",
            reference="Kaneda et al., ICML 2023, arXiv 2205.10763, sec. 5",
            splits=counts,
            shifts={key: why for key, why in _SHIFTS.items() if key in counts},
            reference_error=self._reference_error,
        )

    def prepare(self, folder: Path) -> str:
        generate(self._recipe, folder, self._workers)
        digests = []
        attributes = self._recipe.attributes
        expected = {key: attributes[key] for key in ("dataset", "version", "recipe")}
        for split in sorted(self._recipe.counts):
            digests.append(f"{split}:{verify(folder / f'{split}.h5', expected, _FIELDS)}")
        self._folder = folder
        self._reference_error = self._checked_reference(folder)
        return hashlib.sha256("\n".join(digests).encode()).hexdigest()

    def _checked_reference(self, folder: Path) -> dict[str, float]:
        """Return the relative L2 difference of stored pressures, in single precision as they are
        scored, from a sparse direct solution.
        """
        from scipy.sparse.linalg import spsolve

        file = folder / "reference_error.json"
        if file.exists():
            return json.loads(file.read_text(encoding="utf-8"))
        split = "test" if "test" in self._recipe.counts else next(iter(self._recipe.counts))
        stored = Stored(folder / f"{split}.h5")
        mask, source, given = (stored.read(name, slice(0, _CHECKED)) for name in _FIELDS)
        gaps = []
        for m, b, p in zip(mask[:, 0], source[:, 0], given[:, 0].astype(np.float32), strict=True):
            where = np.flatnonzero(m.ravel() == FLUID)
            matrix = assembled(m, open_top=True)[where][:, where]
            exact = np.asarray(spsolve(matrix.tocsc(), b.ravel()[where]))
            gaps.append(np.linalg.norm(p.ravel()[where] - exact) / np.linalg.norm(exact))
        error = {split: float(max(gaps))}
        write_atomically(file, json.dumps(error).encode())
        return error

    def split(self, name: str) -> Samples:
        if name not in self._recipe.counts:
            known = ", ".join(self._recipe.counts)
            raise ConfigError(f"{NAME} has no split '{name}'; it has {known}")
        if self._folder is None:
            raise DataError(f"{NAME} is not prepared; call prepare(folder) first")
        return Samples(_Systems(Stored(self._folder / f"{name}.h5"), self._recipe.grids[name]))
