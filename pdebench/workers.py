"""Processes that compute with one thread each: a result never depends on how many there are."""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, final

from pdebench import heap

_DIED_WITH_PARENT = 1  # PR_SET_PDEATHSIG, prctl(2)


def count(asked: int | None) -> int:
    """Return the number of processes asked for: one per core that this process may use for None."""
    return asked or len(os.sched_getaffinity(0))


@final
class Workers:
    """Processes for independent jobs, started by the first jobs and kept for the next ones.

    A context manager: leaving it ends the processes, at once where an error leaves it or nothing
    was done. Entered within another of as many, it gives that one, so that what makes several data
    sets starts processes once. One worker is this process itself, with one thread while it works.

    Args:
        num: processes, at most; None for one per core.
    """

    def __init__(self, num: int | None) -> None:
        self.num = count(num)
        self._pool: ProcessPoolExecutor | None = None
        self._used = False
        self._tokens: list[Token[Workers | None]] = []

    def __enter__(self) -> "Workers":
        outer = _entered.get()
        found = self if outer is None or outer.num != self.num else outer
        self._tokens.append(_entered.set(found))
        return found

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _entered.reset(self._tokens.pop())
        if self._pool is None:
            return
        if kind is not None or not self._used:
            for process in list((self._pool._processes or {}).values()):
                process.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = None

    def start(self) -> None:
        """Start the processes now: they load their libraries while this one does something else."""
        if self._pool is None and self.num > 1:
            self._pool = _pool(self.num)
            with _script_hidden(()):
                self._pool.submit(os.getpid)

    def run(self, work: Callable[..., Any], jobs: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
        """Yield ``work(*job)`` of every job, in the order in which they are done.

        ``work``, jobs and results must pickle. Raises what a job raises.
        """
        if not jobs:
            return
        if self.num == 1 or (len(jobs) == 1 and self._pool is None):
            for job in jobs:
                with one_thread():
                    done = work(*job)
                yield done
            return
        if self._pool is None:
            self._pool = _pool(self.num)
        self._used = True
        with _script_hidden(jobs[0]):
            futures = [self._pool.submit(work, *job) for job in jobs]
        for future in as_completed(futures):
            yield future.result()


_entered: ContextVar[Workers | None] = ContextVar("entered", default=None)


def _pool(num: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(num, context, initializer=_start_worker)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one torch thread, as workers do."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _script_hidden(job: tuple[Any, ...]) -> Iterator[None]:
    """Keep workers from running the user's script again, as spawned ones do without a main guard.

    Something that the script itself defines is the exception: its workers need the script.
    """
    main = sys.modules["__main__"]
    file = None
    if all(type(part).__module__ != "__main__" for part in job):
        file = main.__dict__.pop("__file__", None)
    try:
        yield
    finally:
        if file is not None:
            main.__file__ = file


def _start_worker() -> None:
    """One thread per worker, no Ctrl-C of its own, and no life after the parent's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(
        OSError, AttributeError
    ):  # not Linux: an orphan ends when its queue closes
        ctypes.CDLL(None).prctl(_DIED_WITH_PARENT, signal.SIGKILL)
    import torch

    torch.set_num_threads(1)
    heap.keep_freed()
