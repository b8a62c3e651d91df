"""Time differences of equally spaced frames, compared with the rates an equation gives."""

from typing import Any, Literal, get_args

import torch
from torch import Tensor

from pdebench.errors import ConfigError, Unsupported
from pdebench.problem import Problem

Scheme = Literal["central", "mixed", "crank_nicolson"]


def check_scheme(scheme: str) -> None:
    """Raise ConfigError for a name that is no scheme."""
    if scheme not in get_args(Scheme):
        raise ConfigError(f"scheme='{scheme}', expected {', '.join(get_args(Scheme))}")


def defects(frames: Tensor, rates: Tensor, step: float, scheme: Scheme) -> Tensor:
    """Return  du/dt - N(u)  by differences of frames (B, T, ...) with spacing ``step``.

        central:         (u^{n+1} - u^{n-1}) / 2h - N(u^n)             0 < n < T - 1, second order
        mixed:           central, and (u^1 - u^0) / h - N(u^0), (u^{T-1} - u^{T-2}) / h -
                         N(u^{T-1}) at the ends, of first order
        crank_nicolson:  (u^{n+1} - u^n) / h - (N(u^n) + N(u^{n+1})) / 2  n < T - 1, second order

    ``rates`` are N(u) at the T - 2 interior frames for central, at all T for the others.
    Returns (B, T - 2, ...), (B, T, ...), (B, T - 1, ...).
    """
    _, changes = differences(frames, step, scheme)
    if scheme == "crank_nicolson":
        return changes - (rates[:, 1:] + rates[:, :-1]) / 2
    return changes - rates


def differences(frames: Tensor, step: float, scheme: Scheme) -> tuple[Tensor, Tensor]:
    """Return the frames at which `defects` asks for rates, and du/dt of the scheme."""
    if frames.shape[1] < 3:
        raise Unsupported(f"time differences need three frames, got {frames.shape[1]}")
    if scheme == "crank_nicolson":
        return frames, frames.diff(dim=1) / step
    inner, changes = _Central.apply(frames, step)  # pyright: ignore[reportGeneralTypeIssues]
    if scheme == "central":
        return inner, changes
    first, last = frames[:, 1:2] - frames[:, :1], frames[:, -1:] - frames[:, -2:-1]
    return frames, torch.cat([first / step, changes, last / step], dim=1)


class _Central(torch.autograd.Function):
    """Interior frames and their central differences, with one array for the gradient of both."""

    @staticmethod
    def forward(ctx: Any, frames: Tensor, step: float) -> tuple[Tensor, Tensor]:
        ctx.step = step
        return frames[:, 1:-1], (frames[:, 2:] - frames[:, :-2]).div_(2 * step)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        inner, changes = grads
        zero = torch.zeros_like(inner[:, :1])
        found = torch.cat([zero, inner, zero], dim=1)
        found[:, 2:].add_(changes, alpha=0.5 / ctx.step)
        found[:, :-2].sub_(changes, alpha=0.5 / ctx.step)
        return found, None


def frame_step(problem: Problem) -> float:
    """Return the spacing of the frames, the initial one first, s.

    Raises Unsupported for steady problems and for unequal or too few frames.
    """
    if problem.times is None:
        raise Unsupported("the residual needs an evolution in time, the problem is steady")
    start = torch.zeros(1) if problem.history is None else problem.history[-1:]
    times = torch.cat([start.double().cpu(), problem.times.double().cpu()])
    steps = times.diff()
    if len(steps) < 2 or not bool((steps - steps[0]).abs().max() <= 1e-6 * steps[0]):
        raise Unsupported("the residual needs two or more equally spaced times after the start")
    return float(steps[0])
