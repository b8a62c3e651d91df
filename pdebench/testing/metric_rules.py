"""What every metric must do: a check, why it exists, how to mend it."""

from functools import cached_property
from typing import final

import torch
from torch import Tensor

from pdebench.errors import Unsupported
from pdebench.metric import Metric
from pdebench.problem import Problem, Solution
from pdebench.running import Running
from pdebench.testing.findings import Rule
from pdebench.testing.problems import conformance_tasks

_ROUND_OFF = 1e-4  # float32 sums in another order


@final
class Scored:
    """A metric under examination, on the first task of the kit that it applies to."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric

    @cached_property
    def case(self) -> tuple[Problem, Tensor, Tensor]:
        """Problem, reference, and a prediction that is wrong by half."""
        for task in conformance_tasks():
            samples = task.samples("test")
            problem, target = samples.problem, samples.target
            noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(0))
            wrong = target + 0.5 * target.std() * noise
            if self._applies(wrong, problem):
                return problem, target, wrong
        raise Unsupported(
            f"{self.metric.name} applies to neither task of the kit (needs "
            f"{', '.join(sorted(self.metric.needs))}); test it on a problem that has them"
        )

    def _applies(self, u: Tensor, problem: Problem) -> bool:
        try:
            self.metric(_solution(u.clone()), u.clone(), problem)
        except Unsupported:
            return False
        return True

    def score(self, u: Tensor, index: slice = slice(None)) -> Tensor:
        """The scores of a prediction."""
        problem, target, _ = self.case
        return self.metric(_solution(u[index]), target[index], problem.take(index))


def _solution(u: Tensor) -> Solution:
    return Solution(u, spread=torch.full_like(u, 0.1))


def _per_sample(scored: Scored) -> str | None:
    _, target, wrong = scored.case
    shape = tuple(scored.score(wrong).shape)
    if len(shape) in (1, 2) and shape[0] == len(target):
        return None
    return f"it returned shape {shape}, expected ({len(target)},) or ({len(target)}, frames)"


def _alone(scored: Scored) -> str | None:
    _, target, wrong = scored.case
    whole = scored.score(wrong)
    pieces = [scored.score(wrong, slice(i, i + 1)) for i in range(len(target))]
    if torch.allclose(torch.cat(pieces), whole, rtol=_ROUND_OFF, atol=1e-6, equal_nan=True):
        return None
    return "a sample's score depends on the samples beside it"


def _in_blocks(scored: Scored) -> str | None:
    if scored.metric.fold is None or scored.case[0].times is None:
        return None
    problem, target, wrong = scored.case
    running = Running([scored.metric], problem)
    for part in (slice(0, 1), slice(1, None)):
        running.add(_solution(wrong[:, part].clone()), target[:, part])
    joined, whole = running.scores()[scored.metric.short], scored.score(wrong)
    if joined.shape == whole.shape and torch.allclose(
        joined, whole, rtol=_ROUND_OFF, atol=1e-6, equal_nan=True
    ):
        return None
    return "its fold makes another score of two blocks of frames than of all frames at once"


def _better(scored: Scored) -> str | None:
    _, target, wrong = scored.case
    exact, off = (scored.score(u).double().mean() for u in (target, wrong))
    better = scored.metric.better
    if better not in ("lower", "higher", "zero"):
        return f"better={better!r}, expected lower, higher or zero"
    worse = {"lower": off < exact, "higher": off > exact, "zero": off.abs() < exact.abs()}
    said = f"the reference scores {exact:.3g}, a prediction wrong by half {off:.3g}"
    return f"{said}, and better={better!r}" if bool(worse[better]) else None


def _inputs(scored: Scored) -> str | None:
    problem, target, wrong = scored.case
    given = {"solution.u": wrong, "target": target, **dict(problem.inputs)}
    copies = {name: value.clone() for name, value in given.items()}
    scored.score(wrong)
    changed = [name for name, value in given.items() if not torch.equal(value, copies[name])]
    return f"it wrote into {', '.join(changed)}" if changed else None


def _repeat(scored: Scored) -> str | None:
    wrong = scored.case[2]
    first, second = scored.score(wrong), scored.score(wrong)
    return None if torch.equal(first, second) else "scoring twice gives two scores"


def _finite(scored: Scored) -> str | None:
    scores = scored.score(scored.case[2])
    if not scores.is_floating_point():
        return f"it returned dtype {scores.dtype}, expected a real floating dtype"
    return None if bool(torch.isfinite(scores).all()) else "a finite prediction scores NaN"


def _described(scored: Scored) -> str | None:
    metric = scored.metric
    missing = [] if (metric.__doc__ or "").strip() else ["a docstring with the formula"]
    missing += [] if metric.unit.strip() else ["a unit ('1' for a ratio)"]
    namespace, _, version = metric.name.partition("@")
    if not version or "." not in namespace:
        missing.append("a name such as mylab.energy_error@1")
    return f"it lacks {', '.join(missing)}" if missing else None


METRIC: tuple[Rule[Scored], ...] = (
    Rule(
        "described",
        "a score without formula, unit and version cannot be compared",
        "give the function a docstring and @metric('namespace.name@version', unit=...)",
        _described,
    ),
    Rule(
        "per sample",
        "only boards average; medians and intervals need every sample",
        "return (B,) or (B, T), no mean over samples",
        _per_sample,
    ),
    Rule(
        "samples apart",
        "a score must not depend on the batch size",
        "normalise within a sample, never over the batch",
        _alone,
    ),
    Rule(
        "frames apart",
        "long rollouts are scored while their frames come",
        "leave out fold= where the whole trajectory is needed; else join what blocks give",
        _in_blocks,
    ),
    Rule(
        "direction",
        "boards rank by it",
        "say better='lower', 'higher' or 'zero' as the formula means it",
        _better,
    ),
    Rule(
        "inputs kept",
        "the next metric reads the same tensors",
        "clone before writing in place",
        _inputs,
    ),
    Rule("repeatable", "a record must be recomputable", "draw no random numbers", _repeat),
    Rule(
        "finite scores",
        "one NaN makes a row's mean NaN",
        "where the score is undefined, name the need in @metric(needs=...)",
        _finite,
    ),
)
