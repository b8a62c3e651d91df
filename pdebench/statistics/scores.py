"""Arrays of scores, checked, and the variance of their mean by where it comes from.

Crossed random effects, v_sn = m + A_s + B_n + C_sn: seed s is better or worse everywhere, sample n
is hard for all seeds, the rest is their interplay. The mean over both has the variance

    V_A/S + V_B/N + V_C/(S N)

estimated without bias by u + w - r (Searle, Casella and McCulloch 1992, ch. 4) with

    u = var_s(v_s.)/S,    w = var_n(v_.n)/N,    r = var(v_sn - v_s. - v_.n + v..)/(S N)

all with their degrees of freedom S - 1, N - 1 and (S - 1)(N - 1).
"""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def as_scores(values: ArrayLike, name: str = "values") -> Array:
    """Return scores as (S, N) float64; (N,) is one seed.

    Raises ValueError for other shapes, nothing at all, or NaN, which is no score (a diverged sample
    scores infinity).
    """
    found: NDArray[Any] = np.asarray(values, dtype=np.float64)
    found = found[None] if found.ndim == 1 else found
    if found.ndim != 2 or found.size == 0:
        raise ValueError(f"{name} has shape {found.shape}, expected (seeds, samples), not empty")
    if np.isnan(found).any():
        raise ValueError(f"{name} holds {int(np.isnan(found).sum())} NaN; a diverged sample is inf")
    return found


@final
@dataclass(frozen=True)
class Parts:
    """The mean of scores (S, N) and its variance by source: ``seeds`` u, ``samples`` w, ``rest`` r.

    u and r are 0 with one seed, w and r with one sample: what cannot be estimated.
    """

    mean: float
    seeds: float
    samples: float
    rest: float
    num_seeds: int
    num_samples: int

    @property
    def of_seeds(self) -> float:
        """The seeds' own variance of the mean, V_A/S, not below 0."""
        return max(self.seeds - self.rest, 0.0)


def parts(scores: Array) -> Parts:
    """Return the mean and the variances of checked, finite scores (S, N)."""
    num_seeds, num_samples = scores.shape
    mean = float(scores.mean())
    by_seed, by_sample = scores.mean(1), scores.mean(0)
    u = float(by_seed.var(ddof=1)) / num_seeds if num_seeds > 1 else 0.0
    w = float(by_sample.var(ddof=1)) / num_samples if num_samples > 1 else 0.0
    rest = 0.0
    if num_seeds > 1 and num_samples > 1:
        left = scores - by_seed[:, None] - by_sample + mean
        freedom = (num_seeds - 1) * (num_samples - 1)
        rest = float((left * left).sum()) / freedom / scores.size
    return Parts(mean, u, w, rest, num_seeds, num_samples)
