"""A step of the Gaussian-process solver against the formulation written down.

    python benchmarks/gp_step.py [--threads 1] [--rounds 3]

Straightforward: kernels and their second derivatives from all pairs of points, (K + jitter)^{-1} u
by an LU solve, log |K| by another factorisation. Ours: the N lags of a uniform grid, one Cholesky
factor for both. Same numbers (loss and gradients are compared first), float64, forward, backward,
Adam; N = 400, Q = 30 in 1D and 200 x 200, Q = 30 in 2D (Fang et al., ICLR 2024). And the growth of
a 2D step over grid sizes: factors per axis against the dense matrix of all nodes, Q = 4.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pdebench_gp.fit import State
from pdebench_gp.kernel import KERNELS, Parameters
from pdebench_gp.objective import Objective, Task, edges
from pdebench_gp.posterior import kron
from report import interleaved, ratio_interval, store_result
from torch import Tensor

KERNEL = KERNELS["Matern52_Cos_1d"]
JITTER, WEIGHT = 1e-6, 200.0


def plain_loss(task: Task, state: State, dense: bool = False) -> Tensor:
    """Return the objective from all pairs of points; ``dense``: one matrix of all nodes."""
    pairs = [KERNEL.matrices(x, x, p, 2) for x, p in zip(task.points, state.axes, strict=True)]
    noisy = [pair[0] + JITTER * torch.eye(len(pair[0])).double() for pair in pairs]
    u = state.u
    if dense and u.ndim == 2:
        whole = kron(noisy)
        solved = torch.linalg.solve(whole, u.flatten())
        quadratic, logdet = u.flatten() @ solved, torch.linalg.slogdet(whole)[1]
        seconds = [kron([pairs[0][2], noisy[1]]), kron([noisy[0], pairs[1][2]])]
        laplace = ((seconds[0] + seconds[1]) @ solved).view(u.shape)
    elif u.ndim == 2:
        a, b = torch.linalg.solve(noisy[0], u), torch.linalg.solve(noisy[1], u.T)
        quadratic = (a * b.T).sum()
        logdet = u.shape[1] * torch.linalg.slogdet(noisy[0])[1]
        logdet = logdet + u.shape[0] * torch.linalg.slogdet(noisy[1])[1]
        laplace = pairs[0][2] @ a + (pairs[1][2] @ b).T
    else:
        solved = torch.linalg.solve(noisy[0], u)
        quadratic, logdet = u @ solved, torch.linalg.slogdet(noisy[0])[1]
        laplace = pairs[0][2] @ solved
    ends = (edges(u) - task.boundary).square().sum()
    gap = (laplace - task.source).square().sum()
    tau, v = state.log_tau, state.log_v
    loss = 0.5 * quadratic + 0.5 * logdet
    loss = loss - WEIGHT * (len(task.boundary) / 2 * tau - 0.5 * tau.exp() * ends)
    return loss - (u.numel() / 2 * v - 0.5 * v.exp() * gap)


def setting(dim: int, n: int, q: int, freq: float) -> tuple[Task, Callable[[], State]]:
    """Return a task on [0, 2 pi]^dim and a maker of one random state."""
    x = torch.linspace(0, 2 * math.pi, n, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    shape = (n,) * dim
    u = torch.randn(shape, generator=generator).double()
    source = torch.randn(shape, generator=generator).double()
    task = Task((x,) * dim, source, torch.zeros_like(edges(u)), "poisson")
    shift = torch.randn(dim, 3, q, generator=generator).double() * 0.1

    def made() -> State:
        base = State.published(Objective(task, KERNEL), q, freq)
        axes = [
            Parameters(p.log_w + s[0], p.log_ls + s[1], p.freq + s[2])
            for p, s in zip(base.axes, shift, strict=True)
        ]
        return State(u.clone(), base.log_tau, base.log_v, axes)

    return task, made


def stepper(loss: Callable[[], Tensor], state: State) -> Callable[[], None]:
    """Return one step of Adam as a function."""
    optimizer = torch.optim.Adam(state.leaves, lr=1e-6)

    def once() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss().backward()
        optimizer.step()

    return once


def pair(dim: int, n: int, q: int, freq: float, dense: bool = False) -> dict[str, Any]:
    """Return both steps as functions and how far loss and gradients differ."""
    task, made = setting(dim, n, q, freq)
    ours, plain = made(), made()
    for state in (ours, plain):
        for leaf in state.leaves:
            leaf.requires_grad_()
    objective = Objective(task, KERNEL, JITTER, WEIGHT)
    losses = [ours.terms(objective).loss, plain_loss(task, plain, dense)]
    slopes = [
        torch.autograd.grad(loss, s.leaves) for loss, s in zip(losses, (ours, plain), strict=True)
    ]
    differ = max(
        float((a - b).norm() / b.norm().clamp_min(1e-300)) for a, b in zip(*slopes, strict=True)
    )
    value = abs(float(losses[0].detach() / losses[1].detach()) - 1)
    return {
        "ours": stepper(lambda: ours.terms(objective).loss, ours),
        "plain": stepper(lambda: plain_loss(task, plain, dense), plain),
        "difference": {"loss": value, "gradients": differ},
    }


def growth(sizes: tuple[int, ...], which: str, rounds: int) -> dict[str, Any]:
    """Return medians over sizes and the exponent of seconds against nodes per axis."""
    medians = []
    for n in sizes:
        step = pair(2, n, 4, 2.0, dense=which == "plain")[which]
        medians.append(float(np.median(interleaved({"it": step}, rounds, 1)["it"])))
    slope = float(np.polyfit(np.log(sizes), np.log(medians), 1)[0])
    sys.stdout.write(f"{which:<6} {sizes}: {medians} s, exponent {slope:.2f}\n")
    return {"nodes_per_axis": sizes, "seconds": medians, "exponent": slope}


def main() -> None:
    """Compare, time, store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    began, rows = time.perf_counter(), {}
    for name, dim, n in (("1D, N = 400, Q = 30", 1, 400), ("2D, 200 x 200, Q = 30", 2, 200)):
        both = pair(dim, n, 30, 20.0)
        seconds = interleaved({key: both[key] for key in ("ours", "plain")}, given.rounds, 1)
        ratio, low, high = ratio_interval(seconds["plain"], seconds["ours"])
        rows[name] = {
            "ours_s": float(np.median(seconds["ours"])),
            "plain_s": float(np.median(seconds["plain"])),
            "speedup": ratio,
            "low": low,
            "high": high,
            "difference": both["difference"],
        }
        sys.stdout.write(f"{name}: {ratio:.1f} x [{low:.1f}, {high:.1f}] {both['difference']}\n")
        sys.stdout.flush()
    grown = {
        "per axis": growth((16, 32, 64, 128), "ours", given.rounds),
        "dense": growth((12, 16, 24, 32), "plain", given.rounds),
    }
    content = {"rows": rows, "growth": grown, "threads": given.threads}
    store_result("gp_step", content | {"elapsed_s": time.perf_counter() - began})


if __name__ == "__main__":
    main()
