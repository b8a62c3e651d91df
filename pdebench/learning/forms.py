"""How a network answers a problem: in one pass, frame by frame, or over space-time."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor, nn

from pdebench.errors import ConfigError, Diverged, Unsupported
from pdebench.learning.graph import captured
from pdebench.problem import Problem
from pdebench.samples import Samples

_REVIEW = 32  # frames of a rollout between looks for NaN: a look makes a GPU wait


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


def _periodic(problem: Problem) -> tuple[bool, ...]:
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
            stacked(problem).shape[1], frames * channels, problem.domain.shape, _periodic(problem)
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
class Rollout(Form):
    """Frame by frame: the last T_in frames give the next, which joins the window.

        u_{n+1} = G(u_n, ..., u_{n - T_in + 1})        or, with ``increment``, u_n + G(...)

    Args:
        unroll: frames predicted (and differentiated through) per training step from a window that
            starts anywhere in the trajectory; null for the whole horizon from its beginning (Li et
            al. 2021, FNO-2D).
        increment: whether the network gives the change of the last frame instead of the next frame.
        graph: replay the network as a CUDA graph in rollouts without gradients; CUDA only.
    """

    def __init__(
        self, unroll: int | None = None, increment: bool = False, graph: bool = False
    ) -> None:
        if unroll is not None and unroll < 1:
            raise ConfigError(f"solver.form.unroll={unroll}, expected at least one frame or null")
        self.unroll, self.increment, self.graph = unroll, increment, graph

    def sizes(self, samples: Samples) -> Sizes:
        one = samples[:1]
        problem = one.problem
        if problem.history is None or problem.times is None:
            raise ConfigError(
                "solver.form is Rollout, but the task is steady; choose pdebench.learning.OneShot"
            )
        steps = torch.cat([problem.history.double(), problem.times.double()]).diff()
        if len(steps) and bool((steps - steps[0]).abs().max() > 1e-5 * steps[0].abs()):
            raise ConfigError(
                "solver.form is Rollout, for which all steps are alike, but the frames of the task "
                "are not equally spaced; choose a network that is told the time"
            )
        return Sizes(
            stacked(problem).shape[1], one.target.shape[2], problem.domain.shape, _periodic(problem)
        )

    def fields(self, problem: Problem, target: Tensor | None) -> tuple[Tensor, Tensor | None]:
        given = problem.input.shape[1]
        frames = problem.input if target is None else torch.cat([problem.input, target], dim=1)
        outputs = frames.diff(dim=1) if self.increment else frames
        # Every frame passes through every place of the window, so all places share one scaling.
        windows = frames.flatten(0, 1).unsqueeze(1).expand(-1, given, *(-1,) * (frames.ndim - 2))
        return windows.flatten(1, 2), None if target is None else outputs.flatten(0, 1)

    def predict(self, network: nn.Module, problem: Problem) -> Tensor:
        steps = 0 if problem.times is None else len(problem.times)
        window = problem.input
        if torch.is_grad_enabled():
            given, frames = window.shape[1], list(window.unbind(1))
            for _ in range(steps):
                frames.append(self._next(network, torch.cat(frames[-given:], dim=1), frames[-1]))
            return torch.stack(frames[given:], dim=1)
        answer = window.new_empty(len(window), steps, *window.shape[2:])
        for n, frame in enumerate(self.march(network, problem)):
            answer[:, n] = frame
        return answer

    def march(self, network: nn.Module, problem: Problem) -> Iterator[Tensor]:
        """Yield the frames (B, C, *S) at ``problem.times`` one by one, without gradients.

        Memory does not grow with the horizon: the window slides through a ring of twice its length,
        so that it is always one contiguous view. A frame may be overwritten by later ones; copy
        what is to be kept. Raises Diverged with the time of the first frame that is not finite, a
        few frames later.
        """
        window, times = problem.input, problem.times
        given = window.shape[1]
        ring = torch.cat([window, window], dim=1)
        call = captured(network, ring[:, :given].flatten(1, 2)) if self.graph else network
        for n in range(0 if times is None else len(times)):
            place = n % given
            view = ring[:, place : place + given].flatten(1, 2)
            frame = self._next(call, view, ring[:, place + given - 1])
            ring[:, place] = frame
            ring[:, place + given] = frame
            if n % _REVIEW == _REVIEW - 1 and not bool(torch.isfinite(frame).all()):
                assert times is not None
                raise Diverged(f"the rollout left finite numbers by t={float(times[n]):g}")
            yield frame

    def _next(self, network: Callable[[Tensor], Tensor], window: Tensor, last: Tensor) -> Tensor:
        y = network(window)
        return last + y if self.increment else y

    def training_pair(self, problem: Problem, target: Tensor) -> tuple[Problem, Tensor]:
        before, after = problem.history, problem.times
        if self.unroll is None or self.unroll >= target.shape[1] or before is None or after is None:
            return problem, target
        name, window = next(iter(problem.inputs.items()))
        given = window.shape[1]
        frames = torch.cat([window, target], dim=1)
        start = int(torch.randint(target.shape[1] - self.unroll + 1, ()))
        piece = frames[:, start : start + given + self.unroll]
        times = torch.cat([before, after])[start : start + given + self.unroll]
        asked = replace(
            problem, inputs={name: piece[:, :given]}, history=times[:given], times=times[given:]
        )
        return asked, piece[:, given:]


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
            stacked(problem).shape[1], one.target.shape[2], shape, (*_periodic(problem), False)
        )

    def fields(self, problem: Problem, target: Tensor | None) -> tuple[Tensor, Tensor | None]:
        return stacked(problem).unsqueeze(-1), None if target is None else target.movedim(1, -1)

    def predict(self, network: nn.Module, problem: Problem) -> Tensor:
        steps = 0 if problem.times is None else len(problem.times)
        block = self.block or steps
        if steps <= block:
            return self._call(network, stacked(problem), steps)
        window = problem.input
        given, parts = window.shape[1], []
        for done in range(0, steps, block):
            part = self._call(network, window.flatten(1, 2), block)
            parts.append(part[:, : steps - done])
            window = torch.cat([window, part], dim=1)[:, -given:]
        return torch.cat(parts, dim=1)

    def _call(self, network: nn.Module, x: Tensor, frames: int) -> Tensor:
        """Return frames (B, T, C, *S) of one call on channels (B, C_in, *S)."""
        return network(x.unsqueeze(-1).expand(*x.shape, frames)).movedim(-1, 1)
