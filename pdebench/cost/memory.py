"""Peak memory of a piece of work: device bytes on a GPU, growth of the resident set on the CPU."""

import gc
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, final

import torch

from pdebench import heap


@final
class Peak:
    """Peak memory inside a block: device bytes on a GPU, growth of the resident set on Linux, else
    None.
    """

    def __init__(self) -> None:
        self.bytes: int | None = None


@contextmanager
def peak_memory(device: torch.device) -> Iterator[Peak]:
    """Measure the peak memory of the block, above what was held before it.

    On the CPU memory that the process has freed but cannot return, since something behind it is in
    use, is used again unseen, so that the growth is a lower bound; `peak_in_child` has none of it.
    """
    peak = Peak()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield peak
        torch.cuda.synchronize(device)
        peak.bytes = torch.cuda.max_memory_allocated(device) - before
        return
    heap.return_freed()
    before = _resident("VmRSS") if _reset_high_water() else None
    yield peak
    high = _resident("VmHWM")
    if before is not None and high is not None:
        peak.bytes = max(high - before, 0)


def peak_in_child(
    work: Callable[..., Any], *arguments: Any, timeout: float = 600.0
) -> tuple[int | None, float]:
    """Return the peak resident growth (bytes) and seconds of ``work(*arguments)`` in a new process.

    ``work`` is a function of a module and the arguments can be pickled; what they hold is there
    before the measurement starts. None bytes where the system does not tell (not Linux). Raises
    RuntimeError with the child's own words where it fails, TimeoutError after ``timeout`` seconds.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_measure, args=(theirs, work, arguments), daemon=True)
    child.start()
    theirs.close()
    try:
        if not ours.poll(timeout):
            raise TimeoutError(f"the child process took more than {timeout:g} s")
        kind, *values = ours.recv()
    except EOFError as error:
        child.join()
        raise RuntimeError(f"the child process died with exit code {child.exitcode}") from error
    finally:
        child.kill()
        child.join()
        ours.close()
    if kind == "error":
        raise RuntimeError(f"the child process failed: {values[0]}")
    return values[0], values[1]


def _measure(pipe: Connection, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    from pdebench.cost.clock import once

    device = torch.device("cpu")
    try:
        with peak_memory(device) as peak:
            seconds, _ = once(lambda: work(*arguments), device)
        pipe.send(("done", peak.bytes, seconds))
    except Exception as error:  # crosses the process boundary as a sentence
        pipe.send(("error", f"{type(error).__name__}: {error}"))


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
