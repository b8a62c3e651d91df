"""Rollouts scored while their frames come: the same records, blow-up in the middle, flat memory."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import final

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pdebench.dataset import Card, Dataset
from pdebench.domain import Grid
from pdebench.equation import Equation
from pdebench.equations.vorticity import Vorticity
from pdebench.errors import Diverged, SolverError
from pdebench.harness.outcome import Outcome, Surroundings
from pdebench.harness.scoring import score_split
from pdebench.learning import LearnedSolver, Rollout, Sizes
from pdebench.learning.solver import Scaled
from pdebench.metric import Metric
from pdebench.metrics.correlation import correlation_time
from pdebench.metrics.distributions import histogram_w1
from pdebench.metrics.errors import nrmse, relative_l2
from pdebench.metrics.flow import enstrophy_drift
from pdebench.metrics.rollouts import final as last
from pdebench.metrics.rollouts import valid_time
from pdebench.metrics.spectra import spectrum_error
from pdebench.problem import Index, Problem, Solution
from pdebench.running import paired, scored
from pdebench.samples import Samples, Source
from pdebench.solver import Solver
from pdebench.task import Evolve, Task

N, BATCH = 32, 4
METRICS = (relative_l2, nrmse, last(nrmse), correlation_time(0.8), valid_time(0.5))
METRICS += (spectrum_error, enstrophy_drift)


@final
class Decaying(Source):
    """w(t) = 0.99^t w(0) at whole times from 0, frames made when they are read."""

    def __init__(self, frames: int) -> None:
        self.times = torch.arange(float(frames), dtype=torch.float64)
        self.first = torch.randn(8, 1, N, N, generator=torch.Generator().manual_seed(0))
        self.largest = 0

    def __len__(self) -> int:
        return len(self.first)

    def problem(self, index: Index) -> Problem:
        first = self.first[index]
        return Problem(Vorticity(), Grid.torus((N, N)), {"vorticity": first}, self.times)

    def target(self, index: Index) -> Tensor:
        return self.frames(index, slice(None))

    def frames(self, index: Index, part: slice) -> Tensor:
        times = self.times[part]
        self.largest = max(self.largest, len(times))
        factor = (0.99**times).float().reshape(-1, 1, 1, 1)
        return self.first[index][:, None] * factor


@final
class Decay(Dataset):
    """One split of decaying fields."""

    def __init__(self, frames: int) -> None:
        self.source = Decaying(frames)

    @property
    def card(self) -> Card:
        raise NotImplementedError

    @property
    def equation(self) -> Equation:
        return Vorticity()

    def prepare(self, folder: Path) -> str:
        return "0"

    def split(self, name: str) -> Samples:
        return Samples(self.source)


class Factor(nn.Module):
    """Multiply the last frame of two, by infinity after ``good`` calls."""

    def __init__(self, good: int | None = None) -> None:
        super().__init__()
        self.calls, self.good = 0, good

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        broken = self.good is not None and self.calls > self.good
        return x[:, -1:] * (float("inf") if broken else 0.98)


@final
class Given(LearnedSolver):
    """A rollout of a network that is there."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__(Rollout())
        self.model = Scaled(net, None, None)

    def network(self, sizes: Sizes) -> nn.Module:
        raise NotImplementedError


def outcome(
    solver: Solver, frames: int, held: int, metrics: tuple[Metric, ...] = METRICS
) -> tuple[Outcome, int]:
    """Return what scoring leaves, ``held`` frames at once, and how many were read at once."""
    data = Decay(frames)
    task = Task("rollout", data, metrics, Evolve(history=2), batch=BATCH)
    around = Surroundings(timing_seconds=0.001, block_bytes=held * BATCH * N * N * 4)
    found = Outcome()
    samples, device = task.samples("test"), torch.device("cpu")
    score_split(solver, task, "test", samples, device, around, found, headline=True)
    return found, data.source.largest


@pytest.mark.parametrize("held", [1, 7, 16])
def test_blocks_leave_the_record_of_the_whole(held: int) -> None:
    (whole, _), (blocks, read) = (outcome(Given(Factor()), 52, h) for h in (50, held))
    assert read == max(held, 2)  # the given frames are two
    assert set(whole.arrays) == set(blocks.arrays) and set(whole.costs) == set(blocks.costs)
    for name, values in whole.arrays.items():
        np.testing.assert_allclose(blocks.arrays[name], values, rtol=1e-6)  # stored as float32
    for name, score in whole.scores["test"].items():
        np.testing.assert_allclose(blocks.scores["test"][name]["values"], score["values"], 1e-12)
    expected = np.float32(0.98 / 0.99) ** np.arange(1, 51)
    got = blocks.arrays["test/nrmse"]
    np.testing.assert_allclose(got, np.tile(1 - expected, (8, 1)), atol=1e-5)  # float32 powers
    assert whole.alone == blocks.alone == 0.0


def test_the_trajectory_is_kept_only_for_a_metric_that_needs_it() -> None:
    whole, _ = outcome(Given(Factor()), 32, 30, (histogram_w1,))
    blocks, read = outcome(Given(Factor()), 32, 4, (histogram_w1,))
    assert read == 4 and whole.scores == blocks.scores


@pytest.mark.parametrize("held", [5, 16, 200])
def test_blow_up_in_the_middle_has_its_time_whatever_the_block(held: int) -> None:
    with pytest.raises(Diverged, match=r"left finite numbers at t=42, 4 of 4 samples"):
        outcome(Given(Factor(good=40)), 200, held)


def test_solve_and_stream_are_one_answer() -> None:
    problem = Evolve(history=2).ask(Samples(Decaying(40))).problem
    solver = Given(Factor())
    blocks = [solution.u.clone() for solution in solver.stream(problem, 9)]
    assert [b.shape[1] for b in blocks] == [9, 9, 9, 9, 2]
    assert torch.equal(torch.cat(blocks, 1), solver.solve(problem).u)
    assert not torch.is_inference_mode_enabled()


def test_scores_of_a_stream_without_the_harness() -> None:
    samples = Evolve(history=2).ask(Samples(Decaying(40)))
    problem, solver = samples.problem, Given(Factor())
    found = scored(METRICS, paired(solver.stream(problem, 9), samples.frames), problem)
    for metric in METRICS:
        whole = metric(solver.solve(problem), samples.target, problem)
        assert torch.allclose(found[metric.short], whole, rtol=1e-12, atol=1e-15)


def test_the_code_of_the_documents_scores_a_stream() -> None:
    """docs/rollouts.md: a metric of one's own, gathered from blocks of 32 of 38 frames."""
    text = (Path(__file__).parents[1] / "docs" / "rollouts.md").read_text()
    samples = Evolve(history=2).ask(Samples(Decaying(40)))
    names = {"samples": samples, "solver": Given(Factor())}
    for code in re.findall(r"```python\n(.*?)```", text, re.S):
        exec(code, names)
    factor = (0.98 / 0.99) ** torch.arange(1.0, 39.0, dtype=torch.float64)
    size = 0.99 ** torch.arange(1.0, 39.0, dtype=torch.float64)
    expected = float(((1 - factor) * size).sum() / size.sum())
    got = names["scores"]["mean_field_error"]
    assert torch.allclose(got, torch.full_like(got, expected), rtol=1e-4)  # powers in float32


class Wrong(Solver):
    """Streams blocks of the given lengths."""

    def __init__(self, *lengths: int) -> None:
        self.lengths = lengths

    def solve(self, problem: Problem) -> Solution:
        raise NotImplementedError

    def stream(self, problem: Problem, block: int):
        for length in self.lengths:
            yield Solution(problem.input.new_zeros(len(problem), length, 1, N, N))


@pytest.mark.parametrize(
    ("lengths", "said"),
    [
        ((4, 3), r"shape \(4, 7, 1, 32, 32\), expected \(4, 10, 1"),
        ((4, 7), r"shape \(4, 7, 1, 32, 32\), expected \(4, 6, 1"),
        ((4, 6, 1), "went on after the 10 frames asked for"),
        ((), r"expected \(4, 10"),
    ],
)
def test_streams_of_other_lengths_are_refused(lengths: tuple[int, ...], said: str) -> None:
    with pytest.raises(SolverError, match=said):
        outcome(Wrong(*lengths), 12, 4)


def test_questions_about_some_times_keep_all_else() -> None:
    problem = Decaying(9).problem(slice(0, 2))
    part = problem.at(slice(2, 5))
    assert part.times is not None and part.times.tolist() == [2, 3, 4]
    assert part.inputs == problem.inputs
    steady = replace(problem, times=None)
    assert steady.at(slice(0, 1)) is steady


MEMORY = """
import importlib.util, pathlib, re, sys
spec = importlib.util.spec_from_file_location("test_running", sys.argv[1])
tests = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tests)
for frames in (50, 50, 4000):
    tests.outcome(tests.Given(tests.Factor()), frames, 10)
    status = pathlib.Path("/proc/self/status").read_text()
    print(*re.findall(r"VmHWM:\\s+(\\d+) kB", status))  # of this process alone, unlike ru_maxrss
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells it")
def test_memory_does_not_grow_with_the_horizon() -> None:
    """Of 4000 frames, 66 MB of answers and as many of references, less than a tenth of one is held
    beyond what 50 take: the allocator alone moves the peak by some 3 MB from run to run."""
    command = [sys.executable, "-c", MEMORY, __file__]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    _, short, long = map(int, ran.stdout.split())
    assert (long - short) * 1024 < 0.1 * 4000 * BATCH * N * N * 4
