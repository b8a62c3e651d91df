"""A task: what is asked of which data set, by which metrics, under which budget."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

import torch
from torch import Tensor

from pdebench.dataset import Dataset
from pdebench.errors import ConfigError
from pdebench.metric import Metric
from pdebench.problem import Index, Problem
from pdebench.samples import Samples, Source
from pdebench.solver import Budget


class Question(ABC):
    """How stored fields become problems and targets: several questions can be asked of one data
    set.
    """

    @abstractmethod
    def ask(self, samples: Samples) -> Samples:
        """Return problems and targets over the stored samples, lazily."""


@final
class AsStored(Question):
    """Take problems and targets as the data set stores them (coefficient to solution, initial field
    to trajectory).
    """

    def ask(self, samples: Samples) -> Samples:
        return samples


@final
class Evolve(Question):
    """Given the first frames of a trajectory, predict the following ones.

    Args:
        history: number of frames given, the stored initial field (if any) not counted.
        horizon: number of frames asked for after them; None for all.
    """

    def __init__(self, history: int, horizon: int | None = None) -> None:
        if history < 1:
            raise ConfigError(f"task.question.history={history}, expected at least one frame")
        if horizon is not None and horizon < 1:
            raise ConfigError(
                f"task.question.horizon={horizon}, expected at least one frame or null"
            )
        self.history, self.horizon = history, horizon

    def ask(self, samples: Samples) -> Samples:
        return samples.over(_Continuation(samples.source, self.history, self.horizon))


class _Continuation(Source):
    """The first ``history`` frames of another source's target as input, the next ``horizon`` as
    target.
    """

    def __init__(self, stored: Source, history: int, horizon: int | None) -> None:
        self._stored, self._history = stored, history
        self._stop = None if horizon is None else history + horizon

    def __len__(self) -> int:
        return len(self._stored)

    def problem(self, index: Index) -> Problem:
        stored = self._stored.problem(index)
        times = stored.times
        if times is None or len(times) <= self._history:
            raise ConfigError(
                f"task.question.history={self._history}, but the trajectories have "
                f"{0 if times is None else len(times)} frames; ask for fewer"
            )
        frames = self._stored.frames(index, slice(0, self._history))
        name, *others = stored.inputs
        return replace(
            stored,
            inputs={name: frames, **{other: stored.inputs[other] for other in others}},
            history=times[: self._history],
            times=times[self._history : self._stop],
        )

    def target(self, index: Index) -> Tensor:
        return self._stored.target(index)[:, self._history : self._stop]

    def frames(self, index: Index, part: slice) -> Tensor:
        return self._stored.frames(index, _shifted(part, self._history, self._stop))


def _shifted(part: slice, by: int, end: int | None) -> slice:
    """Return where frames ``part`` of those from ``by`` on, up to ``end``, are stored."""
    start = by + (part.start or 0)
    stop = end if part.stop is None else by + part.stop
    return slice(start, stop if end is None or stop is None else min(stop, end), part.step)


@final
@dataclass(frozen=True)
class Task:
    """One row of questions that every solver answers alike.

    Attributes:
        name: such as ``navier_stokes/evolve``.
        version: raised when anything changes that makes old scores incomparable.
        dataset: where the samples come from.
        question: what is asked of them.
        metrics: the scores, the first is the headline.
        budget: what ``fit`` may spend.
        batch: samples handed to one ``solve`` call when scoring.
        evaluate: splits that are scored; the first is the headline, the others show the shift.
        reference: what the reference solver is called on boards.
        ladder: names of the classical solver configurations to beat, coarse to fine.
        train_samples: how many of the training samples are handed out, the first ones; None for
            all. Curves of error against samples share one data set this way.
    """

    name: str
    dataset: Dataset
    metrics: tuple[Metric, ...]
    question: Question = field(default_factory=AsStored)
    budget: Budget = field(default_factory=Budget)
    version: str = "1"
    batch: int = 16
    evaluate: tuple[str, ...] = ("test",)
    ladder: tuple[str, ...] = ()
    published: Mapping[str, Any] = field(default_factory=dict)
    train_samples: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "metrics", tuple(self.metrics))
        object.__setattr__(self, "evaluate", tuple(self.evaluate))
        object.__setattr__(self, "ladder", tuple(self.ladder))
        if not self.metrics:
            raise ConfigError("task.metrics is empty, expected at least one metric")
        if self.train_samples is not None and self.train_samples < 1:
            raise ConfigError(
                f"task.train_samples={self.train_samples}, expected a positive number or null"
            )
        if self.batch < 1:
            raise ConfigError(f"task.batch={self.batch}, expected a positive number of samples")

    def samples(self, split: str) -> Samples:
        """Return the problems and targets of ``split`` under this task's question."""
        samples = self.question.ask(self.dataset.split(split))
        if split != "train" or self.train_samples is None:
            return samples
        if self.train_samples > len(samples):
            raise ConfigError(
                f"task.train_samples={self.train_samples}, but the data set has {len(samples)} "
                "training samples; ask for fewer or set dataset.counts.train"
            )
        return samples[: self.train_samples]


def frame_axis(u: Tensor, problem: Problem) -> Tensor:
    """Return (B, T, C, *S): steady fields get one frame, so that one metric body serves both."""
    return u.unsqueeze(1) if problem.times is None else u


def same_device(problem: Problem) -> torch.device:
    """The device of the problem's inputs."""
    return (
        problem.input.device
        if len(problem.inputs) == 1
        else next(iter(problem.inputs.values())).device
    )
