"""Effect sizes: how much, where a test only says whether."""

import numpy as np
from numpy.typing import ArrayLike

from pdebench.statistics.intervals import paired_scores


def cohens_d(a: ArrayLike, b: ArrayLike) -> float:
    """Return the paired standardised difference mean(d)/std(d), d_n = a_.n - b_.n.

    a: (S_a, N), b: (S_b, N). 0 where all differences vanish, +-inf where they are all the same; NaN
    where a score is infinite or there is one sample. Cohen 1988, sec. 2.3.5 (d_z).
    """
    first, second = paired_scores(a, b)
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return float("nan")
    apart = first.mean(0) - second.mean(0)
    mean = float(apart.mean())
    if len(apart) < 2:
        return float("nan")
    width = float(apart.std(ddof=1))
    if width == 0:
        return float(np.copysign(np.inf, mean)) if mean else 0.0
    return mean / width


def cliffs_delta(a: ArrayLike, b: ArrayLike) -> float:
    """Return P(a > b) - P(a < b) over pairs of seeds on the same sample, in [-1, 1].

    a: (S_a, N), b: (S_b, N). -1: every fit of a scores lower than every fit of b on every sample.
    Blind to scale, and infinite scores count as what they are. Cliff 1993, within samples.
    """
    first, second = paired_scores(a, b)
    above = first[:, None] > second
    return float(above.mean() - (first[:, None] < second).mean())


def geometric_ratio(a: ArrayLike, b: ArrayLike) -> float:
    """Return exp(mean log a/b) over samples, of means over seeds: how many times larger a is.

    Raises ValueError for scores that are not positive: a ratio of them says nothing.
    """
    first, second = (scores.mean(0) for scores in paired_scores(a, b))
    if min(first.min(), second.min()) <= 0:
        raise ValueError("a ratio of scores needs positive ones; compare differences instead")
    with np.errstate(invalid="ignore"):  # inf/inf: both diverged
        return float(np.exp(np.mean(np.log(first) - np.log(second))))
