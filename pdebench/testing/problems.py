"""Small tasks with exact answers, on which the conformance kit runs every solver."""

import math
from pathlib import Path
from typing import final

import torch
from torch import Tensor

from pdebench.dataset import Card, Dataset
from pdebench.domain import Grid
from pdebench.equation import Equation
from pdebench.equations.vorticity import Vorticity
from pdebench.metrics.errors import nrmse, relative_l2
from pdebench.problem import Problem
from pdebench.samples import Samples
from pdebench.solver import Budget
from pdebench.task import Evolve, Task

_COUNTS = {"train": 8, "valid": 3, "test": 5}
_VISCOSITY = 0.01


@final
class DecayingModes(Dataset):
    """Vortices that decay exactly.

        w(x, t) = exp(-nu (2 pi)^2 |k|^2 t) sum_j a_j cos(2 pi k_j . x + phi_j),   |k_j|^2 = 5

    Modes of one |k| do not interact (u . grad w = 0), so this solves the vorticity equation on the
    unit torus exactly.

    Args:
        grid: points per axis.
        frames: frames after the initial field, 0.1 apart.
    """

    def __init__(self, grid: int = 32, frames: int = 13) -> None:
        self.grid, self.frames = grid, frames

    @property
    def card(self) -> Card:
        return Card(
            name="conformance/decaying_modes",
            version="1",
            summary="Superposed modes of one wavenumber; exact",
            equation="w_t + u.grad w = nu lap w",
            units={"vorticity": "1/s"},
            how="closed form",
            reference="Taylor 1923",
            splits=_COUNTS,
            reference_error={"test": 0.0},
        )

    @property
    def equation(self) -> Equation:
        return Vorticity()

    def prepare(self, folder: Path) -> str:
        return "0" * 64

    def split(self, name: str) -> Samples:
        num = _COUNTS[name]
        generator = torch.Generator().manual_seed(len(name))
        waves = torch.tensor(
            [[1.0, 2.0], [2.0, 1.0], [1.0, -2.0], [2.0, -1.0]], dtype=torch.float64
        )
        amplitude, phase = torch.rand(2, num, len(waves), generator=generator, dtype=torch.float64)
        domain = Grid.torus((self.grid, self.grid))
        angle = 2 * math.pi * (domain.points @ waves.T + phase[:, None])
        first = (amplitude[:, None] * torch.cos(angle)).sum(-1).view(num, 1, self.grid, self.grid)
        times = 0.1 * torch.arange(1, self.frames + 1, dtype=torch.float64)
        decay = torch.exp(-_VISCOSITY * 5 * (2 * math.pi) ** 2 * times)
        problem = Problem(
            self.equation,
            domain,
            {"vorticity": first.float()},
            times=times,
            parameters={"viscosity": torch.full((num,), _VISCOSITY)},
        )
        return Samples.of(problem, (first[:, None] * decay.view(1, -1, 1, 1, 1)).float())


class _Laplace(Equation):
    """-lap u = f on the unit torus with zero mean, solved by one Fourier multiplier."""

    @property
    def fields(self) -> dict[str, str]:
        return {"u": "1"}

    @property
    def reference(self) -> str:
        return "closed form: u = f / (4 pi^2 |k|^2) for a single |k|"

    def residual(self, u: Tensor, problem: Problem) -> Tensor:
        return 4 * math.pi**2 * 5 * u - problem.input  # every right-hand side below has |k|^2 = 5

    def symbol(self, wavenumbers: tuple[Tensor, ...]) -> Tensor:
        return wavenumbers[0] ** 2 + wavenumbers[1] ** 2


@final
class SteadyModes(Dataset):
    """-lap u = f on the unit torus for right-hand sides of one wavenumber: u = f / (4 pi^2 5)."""

    def __init__(self, grid: int = 32) -> None:
        self._modes = DecayingModes(grid, 1)

    @property
    def card(self) -> Card:
        return Card(
            name="conformance/steady_modes",
            version="1",
            summary="Poisson with one wavenumber; exact",
            equation="-lap u = f",
            units={"u": "1"},
            how="closed form",
            reference="closed form",
            splits=_COUNTS,
            reference_error={"test": 0.0},
        )

    @property
    def equation(self) -> Equation:
        return _Laplace()

    def prepare(self, folder: Path) -> str:
        return "0" * 64

    def split(self, name: str) -> Samples:
        stored = self._modes.split(name).problem
        source = stored.input
        problem = Problem(self.equation, stored.domain, {"source": source})
        return Samples.of(problem, source / (4 * math.pi**2 * 5))


def conformance_tasks() -> tuple[Task, ...]:
    """Return the tasks of the kit: one forecast, one steady map, both on a periodic 32^2 grid."""
    budget, metrics = Budget(epochs=1), (relative_l2, nrmse)
    return (
        Task("conformance/evolve", DecayingModes(), metrics, Evolve(history=10), budget, batch=5),
        Task("conformance/steady", SteadyModes(), metrics, budget=budget, batch=5),
    )
