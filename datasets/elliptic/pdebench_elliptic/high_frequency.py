"""High frequencies with known solutions: shifted copies of published exact solutions."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, final

import numpy as np
import torch

from pdebench.atomic import write_atomically
from pdebench.dataset import Card, Dataset
from pdebench.domain import Axis, Grid
from pdebench.equations.advection import Advection
from pdebench.equations.dirichlet import Dirichlet
from pdebench.equations.exact_solutions import exact, problem_named, stretched
from pdebench.errors import ConfigError, DataError
from pdebench.generation import sample_generator
from pdebench.problem import Problem
from pdebench.samples import Samples

VERSION = "1"
_STRETCH = 1.25  # of the frequencies out of distribution
_SHIFTS = {"ood_frequency": "every frequency is 1.25 times higher, above all those of training"}


@final
class HighFrequency(Dataset):
    """Exact solutions u(x + s) of a published problem, with source and boundary values.

    ``ood_frequency`` holds u(1.25 (x + s)).

    The first test sample has s = 0, the published problem; all others are drawn uniformly from
    one length of the interval, one random stream per sample.

    Args:
        problem: name of a published problem.
        points: nodes per axis, the ends included.
        counts: split -> samples, splits train, valid, test, ood_frequency.
        sides: where advection has its values: "inflow" (None means it) or, as released, "all"; None
            for the other equations, which have them on the whole boundary.
    """

    def __init__(
        self,
        problem: str,
        points: int,
        counts: Mapping[str, int],
        sides: Literal["inflow", "all"] | None = None,
    ) -> None:
        self._problem = problem_named(problem)
        moving = self._problem.equation == "advection"
        if sides not in ((None, "inflow", "all") if moving else (None,)):
            expected = "inflow or all" if moving else f"null for {self._problem.equation}"
            raise ConfigError(f"dataset.sides={sides}, expected {expected}")
        self._sides: Literal["inflow", "all"] | None = (sides or "inflow") if moving else None
        if points < 8:
            raise ConfigError(f"dataset.points={points}, expected at least 8 nodes")
        known = ("train", "valid", "test", *_SHIFTS)
        if set(counts) - set(known) or min(counts.values(), default=0) < 1:
            raise ConfigError(
                f"dataset.counts={dict(counts)}, expected positive numbers for some of "
                f"{', '.join(known)}"
            )
        self.name, self.points, self.counts = problem, points, dict(counts)
        self._ready = False

    @property
    def equation(self) -> Advection | Dirichlet:
        if self._sides is not None:
            return Advection(self._problem.beta, self._sides)
        return Dirichlet(self._problem.equation)

    @property
    def card(self) -> Card:
        return Card(
            name=f"elliptic/{self.name}",
            version=VERSION,
            summary=f"Shifted copies of {self.name}, high frequencies; exact",
            equation=self.equation.formula,
            units={"u": "1", "source": "1/s" if self._sides else "1/m^2", "boundary": "1"},
            how="closed form",
            reference="Fang et al., ICLR 2024, arXiv 2311.04465",
            splits=self.counts,
            shifts={key: why for key, why in _SHIFTS.items() if key in self.counts},
            reference_error=dict.fromkeys(self.counts, 0.0),
        )

    def prepare(self, folder: Path) -> str:
        facts = [VERSION, self.name, self.points, self.counts]
        facts += [self._sides] if self._sides else []
        described = json.dumps(facts, sort_keys=True)
        write_atomically(folder / "problem.json", described.encode())
        self._ready = True
        return hashlib.sha256(described.encode()).hexdigest()

    def split(self, name: str) -> Samples:
        if name not in self.counts:
            raise ConfigError(f"{self.name} has no split '{name}'; it has {', '.join(self.counts)}")
        if not self._ready:
            raise DataError(f"{self.name} is not prepared; call prepare(folder) first")
        dim = 1 if "_1d" in self.name else 2
        axes = tuple(Axis.interval(self.points, self._problem.length) for _ in range(dim))
        grid = Grid(axes)
        problem = stretched(self._problem, _STRETCH) if name in _SHIFTS else self._problem
        made = [
            exact(problem, *(axis.nodes + s for axis, s in zip(axes, shift, strict=True)))
            for shift in (self._shift(name, i, dim) for i in range(self.counts[name]))
        ]
        u, source = (torch.stack(part).unsqueeze(1) for part in zip(*made, strict=True))
        boundary = torch.where(self.equation.prescribed(grid), u, 0.0)
        inputs = {"source": source, "boundary": boundary}
        return Samples.of(Problem(self.equation, grid, inputs), u)

    def _shift(self, split: str, index: int, dim: int) -> np.ndarray:
        if split == "test" and index == 0:
            return np.zeros(dim)
        random = sample_generator(f"elliptic/{self.name}@{VERSION}/{split}", index)
        return self._problem.length * random.random(dim)
