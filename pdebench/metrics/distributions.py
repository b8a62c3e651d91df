"""Distances of the distributions of values, blind to where the values are."""

import math
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from pdebench.domain import Domain, Grid
from pdebench.metric import metric
from pdebench.metrics import quadrature as q
from pdebench.metrics.fields import diverged, paired, ratio
from pdebench.problem import Problem, Solution

_PART = 1 << 20  # values that are sorted together where points carry weights of their own


def wasserstein(x: Tensor, y: Tensor, domain: Domain, *, overwrite: bool = False) -> Tensor:
    """First Wasserstein distance of the values of two fields (*S,) or (T, *S), scalar float64.

        W1 = int |F_x(z) - F_y(z)| dz,    F_x(z) = sum_{i: x_i <= z} w_i / sum_i w_i

    With equal weights it is mean |sort(x) - sort(y)|; else the two samples are sorted together, a
    range of values after the other. Returns infinity where x is not finite. With ``overwrite`` the
    values of x and y may be sorted where they lie, which saves their copies.
    """
    if not all(bool(edge.isfinite()) for edge in x.aminmax()):
        return x.new_full((), float("inf"), dtype=torch.float64)
    if not _equal_weights(domain):
        return _weighted(x, y, domain)
    # NumPy sorts in place, without a vector of int64 positions
    apart, other = (v.reshape(-1).cpu().numpy() for v in (x, y))
    if not overwrite:
        apart, other = apart.copy(), other.copy()
    apart.sort()
    other.sort()
    np.abs(np.subtract(apart, other, out=apart), out=apart)
    return torch.tensor(apart.mean(dtype=np.float64), device=x.device)


def _equal_weights(domain: Domain) -> bool:
    lines = [a.weights for a in domain.axes] if isinstance(domain, Grid) else [domain.weights]
    return all(bool((line == line[0]).all()) for line in lines)


def _weighted(x: Tensor, y: Tensor, domain: Domain) -> Tensor:
    """Integrate |F_x - F_y| over consecutive ranges of z, in each of which few values lie."""
    num = 2 * x.numel() // _PART + 1
    every = max(1, x.numel() // (64 * num))
    some = torch.cat([v.reshape(-1)[::every] for v in (x, y)]).to(torch.float64).sort().values
    edges = some[:: max(1, len(some) // num)][1:num].unique().tolist()
    total, before = x.new_zeros((), dtype=torch.float64), None
    above = mass = x.new_zeros((), dtype=torch.float64)
    for low, high in pairwise([-math.inf, *edges, math.inf]):
        values, weights = _between(low, high, x, y, domain)
        if not len(values):
            continue
        values, order = values.sort()
        if before is not None:
            total = total + above.abs() * (values[0] - before)
        mass = mass + weights.clamp_min(0).sum()
        sums = weights[order].cumsum_(0).add_(above)
        total = total + sums[:-1].abs() @ values.diff()
        above, before = sums[-1], values[-1]
    return total / mass


def _between(
    low: float, high: float, x: Tensor, y: Tensor, domain: Domain
) -> tuple[Tensor, Tensor]:
    """Return the values low <= z < high of x and y, and their weights, those of y negative."""
    values, weights = [], []
    fields = (v.reshape(1, -1, 1, *domain.shape) for v in (x, y))
    for _, points, parts in q.pieces(domain, *fields):
        for part, sign in zip(parts, (1, -1), strict=True):
            inside = (part >= low) & (part < high)
            values.append(part[inside].to(torch.float64))
            line = q.weights_of(domain, points).to(part.device)
            weights.append(sign * line.expand(part.shape)[inside])
    return torch.cat(values), torch.cat(weights)


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
    num_samples, _, num_channels = reference.shape[:3]
    common = torch.promote_types(prediction.dtype, reference.dtype)
    found = torch.empty((num_samples, num_channels), dtype=torch.float64, device=reference.device)
    for b in range(num_samples):
        for c in range(num_channels):
            x, y = (v[b, :, c].to(common) for v in (prediction, reference))
            found[b, c] = wasserstein(x, y, domain)
    return diverged(found)
