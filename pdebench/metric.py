"""Metrics are plain functions with a versioned name; they score every sample and average nothing
over samples.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, final

from torch import Tensor

from pdebench.errors import Unsupported
from pdebench.problem import Problem, Solution

Need = Literal["target", "equation", "spread", "times", "torus", "grid", "walls", "boundary"]


class Score(Protocol):
    """The function behind a metric: (solution, target, problem) -> (B,) or (B, T)."""

    __name__: str

    def __call__(self, solution: Solution, target: Tensor, problem: Problem) -> Tensor: ...


Better = Literal["lower", "higher", "zero"]


def _missing(need: Need, solution: Solution, problem: Problem) -> str | None:
    domain = problem.domain
    axes = getattr(domain, "axes", None)
    match need:
        case "spread" if solution.spread is None:
            return "the solver gives no predictive spread"
        case "times" if problem.times is None:
            return "the problem is steady"
        case "grid" if axes is None:
            return "the domain is no tensor grid"
        case "torus" if not getattr(domain, "is_torus", False):
            return "it needs a periodic uniform grid"
        case "boundary" if not bool(domain.boundary.any()):
            return "the domain has no boundary points"
        case "walls" if axes is None or all(a.periodic for a in axes):
            return "the domain has no wall-normal axis"
    return None


@final
@dataclass(frozen=True)
class Metric:
    """A scoring function with what a reader of its number must know.

    Attributes:
        name: namespace, name and version, such as ``pdebench.nrmse@1``; a changed formula gets a
            new version.
        unit: unit of the score, "1" where it is a ratio.
        better: "lower", "higher" or "zero" (closest to zero).
        needs: what the problem or solution must offer; elsewhere the metric is *not applicable*,
            with a reason.
        breaks: rules of the conformance kit that it knowingly breaks, each with its reason.
    """

    name: str
    unit: str
    better: Better
    needs: frozenset[Need]
    score: Score
    breaks: Mapping[str, str] = field(default_factory=dict)

    @property
    def __doc__(self) -> str:  # type: ignore[override]  # the function's docstring is the metric's
        return self.score.__doc__ or ""

    @property
    def short(self) -> str:
        """The name without namespace and version."""
        return self.name.split("@")[0].rpartition(".")[2]

    def not_applicable(self, solution: Solution, problem: Problem) -> str | None:
        """Return None, or why this metric has no value here."""
        for need in sorted(self.needs):
            reason = _missing(need, solution, problem)
            if reason:
                return f"{self.short}: {reason}"
        return None

    def __call__(self, solution: Solution, target: Tensor, problem: Problem) -> Tensor:
        """Return the scores (B,) or (B, T); Unsupported, with the reason, where the metric does not
        apply.
        """
        reason = self.not_applicable(solution, problem)
        if reason:
            raise Unsupported(reason)
        return self.score(solution, target, problem)


def metric(
    name: str,
    *,
    unit: str = "1",
    better: Better = "lower",
    needs: tuple[Need, ...] = ("target",),
    breaks: Mapping[str, str] | None = None,
) -> Callable[[Score], Metric]:
    """Turn a function (solution, target, problem) -> (B,) or (B, T) into a `Metric` called
    ``name``.
    """
    if "@" not in name or "." not in name:
        raise ValueError(
            f"metric name {name!r}, expected namespace.name@version, such as 'mylab.energy_error@1'"
        )
    return lambda score: Metric(name, unit, better, frozenset(needs), score, breaks or {})
