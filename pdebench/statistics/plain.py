"""The plain hierarchical bootstrap, for comparison and for statistics other than the mean."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from pdebench.statistics.adequacy import cautions
from pdebench.statistics.intervals import RESAMPLES, Estimate
from pdebench.statistics.scores import Array, as_scores


def _mean(scores: Array) -> float:
    return float(scores.mean())


def bootstrap_interval(
    values: ArrayLike,
    statistic: Callable[[Array], float] = _mean,
    level: float = 0.95,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Return ``statistic`` of scores (S, N) with its percentile interval, seeds and samples drawn.

    Crossed: one draw of samples serves all drawn seeds. It covers too seldom with few seeds (see
    `intervals`): use `mean_interval` for means, this for medians over samples and the like.
    """
    scores = as_scores(values)
    random = np.random.default_rng((seed, 3))
    num_seeds, num_samples = scores.shape
    drawn = np.empty(resamples)
    for r in range(resamples):
        chosen = random.integers(num_seeds, size=num_seeds)
        where = random.integers(num_samples, size=num_samples)
        drawn[r] = statistic(scores[np.ix_(chosen, where)])
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], method="nearest")
    infinite = int(np.isinf(scores).sum())
    notes = cautions(num_seeds, num_samples, infinite)
    return Estimate(float(statistic(scores)), float(low), float(high), level, notes)
