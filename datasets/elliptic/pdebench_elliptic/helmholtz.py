"""Waves of one frequency in a medium with random speed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pdebench.dataset import Card
from pdebench.domain import Axis, Grid
from pdebench.equation import Equation
from pdebench.equations.helmholtz import Helmholtz
from pdebench.errors import ConfigError
from pdebench.files import Layout, Variable
from pdebench.generated import GeneratedDataset, check_counts
from pdebench.generation import Recipe, sample_generator
from pdebench.problem import Index, Problem
from pdebench.samples import Source
from pdebench.solver import Solver
from pdebench.stored import Stored
from pdebench_elliptic.laws import cosines, gaussian_coefficients

NAME, VERSION = "elliptic/helmholtz", "1"
Array = NDArray[Any]
_SHIFTS = {
    "ood_frequency": "a frequency 1.2 times higher: more wavelengths than in training",
    "ood_speed": "speeds that vary three times as much: waves bend where training's went straight",
    "ood_source": "the driven part of the top moved by a tenth: not among the inputs, so unseen",
}
_TAU = 3.0


@final
@dataclass(frozen=True)
class HelmholtzRecipe(Recipe):
    """Picklable recipe of all splits."""

    omega: float
    points: int
    modes: int
    sizes: Mapping[str, int]
    solver: Solver

    @property
    def counts(self) -> Mapping[str, int]:
        return self.sizes

    @property
    def shard(self) -> int:
        return 8

    def law(self, split: str) -> Helmholtz:
        """Return the equation of a split."""
        shift = 0.1 if split == "ood_source" else 0.0
        omega = 1.2 * self.omega if split == "ood_frequency" else self.omega
        return Helmholtz(omega, 0.35 + shift, 0.65 + shift)

    def posed(self, split: str, indices: range, points: int) -> Problem:
        """Return the problems of some samples on ``points`` nodes per axis."""
        x = np.linspace(0, 1, points)
        amplitude = 3.0 if split == "ood_speed" else 1.0
        rows = []
        for i in indices:
            random = sample_generator(f"{NAME}@{VERSION}/{split}", i)
            # covariance (-lap + 9)^-2: without the factor tau of the Darcy fields
            numbers = gaussian_coefficients(random, self.modes, 2.0, _TAU) / _TAU
            rows.append(20 + amplitude * np.tanh(cosines(numbers, x, x)))
        speed = torch.from_numpy(np.stack(rows)[:, None])
        return Problem(self.law(split), _grid(points), {"speed": speed})

    def make(self, split: str, indices: range) -> Mapping[str, Array]:
        problem = self.posed(split, indices, self.points)
        u = self.solver.solve(problem).u
        kept = {"speed": problem.inputs["speed"], "u": u}
        made = {name: value.numpy().astype(np.float32) for name, value in kept.items()}
        return made | {"norm": u.square().mean((1, 2, 3)).sqrt().numpy()}

    def layout(self, split: str) -> Layout:
        nodes = (np.linspace(0, 1, self.points), "1")
        axes = ("channel", "x", "y")
        return Layout(
            {
                "speed": Variable(axes, "1", "wave speed c"),
                "u": Variable(axes, "1", "wave field u"),
                "norm": Variable((), "1", "root mean square of u: large near resonances"),
            },
            {"channel": (np.array(["value"]), "1"), "x": nodes, "y": nodes},
        )


def _grid(points: int) -> Grid:
    return Grid((Axis.interval(points),) * 2)


class _Waves(Source):
    """Stored speeds as inputs, wave fields as targets."""

    def __init__(self, stored: Stored, law: Helmholtz, points: int) -> None:
        self._stored, self._law, self._domain = stored, law, _grid(points)

    def __len__(self) -> int:
        return len(self._stored)

    def problem(self, index: Index) -> Problem:
        speed = torch.from_numpy(self._stored.read("speed", index))
        return Problem(self._law, self._domain, {"speed": speed})

    def target(self, index: Index) -> Tensor:
        return torch.from_numpy(self._stored.read("u", index))


@final
class HelmholtzWaves(GeneratedDataset):
    """lap u + (omega / c)^2 u = 0 with c = 20 + tanh g, g of covariance (-lap + 9)^{-2}.

    De Hoop et al. (arXiv 2203.13181), app. C, real-valued and undamped. Splits: train, valid, test,
    ood_frequency, ood_speed, ood_source.

    Args:
        omega: angular frequency.
        points: nodes per axis that are kept.
        modes: cosines per axis of the speed.
        counts: split -> samples.
        solver: solves ``Helmholtz``.
        finer: the same with smaller errors, which tells those of the labels.
        workers: processes; None for one per core. Does not change the samples.
    """

    def __init__(
        self,
        omega: float,
        points: int,
        modes: int,
        counts: Mapping[str, int],
        solver: Solver,
        finer: Solver,
        workers: int | None = None,
    ) -> None:
        check_counts(counts, ("train", "valid", "test", *_SHIFTS))
        if not omega > 0:
            raise ConfigError(f"dataset.omega={omega}, expected a positive number")
        if points < 9 or modes < 2:
            raise ConfigError(
                f"dataset.points={points} and modes={modes}, expected at least 9 nodes and 2 modes"
            )
        recipe = HelmholtzRecipe(omega, points, modes, dict(counts), solver)
        card = Card(
            name=NAME,
            version=VERSION,
            summary=f"Waves of frequency {omega:g} in random media, {points}^2 points",
            equation=Helmholtz.formula,
            units={"speed": "1", "u": "1"},
            how=f"{type(solver).__name__}; neither damped nor freed of resonances",
            reference="de Hoop et al., arXiv 2203.13181, app. C",
            splits=counts,
            shifts={key: why for key, why in _SHIFTS.items() if key in counts},
        )
        super().__init__(card, recipe, {"omega": omega, "points": points, "modes": modes}, workers)
        self._made, self._finer = recipe, finer

    @property
    def equation(self) -> Equation:
        return self._made.law("train")

    def source(self, split: str, stored: Stored) -> Source:
        return _Waves(stored, self._made.law(split), self._made.points)

    def finer(self, split: str, indices: range) -> Iterator[Tensor]:
        """Solve at higher order, with the speed on twice as many intervals."""
        for index in indices:
            problem = self._made.posed(
                split, range(index, index + 1), 2 * (self._made.points - 1) + 1
            )
            yield self._finer.solve(problem).u[0][:, ::2, ::2]
