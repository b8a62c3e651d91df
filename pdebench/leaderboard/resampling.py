"""Bootstrap over seeds and samples for many rows at once, on common samples so that rows can be
compared in pairs.
"""

from collections.abc import Sequence
from typing import Any, final

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
LEVEL = 0.95


@final
class Bootstrap:
    """Replicates of pooled means under resampling of seeds and of samples.

        m*(r) = 1/S sum_s v*_s(r),    v*_s(r) = 1/N sum_n w_n(r) v_(s*, n)
        w ~ Multinomial(N; 1/N),    s* ~ Uniform(S)

    All seeds of a row answer the same N samples, so samples are drawn once for all seeds (crossed,
    not nested), and once for all rows: a difference of two rows' replicates is a replicate of their
    paired difference. Seeds are drawn for every row on its own. With one seed the spread is that of
    the samples alone; with a few it is narrower than the truth by about sqrt((S - 1) / S), as any
    bootstrap's is.

    Args:
        resamples: number of replicates R; 2,000 leave the ends of a 95 % interval uncertain by
            about 4 % of its width.
        seed: of the draws; the same records always give the same board.
    """

    def __init__(self, resamples: int = 2000, seed: int = 0) -> None:
        self._resamples, self._seed = resamples, seed
        self._drawn: dict[int, Array] = {}
        self._seeds: dict[tuple[int, int], Array] = {}

    def _samples(self, num: int) -> Array:
        """Fraction of each of ``num`` samples in every replicate, (R, N)."""
        if num not in self._drawn:
            random = np.random.default_rng((self._seed, num))
            counts = random.multinomial(num, np.full(num, 1 / num), size=self._resamples)
            self._drawn[num] = counts / num
        return self._drawn[num]

    def _shares(self, row: int, num: int) -> Array:
        """Fraction of each of ``num`` seeds in every replicate of the row at position ``row``, (R,
        S).
        """
        if (row, num) not in self._seeds:
            random = np.random.default_rng((self._seed, row, num))
            self._seeds[row, num] = (
                random.multinomial(num, np.full(num, 1 / num), size=self._resamples) / num
            )
        return self._seeds[row, num]

    def replicates(self, rows: Sequence[Sequence[Array]]) -> Array:
        """Return (R, rows) replicates; a row is one array of N per-sample values per seed.

        Rows with a value that is not finite have NaN throughout.
        """
        means = self._means([values for row in rows for values in row])
        done = np.empty((self._resamples, len(rows)))
        start = 0
        for position, row in enumerate(rows):
            own = means[:, start : start + len(row)]
            start += len(row)
            done[:, position] = (
                own[:, 0] if len(row) == 1 else (own * self._shares(position, len(row))).sum(1)
            )
        return done

    def _means(self, values: Sequence[Array]) -> Array:
        """Return (R, K) replicates of the mean of each array, one matrix product per number of
        samples.
        """
        done = np.full((self._resamples, len(values)), np.nan)
        sizes = np.array([len(v) for v in values])
        for num in np.unique(sizes[sizes > 0]):
            at = np.flatnonzero(sizes == num)
            stacked = np.stack([values[int(k)] for k in at], axis=1)
            finite = np.isfinite(stacked).all(0)
            done[:, at[finite]] = self._samples(int(num)) @ stacked[:, finite]
        return done


def ends(replicates: Array, level: float = LEVEL) -> tuple[Array, Array]:
    """Return the ends of the central ``level`` interval of each column of (R, rows); NaN where a
    column has NaN.
    """
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high
