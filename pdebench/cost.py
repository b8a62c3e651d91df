"""The clock: seconds and peak memory of a piece of work, the same for every solver.

On a GPU the work is bracketed by CUDA events on the current stream and synchronised; on the CPU by
``perf_counter_ns``.
"""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch


@final
@dataclass(frozen=True)
class Timing:
    """Repeated measurements of one piece of work.

    Attributes:
        samples: seconds of every counted repeat.
        first: seconds of the very first call, which pays for compilation and caches; not among
            ``samples``.
    """

    samples: tuple[float, ...]
    first: float

    @property
    def median(self) -> float:
        """Median seconds."""
        return float(np.median(self.samples))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the distribution-free confidence interval of the median by order statistics.

        The k-th smallest of n values lies below the median with probability P(Bin(n, 1/2) >= k),
        whatever the noise; with too few repeats for ``level`` the whole range is returned.
        """
        from scipy.stats import binom

        ordered = sorted(self.samples)
        num = len(ordered)
        low = int(binom.ppf((1 - level) / 2, num, 0.5))
        low = low - 1 if binom.cdf(low - 1, num, 0.5) > (1 - level) / 2 else low
        low = max(low - 1, 0)
        return ordered[low], ordered[num - 1 - low]

    def to_json(self) -> dict[str, Any]:
        """Return seconds (median), low, high, repeats and first."""
        low, high = self.interval()
        return {
            "seconds": self.median,
            "low": low,
            "high": high,
            "repeats": len(self.samples),
            "first": self.first,
        }


def once(work: Callable[[], Any], device: torch.device) -> tuple[float, Any]:
    """Return the seconds of one call of ``work``, and its result.

    Raises RuntimeError if the clock ran backwards.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        result = work()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1e3, result
    began = time.perf_counter_ns()
    result = work()
    elapsed = time.perf_counter_ns() - began
    if elapsed < 0:
        raise RuntimeError(
            f"the clock ran backwards by {-elapsed} ns; this machine cannot time anything"
        )
    return elapsed / 1e9, result


def repeat(
    work: Callable[[], Any],
    device: torch.device,
    *,
    precision: float = 0.05,
    seconds: float = 2.0,
    least: int = 5,
    most: int = 200,
) -> Timing:
    """Time ``work`` until the 95 % interval of its median is within +- ``precision`` of it, or
    limits are met.

    The first call is kept apart; the second, a warm-up, is dropped. At least ``least`` repeats are
    counted unless a single call takes longer than ``seconds``, in which case one is.
    """
    first, _ = once(work, device)
    if first < seconds:
        once(work, device)
    samples: list[float] = []
    spent = 0.0
    while len(samples) < most:
        elapsed, _ = once(work, device)
        samples.append(elapsed)
        spent += elapsed
        enough = len(samples) >= least
        if spent >= seconds and (enough or elapsed >= seconds):
            break
        if enough:
            timing = Timing(tuple(samples), first)
            low, high = timing.interval()
            if len(samples) >= 6 and high - low <= 2 * precision * timing.median:
                break
    return Timing(tuple(samples), first)


@final
class Peak:
    """Peak memory inside a block: device bytes on a GPU, growth of the resident set on Linux, else
    None.
    """

    def __init__(self) -> None:
        self.bytes: int | None = None


@contextmanager
def peak_memory(device: torch.device) -> Iterator[Peak]:
    """Measure the peak memory of the block, above what was held before it."""
    peak = Peak()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield peak
        peak.bytes = torch.cuda.max_memory_allocated(device) - before
        return
    before = _resident("VmRSS") if _reset_high_water() else None
    yield peak
    high = _resident("VmHWM")
    if before is not None and high is not None:
        peak.bytes = max(high - before, 0)


def _reset_high_water() -> bool:
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as stream:
            stream.write("5")  # proc(5): resets the peak resident set size to the current value
    except OSError:
        return False
    return True


def _resident(field: str) -> int | None:
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as stream:
            for line in stream:
                if line.startswith(field):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass  # not Linux: not applicable
    return None
