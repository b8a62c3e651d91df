"""Repeated measurements of one piece of work, and the interval of their median."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

LEAST = 5  # repeats below which the whole range covers the median in fewer than 15 of 16 cases


@final
@dataclass(frozen=True)
class Timing:
    """Repeated measurements of one piece of work.

    Attributes:
        samples: seconds of every counted repeat, in the order they were taken.
        first: seconds of the very first call, which pays for compilation and caches; not among
            ``samples``.
        precision: half-width of the median's 95 % interval, as a fraction of it, above which the
            timing is `noisy`.
        warmups: calls dropped between the first and the counted ones.
    """

    samples: tuple[float, ...]
    first: float
    precision: float = 0.05
    warmups: int = 0

    @property
    def median(self) -> float:
        """Median seconds."""
        return float(np.median(self.samples))

    @property
    def noisy(self) -> bool:
        """Whether the interval is wider than +- ``precision``, or too few repeats gave none."""
        low, high = self.interval()
        return len(self.samples) < LEAST or high - low > 2 * self.precision * self.median

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the distribution-free confidence interval of the median by order statistics.

            [x_(k), x_(n + 1 - k)],    k the largest rank with P(Bin(m, 1/2) < k) <= (1 - level)/2

        What the percentile bootstrap of the median tends to, but exact for every n and any noise:
        with 5 repeats the bootstrap covers in fewer than 9 of 10 cases. Repeats that follow each
        other are alike on a machine whose speed drifts; m = n (1 - r)/(1 + r) is the number of
        independent ones, r >= 0 the lag-1 rank autocorrelation. With too few repeats for ``level``
        it is the whole range. David and Nagaraja 2003, Order Statistics, sec. 7.1.
        """
        ordered = np.sort(self.samples)
        low = _rank(len(ordered), _independent(np.asarray(self.samples)), level)
        return float(ordered[low]), float(ordered[-1 - low])

    def bootstrap(self, level: float = 0.95, resamples: int = 2000) -> tuple[float, float]:
        """Return the percentile bootstrap interval of the median, repeats taken as independent."""
        generator = np.random.default_rng(0)
        drawn = generator.choice(np.asarray(self.samples), (resamples, len(self.samples)))
        low, high = np.quantile(np.median(drawn, axis=1), [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def to_json(self) -> dict[str, Any]:
        """Return seconds (median), low, high, repeats, first, warmups and noisy."""
        low, high = self.interval()
        return {
            "seconds": self.median,
            "low": low,
            "high": high,
            "repeats": len(self.samples),
            "first": self.first,
            "warmups": self.warmups,
            "noisy": self.noisy,
        }


def _rank(num: int, independent: float, level: float) -> int:
    """Return the position (from 0) of the interval's lower end among ``num`` sorted values."""
    from scipy.stats import binom

    effective = max(round(independent), 1)
    rank = int(binom.ppf((1 - level) / 2, effective, 0.5))  # P(Bin < rank) < (1 - level)/2
    return max(int(rank * num / effective) - 1, 0)


def _independent(values: np.ndarray[Any, Any]) -> float:
    """Return the number of independent values in a series of n; n where it is short or flat."""
    num = len(values)
    ranks = np.argsort(np.argsort(values, kind="stable")).astype(float)
    ranks -= ranks.mean()
    if num < 2 * LEAST or np.ptp(values) == 0:
        return float(num)
    # + 1/n: the estimate's own bias for a white series
    correlation = float((ranks[1:] * ranks[:-1]).sum() / (ranks * ranks).sum()) + 1 / num
    correlation = min(max(correlation, 0.0), 0.9)
    return num * (1 - correlation) / (1 + correlation)
