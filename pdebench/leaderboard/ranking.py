"""Places, rank sets and groups of rows that cannot be told apart."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from pdebench.leaderboard.resampling import LEVEL, Array

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
        sets: best and worst place of each row that the intervals allow, (K, 2), from 1.
        apart: whether two rows differ beyond the intervals, (K, K).
    """

    order: tuple[int, ...]
    sets: tuple[tuple[int, int], ...]
    apart: Flags

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


def rank(means: Array, replicates: Array, better: str, floor: float = 0.0) -> Ranking:
    """Rank K rows by their means (K,), told apart by paired replicates (R, K).

    Two rows are apart if the central 95 % interval of the replicates of their difference excludes
    zero and the means differ by more than ``floor``, the error of the reference itself. The
    intervals are per pair: among many rows some pairs are called apart by chance.
    """
    bad = badness(means, better)
    drawn = badness(replicates, better)
    count = len(bad)
    tail = (1 - LEVEL) / 2
    below: Flags = np.zeros(
        (count, count), dtype=bool
    )  # [i, j]: row i is better than row j beyond the interval
    for i in range(count):
        worse_share = (drawn[:, i : i + 1] >= drawn).mean(0)
        below[i] = (worse_share < tail) & (bad - bad[i] > floor)
    order = sorted(range(count), key=lambda i: (bad[i], i))
    sets = tuple((1 + int(below[:, i].sum()), count - int(below[i].sum())) for i in range(count))
    return Ranking(tuple(order), sets, below | below.T)
