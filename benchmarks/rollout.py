"""A rollout of 500 steps in the harness against a bare loop, and the memory of a long one.

    python benchmarks/rollout.py [--threads 1] [--rounds 5]

The same IFactFormer-m on 12 x 17 x 12 points: `LearnedSolver.solve`, `Rollout.march`, and a loop of
three lines that feeds the network its own output and keeps every frame. Memory is the growth of the
process between steps 50 and 500 of `Rollout.march`.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import final

import torch
from pdebench_ifactformer.network import IFactFormer
from report import interleaved, ratio_interval, store_result
from torch import Tensor, nn

from pdebench.domain import Axis, Grid
from pdebench.equations.channel_flow import ChannelFlow
from pdebench.learning import LearnedSolver, Rollout, Sizes
from pdebench.learning.solver import Scaled
from pdebench.problem import Problem

SHAPE, STEPS = (12, 17, 12), 500


@final
class Given(LearnedSolver):
    """A solver around a network that is there."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__(Rollout())
        self.model = Scaled(net, None, None)

    def network(self, sizes: Sizes) -> nn.Module:
        raise NotImplementedError


def question() -> Problem:
    """Return a problem of 500 frames after one."""
    grid = Grid((Axis.torus(12, 3.0), Axis.chebyshev(17), Axis.torus(12, 1.0)))
    frame = torch.randn(1, 1, 3, *SHAPE, generator=torch.Generator().manual_seed(0))
    times = torch.arange(1.0, STEPS + 1)
    return Problem(ChannelFlow(), grid, {"velocity": frame}, times, torch.zeros(1))


def resident() -> int:
    """Return the bytes of memory that the process holds."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def growth(net: nn.Module, problem: Problem) -> int:
    """Return by how many bytes the process grows between steps 50 and 500 of a march."""
    start = 0
    with torch.inference_mode():
        for n, _ in enumerate(Rollout().march(net, problem), start=1):
            if n == 50:
                start = resident()
    return resident() - start


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    problem = question()
    nodes = [axis.nodes for axis in problem.domain.axes]  # type: ignore[attr-defined]
    net = IFactFormer(3, 3, nodes, dim=24, heads=2, head_width=16, iterations=2).eval()
    solver = Given(net)

    def bare() -> Tensor:
        u, frames = problem.initial, []
        with torch.inference_mode():
            for _ in range(STEPS):
                u = net(u)
                frames.append(u)
            return torch.stack(frames, 1)

    def marched() -> None:
        with torch.inference_mode():
            for _ in Rollout().march(net, problem):
                pass

    if not torch.equal(bare(), solver.solve(problem).u):
        raise SystemExit("the two rollouts differ")
    work: dict[str, Callable[[], object]] = {
        "harness": lambda: solver.solve(problem),
        "march": marched,
        "bare": bare,
    }
    times = interleaved(work, given.rounds, warmup=1)
    rows = {}
    for name in ("harness", "march"):
        ratio, low, high = ratio_interval(times[name], times["bare"])
        rows[name] = {"ratio": ratio, "low": low, "high": high, "median_s": median(times[name])}
        sys.stdout.write(f"{name}: {ratio:.4f} x a bare loop [{low:.4f}, {high:.4f}]\n")
    grown = growth(net, problem)
    frame = problem.initial.nbytes
    sys.stdout.write(f"grows by {grown} bytes in 450 steps; a frame has {frame}\n")
    facts = {"steps": STEPS, "shape": SHAPE, "threads": given.threads}
    memory = {"grown_bytes": grown, "frame_bytes": frame}
    store_result("rollout", {"baseline": "bare", "rows": rows, "memory": memory, "facts": facts})


if __name__ == "__main__":
    main()
