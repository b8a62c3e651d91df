"""Metrics are plain functions with a versioned name; they score every sample and average nothing
over samples.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, final

import torch
from torch import Tensor

from pdebench.errors import Unsupported
from pdebench.problem import Problem, Solution

State = Any  # what a metric keeps of the frames it has seen
Need = Literal["target", "equation", "spread", "times", "torus", "grid", "walls", "boundary"]


class Score(Protocol):
    """The function behind a metric: (solution, target, problem) -> (B,) or (B, T).

    With a `Fold` it may return any state of the frames it is given.
    """

    __name__: str

    def __call__(self, solution: Solution, target: Tensor, problem: Problem) -> State: ...


@final
@dataclass(frozen=True)
class Fold:
    """How a score is gathered from blocks u_1, u_2, ... of consecutive frames, none of them kept.

        score = finish(join(... join(part(u_1), part(u_2)) ..., part(u_n)), problem)

    ``part`` is the metric's function, ``problem`` the whole question. Blocks may be of any length,
    so that part(u_1 u_2) = join(part(u_1), part(u_2)) up to round-off; ``join`` writes into
    neither.
    """

    join: Callable[[State, State], State]
    finish: Callable[[State, Problem], Tensor]

    @classmethod
    def curves(cls, finish: Callable[[State, Problem], Tensor]) -> "Fold":
        """Return the fold of tuples of (B, T, ...), one value a frame, small beside the frame."""
        return cls(lambda *states: tuple(map(_in_turn, *states)), finish)

    @classmethod
    def sums(cls, finish: Callable[[State, Problem], Tensor]) -> "Fold":
        """Return the fold of tuples of sums over frames."""
        return cls(lambda *states: tuple(map(operator.add, *states)), finish)

    @classmethod
    def latest(cls) -> "Fold":
        """Return the fold of scores that the last block decides."""
        return cls(lambda a, b: b, lambda state, problem: state)


def _in_turn(before: Tensor, after: Tensor) -> Tensor:
    return torch.cat([before, after], 1)


EACH = Fold(_in_turn, lambda state, problem: state)
"""The score (B, T) of a frame depends on that frame alone."""


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
        part: the function, of whole answers or of blocks of their frames.
        fold: how scores of blocks of frames are put together; None where the whole trajectory is
            needed at once.
        breaks: rules of the conformance kit that it knowingly breaks, each with its reason.
    """

    name: str
    unit: str
    better: Better
    needs: frozenset[Need]
    part: Score
    fold: Fold | None = None
    breaks: Mapping[str, str] = field(default_factory=dict)

    @property
    def __doc__(self) -> str:  # type: ignore[override]  # the function's docstring is the metric's
        return self.part.__doc__ or ""

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

    def score(self, solution: Solution, target: Tensor, problem: Problem) -> Tensor:
        """Return the scores (B,) or (B, T) without asking whether the metric applies."""
        state = self.part(solution, target, problem)
        return state if self.fold is None else self.fold.finish(state, problem)

    def then(
        self,
        name: str,
        form: Callable[[Tensor, Problem], Tensor],
        doc: str,
        *,
        unit: str | None = None,
        better: Better | None = None,
        needs: tuple[Need, ...] = (),
    ) -> "Metric":
        """Return the metric form(score, problem), gathered from frames wherever this one is."""
        fold = self.fold

        def part(solution: Solution, target: Tensor, problem: Problem) -> State:
            state = self.part(solution, target, problem)
            return form(state, problem) if fold is None else state

        part.__doc__ = doc
        after = fold and Fold(fold.join, lambda s, problem: form(fold.finish(s, problem), problem))
        every = self.needs | frozenset(needs)
        return Metric(name, unit or self.unit, better or self.better, every, part, after)


def metric(
    name: str,
    *,
    unit: str = "1",
    better: Better = "lower",
    needs: tuple[Need, ...] = ("target",),
    fold: Fold | None = None,
    breaks: Mapping[str, str] | None = None,
) -> Callable[[Score], Metric]:
    """Turn a function (solution, target, problem) -> (B,) or (B, T) into a `Metric` called
    ``name``; with ``fold`` it is scored while the frames come, else on the whole trajectory.
    """
    if "@" not in name or "." not in name:
        raise ValueError(
            f"metric name {name!r}, expected namespace.name@version, such as 'mylab.energy_error@1'"
        )
    return lambda part: Metric(name, unit, better, frozenset(needs), part, fold, breaks or {})
