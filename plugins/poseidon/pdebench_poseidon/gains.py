"""Efficiency and accuracy gain of a pretrained model over a baseline trained from scratch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, final

from pdebench.errors import ConfigError


@final
@dataclass(frozen=True)
class Gain:
    """A gain, 1 where both are alike; ``bound`` says whether it is only known to be at least or at
    most that.
    """

    value: float
    bound: Literal["at least", "at most"] | None = None


def _curve(samples: Sequence[float], errors: Sequence[float]) -> list[tuple[float, float]]:
    if len(samples) != len(errors) or not samples or min(*samples, *errors) <= 0:
        raise ConfigError(
            f"samples={list(samples)} and errors={list(errors)}, expected equally many positive "
            "numbers"
        )
    points = sorted(zip(map(float, samples), map(float, errors), strict=True))
    if len({s for s, _ in points}) < len(points):
        raise ConfigError(f"samples={list(samples)}, expected each number of samples once")
    return [(math.log(s), math.log(e)) for s, e in points]


def error_at(samples: Sequence[float], errors: Sequence[float], num: float) -> float:
    """Return the error at ``num`` samples, linear in the logarithms between measured points.

    Raises ConfigError outside the measured range: a gain is not extrapolated.
    """
    curve, wanted = _curve(samples, errors), math.log(num)
    for s, e in curve:
        if math.isclose(s, wanted):
            return math.exp(e)
    for (s, e), (after, lower) in pairwise(curve):
        if s < wanted < after:
            return math.exp(e + (lower - e) * (wanted - s) / (after - s))
    raise ConfigError(f"{num:g} samples lie outside the measured {min(samples)} to {max(samples)}")


def efficiency_gain(
    samples: Sequence[float],
    errors: Sequence[float],
    baseline_error: float,
    baseline_samples: float = 1024,
) -> Gain:
    """Return EG, how many times fewer samples the model needs for the baseline's error.

        EG = S_0 / S*,   error(S*) = error of the baseline at S_0

    error(S) is linear in the logarithms between measured points and S* its first crossing. S_0 =
    1024 for time-dependent problems, 4096 for steady ones. Where the smallest number of samples
    already suffices EG is "at least", where the largest does not it is "at most" the value
    returned. Herde et al., NeurIPS 2024 (arXiv 2405.19101), sec. 4; definition quoted from memory.
    """
    if baseline_error <= 0 or baseline_samples <= 0:
        raise ConfigError(
            f"baseline_error={baseline_error} and baseline_samples={baseline_samples}, expected "
            "positive numbers"
        )
    curve, goal = _curve(samples, errors), math.log(baseline_error)
    start = curve[0]
    if start[1] <= goal:
        exact = math.isclose(start[1], goal)
        return Gain(baseline_samples / math.exp(start[0]), None if exact else "at least")
    for (s, e), (after, lower) in pairwise(curve):
        if lower <= goal:
            crossing = s + (after - s) * (e - goal) / (e - lower)
            return Gain(baseline_samples / math.exp(crossing))
    return Gain(baseline_samples / math.exp(curve[-1][0]), "at most")


def accuracy_gain(
    samples: Sequence[float],
    errors: Sequence[float],
    baseline_samples: Sequence[float],
    baseline_errors: Sequence[float],
    num: float = 128,
) -> float:
    """Return AG = (error of the baseline) / (error of the model), both at ``num`` samples.

    128 for time-dependent problems, 512 for steady ones; both curves as in `error_at`.
    """
    return error_at(baseline_samples, baseline_errors, num) / error_at(samples, errors, num)
