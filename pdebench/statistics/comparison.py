"""Paired tests between solvers on the same samples, corrected for how many there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

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
    apart = first.mean(0) - second.mean(0)
    num = len(apart)
    terms = [(p.of_seeds, p.num_seeds - 1) for p in (parts(first), parts(second))]
    terms.append((float(apart.var(ddof=1)) / num if num > 1 else 0.0, num - 1))
    variance = sum(v for v, _ in terms)
    value = float(apart.mean())
    if variance <= 0:
        return 1.0 if value == 0 or max(first.shape + second.shape) == 1 else 0.0
    freedom = variance**2 / sum(v**2 / f for v, f in terms if v > 0)
    return float(2 * stats.t.sf(abs(value) / np.sqrt(variance), freedom))


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
    pairs = list(combinations(range(len(scores)), 2))
    single = []
    for i, j in pairs:
        one, other = scores[i], scores[j]
        fit = one.shape[1] == other.shape[1] and bool(np.isfinite(one).all())
        single.append(_student(one, other) if fit and np.isfinite(other).all() else 1.0)
    found = np.ones((len(scores), len(scores)))
    for (i, j), p in zip(pairs, holm(single), strict=True):
        found[i, j] = found[j, i] = p
    return found


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
