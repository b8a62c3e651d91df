"""Ranks as sets: the places that the tests leave open to each solver."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import ArrayLike

from pdebench.statistics.comparison import pairwise
from pdebench.statistics.intervals import RESAMPLES
from pdebench.statistics.scores import as_scores

Better = Literal["lower", "higher", "zero"]


@final
@dataclass(frozen=True)
class RankSets:
    """The order of K solvers as far as it is known.

    Attributes:
        order: names from best to worst mean; only a reading order where sets overlap.
        places: best and worst place of each, from 1.
        tied: names each is not told apart from, itself left out.
    """

    order: tuple[str, ...]
    places: dict[str, tuple[int, int]]
    tied: dict[str, tuple[str, ...]]


def rank_sets(
    rows: Mapping[str, ArrayLike],
    better: Better = "lower",
    level: float = 0.95,
    *,
    floor: float = 0.0,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> RankSets:
    """Rank solvers {name: scores (S, N)} on the same samples.

    One is above another only if their means differ at the family-wise ``level`` (`pairwise`) and by
    more than ``floor``, the error of the reference. ``better`` "zero" ranks abs(score). A solver
    with an infinite score is below every one without; two of them are tied. place of i: from 1 +
    the number of those above it to K - the number of those below it.
    """
    bad = {name: _badness(values, better) for name, values in rows.items()}
    means = {name: float(values.mean()) for name, values in bad.items()}
    above: dict[str, set[str]] = {name: set() for name in bad}
    for (one, other), comparison in pairwise(bad, level, resamples=resamples, seed=seed).items():
        high, low = (one, other) if means[one] > means[other] else (other, one)
        gap = means[high] - means[low] if np.isfinite(means[low]) else 0.0
        lost = np.isinf(gap)
        if gap > floor and (lost or comparison.apart(level)):
            above[high].add(low)
    below = {name: {other for other in bad if name in above[other]} for name in bad}
    count = len(bad)
    return RankSets(
        tuple(sorted(bad, key=lambda name: (means[name], name))),
        {name: (1 + len(above[name]), count - len(below[name])) for name in bad},
        {
            name: tuple(o for o in bad if o not in above[name] | below[name] | {name})
            for name in bad
        },
    )


def _badness(
    values: ArrayLike, better: Better
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    scores = as_scores(values)
    if better == "higher":
        return -scores
    return np.abs(scores) if better == "zero" else scores
