"""Plugins that are wrong on purpose: one per rule of the conformance kit."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pdebench import Budget, Dataset, IterativeSolver, LearnedSolver, Samples, Solution, Solver
from pdebench.errors import DataError
from pdebench.learning import Rollout
from pdebench.metric import EACH, metric
from pdebench.problem import Problem
from pdebench.samples import InMemory
from pdebench.testing.problems import DecayingModes


def persisted(problem: Problem) -> torch.Tensor:
    return problem.initial.unsqueeze(1).repeat(1, len(problem.times), 1, 1, 1)


class Right(Solver):
    def solve(self, problem):
        return Solution(persisted(problem))


class SkipsWithoutReason(Right):
    def supports(self, task):
        return "no"


class AppliesNowhere(Right):
    def supports(self, task):
        return "it only solves problems that nobody has"


class Crashes(Right):
    def solve(self, problem):
        raise RuntimeError("boom")


class WrongShape(Right):
    def solve(self, problem):
        return Solution(persisted(problem)[:, :-1])


class NegativeSpread(Right):
    def solve(self, problem):
        u = persisted(problem)
        return Solution(u, spread=-torch.ones_like(u))


class BatchStatistics(Right):
    def solve(self, problem):
        u = persisted(problem)
        return Solution(u - u.mean(0))


class Remembers(Right):
    calls = 0

    def solve(self, problem):
        self.calls += 1
        return Solution(persisted(problem) + 1e-5 * self.calls)


class DrawsItsOwnNumbers(Right):
    def fit(self, train, valid, budget):
        self.offset = float(np.random.default_rng().normal())

    def solve(self, problem):
        return Solution(persisted(problem) + self.offset)

    def save(self, path):
        (path / "offset").write_text(repr(self.offset))

    def load(self, path):
        self.offset = float((path / "offset").read_text())


class Forgets(Right):
    uses = frozenset({"labels"})
    mean = 0.0

    def fit(self, train, valid, budget):
        self.mean = float(train.target.abs().mean())

    def solve(self, problem):
        return Solution(persisted(problem) + self.mean)


class ChangesTheProcess(Right):
    def fit(self, train, valid, budget):
        torch.set_grad_enabled(False)


class WritesIntoInputs(Right):
    def solve(self, problem):
        u = persisted(problem)
        problem.input.mul_(1.0 + 1e-6)
        return Solution(u.round(decimals=2))


class Net(LearnedSolver):
    def __init__(self):
        super().__init__(Rollout(unroll=1))

    def network(self, sizes):
        return nn.Conv2d(sizes.in_channels, sizes.out_channels, 1)


class SpendsMore(Net):
    def fit(self, train, valid, budget):  # type: ignore[override]
        super().fit(train, valid, Budget(epochs=budget.epochs + 1))


class TrainsOnValid(Net):
    def fit(self, train, valid, budget):  # type: ignore[override]
        super().fit(valid, valid, budget)


class HidesItsSize(Net):
    @property
    def num_parameters(self):
        return 0


class OverwritesIterates(IterativeSolver):
    def iterate(self, problem):
        u = persisted(problem)
        for _ in range(2):
            u *= 1.01
            yield u


SOLVERS = {
    "supports": SkipsWithoutReason,
    "applies somewhere": AppliesNowhere,
    "runs": Crashes,
    "shape": WrongShape,
    "spread": NegativeSpread,
    "batch independence": BatchStatistics,
    "no memory": Remembers,
    "determinism": DrawsItsOwnNumbers,
    "save and load": Forgets,
    "no global state": ChangesTheProcess,
    "no global state ": WritesIntoInputs,
    "budget": SpendsMore,
    "validation is for choosing": TrainsOnValid,
    "parameters": HidesItsSize,
    "iterates": OverwritesIterates,
}


class RightData(Dataset):
    """A small exact data set, on which each of the following is wrong in one thing."""

    def __init__(self):
        self._exact = DecayingModes(grid=8, frames=3)

    @property
    def card(self):
        return self._exact.card

    @property
    def equation(self):
        return self._exact.equation

    def prepare(self, folder: Path) -> str:
        return "0" * 64

    def split(self, name: str) -> Samples:
        if name not in self.card.splits:
            raise DataError(f"no split '{name}'; known: {', '.join(self.card.splits)}")
        return self._exact.split(name)


class NoUnits(RightData):
    @property
    def card(self):
        return replace(self._exact.card, units={})


class WrongCounts(RightData):
    @property
    def card(self):
        return replace(self._exact.card, splits={"train": 8, "valid": 3, "test": 6})


class AnotherDigest(RightData):
    def prepare(self, folder):
        note = folder / "note"
        note.write_text(note.read_text() + "x" if note.exists() else "x")
        return hashlib.sha256(note.read_bytes()).hexdigest()


class DigestsThePath(RightData):
    def prepare(self, folder):
        return hashlib.sha256(str(folder).encode()).hexdigest()


class HoldsNaN(RightData):
    def split(self, name):
        samples = super().split(name)
        target = samples.target.clone()
        target[0, 0] = float("nan")
        return Samples.of(samples.problem, target)


class LosesAFrame(RightData):
    def split(self, name):
        samples = super().split(name)
        return Samples.of(samples.problem, samples.target[:, :-1])


class Shuffled(InMemory.__bases__[0]):  # type: ignore[misc]
    """Answers with the beginning of the split, whatever is asked."""

    def __init__(self, samples):
        self._samples = samples

    def __len__(self):
        return len(self._samples)

    def problem(self, index):
        return self._samples.problem.take(index)

    def target(self, index):
        whole = self._samples.target
        return whole[: len(whole[index])]


class WrongSlices(RightData):
    def split(self, name):
        return Samples(Shuffled(super().split(name)))


class Leaks(RightData):
    def split(self, name):
        return super().split("train")[:5] if name == "test" else super().split(name)


class AnswersAnything(RightData):
    def split(self, name):
        return super().split(name if name in self.card.splits else "train")


DATASETS = {
    "card": NoUnits,
    "counts": WrongCounts,
    "prepare twice": AnotherDigest,
    "made alike": DigestsThePath,
    "finite fields": HoldsNaN,
    "layout": LosesAFrame,
    "slices": WrongSlices,
    "splits apart": Leaks,
    "unknown split": AnswersAnything,
}


def _error(u, target):
    return (u - target).flatten(1).norm(dim=1)


@metric("wrong.right@1")
def right(solution, target, problem):
    """||u - target|| per sample."""
    return _error(solution.u, target)


@metric("wrong.undescribed@1", unit="")
def undescribed(solution, target, problem):
    return _error(solution.u, target)


@metric("wrong.average@1")
def average(solution, target, problem):
    """The mean over samples."""
    return _error(solution.u, target).mean()


@metric("wrong.relative_to_batch@1")
def relative_to_batch(solution, target, problem):
    """Errors over the largest error of the batch."""
    error = _error(solution.u, target)
    return error / (error.max() + 1e-9)


@metric("wrong.of_the_horizon@1", fold=EACH)
def of_the_horizon(solution, target, problem):
    """Errors over the largest of the trajectory, said to depend on their frame alone."""
    error = (solution.u - target).flatten(2).norm(dim=2)
    return error / (error.amax(1, keepdim=True) + 1e-9)


@metric("wrong.upside_down@1", better="higher")
def upside_down(solution, target, problem):
    """An error that claims to be a skill."""
    return _error(solution.u, target)


@metric("wrong.writes@1")
def writes(solution, target, problem):
    """Subtracts in place."""
    return target.sub_(solution.u).flatten(1).norm(dim=1)


@metric("wrong.noisy@1")
def noisy(solution, target, problem):
    """Adds noise."""
    error = _error(solution.u, target)
    return error * (1 + 0.01 * torch.rand_like(error))


@metric("wrong.undefined@1")
def undefined(solution, target, problem):
    """0 / 0."""
    return (solution.u - solution.u).flatten(1).norm(dim=1) / 0.0


METRICS = {
    "described": undescribed,
    "per sample": average,
    "samples apart": relative_to_batch,
    "frames apart": of_the_horizon,
    "direction": upside_down,
    "inputs kept": writes,
    "repeatable": noisy,
    "finite scores": undefined,
}
