"""What all flows share: laws, recipe, stored trajectories, and the data set over them."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from pdebench.dataset import Card
from pdebench.domain import Grid
from pdebench.equations.vorticity import Forcing, Vorticity
from pdebench.errors import ConfigError
from pdebench.files import Layout, Variable
from pdebench.generated import GeneratedDataset, check_counts
from pdebench.generation import Recipe
from pdebench.problem import Index, Problem
from pdebench.samples import Source
from pdebench.solver import Solver
from pdebench.spectral import resample
from pdebench.stored import Stored

SHARED_SHIFTS = {
    "test_fine": "the test samples on a grid twice as fine: the same functions, more points",
    "ood_low_viscosity": "viscosity x 0.3: finer vortices that live longer than any in training",
    "ood_high_viscosity": "viscosity x 3: smoother and slower flow; the decay rate was never seen",
    "ood_horizon": "the test samples for twice as long: errors of a rollout go on growing, and the "
    "flow reaches states that no training window holds",
}


class Start(ABC):
    """A law of random initial vorticity."""

    @abstractmethod
    def draw(self, stream: str, indices: range, grid: int) -> Tensor:
        """Return fields (B, n, n), float64, the same functions on every grid."""


@final
@dataclass(frozen=True)
class Law:
    """What distinguishes a split.

    Attributes:
        viscosity: nu.
        forcing: f.
        start: law of the initial field.
        stored_grid, solve_grid: points per axis of the file and of the solution.
        frames: stored frames after the first.
        stream: random stream.
        drag: alpha.
    """

    viscosity: float
    forcing: Forcing
    start: Start
    stored_grid: int
    solve_grid: int
    frames: int
    stream: str = ""
    drag: float = 0.0


def shifted(base: Law) -> dict[str, Law]:
    """Return the laws of the splits that every flow has."""
    fine = max(2 * base.stored_grid, base.solve_grid)
    return {
        "train": base,
        "valid": base,
        "test": base,
        "test_fine": replace(base, stored_grid=2 * base.stored_grid, solve_grid=fine),
        "ood_low_viscosity": replace(
            base, viscosity=0.3 * base.viscosity, solve_grid=2 * base.solve_grid
        ),
        "ood_high_viscosity": replace(base, viscosity=3 * base.viscosity),
        "ood_horizon": replace(base, frames=2 * base.frames),
    }


@final
@dataclass(frozen=True)
class FlowRecipe(Recipe):
    """Picklable recipe of all splits; the first frame is at ``warm_up``, others ``spacing`` on."""

    laws: Mapping[str, Law]
    sizes: Mapping[str, int]
    samples_per_shard: int
    extent: float
    warm_up: float
    spacing: float
    units: Mapping[str, str]
    solver: Solver

    @property
    def counts(self) -> Mapping[str, int]:
        return self.sizes

    @property
    def shard(self) -> int:
        return self.samples_per_shard

    def times(self, split: str) -> np.ndarray:
        """Return the times of all stored frames (T + 1,)."""
        return self.warm_up + self.spacing * np.arange(self.laws[split].frames + 1)

    def solution(self, split: str, indices: range, refine: float = 1) -> Tensor:
        """Return frames (B, T + 1, n, n), float64, on the split's solution grid times ``refine``
        (to an even number of points); the first is the initial field itself where nothing warms up.
        """
        law = self.laws[split]
        n = law.solve_grid if refine == 1 else 2 * math.ceil(law.solve_grid * refine / 2)
        first = law.start.draw(law.stream, indices, n)
        times = torch.from_numpy(self.times(split))
        asked = times if self.warm_up else times[1:]
        parameters = {"viscosity": law.viscosity, "drag": law.drag}
        problem = Problem(
            Vorticity(law.forcing),
            Grid.torus((n, n), self.extent),
            {"vorticity": first.unsqueeze(1)},
            times=asked,
            parameters={
                name: torch.full((len(indices),), value, dtype=torch.float64)
                for name, value in parameters.items()
            },
        )
        self.solver.prepare(problem)
        frames = self.solver.solve(problem).u[:, :, 0]
        return frames if self.warm_up else torch.cat([first.unsqueeze(1), frames], dim=1)

    def make(self, split: str, indices: range) -> dict[str, np.ndarray]:
        law = self.laws[split]
        shape = (law.stored_grid, law.stored_grid)
        # The initial frame passes through the solution grid too: what is stored is what evolved.
        frames = resample(self.solution(split, indices), shape)
        return {
            "vorticity": frames.unsqueeze(2).float().numpy(),
            **{
                name: np.full(len(indices), value, np.float32)
                for name, value in self._parameters(law).items()
            },
        }

    def _parameters(self, law: Law) -> dict[str, float]:
        drag = {"drag": law.drag} if any(x.drag for x in self.laws.values()) else {}
        return {"viscosity": law.viscosity, **drag}

    def layout(self, split: str) -> Layout:
        law, units = self.laws[split], self.units
        points = (self.extent * np.arange(law.stored_grid) / law.stored_grid, units["x"])
        words = {"viscosity": "kinematic viscosity nu", "drag": "linear drag alpha"}
        return Layout(
            {
                "vorticity": Variable(
                    ("time", "channel", "x", "y"), units["vorticity"], "vorticity w"
                ),
                **{n: Variable((), units[n], words[n]) for n in self._parameters(law)},
            },
            {
                "time": (self.times(split).astype(np.float64), units["time"]),
                "channel": (np.array(["vorticity"]), "1"),
                "x": points,
                "y": points,
            },
        )


class Trajectories(Source):
    """Stored trajectories: the first frame as input, the following ones as target."""

    def __init__(self, stored: Stored, law: Law, extent: float, with_drag: bool) -> None:
        self._stored, self._law = stored, law
        self._domain = Grid.torus((law.stored_grid, law.stored_grid), extent)
        times = torch.from_numpy(stored.coordinate("time"))
        self._times, self._history = times[1:], times[:1] if float(times[0]) else None
        self._names = ("viscosity", "drag") if with_drag else ("viscosity",)

    def __len__(self) -> int:
        return len(self._stored)

    def problem(self, index: Index) -> Problem:
        frames = torch.from_numpy(self._stored.read("vorticity", index, slice(0, 1)))
        parameters = {
            name: torch.from_numpy(self._stored.read(name, index)) for name in self._names
        }
        first = frames[:, 0] if self._history is None else frames[:, :1]
        return Problem(
            Vorticity(self._law.forcing),
            self._domain,
            {"vorticity": first},
            self._times,
            history=self._history,
            parameters=parameters,
        )

    def target(self, index: Index) -> Tensor:
        return self.frames(index, slice(0, None))

    def frames(self, index: Index, part: slice) -> Tensor:
        stop = None if part.stop is None else 1 + part.stop
        stored = self._stored.read("vorticity", index, slice(1 + (part.start or 0), stop))
        return torch.from_numpy(stored)


def check(viscosity: float, stored_grid: int, solve_grid: int, frames: int) -> None:
    """Raise ConfigError, naming the argument, where a flow cannot be made."""
    if viscosity <= 0:
        raise ConfigError(f"dataset.viscosity={viscosity}, expected a positive number")
    if solve_grid < stored_grid:
        raise ConfigError(
            f"dataset.solve_grid={solve_grid} is coarser than stored_grid={stored_grid}"
        )
    if frames < 2:
        raise ConfigError(f"dataset.frames={frames}, expected at least 2")


class Flow(GeneratedDataset):
    """A data set of vorticity trajectories; a family gives its laws, card and settings.

    Args:
        card: its splits are replaced by those made.
        laws: split -> law, for every split that could be asked for.
        counts: split -> samples.
        settings: what the samples depend on.
        recipe: takes ``laws`` and ``sizes`` and returns the recipe.
        workers: processes.
    """

    def __init__(
        self,
        card: Card,
        laws: Mapping[str, Law],
        counts: Mapping[str, int],
        settings: Mapping[str, Any],
        recipe: Mapping[str, Any],
        workers: int | None,
    ) -> None:
        check_counts(counts, tuple(laws))
        # splits that repeat the test samples share their random stream
        streams = {
            split: f"{card.name}@{card.version}/"
            f"{'test' if split in ('test_fine', 'ood_horizon') else split}"
            for split in counts
        }
        self._laws = {split: replace(laws[split], stream=streams[split]) for split in counts}
        made = FlowRecipe(laws=self._laws, sizes=dict(counts), units=card.units, **recipe)
        self._flow = made
        shifts = {key: why for key, why in card.shifts.items() if key in counts}
        super().__init__(replace(card, splits=counts, shifts=shifts), made, settings, workers)

    @property
    def equation(self) -> Vorticity:
        return Vorticity(next(iter(self._laws.values())).forcing)

    def source(self, split: str, stored: Stored) -> Source:
        with_drag = any(law.drag for law in self._laws.values())
        return Trajectories(stored, self._laws[split], self._flow.extent, with_drag)

    def finer(self, split: str, indices: range) -> Tensor:
        """Solve on a grid 3/2 as fine, the step shrinking with it: errors fall exponentially."""
        n = self._laws[split].stored_grid
        frames = self._flow.solution(split, indices, refine=1.5)[:, 1:]
        return resample(frames, (n, n)).unsqueeze(2)


def card(
    name: str,
    version: str,
    summary: str,
    equation: str,
    reference: str,
    solver: Solver,
    base: Law,
    shifts: Mapping[str, str],
    units: Mapping[str, str],
) -> Card:
    """Return the card of a flow."""
    how = type(solver)
    return Card(
        name=name,
        version=version,
        summary=summary,
        equation=equation,
        units=units,
        how=f"{how.__module__}.{how.__name__} on {base.solve_grid}^2 in float64, stored on "
        f"{base.stored_grid}^2",
        reference=reference,
        splits={},
        shifts={**SHARED_SHIFTS, **shifts},
    )
