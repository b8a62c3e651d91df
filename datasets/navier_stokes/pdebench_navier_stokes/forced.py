"""Forced two-dimensional Navier-Stokes flow, after the data of the Fourier neural operator."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from torch import Tensor

from pdebench.dataset import Card
from pdebench.domain import Grid
from pdebench.equations.vorticity import DiagonalForcing, Vorticity
from pdebench.errors import ConfigError
from pdebench.files import Layout, Stored, Variable
from pdebench.generated import GeneratedDataset, check_counts
from pdebench.generation import Recipe
from pdebench.problem import Index, Problem
from pdebench.samples import Source
from pdebench.solver import Solver
from pdebench.spectral import resample
from pdebench_navier_stokes.field import draw

NAME, VERSION = "navier_stokes/forced", "1"


@final
@dataclass(frozen=True)
class Law:
    """What distinguishes a split: viscosity, forcing wavevector, stored grid, solution grid, random
    stream.
    """

    viscosity: float
    wavevector: tuple[int, int]
    stored_grid: int
    solve_grid: int
    stream: str

    @property
    def equation(self) -> Vorticity:
        """The equation of this split."""
        return Vorticity(DiagonalForcing(0.1, self.wavevector))


@final
@dataclass(frozen=True)
class ForcedRecipe(Recipe):
    """Picklable recipe of all splits."""

    laws: Mapping[str, Law]
    sizes: Mapping[str, int]
    samples_per_shard: int
    frames: int
    alpha: float
    tau: float
    band: int
    solver: Solver

    @property
    def counts(self) -> Mapping[str, int]:
        return self.sizes

    @property
    def shard(self) -> int:
        return self.samples_per_shard

    def initial(self, split: str, indices: range, grid: int) -> Tensor:
        """Return the initial fields (B, n, n) of a split's samples on any grid."""
        return draw(self.laws[split].stream, indices, grid, self.band, self.alpha, self.tau)

    def solution(self, split: str, indices: range, refine: int = 1) -> Tensor:
        """Return frames (B, T, n, n), float64, on the split's solution grid times ``refine``."""
        law = self.laws[split]
        grid = law.solve_grid * refine
        problem = Problem(
            law.equation,
            Grid.torus((grid, grid)),
            {"vorticity": self.initial(split, indices, grid).unsqueeze(1)},
            times=torch.arange(1, self.frames + 1, dtype=torch.float64),
            parameters={
                "viscosity": torch.full((len(indices),), law.viscosity, dtype=torch.float64)
            },
        )
        self.solver.prepare(problem)
        return self.solver.solve(problem).u[:, :, 0]

    def make(self, split: str, indices: range) -> dict[str, np.ndarray]:
        law = self.laws[split]
        shape = (law.stored_grid, law.stored_grid)
        # The initial frame passes through the solution grid too: what is stored at t=0 is what was
        # evolved.
        first = resample(self.initial(split, indices, law.solve_grid), shape).unsqueeze(1)
        frames = torch.cat([first, resample(self.solution(split, indices), shape)], dim=1)
        return {
            "vorticity": frames.unsqueeze(2).float().numpy(),
            "viscosity": np.full(len(indices), law.viscosity, np.float32),
        }

    def layout(self, split: str) -> Layout:
        grid = self.laws[split].stored_grid
        points = np.arange(grid) / grid
        return Layout(
            {
                "vorticity": Variable(("time", "channel", "x", "y"), "1/s", "vorticity w"),
                "viscosity": Variable((), "m^2/s", "kinematic viscosity nu"),
            },
            {
                "time": (np.arange(self.frames + 1, dtype=np.float64), "s"),
                "channel": (np.array(["vorticity"]), "1"),
                "x": (points, "m"),
                "y": (points, "m"),
            },
        )


class _Trajectories(Source):
    """Stored trajectories: the frame at t=0 as input, the frames from t=1 on as target."""

    def __init__(self, stored: Stored, law: Law) -> None:
        self._stored, self._law = stored, law
        self._domain = Grid.torus((law.stored_grid, law.stored_grid))
        self._times = torch.from_numpy(stored.coordinate("time"))[1:]

    def __len__(self) -> int:
        return len(self._stored)

    def problem(self, index: Index) -> Problem:
        frames = torch.from_numpy(self._stored.read("vorticity", index))
        viscosity = torch.from_numpy(self._stored.read("viscosity", index))
        inputs, parameters = {"vorticity": frames[:, 0]}, {"viscosity": viscosity}
        return Problem(self._law.equation, self._domain, inputs, self._times, parameters=parameters)

    def target(self, index: Index) -> Tensor:
        return torch.from_numpy(self._stored.read("vorticity", index))[:, 1:]


@final
class Forced(GeneratedDataset):
    """Vorticity of a forced flow on the unit torus from a random initial field.

        w_t + u . grad w = nu lap w + 0.1 (sin 2 pi(x+y) + cos 2 pi(x+y)),   t = 0, 1, .., T

    Li et al., ICLR 2021 (arXiv 2010.08895), sec. 5.3; solved by ``solver`` in float64 and stored as
    float32 after spectral truncation (point sampling would alias). The initial field is
    band-limited, so that one sample exists on every grid.

    Args:
        viscosity: nu, m^2/s.
        stored_grid: points per axis of the stored fields.
        solve_grid: points per axis of the solution.
        frames: T, also the number of stored frames after the initial one (spacing 1 s).
        counts: split -> samples; splits are train, valid, test, test_fine (the test samples on a
            grid twice as fine), ood_low_viscosity (nu x 0.3), ood_high_viscosity (nu x 3),
            ood_forcing (wavevector (1, 2)).
        solver: solves the problems; its cost is a row of the task like any other.
        alpha, tau: smoothness and inverse length of the initial field.
        band: largest wavenumber index of the initial field.
        shard: samples solved together.
        workers: processes; None for one per core. Does not change the samples.
    """

    def __init__(
        self,
        viscosity: float,
        stored_grid: int,
        solve_grid: int,
        frames: int,
        counts: Mapping[str, int],
        solver: Solver,
        alpha: float = 2.5,
        tau: float = 7.0,
        band: int = 32,
        shard: int = 16,
        workers: int | None = None,
    ) -> None:
        if viscosity <= 0:
            raise ConfigError(f"dataset.viscosity={viscosity}, expected a positive number")
        if solve_grid < stored_grid:
            raise ConfigError(
                f"dataset.solve_grid={solve_grid} is coarser than stored_grid={stored_grid}"
            )
        if frames < 2:
            raise ConfigError(f"dataset.frames={frames}, expected at least 2")
        base = Law(viscosity, (1, 1), stored_grid, solve_grid, "")
        laws = {
            "train": base,
            "valid": base,
            "test": base,
            "test_fine": replace(
                base, stored_grid=2 * stored_grid, solve_grid=max(2 * stored_grid, solve_grid)
            ),
            "ood_low_viscosity": replace(
                base, viscosity=0.3 * viscosity, solve_grid=2 * solve_grid
            ),
            "ood_high_viscosity": replace(base, viscosity=3 * viscosity),
            "ood_forcing": replace(base, wavevector=(1, 2)),
        }
        check_counts(counts, tuple(laws))
        # test_fine shares the random stream of test: the same samples on a finer grid.
        streams = {
            split: f"{NAME}@{VERSION}/{'test' if split == 'test_fine' else split}" for split in laws
        }
        self._laws = {split: replace(laws[split], stream=streams[split]) for split in counts}
        recipe = ForcedRecipe(self._laws, dict(counts), shard, frames, alpha, tau, band, solver)
        settings = {
            "viscosity": viscosity,
            "frames": frames,
            "alpha": alpha,
            "tau": tau,
            "band": band,
            "solve_grid": solve_grid,
        }
        how = type(solver)
        card = Card(
            name=NAME,
            version=VERSION,
            summary=f"Forced 2D vorticity on the unit torus, nu = {viscosity:g}",
            equation="w_t + u.grad w = nu lap w + 0.1 (sin 2pi(k.x) + cos 2pi(k.x))",
            units={"vorticity": "1/s", "viscosity": "m^2/s", "time": "s", "x": "m", "y": "m"},
            how=f"{how.__module__}.{how.__name__} on {solve_grid}^2 in float64, "
            f"stored on {stored_grid}^2",
            reference="Li et al., ICLR 2021, arXiv 2010.08895, sec. 5.3",
            splits=counts,
            shifts={key: why for key, why in _SHIFTS.items() if key in counts},
        )
        super().__init__(card, recipe, settings, workers)
        self._solution = recipe.solution

    @property
    def equation(self) -> Vorticity:
        return next(iter(self._laws.values())).equation

    def source(self, split: str, stored: Stored) -> Source:
        return _Trajectories(stored, self._laws[split])

    def finer(self, split: str, indices: range) -> Tensor:
        grid = self._laws[split].stored_grid
        return resample(self._solution(split, indices, refine=2), (grid, grid)).unsqueeze(2)


_SHIFTS = {
    "test_fine": "the test samples on a grid twice as fine: the same functions, more points",
    "ood_low_viscosity": "viscosity x 0.3: finer vortices that live longer than any in training",
    "ood_high_viscosity": "viscosity x 3: smoother and slower flow; the decay rate was never seen",
    "ood_forcing": "forcing of wavevector (1, 2) instead of (1, 1): the attractor itself is "
    "another",
}
