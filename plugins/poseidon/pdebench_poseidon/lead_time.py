"""Answering a problem by lead time, and the all2all pairs of a trajectory."""

from dataclasses import replace
from typing import final

import torch
from torch import Tensor, nn

from pdebench.errors import ConfigError
from pdebench.learning import Form, Sizes
from pdebench.learning.forms import stacked
from pdebench.learning.solver import Scaled
from pdebench.problem import Problem
from pdebench.samples import Samples

_LEAD = "lead_frames"  # parameter of a training pair: frames between its input and its target


def ordered_pairs(num: int, stride: int = 1, longest: int | None = None) -> Tensor:
    """Return every ordered pair i <= j of the frames 0, s, 2s, .. below ``num``: (P, 2).

    P = (K + 1)(K + 2)/2 for K + 1 frames, the identities i = j included; pairs further apart than
    ``longest`` frames are left out. Herde et al., NeurIPS 2024 (arXiv 2405.19101), sec. 2.3.
    """
    frames = torch.arange(0, num, stride)
    i, j = torch.triu_indices(len(frames), len(frames))
    pairs = torch.stack([frames[i], frames[j]], 1)
    return pairs if longest is None else pairs[pairs[:, 1] - pairs[:, 0] <= longest]


@final
class LeadTime(Form):
    """The network sees a frame and a lead time; training takes all ordered pairs of a trajectory.

        u(t_j) = S(u(t_i), t_j - t_i),   lead time (j - i) / lead_frames;   steady problems: 1

    Frames must be equally spaced. Asked for T frames, every one is reached directly from the last
    given one, or in jumps of ``longest`` frames where T is larger.

    Args:
        lead_frames: frames per unit of lead time; 20 as published.
        window: frames the network sees; 1 as published.
        stride: frames between those that make training pairs.
        pairs: ordered pairs drawn per trajectory and training step; null for all of them.
        longest: largest lead, frames, in training and in answers; null for any.
    """

    def __init__(
        self,
        lead_frames: float = 20.0,
        window: int = 1,
        stride: int = 1,
        pairs: int | None = None,
        longest: int | None = None,
    ) -> None:
        for name, value in (("window", window), ("stride", stride)):
            if value < 1:
                raise ConfigError(f"solver.form.{name}={value}, expected a positive integer")
        for name, bound in (("pairs", pairs), ("longest", longest)):
            if bound is not None and bound < 1:
                raise ConfigError(f"solver.form.{name}={bound}, expected a positive number or null")
        if lead_frames <= 0:
            raise ConfigError(f"solver.form.lead_frames={lead_frames}, expected a positive number")
        self.lead_frames, self.window, self.stride = lead_frames, window, stride
        self.pairs, self.longest = pairs, longest

    def sizes(self, samples: Samples) -> Sizes:
        one = samples[:1]
        problem, target = one.problem, one.target
        axes = getattr(problem.domain, "axes", ())
        periodic = tuple(axis.periodic for axis in axes) or (False,) * len(problem.domain.shape)
        if problem.times is None:
            return Sizes(stacked(problem).shape[1], target.shape[1], problem.domain.shape, periodic)
        given = self._given(problem)
        if given.shape[1] < self.window:
            raise ConfigError(
                f"solver.form.window={self.window}, but the task gives {given.shape[1]} frames"
            )
        steps = problem.times.diff()
        if len(steps) and float((steps - steps[0]).abs().max()) > 1e-6 * float(steps[0].abs()):
            raise ConfigError("solver.form is LeadTime, but the frames are not equally spaced")
        return Sizes(self.window * given.shape[2], target.shape[2], problem.domain.shape, periodic)

    @staticmethod
    def _given(problem: Problem) -> Tensor:
        """The given frames (B, T_in, C, *S)."""
        if len(problem.inputs) != 1:
            raise ConfigError(
                f"solver.form is LeadTime, but the problem has inputs {sorted(problem.inputs)}, "
                "expected one evolving field"
            )
        return problem.input if problem.history is not None else problem.input.unsqueeze(1)

    def fields(self, problem: Problem, target: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if problem.times is None:
            return stacked(problem), target
        given = self._given(problem)
        frames = (given if target is None else torch.cat([given, target], 1)).flatten(0, 1)
        repeated = frames.repeat(1, self.window, *(1,) * (frames.ndim - 2))
        return repeated, None if target is None else frames

    def training_pair(self, problem: Problem, target: Tensor) -> tuple[Problem, Tensor]:
        if problem.times is None:
            return problem, target
        frames = torch.cat([self._given(problem), target], 1)
        first = self.window - 1
        every = first + ordered_pairs(frames.shape[1] - first, self.stride, self.longest)
        num = len(every) if self.pairs is None else min(self.pairs, len(every))
        if num == len(every):
            drawn = torch.arange(num).expand(len(frames), -1)
        else:
            drawn = torch.rand(len(frames), len(every)).topk(num, dim=1).indices
        i, j = every[drawn].flatten(0, 1).to(frames.device).unbind(-1)
        sample = torch.arange(len(frames), device=frames.device).repeat_interleave(num)
        seen = torch.stack([frames[sample, i - first + k] for k in range(self.window)], 1)
        times = problem.times.new_zeros(self.window)
        asked = replace(
            problem,
            inputs={next(iter(problem.inputs)): seen},
            history=times,
            times=times[:1],
            parameters={_LEAD: (j - i).to(frames.dtype)},
        )
        return asked, frames[sample, j].unsqueeze(1)

    def predict(self, network: nn.Module, problem: Problem) -> Tensor:
        if problem.times is None:
            x = stacked(problem)
            return apply_at(network, x, x.new_ones(len(x)))
        known = self._given(problem)
        if _LEAD in problem.parameters:
            lead = problem.parameters[_LEAD] / self.lead_frames
            return apply_at(network, known.flatten(1, 2), lead).unsqueeze(1)
        frames, steps = known.shape[1], len(problem.times)
        jump = self.longest or steps
        while known.shape[1] < frames + steps:
            x = known[:, -self.window :].flatten(1, 2)
            num = min(jump, frames + steps - known.shape[1])
            answers = [
                apply_at(network, x, x.new_full((len(x),), k / self.lead_frames))
                for k in range(1, num + 1)
            ]
            known = torch.cat([known, torch.stack(answers, 1)], 1)
        return known[:, frames:]


def apply_at(network: nn.Module, x: Tensor, time: Tensor) -> Tensor:
    """Return the network's answer (B, C, *S) at lead times (B,), between its scalings if any."""
    if not isinstance(network, Scaled):
        return network(x, time)
    y = network.network(x if network.inputs is None else network.inputs.encode(x), time)
    return y if network.outputs is None else network.outputs.decode(y)
