"""Distances of whole trajectories that forgive shifts in time."""

import torch
from torch import Tensor

from pdebench.domain import Domain
from pdebench.errors import ConfigError
from pdebench.metric import Metric, metric
from pdebench.metrics import quadrature as q
from pdebench.metrics.fields import diverged, paired, ratio
from pdebench.metrics.warping import warp
from pdebench.problem import Problem, Solution


def dtw(window: int = 10) -> Metric:
    """Return the metric of dynamic time warping within ``window`` frames, (B,).

        1/C sum_c ( D_c / T / mean_t <y_c^2> )^{1/2},    D_c = min over paths of sum <(p_i - y_j)^2>

    Paths align frame i of the prediction with frame j of the target, |i - j| <= window; window 0 is
    the rms error over the trajectory by the rms of the target. Sakoe and Chiba 1978; windowed in
    The Well (arXiv 2412.00568), whose program normalises by the channels (`published.the_well`).
    """
    if window < 0:
        raise ConfigError(f"metric.window={window}, expected 0 frames or more")

    def score(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
        prediction, reference = paired(solution, target, problem)
        cost = _costs(prediction, reference, problem.domain, window)
        total, _ = warp(diverged(cost).flatten(0, 1), window)
        scale = q.weighted_mean(problem.domain, q.square, reference).mean(1)
        return ratio(total.reshape(scale.shape) / reference.shape[1], scale).sqrt().mean(1)

    score.__doc__ = f"Windowed dynamic time warping, window {window} frames, (B,)."
    return metric(f"pdebench.dtw_{window}@1", needs=("target", "times"))(score)


def _costs(prediction: Tensor, reference: Tensor, domain: Domain, window: int) -> Tensor:
    """Return <(p_i - y_j)^2> for |i - j| <= window, infinity elsewhere, (B, C, T, T)."""
    samples, frames, channels = reference.shape[:3]
    cost = torch.full((samples, channels, frames, frames), float("inf"), dtype=torch.float64)
    cost = cost.to(reference.device)
    for lag in range(-min(window, frames - 1), min(window, frames - 1) + 1):
        first = slice(max(lag, 0), frames + min(lag, 0))  # i = j + lag
        second = slice(max(-lag, 0), frames - max(lag, 0))
        values = q.weighted_mean(
            domain, q.square_difference, prediction[:, first], reference[:, second]
        )
        i = torch.arange(first.start, first.stop)
        cost[:, :, i, i - lag] = values.transpose(1, 2)
    return cost


dtw_10 = dtw()
