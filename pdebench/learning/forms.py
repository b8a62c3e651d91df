"""How a network answers a problem: in one pass or over space-time; `rollout` frame by frame."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from pdebench.errors import ConfigError, Unsupported
from pdebench.problem import Problem
from pdebench.samples import Samples


@final
@dataclass(frozen=True)
class Sizes:
    """What a network must fit: channels in and out, and the number and lengths of its convolved
    axes.
    """

    in_channels: int
    out_channels: int
    shape: tuple[int, ...]
    periodic: tuple[bool, ...]

    @property
    def dim(self) -> int:
        """Number of axes the network convolves over."""
        return len(self.shape)


def stacked(problem: Problem) -> Tensor:
    """Return all inputs as channels (B, sum of [T_in *] C, *S), in the order the problem lists
    them.
    """
    space = len(problem.domain.shape)
    parts = [x.flatten(1, 2) if x.ndim == space + 3 else x for x in problem.inputs.values()]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def periodic(problem: Problem) -> tuple[bool, ...]:
    """Return which axes of space wrap around; none where there are no axes."""
    axes = getattr(problem.domain, "axes", None)
    return tuple(axis.periodic for axis in axes) if axes else (False,) * len(problem.domain.shape)


class Form(ABC):
    """The map between a problem and calls of a network x (B, C_in, *S) -> y (B, C_out, *S)."""

    @abstractmethod
    def sizes(self, samples: Samples) -> Sizes:
        """Return what the network must fit; reads one sample."""

    @abstractmethod
    def predict(self, network: nn.Module, problem: Problem) -> Tensor:
        """Return the solution (B, [T,] C, *S)."""

    def stream(self, network: nn.Module, problem: Problem, block: int) -> Iterator[Tensor]:
        """Yield the solution, without gradients, in blocks of consecutive frames (B, t, C, *S).

        ``block`` frames each, or as many as the form finds convenient; by default all at once.
        """
        yield self.predict(network, problem)

    @abstractmethod
    def fields(self, problem: Problem, target: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return what the network sees (n, C_in, *S) and should return (n, C_out, *S).

        Scalings are fitted on them; without labels there is nothing to scale the output with.
        """

    def training_pair(self, problem: Problem, target: Tensor) -> tuple[Problem, Tensor]:
        """Return what one training step predicts; by default the whole question."""
        return problem, target


@final
class OneShot(Form):
    """All times at once: the inputs are channels, and so are the T frames asked for."""

    def sizes(self, samples: Samples) -> Sizes:
        one = samples[:1]
        problem, target = one.problem, one.target
        frames = 1 if problem.times is None else len(problem.times)
        channels = target.shape[1] if problem.times is None else target.shape[2]
        return Sizes(
            stacked(problem).shape[1], frames * channels, problem.domain.shape, periodic(problem)
        )

    def fields(self, problem: Problem, target: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if target is not None and problem.times is not None:
            target = target.flatten(1, 2)
        return stacked(problem), target

    def predict(self, network: nn.Module, problem: Problem) -> Tensor:
        y = network(stacked(problem))
        if problem.times is None:
            return y
        # an evolving field has as many channels afterwards as before
        channels = problem.initial.shape[1] if len(problem.inputs) == 1 else None
        frames = len(problem.times)
        if y.shape[1] % frames or channels not in (None, y.shape[1] // frames):
            raise Unsupported(
                f"it gives all its frames at once, {y.shape[1]} channels in all, and was asked for "
                f"{frames} frames; a rollout answers any horizon"
            )
        return y.unflatten(1, (frames, -1))


@final
class SpaceTime(Form):
    """Time as one more convolved axis: the inputs are repeated along it (Li et al. 2021, FNO-3D).

    The network sees (B, C_in, *S, T) and returns (B, C_out, *S, T).

    Args:
        block: frames per call: longer answers are made block by block, each from the last frames of
            the one before; null for all frames in one call.
    """

    def __init__(self, block: int | None = None) -> None:
        if block is not None and block < 1:
            raise ConfigError(f"solver.form.block={block}, expected at least one frame or null")
        self.block = block

    def sizes(self, samples: Samples) -> Sizes:
        one = samples[:1]
        problem = one.problem
        if problem.times is None:
            raise ConfigError(
                "solver.form is SpaceTime, but the task is steady; choose pdebench.learning.OneShot"
            )
        shape = (*problem.domain.shape, len(problem.times))
        return Sizes(
            stacked(problem).shape[1], one.target.shape[2], shape, (*periodic(problem), False)
        )

    def fields(self, problem: Problem, target: Tensor | None) -> tuple[Tensor, Tensor | None]:
        return stacked(problem).unsqueeze(-1), None if target is None else target.movedim(1, -1)

    def predict(self, network: nn.Module, problem: Problem) -> Tensor:
        parts = list(self.stream(network, problem, 0))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def stream(self, network: nn.Module, problem: Problem, block: int) -> Iterator[Tensor]:
        """Yield a block for every call of the network, whatever ``block`` is asked for."""
        steps = 0 if problem.times is None else len(problem.times)
        size = min(self.block or steps, steps)
        window = problem.input if size < steps else None
        for done in range(0, steps, size or 1):
            x = stacked(problem) if window is None else window.flatten(1, 2)
            part = self._call(network, x, size)
            yield part[:, : steps - done]
            if window is not None:
                window = torch.cat([window, part], dim=1)[:, -window.shape[1] :]

    def _call(self, network: nn.Module, x: Tensor, frames: int) -> Tensor:
        """Return frames (B, T, C, *S) of one call on channels (B, C_in, *S)."""
        return network(x.unsqueeze(-1).expand(*x.shape, frames)).movedim(-1, 1)
