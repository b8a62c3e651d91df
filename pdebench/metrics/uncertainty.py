"""Scores of solvers that state how sure they are: a normal distribution at every point.

p is the predicted mean, s the predicted standard deviation (``solution.spread``), y the target. A
spread that is negative or not finite scores like a diverged prediction.
"""

import math

import torch
from torch import Tensor
from torch.special import ndtr, ndtri

from pdebench.errors import ConfigError, Unsupported
from pdebench.metric import EACH, Metric, metric
from pdebench.metrics import quadrature as q
from pdebench.metrics.fields import diverged, label, paired
from pdebench.problem import Problem, Solution
from pdebench.task import frame_axis


def _spread(solution: Solution, problem: Problem) -> Tensor:
    if solution.spread is None:
        raise Unsupported("the solver gives no predictive spread")
    if solution.spread.shape != solution.u.shape:
        raise ValueError(
            f"solution.spread has shape {tuple(solution.spread.shape)}, "
            f"expected {tuple(solution.u.shape)}"
        )
    return frame_axis(solution.spread, problem)


def _score_normal(error: Tensor, target: Tensor, spread: Tensor) -> Tensor:
    error = error.sub_(target)
    width = spread.to(torch.float64)
    z = error / width
    density = torch.exp(z.square() / -2) / math.sqrt(2 * math.pi)
    value = width * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / math.sqrt(math.pi))
    value = torch.where(width == 0, error.abs_(), value)
    return value.masked_fill_(width < 0, float("nan"))


@metric("pdebench.crps@1", unit="unit of the field", needs=("target", "spread"), fold=EACH)
def crps(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Continuous ranked probability score of the normal prediction, mean over channels, (B, T).

        1/C sum_c < s (z (2 Phi(z) - 1) + 2 phi(z) - pi^{-1/2}) >,    z = (y - p)/s

    Gneiting et al. 2005, eq. 5. The mean absolute error where s = 0; proper: the true distribution
    scores best in the mean.
    """
    prediction, reference = paired(solution, target, problem)
    spread = _spread(solution, problem)
    score = q.weighted_mean(problem.domain, _score_normal, prediction, reference, spread)
    return diverged(score).mean(2)


def coverage_gap(level: float = 0.95) -> Metric:
    """Return the metric of how far the central interval's coverage is from ``level``, (B, T).

        1/C sum_c < 1[ |y - p| <= z s ] > - level,    z = Phi^{-1}((1 + level)/2)

    The fraction of the domain's measure that the interval covers, minus what it claims: 0 is
    calibrated, positive too cautious, negative too sure. A diverged prediction covers nothing.
    """
    factor = _factor(level)

    def covers(error: Tensor, reference: Tensor, spread: Tensor) -> Tensor:
        inside = error.sub_(reference).abs_() <= factor * spread
        return (inside & spread.isfinite()).to(torch.float64)

    def score(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
        prediction, reference = paired(solution, target, problem)
        spread = _spread(solution, problem)
        share = q.weighted_mean(problem.domain, covers, prediction, reference, spread)
        return share.mean(2) - level

    score.__doc__ = f"Coverage of the central {level:g} interval minus {level:g}, (B, T)."
    name = f"pdebench.coverage_gap_{label(100 * level)}@1"
    return metric(name, better="zero", needs=("target", "spread"), fold=EACH)(score)


def sharpness(level: float = 0.95) -> Metric:
    """Return the metric of the mean width of the central interval, (B, T).

        1/C sum_c 2 z <s_c>,    z = Phi^{-1}((1 + level)/2)

    Narrow is good only where `coverage_gap` is near 0.
    """
    factor = _factor(level)

    def width(spread: Tensor) -> Tensor:
        return spread.masked_fill_(spread < 0, float("nan"))

    def score(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
        mean = q.weighted_mean(problem.domain, width, _spread(solution, problem))
        return 2 * factor * diverged(mean).mean(2)

    score.__doc__ = f"Mean width of the central {level:g} interval, (B, T)."
    name = f"pdebench.sharpness_{label(100 * level)}@1"
    return metric(name, unit="unit of the field", needs=("spread",), fold=EACH)(score)


def _factor(level: float) -> float:
    if not 0 < level < 1:
        raise ConfigError(f"metric.level={level}, expected a probability between 0 and 1")
    return float(ndtri(torch.tensor((1 + level) / 2, dtype=torch.float64)))


coverage_gap_95 = coverage_gap()
sharpness_95 = sharpness()
