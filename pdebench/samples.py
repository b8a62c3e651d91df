"""A split of a data set: problems and, where granted, their targets, read lazily."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import final

import numpy as np
from torch import Tensor

from pdebench.errors import AccessError
from pdebench.problem import Index, Problem


class Source(ABC):
    """Where samples come from: memory, a file, or a question asked of another source."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of samples."""

    @abstractmethod
    def problem(self, index: Index) -> Problem:
        """Return the problem of the selected samples."""

    @abstractmethod
    def target(self, index: Index) -> Tensor:
        """Return the reference solution (B, [T,] C, *S) of the selected samples."""

    def frames(self, index: Index, part: slice) -> Tensor:
        """Return some frames of the reference; a source that can leaves the others unread."""
        return self.target(index)[:, part]


@final
class InMemory(Source):
    """Samples held as tensors: one problem and its target."""

    def __init__(self, problem: Problem, target: Tensor) -> None:
        if len(problem) != len(target):
            raise ValueError(
                f"target holds {len(target)} samples, the problem {len(problem)}; give one of each"
            )
        self._problem, self._target = problem, target

    def __len__(self) -> int:
        return len(self._target)

    def problem(self, index: Index) -> Problem:
        return self._problem.take(index)

    def target(self, index: Index) -> Tensor:
        return self._target[index]

    def frames(self, index: Index, part: slice) -> Tensor:
        return self._target[:, part][index]


@final
class Samples:
    """A lazily sliced split.

    ``samples[i:j]`` is again lazy; ``.problem`` and ``.target`` read. Splits whose geometry varies
    from sample to sample
    are read in pieces: ``chunks()`` yields parts that share one domain.
    """

    def __init__(
        self, source: Source, index: np.ndarray | None = None, chunk: int | None = None
    ) -> None:
        self._source = source
        self._index = np.arange(len(source)) if index is None else index
        self._chunk = chunk

    @classmethod
    def of(cls, problem: Problem, target: Tensor) -> "Samples":
        """Return samples held in memory."""
        return cls(InMemory(problem, target))

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, where: Index) -> "Samples":
        if isinstance(where, int):
            raise TypeError(
                f"samples[{where}]: take a slice, samples[{where}:{where + 1}]; a batch is never "
                "implicit"
            )
        return Samples(self._source, self._index[where], self._chunk)

    @property
    def _where(self) -> Index:
        index = self._index
        if (
            len(index)
            and index[-1] - index[0] == len(index) - 1
            and bool((np.diff(index) == 1).all())
        ):
            return slice(int(index[0]), int(index[-1]) + 1)
        return index

    @property
    def source(self) -> Source:
        """Where the samples come from; questions and grants wrap it."""
        return self._source

    @property
    def indices(self) -> np.ndarray:
        """Positions of these samples in their source (n,)."""
        return self._index

    @property
    def problem(self) -> Problem:
        """The problem of all these samples; reads them."""
        return self._source.problem(self._where)

    @property
    def target(self) -> Tensor:
        """The reference solution of all these samples; reads them. AccessError where labels were
        withheld.
        """
        return self._source.target(self._where)

    def frames(self, part: slice) -> Tensor:
        """Return some frames (B, t, C, *S) of the reference solution of all these samples; reads no
        others where the source can.
        """
        return self._source.frames(self._where, part)

    def chunks(self, size: int | None = None) -> Iterator["Samples"]:
        """Yield consecutive parts of at most ``size`` samples (default: what one discretisation
        allows).
        """
        step = min(size or len(self), self._chunk or len(self)) or 1
        for start in range(0, len(self), step):
            yield self[start : start + step]

    def over(self, source: Source) -> "Samples":
        """Return the same positions of another source (a question, a grant)."""
        return Samples(source, self._index, self._chunk)


@final
class NoLabels(Source):
    """Problems of another source without their targets: what a solver sees that did not declare
    labels.
    """

    def __init__(self, problems: list[Problem], reason: str) -> None:
        self._problems, self._reason = problems, reason

    def __len__(self) -> int:
        return sum(len(p) for p in self._problems)

    def problem(self, index: Index) -> Problem:
        if len(self._problems) == 1:
            return self._problems[0].take(index)
        positions = np.arange(len(self))[index]
        if len(positions) != 1:
            raise AccessError(
                "samples of varying geometry are read one at a time: use samples.chunks()"
            )
        return self._problems[int(positions[0])]

    def target(self, index: Index) -> Tensor:
        raise AccessError(self._reason)
