"""Iterations and seconds of learned and classical directions on pressure systems of three sizes.

    make study-pressure && python benchmarks/studies/pressure_iterations.py [--threads 1]

The networks are those that ``make study-pressure`` trained at 16^3 without obstacles, one per seed,
read from the store (PDEBENCH_STORE); Kaneda et al., ICML 2023, trained at 64^3 and 128^3 on a GPU,
with 20,000 vectors and 2,000,000 updates. They are asked for boxes with spheres and for winding
plates at 16^3, 32^3 and 64^3 (there the first seed alone, spheres alone). Iterations are those
until the true relative residual is below 1e-4 and 1e-6; seconds include the preconditioner, built
anew for every matrix. Intervals: 95 %, bootstrap over seeds and systems.

Writes iterations.json and iterations.svg into leaderboards/pressure, after every group of systems.
"""

import argparse
import json
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra.utils import instantiate
from pdebench_turbulence.pressure import Pressure

from pdebench.atomic import write_atomically
from pdebench.config import compose
from pdebench.errors import DataError
from pdebench.harness.store import Store
from pdebench.paths import default_store
from pdebench.problem import Problem
from pdebench.solver import IterativeSolver

CLASSICAL = ("cg", "jacobi_cg", "ic_cg", "deflated_cg", "amg_cg", "poisson_cg")
KINDS = {"test": "spheres and boxes", "ood_plates": "plates"}
ROWS = {16: 4, 32: 2, 64: 1}  # systems per kind of obstacles
LEVELS = (1e-4, 1e-6)
FOLDER = Path(__file__).parents[2] / "leaderboards/pressure"
Run = dict[str, list[float | None]]


def built(name: str, *overrides: str) -> Any:
    """Return a solver as configured."""
    return instantiate(compose([f"solver={name}", *overrides]).solver, _convert_="all")


def networks(store: Store, steps: int) -> tuple[list[IterativeSolver], list[float]]:
    """Return the trained solvers by seed and what each cost offline, seconds."""
    found = [
        r
        for r in store
        if r.status == "ok" and r.solver["name"] == "deepcg"
        if r.task["name"] == "turbulence/pressure" and r.task["track"] == "tiny"
    ]
    if not found:
        raise DataError(f"'{store.root}' holds no trained network; run 'make study-pressure' first")
    solvers = []
    for record in sorted(found, key=lambda r: r.seed):
        solver = built("deepcg", f"solver.steps={steps}", "solver.tolerance=1e-6")
        solver.load(store.workspace(record.id))
        solvers.append(solver)
    return solvers, [r.costs["fit"]["seconds"] for r in sorted(found, key=lambda r: r.seed)]


def run(solver: IterativeSolver, problem: Problem) -> Run:
    """Return iterations and seconds to each level for one system; None where it was not reached."""
    system = problem.equation.linear_system(problem)
    b = system.rhs.double()
    iterations: list[float | None] = [None] * len(LEVELS)
    seconds: list[float | None] = [None] * len(LEVELS)
    solver.prepare(problem)
    spent, count = 0.0, -1
    steps = solver.iterates(problem)
    while iterations[-1] is None:
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
    return {"iterations": iterations, "seconds": seconds}


def interval(table: np.ndarray) -> list[float]:
    """Return mean, low, high over seeds and systems of (seeds, systems)."""
    random = np.random.default_rng(0)
    means = []
    for _ in range(2000):
        rows = table[random.integers(0, len(table), len(table))]
        means.append(rows[:, random.integers(0, table.shape[1], table.shape[1])].mean())
    low, high = np.quantile(means, [0.025, 0.975])
    return [float(table.mean()), float(low), float(high)]


def summary(runs: list[list[Run]]) -> dict[str, Any]:
    """Return intervals of iterations and seconds to every level from runs[seed][system]."""
    found: dict[str, Any] = {"systems": len(runs[0]), "seeds": len(runs)}
    for what in ("iterations", "seconds"):
        for place, level in enumerate(LEVELS):
            values = [[r[what][place] for r in seed] for seed in runs]
            missed = sum(v is None for seed in values for v in seed)
            entry: dict[str, Any] = {"not_reached": missed}
            if not missed:
                mean, low, high = interval(np.array(values, float))
                entry |= {"mean": mean, "low": low, "high": high}
            found[f"{what}_to_{level:g}"] = entry
    return found


def problems(grid: int, split: str, folder: Path) -> list[Problem]:
    """Return systems one by one, each with obstacles of its own."""
    data = Pressure(grid, {split: ROWS[grid]}, 1)
    data.prepare(folder / f"{split}{grid}")
    return [data.split(split)[row : row + 1].problem for row in range(ROWS[grid])]


def said(entry: dict[str, Any]) -> str:
    """Return iterations to the last level in words."""
    count, seconds = (entry[f"{what}_to_{LEVELS[-1]:g}"] for what in ("iterations", "seconds"))
    if count["not_reached"]:
        return f"not reached on {count['not_reached']} of {entry['systems'] * entry['seeds']}"
    return (
        f"{count['mean']:7.1f} [{count['low']:.1f}, {count['high']:.1f}]  {seconds['mean']:.4f} s"
    )


def draw(rows: dict[str, Any], file: Path) -> None:
    """Draw iterations against cells per axis, one panel per level and kind of obstacles."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "pdebench"
    names = ("deepcg", *CLASSICAL)
    figure, panels = plt.subplots(2, 2, figsize=(9, 7), sharex=True, sharey=True)
    for line, kind in zip(panels, KINDS.values(), strict=True):
        for panel, level in zip(line, LEVELS, strict=True):
            for name in names:
                key = f"iterations_to_{level:g}"
                seen = [(n, rows.get(f"{n}^3, {kind}", {}).get(name, {}).get(key)) for n in ROWS]
                kept = [(n, one) for n, one in seen if one is not None and "mean" in one]
                means = [one["mean"] for _, one in kept]
                bars = [
                    [m - one["low"] for m, (_, one) in zip(means, kept, strict=True)],
                    [one["high"] - m for m, (_, one) in zip(means, kept, strict=True)],
                ]
                style = "o-" if name == "deepcg" else "s--"
                panel.errorbar([n for n, _ in kept], means, bars, fmt=style, capsize=3, label=name)
            panel.set(xscale="log", yscale="log", title=f"{kind}, to {level:g}")
            panel.set_xticks(list(ROWS), [f"{n}$^3$" for n in ROWS])
            panel.grid(alpha=0.3, which="both")
    for panel in panels[:, 0]:
        panel.set_ylabel("iterations")
    panels[0, 0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    """Solve, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=300, help="at most, of the learned rows")
    parser.add_argument("--learned", type=int, default=64, help="largest grid of the learned rows")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    began = time.perf_counter()
    command = f"python benchmarks/studies/{Path(__file__).name} {' '.join(sys.argv[1:])}".strip()
    learned, offline = networks(Store(default_store()), chosen.steps)
    rows: dict[str, Any] = {f"{n}^3, {kind}": {} for n in ROWS for kind in KINDS.values()}

    def note(grid: int, kind: str, name: str, runs: list[list[Run]]) -> None:
        rows[f"{grid}^3, {kind}"][name] = entry = summary(runs)
        sys.stdout.write(f"{grid}^3 {kind:<18} {name:<12} {said(entry)}\n")
        sys.stdout.flush()
        facts = {"offline_s": offline, "steps": chosen.steps, "threads": chosen.threads}
        content = {"command": command, **facts, "elapsed_s": time.perf_counter() - began}
        text = json.dumps(content | {"rows": rows}, indent=1) + "\n"
        write_atomically(FOLDER / "iterations.json", text.encode())

    with tempfile.TemporaryDirectory() as scratch:
        asked = {}
        for grid, split in product(ROWS, KINDS):
            asked[grid, split] = given = problems(grid, split, Path(scratch))
            for name in CLASSICAL:
                solver = built(name, "solver.tolerance=1e-7")
                note(grid, KINDS[split], name, [[run(solver, p) for p in given]])
        for (grid, split), given in asked.items():
            if grid <= chosen.learned and (grid <= 32 or split == "test"):
                solvers = learned if grid <= 32 else learned[:1]
                note(grid, KINDS[split], "deepcg", [[run(s, p) for p in given] for s in solvers])
                draw(rows, FOLDER / "iterations.svg")


if __name__ == "__main__":
    main()
