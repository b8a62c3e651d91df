"""Error against seconds within one solve of an iterative solver."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pdebench import cost
from pdebench.metric import Metric
from pdebench.problem import Problem, Solution
from pdebench.solver import IterativeSolver

_DENSE = 8  # first iterates that are all scored; later ones at even distances of the logarithm
_GROWTH = 1.15

Curve = np.ndarray[Any, np.dtype[np.float32]]


def iterates(
    solver: IterativeSolver,
    metric: Metric,
    granted: Problem,
    problem: Problem,
    target: Tensor,
    device: torch.device,
) -> tuple[Curve, Curve]:
    """Return seconds (K,) and errors (K, B) of the iterates of one solve.

    The clock runs only inside ``next()``; scoring is not on it. The first iterates, every later one
    a seventh further on, and the last are scored.

    Args:
        solver: prepared.
        metric: what the iterates are scored by; over time it is averaged.
        granted: the problem as the solver may see it, on ``device``.
        problem: the same on the CPU, for the metric.
        target: its reference solution.
        device: where the solver runs.
    """
    steps = iter(solver.iterates(granted))
    spent, count, wanted = 0.0, 0, 1.0
    times: list[float] = []
    errors: list[Tensor] = []
    last: Solution | None = None
    while True:
        seconds, iterate = cost.once(lambda: next(steps, None), device)
        if iterate is None:
            break
        spent, count, last = spent + seconds, count + 1, iterate
        if count >= wanted:
            times.append(spent)
            errors.append(_error(metric, iterate, target, problem))
            last, wanted = None, count + 1 if count < _DENSE else count * _GROWTH
    if last is not None:
        times.append(spent)
        errors.append(_error(metric, last, target, problem))
    stacked = torch.stack(errors) if errors else torch.zeros(0, len(target))
    return np.array(times, np.float32), stacked.numpy().astype(np.float32)


def _error(metric: Metric, given: Solution, target: Tensor, problem: Problem) -> Tensor:
    spread = None if given.spread is None else given.spread.to(target.device)
    held = Solution(given.u.detach().to(target.device), spread, given.iterations, given.counts)
    values = metric(held, target, problem).detach().cpu().double()
    return values.mean(1) if values.ndim == 2 else values
