"""Iterations and seconds of learned and classical directions on pressure systems of three sizes.

    python benchmarks/pressure_iterations.py [--threads 1] [--seeds 2] [--epochs 10]

Deep conjugate directions are trained at 16^3 without obstacles (Kaneda et al., ICML 2023, sec. 5;
there at 64^3 and 128^3 on a GPU, with 20,000 vectors and 2,000,000 updates) and asked for boxes
with spheres and for winding plates at 16^3, 32^3 and 64^3. Iterations are those until the true
relative residual is below 1e-4 and 1e-6; seconds include the preconditioner, built anew for every
matrix. Intervals: 95 %, bootstrap over seeds and systems.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra.utils import instantiate
from pdebench_turbulence.pressure import Pressure
from report import store_result

from pdebench.config import compose
from pdebench.problem import Problem
from pdebench.solver import Budget, IterativeSolver

CLASSICAL = ("cg", "jacobi_cg", "ic_cg", "deflated_cg", "amg_cg", "poisson_cg")
ROWS = {16: 6, 32: 4, 64: 1}  # systems per kind of obstacles
LEVELS = (1e-4, 1e-6)
TRAINED = 16


def built(name: str, *overrides: str) -> Any:
    """Return a solver as configured."""
    return instantiate(compose([f"solver={name}", *overrides]).solver, _convert_="all")


def run(solver: IterativeSolver, problem: Problem) -> dict[str, list[float | None]]:
    """Return iterations and seconds to each level for one system; None where it was not reached."""
    system = problem.equation.linear_system(problem)
    b = system.rhs.double()
    iterations: list[float | None] = [None] * len(LEVELS)
    seconds: list[float | None] = [None] * len(LEVELS)
    solver.prepare(problem)
    spent, count = 0.0, -1
    steps = solver.iterates(problem)
    while True:
        began = time.perf_counter()
        step = next(steps, None)
        spent += time.perf_counter() - began
        if step is None:
            break
        x, count = step.u, count + 1
        # the check is not on the solver's clock
        relative = float((b - system.matvec(x.double().flatten(1))).norm() / b.norm())
        for place, level in enumerate(LEVELS):
            if iterations[place] is None and relative <= level:
                iterations[place], seconds[place] = count, spent
        if iterations[-1] is not None:
            break
    return {"iterations": iterations, "seconds": seconds}


def interval(table: np.ndarray) -> list[float]:
    """Return mean, low, high over seeds and systems of (seeds, systems); NaN: not reached."""
    if np.isnan(table).any():
        return [float("nan")] * 3
    random = np.random.default_rng(0)
    means = []
    for _ in range(2000):
        rows = table[random.integers(0, len(table), len(table))]
        means.append(rows[:, random.integers(0, table.shape[1], table.shape[1])].mean())
    low, high = np.quantile(means, [0.025, 0.975])
    return [float(table.mean()), float(low), float(high)]


def summary(runs: list[list[dict[str, list[float | None]]]]) -> dict[str, Any]:
    """Return intervals of iterations and seconds to every level from runs[seed][system]."""
    found: dict[str, Any] = {"systems": len(runs[0]), "seeds": len(runs)}
    for what in ("iterations", "seconds"):
        for place, level in enumerate(LEVELS):
            values = [[np.nan if r[what][place] is None else r[what][place] for r in s]
                      for s in runs]  # fmt: skip
            mean, low, high = interval(np.array(values, float))
            reached = None if np.isnan(mean) else {"mean": mean, "low": low, "high": high}
            found[f"{what}_to_{level:g}"] = reached
    return found


def problems(grid: int, split: str, folder: Path) -> list[Problem]:
    """Return systems one by one, each with obstacles of its own."""
    data = Pressure(grid, {split: ROWS[grid]}, 1)
    data.prepare(folder / f"{split}{grid}")
    return [data.split(split)[row : row + 1].problem for row in range(ROWS[grid])]


def main() -> None:
    """Train, solve, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=10)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        data = Pressure(TRAINED, {"train": 1, "valid": 1}, 1)
        data.prepare(folder / "train")
        learned, offline = [], []
        for seed in range(chosen.seeds):
            torch.manual_seed(seed)
            solver = built("deepcg", "solver.steps=600", "solver.tolerance=1e-6")
            start = time.perf_counter()
            solver.fit(data.split("train"), data.split("valid"), Budget(epochs=chosen.epochs))
            offline.append(time.perf_counter() - start)
            learned.append(solver)
        rows: dict[str, Any] = {}
        for grid in ROWS:
            for split, kind in (("test", "spheres and boxes"), ("ood_plates", "plates")):
                given = problems(grid, split, folder)
                table = {"deepcg": summary([[run(s, p) for p in given] for s in learned])}
                for name in CLASSICAL:
                    solver = built(name, "solver.tolerance=1e-7")
                    table[name] = summary([[run(solver, p) for p in given]])
                rows[f"{grid}^3, {kind}"] = table
                for name, entry in table.items():
                    reached = entry["iterations_to_1e-06"]
                    seconds = entry["seconds_to_1e-06"]
                    said = (
                        "not reached"
                        if reached is None
                        else (
                            f"{reached['mean']:7.1f} [{reached['low']:.1f}, {reached['high']:.1f}]"
                            f"  {seconds['mean']:.4f} s"
                        )
                    )
                    sys.stdout.write(f"{grid}^3 {kind:<18} {name:<12} {said}\n")
                sys.stdout.flush()
    content = {
        "trained": {"grid": TRAINED, "epochs": chosen.epochs, "offline_s": offline},
        "rows": rows,
        "threads": chosen.threads,
        "elapsed_s": time.perf_counter() - began,
    }
    store_result("pressure_iterations", content, ("torch", "scipy", "pyamg"))


if __name__ == "__main__":
    main()
