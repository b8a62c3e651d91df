"""Solvers that misbehave on purpose; each does to its process what foreign code can do."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

import torch

from pdebench import Solution, Solver


def persisted(problem):
    return Solution(problem.initial.unsqueeze(1).expand(-1, len(problem.times), -1, -1, -1).clone())


class Hostile(Solver):
    """Honest until ``what`` happens: in the constructor ("build"), in ``fit`` or in ``solve``."""

    def __init__(self, what: str = "nothing", where: str = "solve", note: str = "") -> None:
        self._what, self._where, self._note = what, where, note
        self._happen("build")

    def _happen(self, where: str) -> None:
        if where == self._where:
            getattr(self, f"_{self._what}")()

    def fit(self, train, valid, budget) -> None:
        self._happen("fit")

    def solve(self, problem):
        self._happen("solve")
        return persisted(problem)

    def _nothing(self) -> None: ...

    def _raises(self) -> None:
        raise RuntimeError("boom")

    def _hangs(self) -> None:
        time.sleep(600)

    def _spins(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a polite request is not enough
        while True:
            pass

    def _exits(self) -> None:
        os._exit(3)

    def _leaves(self) -> None:
        sys.exit("good bye")

    def _segfaults(self) -> None:
        ctypes.string_at(0)

    def _aborts(self) -> None:
        os.abort()

    def _eats(self) -> None:
        held = []
        while True:
            held.append(torch.ones(1 << 24))

    def _killed(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def _lingers(self) -> None:
        threading.Thread(target=time.sleep, args=(600,)).start()
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        with open(self._note, "w") as stream:
            stream.write(str(child.pid))

    def _litters(self) -> None:
        torch.set_default_dtype(torch.float64)
        os.environ["OMP_NUM_THREADS"] = "7"
        torch.set_grad_enabled(False)
