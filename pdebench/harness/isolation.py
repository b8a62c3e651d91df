"""A run in a process of its own: whatever a solver does to its process costs one record.

Processes are forked from one server that has imported torch (for sweeps Lightning, too), so that a
run pays neither the imports nor for what the run before it left behind. The child leads its own
process group; it dies with the process that asked for it.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import DupFd
from typing import Any, final

from pdebench import errors
from pdebench.errors import PdebenchError

_GRACE = 10.0  # s between Ctrl-C and the end by force: a fit writes its resume point
_LEAVE = 5.0  # s for a finished child's threads and children to end by themselves
_OURS = ("pdebench.harness.evaluate", "pdebench.learning.fit")  # imported once, before the fork


@final
@dataclass(frozen=True)
class Limits:
    """What one run may take: wall ``seconds``, and private memory in ``bytes``; None: no limit."""

    seconds: float | None = None
    bytes: float | None = None


@final
class Died(Exception):
    """The process ended without an answer; ``status`` is the record's, ``said`` the last thing it
    announced.
    """

    def __init__(self, status: str, reason: str, said: Any) -> None:
        super().__init__(reason)
        self.status, self.reason, self.said = status, reason, said


def warm(learned: bool) -> None:
    """Choose what the server imports before it forks; call it before the first `call`."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(
        list(_OURS if learned else _OURS[:1])
    )


def call(
    work: Callable[..., Any],
    *arguments: Any,
    limits: Limits | None = None,
    held: int | None = None,
) -> Any:
    """Return ``work(*arguments, announce)`` of a new process.

    ``announce(value)`` tells the parent how far the work came; the clock of ``limits.seconds``
    starts at its first call. ``held`` is the descriptor of a lock that the child keeps as long as
    it lives. Raises Died where the process ends without an answer, and the suite's own errors as
    the child raised them.
    """
    limits = limits or Limits()
    if multiprocessing.get_start_method() not in multiprocessing.get_all_start_methods():
        # Joblib's workers name a method that a child of theirs would look for in vain.
        multiprocessing.set_start_method("forkserver", force=True)
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe()
    lifeline, ends_with_us = context.Pipe(duplex=False)
    kept = None if held is None else DupFd(held)
    child = context.Process(
        target=_child, args=(work, arguments, theirs, lifeline, kept, limits.bytes)
    )
    child.start()
    theirs.close()
    lifeline.close()
    try:
        return _answer(child, ours, limits)
    except KeyboardInterrupt:
        _signal(child.pid, signal.SIGINT)
        child.join(_GRACE)
        raise
    finally:
        _signal(child.pid, signal.SIGKILL)
        child.join()
        ours.close()
        ends_with_us.close()


def _answer(child: Any, pipe: Connection, limits: Limits) -> Any:
    said: Any = None
    left: float | None = None
    while True:
        if not wait([pipe, child.sentinel], left):
            raise Died("timeout", f"it ran longer than limit.seconds={limits.seconds:g}", said)
        try:
            kind, value = pipe.recv()
        except (EOFError, OSError):
            child.join()
            raise Died(*_cause(child.exitcode, limits), said) from None
        if kind == "said":
            said, left = value, limits.seconds
        elif kind == "done":
            child.join(_LEAVE)
            return value
        elif kind == "interrupted":
            raise KeyboardInterrupt
        else:
            raise getattr(errors, kind, PdebenchError)(value)


def _cause(code: int, limits: Limits) -> tuple[str, str]:
    if code >= 0:
        return "failed", f"the solver ended its process (exit status {code})"
    name = signal.Signals(-code).name
    if -code == signal.SIGKILL:
        return "out_of_memory", "killed by the system (SIGKILL), which it does when memory runs out"
    if -code == signal.SIGXCPU:
        return "timeout", "killed by the system (SIGXCPU): the processor time was spent"
    return "failed", f"the solver crashed its process ({name})"


def _signal(group: int | None, number: int) -> None:
    """Signal the child's process group, and with it whatever the solver started."""
    if group:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


def _child(
    work: Callable[..., Any],
    arguments: tuple[Any, ...],
    pipe: Connection,
    lifeline: Connection,
    kept: Any,
    most: float | None,
) -> None:
    os.setpgid(0, 0)
    threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()
    held = None if kept is None else kept.detach()  # closed by the kernel, with the process
    _sacrifice()
    if most is not None:
        _limit_memory(most)
    try:
        reply = ("done", work(*arguments, lambda value: pipe.send(("said", value))))
    except PdebenchError as error:
        reply = (type(error).__name__, str(error))
    except KeyboardInterrupt:
        reply = ("interrupted", None)
    del held
    pipe.send(reply)
    sys.stdout.flush()


def _end_with_parent(lifeline: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv()
    os.killpg(0, signal.SIGKILL)


def _sacrifice() -> None:
    """Let a system that runs out of memory end this process, not the sweep."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as stream:
        stream.write("1000")


def _limit_memory(most: float) -> None:
    """Bound private memory (Linux: heap and anonymous maps; elsewhere the address space)."""
    import resource

    kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    resource.setrlimit(kind, (int(most), int(most)))
