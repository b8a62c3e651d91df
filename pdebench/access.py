"""What a solver may see: `grant` takes away labels and the equation from whoever did not declare
them.
"""

from dataclasses import replace
from pathlib import Path
from typing import final

import torch
from torch import Tensor

from pdebench.dataset import Card, Dataset
from pdebench.equation import Equation
from pdebench.errors import AccessError
from pdebench.problem import Index, Problem, Withheld
from pdebench.samples import NoLabels, Samples, Source
from pdebench.solver import Solver
from pdebench.task import AsStored, Task

_KNOWN = frozenset({"labels", "equation"})
_MEMORY_LIMIT = (
    2 << 30
)  # bytes of a split that are read at once; the data sets' own cache has the same limit


def declared(solver: Solver) -> frozenset[str]:
    """Return ``solver.uses``. Raises AccessError where it names anything but "labels" and
    "equation".
    """
    unknown = set(solver.uses) - _KNOWN
    if unknown:
        raise AccessError(
            f"{type(solver).__name__}.uses holds {sorted(unknown)}, "
            f"expected a subset of {sorted(_KNOWN)}"
        )
    return frozenset(solver.uses)


def _refusal(solver: Solver, what: str, use: str) -> str:
    uses = sorted(solver.uses)
    return (
        f"{type(solver).__name__} read {what} but declares uses={{{', '.join(map(repr, uses))}}}; "
        f"add {use!r} and the leaderboard will show it"
    )


def grant_problem(problem: Problem, solver: Solver) -> Problem:
    """Return the problem as ``solver`` may see it.

    The returned object does not hold what was withheld, so no attribute, closure or copy of it
    leads there.
    """
    if "equation" in declared(solver):
        return problem
    return replace(problem, law=Withheld(_refusal(solver, "problem.equation", "equation")))


class _NoEquation(Source):
    """Labelled samples whose problems carry no equation."""

    def __init__(self, labelled: Source, law: Withheld) -> None:
        self.__labelled, self._law = labelled, law

    def __len__(self) -> int:
        return len(self.__labelled)

    def problem(self, index: Index) -> Problem:
        return replace(self.__labelled.problem(index), law=self._law)

    def target(self, index: Index) -> Tensor:
        return self.__labelled.target(index)


def grant_samples(samples: Samples, solver: Solver) -> Samples:
    """Return the split as ``solver`` may see it.

    Without "labels" the problems, without "equation" problems and targets are read into memory, and
    the result holds no reference to what was withheld nor to files. Labelled splits beyond 2 GiB
    stay lazy; their problems lose the equation as they are read.
    """
    uses = declared(solver)
    if "labels" not in uses:
        problems = [grant_problem(part.problem, solver) for part in samples.chunks()]
        reason = _refusal(solver, "targets", "labels")
        return Samples(NoLabels(problems, reason), chunk=None if len(problems) == 1 else 1)
    if "equation" in uses:
        return samples
    law = Withheld(_refusal(solver, "problem.equation", "equation"))
    parts = list(samples.chunks())
    if len(parts) == 1 and len(samples) * _sample_bytes(samples) <= _MEMORY_LIMIT:
        return Samples.of(replace(samples.problem, law=law), samples.target)
    return samples.over(_NoEquation(samples.source, law))


def _sample_bytes(samples: Samples) -> int:
    one = samples[:1]
    return sum(x.nbytes for x in (*one.problem.inputs.values(), one.target))


@final
class _Glimpse(Dataset):
    """A data set with one sample per split and zeros for targets: enough to say whether a solver
    applies.
    """

    shown = True

    def __init__(
        self, card: Card, equation: Equation | Withheld, parts: dict[str, Samples]
    ) -> None:
        self._card, self._equation, self._parts = card, equation, parts

    @property
    def card(self) -> Card:
        return self._card

    @property
    def equation(self) -> Equation:
        if isinstance(self._equation, Withheld):
            raise AccessError(self._equation.reason)
        return self._equation

    def prepare(self, folder: Path) -> str:
        raise AccessError("a solver has no business preparing data")

    def split(self, name: str) -> Samples:
        if name not in self._parts:
            raise AccessError(
                f"split '{name}' is not shown to solvers before it is scored; use 'train'"
            )
        return self._parts[name]


def grant_task(task: Task, solver: Solver) -> Task:
    """Return the task as ``solver.supports`` may see it: shapes and settings, one problem per
    split, no answers.

    The split ``train`` and the scored splits hold one sample each, with the solver's rights and
    zeros for the target.
    """
    parts = {}
    for name in dict.fromkeys(("train", *task.evaluate)):
        one = task.samples(name)[:1]
        parts[name] = Samples.of(grant_problem(one.problem, solver), torch.zeros_like(one.target))
    law = parts["train"].problem.law
    glimpse = _Glimpse(task.dataset.card, law, parts)
    return replace(task, dataset=glimpse, question=AsStored(), train_samples=None)
