"""What the networks of this plugin have in common: a seed is all that they learn offline."""

import json
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from pdebench.atomic import write_atomically
from pdebench.errors import ConfigError, DataError
from pdebench.problem import Problem
from pdebench.samples import Samples
from pdebench.solver import Budget, IterativeSolver, Use

_SEED = "seed.json"


class Seeded(IterativeSolver):
    """An iterative solver whose networks start from a seed that ``fit`` draws."""

    uses: ClassVar[frozenset[Use]] = frozenset({"equation"})
    seed = 0

    @abstractmethod
    def iterate(self, problem: Problem) -> Iterator[Tensor]:
        """Yield the networks' fields every few steps."""

    def fit(self, train: Samples, valid: Samples, budget: Budget) -> None:
        """Draw the seed of the networks' start; nothing is learned offline."""
        self.seed = int(torch.randint(2**31, ()))

    def save(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        write_atomically(path / _SEED, json.dumps({"seed": self.seed}).encode())

    def load(self, path: Path) -> None:
        file = path / _SEED
        if not file.is_file():
            raise DataError(f"'{file}' does not exist, expected the seed that save() wrote")
        self.seed = int(json.loads(file.read_text(encoding="utf-8"))["seed"])


def check_counts(**values: int) -> None:
    """Raise ConfigError unless all are positive."""
    for name, value in values.items():
        if value < 1:
            raise ConfigError(f"solver.{name}={value}, expected a positive integer")


def check_positive(**values: float) -> None:
    """Raise ConfigError unless all are positive."""
    for name, value in values.items():
        if not 0 < value < float("inf"):
            raise ConfigError(f"solver.{name}={value}, expected a positive number")


def start_alike(networks: torch.nn.Module, one: torch.nn.Module) -> None:
    """Start all instances like ``one``, so that an answer does not depend on the batch."""
    with torch.no_grad():
        single = one.state_dict()
        for name, whole in networks.state_dict().items():
            whole.copy_(single[name].expand_as(whole))
