"""Costs that are not one call's: batch-size sweeps, transfers to the device, loading of data."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from pdebench.cost.clock import Work, repeat
from pdebench.cost.memory import peak_memory
from pdebench.cost.timing import Timing


@final
@dataclass(frozen=True)
class Point:
    """One batch size of a sweep: its ``timing``, and ``peak_bytes`` where known."""

    batch: int
    timing: Timing
    peak_bytes: int | None

    @property
    def throughput(self) -> float:
        """Samples per second; infinite where the clock saw no time pass."""
        return self.batch / self.timing.median if self.timing.median else float("inf")


@final
@dataclass(frozen=True)
class Sweep:
    """Points of growing batch size and the sentence why there is no larger one."""

    points: tuple[Point, ...]
    stopped: str

    @property
    def latency(self) -> float:
        """Seconds of one sample alone (batch 1)."""
        return self.points[0].timing.median

    @property
    def best(self) -> Point:
        """The point of highest throughput."""
        return max(self.points, key=lambda point: point.throughput)


def sweep(
    make: Callable[[int], Work],
    device: torch.device,
    *,
    most: int = 1024,
    seconds: float = 1.0,
    memory: int | None = None,
    precision: float = 0.05,
) -> Sweep:
    """Time ``make(batch)`` at batch 1, 2, 4, ... up to ``most``, memory, or slowness.

    ``make`` returns work with its arguments in place; building it is not timed. The sweep ends with
    the last size that fits the device (or ``memory`` bytes: twice the last peak must fit), or when
    one call takes longer than ``seconds``. Raises whatever the work raises at batch 1.
    """
    points: list[Point] = []
    batch, stopped = 1, f"batch {most} is the largest asked for"
    while batch <= most:
        try:
            with peak_memory(device) as peak:
                timing = repeat(make(batch), device, precision=precision, seconds=seconds)
        except (MemoryError, torch.OutOfMemoryError) as error:
            if not points:
                raise
            stopped = f"batch {batch} does not fit: {error}"
            break
        points.append(Point(batch, timing, peak.bytes))
        if timing.median > seconds:
            stopped = f"a call at batch {batch} takes more than {seconds:g} s"
            break
        if memory is not None and peak.bytes is not None and 2 * peak.bytes > memory:
            stopped = f"batch {2 * batch} would need about {2 * peak.bytes} of {memory} bytes"
            break
        batch *= 2
    return Sweep(tuple(points), stopped)


def transfer(fields: Iterable[Tensor], device: torch.device) -> tuple[Timing | None, int]:
    """Return the timing of moving ``fields`` from the host to ``device``, and their bytes.

    None on the CPU, where nothing moves.
    """
    held = [field.cpu() for field in fields]
    size = sum(field.numel() * field.element_size() for field in held)
    if device.type == "cpu":
        return None, size
    return repeat(lambda: [field.to(device) for field in held], device), size


@final
class Loading:
    """Iterate over ``batches`` and add up the ``seconds`` that fetching them takes.

    What the consumer does between two batches is not counted.
    """

    def __init__(self, batches: Iterable[Any]) -> None:
        self._batches = batches
        self.seconds = 0.0
        self.num_batches = 0

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches."""
        began = time.perf_counter_ns()
        for batch in self._batches:
            self.seconds += (time.perf_counter_ns() - began) / 1e9
            self.num_batches += 1
            yield batch
            began = time.perf_counter_ns()
        self.seconds += (time.perf_counter_ns() - began) / 1e9
