"""A rollout in the harness against a bare loop, scored on the fly against scored afterwards, and
its memory at several horizons.

    python benchmarks/rollout.py [--threads 1] [--rounds 7]

The same IFactFormer-m on 12 x 17 x 12 points, 500 steps. ``stream`` is the answer as the harness
takes it, block by block, checked; ``bare`` a loop of three lines that feeds the network its own
output and keeps every frame. ``scored`` adds the scores of turbulence/channel_evolve to each block,
``bare_scored`` the same to the frames that the loop kept. Both members of a pair advance in turn,
some frames each, so that drifts of the machine hit both alike. Memory: by how much the process has
grown at most, in a process of its own for each horizon.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, final

import torch
from pdebench_ifactformer.network import IFactFormer
from report import ratio_interval, store_result
from torch import Tensor, nn

from pdebench import heap
from pdebench.domain import Axis, Grid
from pdebench.equations.channel_flow import ChannelFlow
from pdebench.harness.answer import answered
from pdebench.learning import LearnedSolver, Rollout, Sizes
from pdebench.learning.solver import Scaled
from pdebench.metrics.errors import relative_l2
from pdebench.metrics.flow import divergence, energy_drift
from pdebench.metrics.profiles import mean_profile_error, reynolds_stress_error, rms_profile_error
from pdebench.metrics.walls import wall_increment_error, wall_spectrum_error
from pdebench.problem import Problem, Solution
from pdebench.running import Running

SHAPE, STEPS, BLOCK, HORIZONS = (12, 17, 12), 500, 100, (50, 500, 2000)
METRICS = (relative_l2, mean_profile_error, rms_profile_error, reynolds_stress_error)
METRICS += (wall_spectrum_error, wall_increment_error, energy_drift, divergence)
Pieces = Iterator[None]


@final
class Given(LearnedSolver):
    """A solver around a network that is there."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__(Rollout())
        self.model = Scaled(net, None, None)

    def network(self, sizes: Sizes) -> nn.Module:
        raise NotImplementedError


def question(steps: int) -> Problem:
    """Return a problem of so many frames after one."""
    grid = Grid((Axis.torus(12, 3.0), Axis.chebyshev(17), Axis.torus(12, 1.0)))
    frame = torch.randn(1, 1, 3, *SHAPE, generator=torch.Generator().manual_seed(0))
    times = torch.arange(1.0, steps + 1)
    return Problem(ChannelFlow(), grid, {"velocity": frame}, times, torch.zeros(1))


def network(problem: Problem) -> nn.Module:
    """Return the network, the same every time."""
    torch.manual_seed(0)
    nodes = [axis.nodes for axis in problem.domain.axes]  # type: ignore[attr-defined]
    return IFactFormer(3, 3, nodes, dim=24, heads=2, head_width=16, iterations=2).eval()


def reference(frames: slice) -> Tensor:
    """Return frames of a reference, made when they are read."""
    count = frames.stop - frames.start
    return torch.randn(1, count, 3, *SHAPE, generator=torch.Generator().manual_seed(frames.start))


def bare(net: nn.Module, problem: Problem, kept: list[Tensor]) -> Pieces:
    """Feed the network its own output, keep every frame; pause after every `BLOCK`."""
    u, steps = problem.initial, len(problem.times)  # type: ignore[arg-type]
    for start in range(0, steps, BLOCK):
        with torch.inference_mode():
            for _ in range(min(BLOCK, steps - start)):
                u = net(u)
                kept.append(u)
        yield


def bare_scored(net: nn.Module, problem: Problem) -> Pieces:
    """Score the frames of the loop when all are there."""
    kept: list[Tensor] = []
    yield from bare(net, problem, kept)
    answer = Solution(torch.stack(kept, 1))
    starts = range(0, len(kept), BLOCK)
    parts = [reference(slice(n, min(n + BLOCK, len(kept)))) for n in starts]
    target = torch.cat(parts, 1)
    for metric in METRICS:
        metric(answer, target, problem)
    yield


def streamed(net: nn.Module, problem: Problem, scored: bool) -> Pieces:
    """Answer as the harness does; pause after every block."""
    running = Running(METRICS if scored else (), problem)
    solver, frames = Given(net), reference if scored else _nothing
    for block, target in answered(solver, problem, problem, frames, BLOCK, ()):
        running.add(block, target)
        yield
    running.scores()
    yield


def _nothing(frames: slice, shared: Tensor = torch.zeros(1, BLOCK, 3, *SHAPE)) -> Tensor:  # noqa: B008 (a constant)
    return shared[:, : frames.stop - frames.start]


def in_turn(first: Pieces, second: Pieces) -> tuple[float, float]:
    """Return the seconds of two pieces of work that advance in turn, then in reverse."""
    work, spent, turn = [first, second], [0.0, 0.0], 0
    going = [True, True]
    while any(going):
        for k in (0, 1) if turn % 2 == 0 else (1, 0):
            began = time.perf_counter()
            going[k] = next(work[k], work) is not work
            spent[k] += time.perf_counter() - began
        turn += 1
    return spent[0], spent[1]


def compared(
    ours: Callable[[], Pieces], theirs: Callable[[], Pieces], rounds: int
) -> dict[str, float]:
    """Return the ratio of two pieces of work, the medians of both; the first round is a warm-up."""
    pairs = [in_turn(ours(), theirs()) for _ in range(rounds + 1)][1:]
    a, b = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    ratio, low, high = ratio_interval(a, b)
    found = {"ratio": ratio, "low": low, "high": high, "median_s": median(a)}
    return found | {"baseline_s": median(b), "rounds": rounds}


def peak(kind: str, steps: int) -> int:
    """Return by how many bytes a process of its own grows at most in one rollout, scored."""
    command = [sys.executable, __file__, "--peak", kind, "--steps", str(steps)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(json.loads(ran.stdout))


def grown(kind: str, steps: int) -> int:
    """Return by how many bytes this process grows at most in one rollout, after a short one."""

    def work(count: int) -> None:
        problem = question(count)
        net = network(problem)
        for _ in streamed(net, problem, True) if kind == "scored" else bare_scored(net, problem):
            pass

    work(50)
    heap.return_freed()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    before = resident("VmRSS")
    work(steps)
    return resident("VmHWM") - before


def resident(what: str) -> int:
    """Return the memory of this process now or at most, bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(re.findall(rf"{what}:\s+(\d+) kB", status)[0])


def check(net: nn.Module, problem: Problem) -> None:
    """Exit where the harness and the loop do not give the same frames."""
    kept: list[Tensor] = []
    for _ in bare(net, problem, kept):
        pass
    if not torch.equal(torch.stack(kept, 1), Given(net).solve(problem).u):
        raise SystemExit("the two rollouts differ")


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peak", choices=("scored", "bare_scored"), help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, default=STEPS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    heap.keep_freed()  # as in a run of the suite
    if given.peak:
        sys.stdout.write(json.dumps(grown(given.peak, given.steps)))
        return
    problem = question(STEPS)
    net = network(problem)
    check(net, problem)
    rows: dict[str, Any] = {
        "stream": compared(
            lambda: streamed(net, problem, False), lambda: bare(net, problem, []), given.rounds
        ),
        "scored": compared(
            lambda: streamed(net, problem, True), lambda: bare_scored(net, problem), given.rounds
        ),
    }
    for name, row in rows.items():
        sys.stdout.write(f"{name}: {row['ratio']:.4f} x [{row['low']:.4f}, {row['high']:.4f}]\n")
    kinds = ("scored", "bare_scored")
    memory = {kind: {str(n): peak(kind, n) for n in HORIZONS} for kind in kinds}
    for kind, found in memory.items():
        sys.stdout.write(f"{kind}: {found} bytes at most\n")
    facts = {"steps": STEPS, "shape": SHAPE, "threads": given.threads, "block": BLOCK}
    facts["frame_bytes"] = problem.initial.nbytes
    bases = {"stream": "bare", "scored": "bare_scored"}
    store_result(
        "rollout", {"baselines": bases, "rows": rows, "peak_bytes": memory, "facts": facts}
    )


if __name__ == "__main__":
    main()
