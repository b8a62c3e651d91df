"""Answer every problem with the mean of the training targets."""

from pathlib import Path
from typing import ClassVar, final

import torch
from torch import Tensor

from pdebench.errors import SolverError, Unsupported
from pdebench.problem import Problem, Solution
from pdebench.samples import Samples
from pdebench.solver import Budget, Solver, Use


@final
class Mean(Solver):
    """The best constant answer.

        u(t, c) = mean over training samples and points of the target u(t, c, x)

    A single number per time and channel, so that it applies to every resolution and geometry; times
    beyond those of the training targets get the last one's. By
    construction its VRMSE is about 1 on data without a mean field.
    """

    uses: ClassVar[frozenset[Use]] = frozenset({"labels"})

    def __init__(self) -> None:
        self._mean: Tensor | None = None

    def fit(self, train: Samples, valid: Samples, budget: Budget) -> None:
        total, count = None, 0
        for part in train.chunks(64):
            target = part.target.double()
            weights = part.problem.domain.weights
            space = tuple(range(-weights.ndim, 0))
            mean = (target * weights).sum(space).sum(0) / weights.sum()
            total = mean if total is None else total + mean
            count += len(part)
        if total is None:
            raise SolverError("mean was given no training samples; make the train split larger")
        self._mean = total / count

    def solve(self, problem: Problem) -> Solution:
        if self._mean is None:
            raise SolverError("mean was asked to solve before fit or load; call one of them first")
        asked = self._mean.shape[:-1]
        if problem.times is not None and asked != problem.times.shape:
            raise Unsupported(
                f"mean has {asked.numel()} mean frames, asked for {len(problem.times)}"
            )
        first = next(iter(problem.inputs.values()))
        space = problem.domain.shape
        known = self._mean.to(first)
        if problem.times is not None:
            known = known[torch.arange(len(problem.times)).clamp_max(len(known) - 1)]
        mean = known.view(1, *known.shape, *(1,) * len(space))
        return Solution(mean.expand(len(problem), *known.shape, *space).contiguous())

    @property
    def num_parameters(self) -> int:
        return 0 if self._mean is None else self._mean.numel()

    def save(self, path: Path) -> None:
        from safetensors.torch import save_file

        if self._mean is None:
            raise SolverError("mean was asked to save before fit; call fit first")
        path.mkdir(parents=True, exist_ok=True)
        save_file({"mean": self._mean}, path / "mean.safetensors")

    def load(self, path: Path) -> None:
        from safetensors.torch import load_file

        self._mean = load_file(path / "mean.safetensors")["mean"]
