"""Distances of the distributions of values, blind to where the values are."""

import numpy as np
import torch
from torch import Tensor

from pdebench.domain import Domain
from pdebench.metric import metric
from pdebench.metrics import quadrature as q
from pdebench.metrics.fields import diverged, paired, ratio
from pdebench.problem import Problem, Solution


def wasserstein(x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    """First Wasserstein distance of two weighted samples, scalar float64.

        W1 = int |F_x(z) - F_y(z)| dz,    F_x(z) = sum_{i: x_i <= z} w_i / sum_i w_i

    x, y: (n,), weights: (n,), shared. With equal weights it is mean |sort(x) - sort(y)|, which
    needs two vectors of that length; else the two samples are sorted together, which needs ten.
    Returns infinity where x is not finite.
    """
    if not bool(x.isfinite().all()):
        return x.new_full((), float("inf"), dtype=torch.float64)
    weights = weights.to(torch.float64)
    if bool((weights == weights[0]).all()):  # NumPy sorts without a vector of int64 positions
        apart = np.sort(x.cpu().numpy())
        apart -= np.sort(y.cpu().numpy())
        np.abs(apart, out=apart)
        return torch.tensor(apart.mean(dtype=np.float64), device=x.device)
    values, order = torch.cat([x.to(torch.float64), y.to(torch.float64)]).sort()
    mass = torch.cat([weights, -weights])[order] / weights.sum()
    return (mass.cumsum(0)[:-1].abs_() * values.diff()).sum()


@metric("pdebench.histogram_w1@1")
def histogram_w1(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Wasserstein distance of the values over all frames and points, by the target's rms, (B,).

        1/C sum_c W1(p_c, y_c) / (mean_t <y_c^2>)^{1/2}

    Scale-invariant. The Well (arXiv 2412.00568) divides by the mean square instead of its root
    (`published.the_well`). Blind to where the values occur: a shuffled field scores 0.
    """
    prediction, reference = paired(solution, target, problem)
    domain = problem.domain
    scale = q.weighted_mean(domain, q.square, reference).mean(1).sqrt()
    return ratio(_distances(prediction, reference, domain), scale).mean(1)


def _distances(prediction: Tensor, reference: Tensor, domain: Domain) -> Tensor:
    """Return W1 over frames and points of every sample and channel, (B, C)."""
    num_samples, num_frames, num_channels = reference.shape[:3]
    weights = domain.weights.to(reference.device).reshape(-1).repeat(num_frames)
    common = torch.promote_types(prediction.dtype, reference.dtype)
    rows = [
        wasserstein(
            prediction[b, :, c].reshape(-1).to(common),
            reference[b, :, c].reshape(-1).to(common),
            weights,
        )
        for b in range(num_samples)
        for c in range(num_channels)
    ]
    empty = torch.empty(0, dtype=torch.float64, device=reference.device)
    found = torch.stack(rows) if rows else empty
    return diverged(found.reshape(num_samples, num_channels))
