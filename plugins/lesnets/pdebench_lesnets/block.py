"""How an operator of LESnets answers: blocks of frames, each from the last frame before it."""

import math
from dataclasses import replace
from typing import final

import torch
from torch import Tensor, nn

from pdebench.errors import ConfigError
from pdebench.learning import Form, Sizes
from pdebench.problem import Problem
from pdebench.samples import Samples
from pdebench_lesnets.frames import encoded


@final
class Block(Form):
    """One field gives ``frames`` frames; the last of them gives the next block, to the horizon.

    The network sees (B, d + 1 + C, *S, T): coordinates, and the field repeated; it returns
    (B, C, *S, T). Zhao et al., J. Comput. Phys. 537 (2025) 114125, sec. 3. Needs no target, so that
    it serves training without labels.

    Args:
        frames: T; None for the whole horizon in one block.
        increment: whether the network gives the change since the field it started from.
    """

    def __init__(self, frames: int | None = None, increment: bool = False) -> None:
        if frames is not None and frames < 2:
            raise ConfigError(f"solver.form.frames={frames}, expected at least 2 or null")
        self.frames, self.increment = frames, increment

    def _length(self, problem: Problem) -> int:
        if problem.times is None:
            raise ConfigError("solver.form is Block, but the task is steady: it predicts frames")
        horizon = len(problem.times)
        return horizon if self.frames is None else min(self.frames, horizon)

    def sizes(self, samples: Samples) -> Sizes:
        problem = samples[:1].problem
        shape = problem.domain.shape
        channels = problem.initial.shape[1]
        periodic = tuple(axis.periodic for axis in getattr(problem.domain, "axes", ()))
        return Sizes(
            channels + len(shape) + 1, channels, (*shape, self._length(problem)), (*periodic, False)
        )

    def fields(self, problem: Problem, target: Tensor | None) -> tuple[Tensor, Tensor | None]:
        x = encoded(problem.initial, self._length(problem))
        return x, None if target is None else target[:, : x.shape[-1]].movedim(1, -1)

    def first(self, problem: Problem) -> Problem:
        """Return the problem of the first block alone."""
        assert problem.times is not None
        return replace(problem, times=problem.times[: self._length(problem)])

    def training_pair(self, problem: Problem, target: Tensor) -> tuple[Problem, Tensor]:
        short = self.first(problem)
        return short, target[:, : self._length(problem)]

    def predict(self, network: nn.Module, problem: Problem) -> Tensor:
        length = self._length(problem)
        horizon = 0 if problem.times is None else len(problem.times)
        last, blocks = problem.initial, list[Tensor]()
        for _ in range(math.ceil(horizon / length)):
            y = network(encoded(last, length))
            y = y + last.unsqueeze(-1) if self.increment else y
            blocks.append(y.movedim(-1, 1))
            last = blocks[-1][:, -1]
        return torch.cat(blocks, 1)[:, :horizon]
