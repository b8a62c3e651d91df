"""The clock itself: CUDA events on a GPU, ``perf_counter_ns`` on the CPU; repeats until it is sure.

On a GPU the work lies between two events of the current stream (or of the one given), and the
device is synchronised before the second, so that kernels on streams of the work's own are paid for
too.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch

from pdebench.cost.cache import Flush
from pdebench.cost.timing import LEAST, Timing

Work = Callable[[], Any]
Clock = Callable[[], int]

_GROWTH = 1.4  # interval checks at 6, 9, 13, ... repeats: a look after each would stop at luck
CHECKED = 12  # repeats before the first look, so that luck rarely ends it (benchmarks/clock.py)
_WARM = 3  # calls whose median must stop falling


def once(
    work: Work,
    device: torch.device,
    *,
    stream: "torch.cuda.Stream | None" = None,
    clock: Clock = time.perf_counter_ns,
) -> tuple[float, Any]:
    """Return the seconds of one call of ``work``, and its result.

    Args:
        work: what is timed.
        device: where it runs.
        stream: the CUDA stream of the work; None for the current one.
        clock: nanoseconds of a monotonic clock, for work on the CPU.

    Raises RuntimeError if the clock ran backwards, or while a CUDA graph is being captured: what is
    captured does not run, so time the graph's replay.
    """
    if device.type == "cuda":
        return _on_gpu(work, device, stream)
    began = clock()
    result = work()
    elapsed = clock() - began
    if elapsed < 0:
        raise RuntimeError(
            f"the clock ran backwards by {-elapsed} ns; this machine cannot time anything"
        )
    return elapsed / 1e9, result


def _on_gpu(
    work: Work, device: torch.device, stream: "torch.cuda.Stream | None"
) -> tuple[float, Any]:
    if torch.cuda.is_current_stream_capturing():
        raise RuntimeError("a CUDA graph is being captured, which runs nothing; time its replay")
    with torch.cuda.device(device), nullcontext() if stream is None else torch.cuda.stream(stream):
        torch.cuda.synchronize(device)
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        result = work()
        torch.cuda.synchronize(device)
        end.record()
        end.synchronize()
    return start.elapsed_time(end) / 1e3, result


def repeat(
    work: Work,
    device: torch.device,
    *,
    precision: float = 0.05,
    seconds: float = 2.0,
    least: int = LEAST,
    most: int = 200,
    flush: bool = False,
    clock: Clock = time.perf_counter_ns,
) -> Timing:
    """Time ``work`` until the 95 % interval of its median is within +- ``precision`` of it, or
    limits are met; such a timing says `Timing.noisy`.

    The first call is kept apart, calls until the work is warm are dropped. At least ``least``
    repeats are counted unless a single call takes longer than ``seconds``, in which case one is.
    ``flush`` empties the caches before every call, off the clock.
    """
    pieces = {"work": work}
    return compare(
        pieces, device, precision, seconds, least=least, most=most, flush=flush, clock=clock
    )["work"]


def compare(
    pieces: Mapping[str, Work],
    device: torch.device,
    precision: float = 0.05,
    seconds: float = 2.0,
    *,
    least: int = LEAST,
    most: int = 200,
    flush: bool = False,
    clock: Clock = time.perf_counter_ns,
) -> dict[str, Timing]:
    """Time several pieces of work in interleaved rounds, as `repeat` times one.

    In a round each piece runs once, in turn and then in reverse, so that drifts of the machine hit
    all alike and the i-th samples of all pieces belong together. ``seconds`` is each piece's share.
    """
    names = list(pieces)
    empty = Flush(device) if flush else _nothing
    first: dict[str, float] = {}
    warmups: dict[str, int] = {}
    for name, work in pieces.items():
        first[name], _ = once(work, device, clock=clock)
        limit = seconds / 4 if first[name] < seconds else 0.0
        warmups[name] = warm(work, device, precision, limit, clock)
    samples: dict[str, list[float]] = {name: [] for name in pieces}
    rounds, look, spent = 0, max(least, CHECKED), 0.0
    while rounds < most:
        for name in names if rounds % 2 == 0 else names[::-1]:
            empty()
            samples[name].append(once(pieces[name], device, clock=clock)[0])
        rounds += 1
        spent += sum(times[-1] for times in samples.values())
        slow = spent >= rounds * seconds * len(pieces)
        if spent >= seconds * len(pieces) and (rounds >= least or slow):
            break
        done = {n: Timing(tuple(t), first[n], precision, warmups[n]) for n, t in samples.items()}
        if rounds >= look:
            if not any(timing.noisy for timing in done.values()):
                break
            look = int(look * _GROWTH) + 1
    return {n: Timing(tuple(t), first[n], precision, warmups[n]) for n, t in samples.items()}


def _nothing() -> None:
    return None


def warm(work: Work, device: torch.device, precision: float, limit: float, clock: Clock) -> int:
    """Call ``work`` until the median of its last calls no longer falls; return how often it ran."""
    times: list[float] = []
    spent = 0.0
    while spent < limit and len(times) < 10 * _WARM:
        times.append(once(work, device, clock=clock)[0])
        spent += times[-1]
        if len(times) >= 2 * _WARM:
            before, now = np.median(times[-2 * _WARM : -_WARM]), np.median(times[-_WARM:])
            if now >= (1 - precision) * before:
                break
    return len(times)


def ratio(a: Timing, b: Timing, level: float = 0.95) -> tuple[float, float, float]:
    """Return the median of a/b over rounds of `compare`, with its interval.

    Raises ValueError where the two were not timed in the same rounds.
    """
    if len(a.samples) != len(b.samples):
        raise ValueError(
            f"{len(a.samples)} and {len(b.samples)} repeats, expected rounds of one comparison"
        )
    pairs = Timing(tuple(np.asarray(a.samples) / np.asarray(b.samples)), a.first / b.first)
    return pairs.median, *pairs.interval(level)
