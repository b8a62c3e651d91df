"""What every metric does first and last: pair fields, settle zero norms and divergence."""

from torch import Tensor

from pdebench.errors import DataError
from pdebench.problem import Problem, Solution
from pdebench.task import frame_axis


def paired(solution: Solution, target: Tensor, problem: Problem) -> tuple[Tensor, Tensor]:
    """Return prediction and target as (B, T, C, *S); steady fields get T = 1.

    Raises ValueError where the shapes disagree with each other or the problem, DataError where the
    target holds NaN or infinity: no score can be given for it.
    """
    prediction = solution.u
    expected = problem.domain.shape
    if tuple(target.shape[-len(expected) :]) != expected:
        raise ValueError(
            f"target has shape {tuple(target.shape)}, the domain {expected}; space must come last"
        )
    if prediction.shape != target.shape:
        raise ValueError(
            f"solution.u has shape {tuple(prediction.shape)}, expected {tuple(target.shape)}"
        )
    rank = len(expected) + (2 if problem.times is None else 3)
    if target.ndim != rank:
        layout = "(B, C, *S)" if problem.times is None else "(B, T, C, *S)"
        raise ValueError(f"target has shape {tuple(target.shape)}, expected {layout}")
    require_finite(target)
    return frame_axis(prediction, problem), frame_axis(target, problem)


def require_finite(target: Tensor) -> None:
    """Raise DataError where the reference holds NaN or infinity; one pass, no copy."""
    if target.numel() == 0:
        return
    low, high = target.aminmax()
    if not (bool(low.isfinite()) and bool(high.isfinite())):
        bad = (~target.isfinite()).flatten(1).any(1).sum()
        raise DataError(
            f"the target holds NaN or infinity in {int(bad)} of {len(target)} samples; "
            "mend or drop them, no score is defined"
        )


def ratio(error: Tensor, scale: Tensor) -> Tensor:
    """Return error / scale; 0 where both vanish, infinity where only the scale does or at NaN."""
    quotient = error / scale
    quotient = quotient.masked_fill((scale == 0) & (error == 0), 0.0)
    return diverged(quotient)


def diverged(score: Tensor, worst: float = float("inf")) -> Tensor:
    """Return the score with ``worst`` in place of NaN, the mark of a diverged prediction."""
    return score.masked_fill(score.isnan(), worst)


def label(number: float) -> str:
    """Return a number as part of a metric's name, which a dot would cut: 0.8 -> ``0p8``."""
    return f"{number:g}".replace(".", "p")
