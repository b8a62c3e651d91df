"""Places, rank sets and groups of rows that cannot be told apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from pdebench.leaderboard.resampling import LEVEL, Array
from pdebench.statistics import p_values

Flags = np.ndarray[Any, np.dtype[np.bool_]]


def badness(values: Array, better: str) -> Array:
    """Return what ranks ascending: the value, its negative where higher is better, its size where
    zero is best.
    """
    if better == "higher":
        return -values
    return np.abs(values) if better == "zero" else values


@final
@dataclass(frozen=True)
class Ranking:
    """The order of K rows.

    Attributes:
        order: positions of the rows from best to worst.
        sets: best and worst place of each row that the tests allow, (K, 2), from 1.
        apart: whether two rows are told apart, (K, K).
        p_values: of no difference, adjusted for all pairs, (K, K).
    """

    order: tuple[int, ...]
    sets: tuple[tuple[int, int], ...]
    apart: Flags
    p_values: Array

    def ties(self) -> list[tuple[int, ...]]:
        """Return the maximal runs of neighbouring rows no two of which are apart, best first, two
        rows at least.
        """
        apart = self.apart[np.ix_(self.order, self.order)]
        runs: list[tuple[int, ...]] = []
        reached = 0
        for start in range(len(self.order)):
            stop = start + 1
            while stop < len(self.order) and not apart[start:stop, stop].any():
                stop += 1
            if stop - start > 1 and stop > reached:
                runs.append(self.order[start:stop])
                reached = stop
        return runs


def rank(rows: Sequence[Array], better: str, floor: float = 0.0) -> Ranking:
    """Rank K rows of values (seeds, samples) on the same samples by their means.

    Two rows are apart if the paired test of their difference (`statistics.compare`: seeds and
    samples both drawn anew) says so at the family-wise 95 % level over all pairs of the table
    (Holm), and their means differ by more than ``floor``, the error of the reference itself.
    """
    means = np.array([row.mean() for row in rows])
    if better == "zero":  # the size of a mean: both sides of zero are alike
        rows = [row * (1 if mean >= 0 else -1) for row, mean in zip(rows, means, strict=True)]
    bad = badness(means, better)
    count = len(bad)
    found = p_values(rows)
    # [i, j]: row i is better than row j
    below: Flags = (found <= 1 - LEVEL) & (bad - bad[:, None] > floor)
    order = sorted(range(count), key=lambda i: (bad[i], i))
    sets = tuple((1 + int(below[:, i].sum()), count - int(below[i].sum())) for i in range(count))
    return Ranking(tuple(order), sets, below | below.T, found)
