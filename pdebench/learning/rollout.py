"""Frame by frame: a window of the last frames gives the next one, in memory that does not grow."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import final

import torch
from torch import Tensor, nn

from pdebench.errors import ConfigError, Diverged
from pdebench.learning.forms import Form, Sizes, periodic, stacked
from pdebench.learning.graph import captured
from pdebench.problem import Problem
from pdebench.samples import Samples

_REVIEW = 32  # frames between looks for NaN: a look makes a GPU wait


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
            stacked(problem).shape[1], one.target.shape[2], problem.domain.shape, periodic(problem)
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
        return next(self.stream(network, problem, steps), window[:, :0])

    def stream(self, network: nn.Module, problem: Problem, block: int) -> Iterator[Tensor]:
        """Yield the frames at ``problem.times`` in blocks (B, block, C, *S), without gradients.

        Memory does not grow with the horizon: all blocks are one, which the next overwrites; copy
        what is to be kept, and write into none. The window is a view into it, or into the seam
        between two blocks. Raises Diverged with the time of the first frame that is not finite.
        """
        window, times = problem.input, problem.times
        given, steps = window.shape[1], 0 if times is None else len(times)
        size = min(max(block, given), steps)
        seam = torch.cat([window, window], dim=1)  # last frames of a block, first of the next
        held = window.new_empty(len(window), size, *window.shape[2:])
        call = captured(network, seam[:, :given].flatten(1, 2)) if self.graph else network
        for start in range(0, steps, size or 1):
            if start:
                seam[:, :given] = held[:, size - given :]
            looked, stop = 0, min(size, steps - start)
            for n in range(stop):
                past = seam[:, n : n + given] if n < given else held[:, n - given : n]
                frame = self._next(call, past.flatten(1, 2), past[:, -1])
                held[:, n] = frame
                if n < given:
                    seam[:, given + n] = frame
                if n - looked == _REVIEW - 1 or n == stop - 1:
                    assert times is not None
                    _require_finite(held[:, looked : n + 1], times[start + looked :])
                    looked = n + 1
            yield held[:, :stop]

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


def _require_finite(frames: Tensor, times: Tensor) -> None:
    """Raise Diverged with the time of the first frame (B, t, C, *S) that is not finite."""
    if bool(frames.sum().isfinite()):  # else it overflows, or there is something to be found
        return
    bad = ~frames.isfinite().flatten(2).all(2)
    if bool(bad.any()):
        first = float(times[int(bad.any(0).int().argmax())])
        count = int(bad.any(1).sum())
        raise Diverged(
            f"the rollout left finite numbers at t={first:g}, {count} of {len(bad)} samples"
        )
