"""Confidence intervals of means, and of differences of means, over seeds and samples.

The hierarchical bootstrap that resamples seeds and samples with replacement covers too seldom with
a handful of seeds (0.85 instead of 0.95 at five that differ, see benchmarks/intervals.py), for it
underestimates their variance by (S - 1)/S and knows no t distribution. Here each source has its own
studentised pivot,

    m - mu  ~  (V_A/S)^{1/2} t_{S-1}  +  w^{1/2} T*,    T* = (m* - m) / w*^{1/2}

with t of Student for seeds (too few to resample) and the bootstrap-t for samples (skewed, but many;
Efron and Tibshirani 1993, sec. 12.5); the sum is that of Behrens and Fisher. V and w as in
`scores`.

With heavy tails even the bootstrap-t covers too seldom, so it is calibrated (Loh 1987, J. Am. Stat.
Assoc. 82; Beran 1987, Biometrika 74): resamples of resamples tell at which nominal level its
interval would hold the mean of these very samples 95 times in 100, and it is stretched to that
level, never shrunk. What it covers by simulation: benchmarks/intervals.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from pdebench.statistics.adequacy import FEW_SAMPLES, cautions
from pdebench.statistics.scores import Array, as_scores, parts

RESAMPLES = 2000  # leave the ends of a 95 % interval uncertain by about 4 % of its width
_OUTER, _INNER = 300, 600  # resamples of the calibration and, within each, of its pivot
_CALIBRATED = 1000  # samples beyond which the bootstrap-t needs no calibration, and it costs most


@final
@dataclass(frozen=True)
class Estimate:
    """A ``value`` with its interval from ``low`` to ``high`` at ``level``, and ``cautions``."""

    value: float
    low: float
    high: float
    level: float
    cautions: tuple[str, ...] = ()

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval says that the value is not 0."""
        return self.low > 0 or self.high < 0


def mean_interval(
    values: ArrayLike, level: float = 0.95, *, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Return the mean of scores (S, N) over seeds and samples with its interval.

    Each source of variance counts as far as it can be estimated; what cannot is in the cautions.
    Infinite scores give an infinite mean without an interval. The same scores and ``seed`` always
    give the same interval. Raises ValueError for NaN, no scores, or a level outside (0, 1).
    """
    scores = as_scores(values)
    _require(level, resamples)
    found = _unbounded(scores, level)
    if found is not None:
        return found
    own = parts(scores)
    notes = cautions(len(scores), scores.shape[1], log_spread=_log_spread(scores))
    noise = _seeds([(own.of_seeds, own.num_seeds)], resamples, seed)
    noise += _samples(scores.mean(0), level, resamples, seed)
    return _around(own.mean, noise, level, notes)


def _log_spread(scores: Array) -> float:
    """Return the deviation of the logarithm of the samples' errors, 0 where some are not errors."""
    errors = scores.mean(0)
    return float(np.log(errors).std()) if bool((errors > 0).all()) else 0.0


def joint_replicates(
    rows: Sequence[ArrayLike],
    level: float = 0.95,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Array:
    """Return draws (R, K) of the true means of K solvers, scores (S_k, N_k) each.

    The central ``level`` part of a column is its `mean_interval` up to the draws of the seeds. All
    rows of N samples are drawn together, so that hard samples are hard for all; seeds are drawn for
    each. Columns with an infinite score are NaN.
    """
    _require(level, resamples)
    drawn = np.full((resamples, len(rows)), np.nan)
    for k, row in enumerate(rows):
        scores = as_scores(row)
        if np.isinf(scores).any():
            continue
        own = parts(scores)
        noise = _seeds([(0.0, 0)] * k + [(own.of_seeds, own.num_seeds)], resamples, seed)
        drawn[:, k] = own.mean - noise - _samples(scores.mean(0), level, resamples, seed)
    return drawn


def difference_interval(
    a: ArrayLike, b: ArrayLike, level: float = 0.95, *, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Return mean(a) - mean(b) with its interval; a (S_a, N), b (S_b, N) on the same N samples.

    Samples enter by their differences, so that hard samples cancel; the seeds of the two solvers
    are independent. Raises ValueError where the numbers of samples differ.
    """
    first, second = paired_scores(a, b)
    _require(level, resamples)
    few = min(len(first), len(second))
    infinite = int(np.isinf(first).sum() + np.isinf(second).sum())
    notes = cautions(few, first.shape[1], infinite)
    if infinite:
        with np.errstate(invalid="ignore"):  # inf - inf: both diverged, no difference is known
            value = float(first.mean() - second.mean())
        return Estimate(value, -np.inf, np.inf, level, notes)
    own = [parts(first), parts(second)]
    noise = _seeds([(p.of_seeds, p.num_seeds) for p in own], resamples, seed)
    noise += _samples(first.mean(0) - second.mean(0), level, resamples, seed)
    return _around(own[0].mean - own[1].mean, noise, level, notes)


def paired_scores(a: ArrayLike, b: ArrayLike) -> tuple[Array, Array]:
    """Return two checked arrays of scores on the same samples."""
    first, second = as_scores(a, "a"), as_scores(b, "b")
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"a holds {first.shape[1]} samples and b {second.shape[1]}; a paired comparison needs "
            "the same ones in the same order"
        )
    return first, second


def _require(level: float, resamples: int) -> None:
    if not 0 < level < 1 or resamples < 1:
        raise ValueError(f"level={level}, resamples={resamples}: expected 0 < level < 1, positive")


def _unbounded(scores: Array, level: float) -> Estimate | None:
    infinite = int(np.isinf(scores).sum())
    if not infinite:
        return None
    with np.errstate(invalid="ignore"):
        value = float(scores.mean())
    return Estimate(value, -np.inf, np.inf, level, cautions(len(scores), scores.shape[1], infinite))


def _around(value: float, noise: Array, level: float, notes: tuple[str, ...]) -> Estimate:
    down, up = np.quantile(noise, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, value - float(up), value - float(down), level, notes)


def _seeds(sources: list[tuple[float, int]], resamples: int, seed: int) -> Array:
    """Return draws of the seeds' part of the error, (R,): quantiles of t in a shuffled order."""
    total = np.zeros(resamples)
    grid = (np.arange(resamples) + 0.5) / resamples
    for position, (variance, num) in enumerate(sources):
        if num > 1 and variance > 0:
            order = np.random.default_rng((seed, 1, position)).permutation(resamples)
            total += np.sqrt(variance) * stats.t.ppf(grid, num - 1)[order]
    return total


def _samples(values: Array, level: float, resamples: int, seed: int) -> Array:
    """Return draws of the samples' part of the error of mean(values), (R,).

    Bootstrap-t, calibrated for ``level``; Student's t where samples are too few to resample; 0 with
    one.
    """
    num = len(values)
    if num == 1 or np.ptp(values) == 0:
        return np.zeros(resamples)
    width = np.sqrt(values.var(ddof=1) / num)
    if num < FEW_SAMPLES:
        grid = (np.arange(resamples) + 0.5) / resamples
        order = np.random.default_rng((seed, 2)).permutation(resamples)
        return width * stats.t.ppf(grid, num - 1)[order]
    shares = _shares(num, resamples, seed)
    pivots = _pivots(shares, values[:, None])[:, 0]
    if num <= _CALIBRATED:
        pivots = pivots * _stretch(values, pivots, level, seed)
    return pivots * width


@lru_cache(maxsize=4)
def _shares(num: int, resamples: int, seed: int) -> Array:
    """Return the fraction of each sample in every resample, (R, N); the same for all solvers."""
    random = np.random.default_rng((seed, 2))
    return random.multinomial(num, np.full(num, 1 / num), size=resamples) / num


@lru_cache(maxsize=4)
def _positions(num: int, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.random.default_rng((seed, 4)).integers(num, size=(num, _OUTER))


def _pivots(shares: Array, values: Array) -> Array:
    """Return T* (R, B) of resamples ``shares`` (R, N) of each column of ``values`` (N, B)."""
    num = len(values)
    centred = values - values.mean(0)  # about zero, so that the variance below loses no digits
    squares = centred * centred
    means = shares @ centred
    variances = (shares @ squares - means * means) / (num - 1)
    # a resample of equal values has no width; that of the data bounds its pivot
    floor = np.finfo(np.float64).eps ** 2 * squares.sum(0) / (num * (num - 1)) + 1e-300
    return np.where(variances > floor, means / np.sqrt(np.maximum(variances, floor)), 0.0)


def _stretch(values: Array, pivots: Array, level: float, seed: int) -> float:
    """Return the factor, 1 or more, that brings the interval of ``pivots`` to its level.

    A resample's own bootstrap-t says at which tail the mean of ``values``, known there, lies; if
    that is beyond the tail a more often than 1 - level of the time, a smaller tail is wanted.
    """
    num, tail = len(values), (1 - level) / 2
    outer = values[_positions(num, seed)]
    inner = _pivots(_shares(num, _INNER, seed), outer)
    errors = outer.std(0, ddof=1) / np.sqrt(num)
    own = np.where(errors > 0, (outer.mean(0) - values.mean()) / np.maximum(errors, 1e-300), 0.0)
    below = (inner <= own).mean(0)
    wanted = float(np.quantile(np.minimum(below, 1 - below), 2 * tail))
    wanted = min(max(wanted, 1 / _INNER), tail)
    down, low, high, up = np.quantile(pivots, [wanted, tail, 1 - tail, 1 - wanted])
    return float((up - down) / (high - low)) if high > low else 1.0
