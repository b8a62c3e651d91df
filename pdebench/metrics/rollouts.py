"""From curves over frames to numbers: windows, the final frame, and times of validity.

Every metric that returns (B, T) is a rollout curve already; the harness stores it whole.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor

from pdebench.errors import ConfigError, Unsupported
from pdebench.metric import Fold, Metric, metric
from pdebench.metrics import quadrature as q
from pdebench.metrics.fields import label, paired
from pdebench.problem import Problem, Solution
from pdebench.task import frame_axis


def _derived(base: Metric, suffix: str) -> str:
    name, _, version = base.name.partition("@")
    return f"{name}_{suffix}@{version}"


def _curve(base: Metric, values: Tensor) -> Tensor:
    if values.ndim != 2:
        raise ConfigError(f"{base.name} gives one number a sample, expected a curve over frames")
    return values


def window(base: Metric, start: int, stop: int) -> Metric:
    """Return the mean of ``base`` over the predicted frames start, ..., stop - 1 (from 0), (B,).

    The Well's tables use vrmse over 6:12 and 13:30. Raises ConfigError for an empty window;
    Unsupported where the horizon is shorter.
    """
    if not 0 <= start < stop:
        raise ConfigError(f"window {start}:{stop} is empty, expected 0 <= start < stop")

    def form(values: Tensor, problem: Problem) -> Tensor:
        curve = _curve(base, values)
        if curve.shape[1] < stop:
            raise Unsupported(f"frames {start}:{stop} of a rollout of {curve.shape[1]} frames")
        return curve[:, start:stop].mean(1)

    doc = f"Mean of {base.name} over frames {start} to {stop - 1}, (B,)."
    return base.then(_derived(base, f"{start}_{stop}"), form, doc)


def final(base: Metric) -> Metric:
    """Return ``base`` at the last frame, (B,)."""

    def form(values: Tensor, problem: Problem) -> Tensor:
        return _curve(base, values)[:, -1]

    return base.then(_derived(base, "final"), form, f"{base.name} at the last frame, (B,).")


def log_windows(num_frames: int, num_intervals: int = 5) -> list[tuple[int, int]]:
    """Return consecutive windows (start, stop) that grow geometrically and cover all frames.

    Edges are 0 and floor(exp(s)) for ``num_intervals`` values s from 0 to log(num_frames), without
    repetition. The Well, rollout windows.
    """
    if num_frames < 1 or num_intervals < 1:
        raise ConfigError(f"log_windows({num_frames}, {num_intervals}): expected positive numbers")
    steps = [math.log(num_frames) * i / max(num_intervals - 1, 1) for i in range(num_intervals)]
    nudge = 1e-9  # exp(log n) may fall an ulp short of n
    edges = sorted({0, num_frames, *(int(math.exp(s) + nudge) for s in steps)})
    return list(pairwise(edges))


def lasting(holds: Tensor, problem: Problem) -> Tensor:
    """Return the time (B,), s, from the last given frame to the last frame up to which ``holds``.

    holds: (B, T) bool. 0 where the first frame fails. Without a history time starts at 0 s.
    """
    times = problem.times
    if times is None:
        raise Unsupported("the problem is steady")
    times = times.to(holds.device, torch.float64)
    start = times.new_zeros(()) if problem.history is None else problem.history[-1].to(times)
    count = holds.int().cumprod(1).sum(1)
    return torch.cat([times.new_zeros(1), times - start])[count]


def valid_time(threshold: float = 0.5) -> Metric:
    """Return the metric of how long the error stays below ``threshold``, (B,), in s.

        E(t) = ( sum_c <e_c(t)^2> / sum_c mean_t <(y_c - m_c)^2> )^{1/2} < threshold

    m_c is the mean of y_c over frames and space, so that the scale is the spread of the trajectory
    and does not shrink with a passing calm. Vlachas et al. 2020 (arXiv 1910.05266), eq. 31. The
    whole horizon is a lower bound. Raises ConfigError for a threshold that is not positive.
    """
    if not threshold > 0:
        raise ConfigError(f"metric.threshold={threshold}, expected a positive number")

    def part(solution: Solution, target: Tensor, problem: Problem) -> tuple[Tensor, ...]:
        prediction, reference = paired(solution, target, problem)
        domain = problem.domain
        error = q.weighted_mean(domain, q.square_difference, prediction, reference).sum(2)
        return error, q.mean(reference, domain), q.variance(reference, domain)

    def finish(curves: tuple[Tensor, ...], problem: Problem) -> Tensor:
        error, middle, variance = curves
        between = (middle - middle.mean(1, keepdim=True)).square()
        spread = (variance + between).mean(1).sum(1)
        good = (error < threshold**2 * spread[:, None]) | (error == 0)
        return lasting(good, problem)

    name = f"pdebench.valid_time_{label(threshold)}@1"
    part.__doc__ = f"Time until the normalised error first reaches {threshold:g}, (B,), s."
    return metric(
        name, unit="s", better="higher", needs=("target", "times"), fold=Fold.curves(finish)
    )(part)


def _finite(solution: Solution, target: Tensor, problem: Problem) -> tuple[Tensor]:
    """Time until the answer leaves finite numbers, (B,), s; the whole horizon where it does not.

    From the last given frame to the last frame up to which all values are finite.
    """
    return (frame_axis(solution.u, problem).isfinite().flatten(2).all(2),)


finite_time = metric(
    "pdebench.finite_time@1",
    unit="s",
    better="higher",
    needs=("times",),
    fold=Fold.curves(lambda state, problem: lasting(state[0], problem)),
)(_finite)
