"""Paired tests between solvers on the same samples, corrected for how many there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from pdebench.statistics.intervals import (
    RESAMPLES,
    Estimate,
    difference_interval,
    paired_scores,
)
from pdebench.statistics.scores import Array, as_scores, parts


@final
@dataclass(frozen=True)
class Comparison:
    """Two solvers, first minus second.

    Attributes:
        difference: of the means over seeds and samples, with its interval (for this pair alone).
        p_value: of no difference between the methods, seeds and samples both drawn anew.
        p_samples: of no difference between these very fits, samples drawn anew; Wilcoxon's signed
            ranks, so a statement about typical samples rather than the mean.
        adjusted: ``p_value`` corrected for all comparisons made with it; itself where alone.
    """

    difference: Estimate
    p_value: float
    p_samples: float
    adjusted: float

    def apart(self, level: float = 0.95) -> bool:
        """Whether the two differ at the family-wise ``level``."""
        return self.adjusted <= 1 - level


def compare(
    a: ArrayLike, b: ArrayLike, level: float = 0.95, *, resamples: int = RESAMPLES, seed: int = 0
) -> Comparison:
    """Compare solvers of scores a (S_a, N) and b (S_b, N) on the same N samples.

        t = (m_a - m_b) / (u_a - r_a + u_b - r_b + w_d)^{1/2}

    with u, r as in `scores`, w_d that of the differences per sample, and the degrees of freedom of
    Satterthwaite (1946). p is 1 where the scores are equal everywhere or either diverged, and where
    one seed and one sample leave nothing to estimate a spread from.
    """
    first, second = paired_scores(a, b)
    difference = difference_interval(first, second, level, resamples=resamples, seed=seed)
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return Comparison(difference, 1.0, 1.0, 1.0)
    p_value = _student(first, second)
    return Comparison(difference, p_value, _wilcoxon(first, second), p_value)


def _student(first: Array, second: Array) -> float:
    return float(_student_all(_Means.of(first), [_Means.of(second)])[0])


@final
@dataclass(frozen=True)
class _Means:
    """What the paired test needs of one solver: means per sample (N,), and those over seeds."""

    by_sample: Array
    of_seeds: float
    freedom: int

    @classmethod
    def of(cls, scores: Array) -> "_Means":
        found = parts(scores)
        return cls(scores.mean(0), found.of_seeds, found.num_seeds - 1)


def _student_all(one: _Means, others: Sequence[_Means]) -> Array:
    """Return p of the test of `compare` between one solver and each of the others, (K,)."""
    apart = one.by_sample - np.stack([other.by_sample for other in others])
    num = apart.shape[1]
    spread = apart.var(1, ddof=1) / num if num > 1 else np.zeros(len(apart))
    seeds = np.array([other.of_seeds for other in others])
    variance = one.of_seeds + seeds + spread
    value = apart.mean(1)
    freedom = np.zeros_like(variance)
    of_others = np.array([other.freedom for other in others])
    for own, f in ((one.of_seeds, one.freedom), (seeds, of_others), (spread, num - 1)):
        freedom += np.square(own) / np.maximum(f, 1)  # where f is 0, so is its variance
    certain = variance <= 0
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(value) / np.sqrt(variance)
        found = 2 * special.stdtr(np.square(variance) / freedom, -t)
    alone = (max(num, one.freedom + 1) == 1) & (of_others == 0)
    return np.where(certain, np.where((value == 0) | alone, 1.0, 0.0), found)


def _wilcoxon(first: Array, second: Array) -> float:
    apart = first.mean(0) - second.mean(0)
    if not np.any(apart):
        return 1.0
    found: Any = stats.wilcoxon(apart)
    return float(found.pvalue)


def holm(p_values: ArrayLike) -> Array:
    """Return p-values adjusted for the family-wise error of all of them; Holm (1979).

    p~_(i) = max_{j <= i} min(1, (n - j + 1) p_(j)); valid under any dependence.
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    return adjusted


def p_values(rows: Sequence[ArrayLike]) -> Array:
    """Return p-values (K, K) of no difference between K rows (S_k, N), adjusted by `holm` over all
    pairs.

    As `compare` without intervals; 1 where the numbers of samples differ or a score is infinite,
    and on the diagonal.
    """
    scores = [as_scores(row) for row in rows]
    found = np.ones((len(scores), len(scores)))
    comparable: dict[int, list[int]] = {}
    for k, own in enumerate(scores):
        if np.isfinite(own).all():
            comparable.setdefault(own.shape[1], []).append(k)
    for group in comparable.values():
        means = [_Means.of(scores[k]) for k in group]
        for i, k in enumerate(group[:-1]):
            found[k, group[i + 1 :]] = _student_all(means[i], means[i + 1 :])
    upper = np.triu_indices(len(scores), 1)
    # within a group positions ascend: all tests lie above the diagonal
    found[upper] = holm(found[upper])
    return np.minimum(found, found.T)


def pairwise(
    rows: Mapping[str, ArrayLike],
    level: float = 0.95,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[tuple[str, str], Comparison]:
    """Compare every pair of ``rows`` {name: (S, N)}, with p-values adjusted by `holm`.

    Pairs are in the order of the rows. The intervals remain those of single pairs.
    """
    found = {
        (one, other): compare(rows[one], rows[other], level, resamples=resamples, seed=seed)
        for one, other in combinations(rows, 2)
    }
    adjusted = holm([c.p_value for c in found.values()])
    return {
        pair: replace(comparison, adjusted=float(p))
        for (pair, comparison), p in zip(found.items(), adjusted, strict=True)
    }
