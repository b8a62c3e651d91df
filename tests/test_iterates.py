"""Error against seconds of an iterative solver, by a clock whose ticks are known."""

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from pdebench.harness.evaluate import evaluate
from pdebench.harness.outcome import Surroundings
from pdebench.problem import Problem
from pdebench.solver import IterativeSolver
from pdebench.testing.problems import conformance_tasks

TASK = conformance_tasks()[1]
FACTOR = 4 * np.pi**2 * 5


class Halving(IterativeSolver):
    """Halves the error in every step, which takes 2 ms."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def iterate(self, problem: Problem):
        answer = problem.input / FACTOR
        for k in range(1, self.steps + 1):
            until = time.perf_counter() + 2e-3
            while time.perf_counter() < until:
                pass
            yield answer * (1 - 0.5**k)


@pytest.mark.parametrize("steps", [1, 12, 40])
def test_errors_halve_and_seconds_count_only_the_iteration(steps: int) -> None:
    task = replace(TASK, evaluate=("test",))
    around = Surroundings(timing_seconds=0.01)
    record, arrays = evaluate(Halving(steps), task, surroundings=around)
    assert record.status == "ok", record.reason
    seconds, errors = arrays["iterate/seconds"], arrays["iterate/relative_l2"]
    assert errors.shape == (len(seconds), 5) and len(seconds) <= 30
    scored = [*range(1, 9), 10, 12, 14, 17, 20, 23, 27, 32, 37, 40]
    if steps <= 12:  # float32 tells no smaller errors
        expected = 0.5 ** np.array([k for k in scored if k <= steps])
        assert errors[:, 0] == pytest.approx(expected, rel=1e-2)
    assert (np.diff(seconds) > 0).all() and seconds[0] >= 2e-3
    assert seconds[-1] >= 2e-3 * steps


def test_other_solvers_have_no_iterates() -> None:
    from pdebench.baselines.mean import Mean

    torch.manual_seed(0)
    _, arrays = evaluate(Mean(), TASK, surroundings=Surroundings(timing_seconds=0.01))
    assert "iterate/seconds" not in arrays
