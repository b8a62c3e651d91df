"""Batches of a split by index: shuffled by seed and epoch, so that a resumed fit sees the batches
it would have seen.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, final

import torch
from torch import Tensor

from pdebench.problem import Problem
from pdebench.reading import ahead
from pdebench.samples import Samples


class Place(NamedTuple):
    """Which epoch is asked for, by which of ``world`` processes."""

    epoch: int
    rank: int
    world: int


@final
class Batches:
    """Iterate over (problem, target) batches of a split; the target is None where labels are
    withheld.

    Args:
        samples: the split.
        batch_size: samples per batch and process.
        seed: with the epoch, determines the order; None keeps the stored order.
        labelled: whether targets are read.
        place: returns epoch, rank and number of processes; every process takes equally many
            samples.
        ahead: batches that a thread of its own reads in advance; 0 reads when asked.
    """

    def __init__(
        self,
        samples: Samples,
        batch_size: int,
        seed: int | None,
        labelled: bool,
        place: Callable[[], Place] = lambda: Place(0, 0, 1),
        ahead: int = 0,
    ) -> None:
        self._samples, self._batch_size, self._seed = samples, batch_size, seed
        self._labelled, self._place, self._ahead = labelled, place, ahead

    def __len__(self) -> int:
        world = self._place().world
        return -(-(len(self._samples) // world) // self._batch_size)

    def __iter__(self) -> Iterator[tuple[Problem, Tensor | None]]:
        return ahead(self._read(), self._ahead) if self._ahead else self._read()

    def _read(self) -> Iterator[tuple[Problem, Tensor | None]]:
        epoch, rank, world = self._place()
        num = len(self._samples)
        order = torch.arange(num)
        if self._seed is not None:
            order = torch.randperm(
                num, generator=torch.Generator().manual_seed((self._seed << 20) + epoch)
            )
        mine = order[rank : (num // world) * world : world].numpy()
        for start in range(0, len(mine), self._batch_size):
            part = self._samples[mine[start : start + self._batch_size]]
            yield part.problem, part.target if self._labelled else None
