"""Iterations and seconds of learned and classical directions on pressure systems of four sizes.

    python benchmarks/studies/pressure_iterations.py [--threads 1]       # or make study-pressure

The networks are those that ``make study-pressure`` trained at 16^3 without obstacles, one per seed,
read from the store (PDEBENCH_STORE); Kaneda et al., ICML 2023, trained at 64^3 and 128^3 on a GPU,
with 20,000 vectors and 2,000,000 updates. They are asked for boxes with spheres and for winding
plates at 16^3 and 32^3, and by the first seed for spheres at 64^3 and 128^3 (one system).
Iterations are those until the true relative residual is below 1e-4 and 1e-6; seconds are those of
the processor, which with one thread do not count what else the machine does, and include the
preconditioner, built anew for every matrix. Intervals: 95 %, bootstrap over seeds and systems.

Writes iterations.json into leaderboards/pressure after every group of systems, and from it, by
``pressure_report.py``, iterations.md and iterations.png.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from pdebench_turbulence.pressure import Pressure
from pressure_report import FOLDER, interval, write

from pdebench.atomic import write_atomically
from pdebench.config import compose
from pdebench.errors import DataError
from pdebench.harness.store import Store
from pdebench.paths import default_store
from pdebench.problem import Problem
from pdebench.solver import IterativeSolver

CLASSICAL = ("cg", "jacobi_cg", "ic_cg", "deflated_cg", "amg_cg", "poisson_cg")
KINDS = {"test": "spheres and boxes", "ood_plates": "plates"}
ROWS = {16: 4, 32: 2, 64: 2, 128: 1}  # systems per kind of obstacles
GROUPS = [(n, split) for n, split in product(ROWS, KINDS) if n <= 64 or split == "test"]
LEVELS = (1e-4, 1e-6)
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
        began = time.process_time()
        step = next(steps, None)
        spent += time.process_time() - began
        if step is None:
            break
        x, count = step.u, count + 1
        # the check is not on the solver's clock
        relative = float((b - system.matvec(x.double().flatten(1))).norm() / b.norm())
        for place, level in enumerate(LEVELS):
            if iterations[place] is None and relative <= level:
                iterations[place], seconds[place] = count, spent
    return {"iterations": iterations, "seconds": seconds}


def summary(runs: list[list[Run]]) -> dict[str, Any]:
    """Return values and intervals of iterations and seconds to every level, runs[seed][system]."""
    found: dict[str, Any] = {"systems": len(runs[0]), "seeds": len(runs)}
    for what in ("iterations", "seconds"):
        for place, level in enumerate(LEVELS):
            values = [[r[what][place] for r in seed] for seed in runs]
            missed = sum(v is None for seed in values for v in seed)
            entry: dict[str, Any] = {"not_reached": missed, "values": values}
            if not missed:
                mean, low, high = interval(values)
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


class Table:
    """The rows so far, written after each; a run that was killed goes on from them."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.file, self._began = FOLDER / "iterations.json", time.perf_counter()
        self._facts, self._before = facts, 0.0
        self.rows: dict[str, Any] = {f"{n}^3, {KINDS[split]}": {} for n, split in GROUPS}
        if self.file.is_file():
            former = json.loads(self.file.read_text(encoding="utf-8"))
            if all(former.get(name) == value for name, value in facts.items()):
                self.rows, self._before = former["rows"], former["elapsed_s"]

    def add(self, group: str, name: str, runs: list[list[Run]]) -> None:
        """Note the runs of one solver on one group of systems."""
        self.rows[group][name] = entry = summary(runs)
        entry["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # so far
        sys.stdout.write(f"{group:<24} {name:<12} {said(entry)}  {entry['peak_gb']:.2g} GB\n")
        sys.stdout.flush()
        elapsed = self._before + time.perf_counter() - self._began
        content = {**self._facts, "elapsed_s": elapsed, "rows": self.rows}
        write_atomically(self.file, (json.dumps(content, indent=1) + "\n").encode())


def main() -> None:
    """Solve, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=200, help="at most, of the learned rows")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    command = f"python benchmarks/studies/{Path(__file__).name} {' '.join(sys.argv[1:])}".strip()
    learned, offline = networks(Store(default_store()), chosen.steps)
    facts = {"command": command, "offline_s": offline}
    table = Table(facts | {"steps": chosen.steps, "threads": chosen.threads})
    for grid, split in GROUPS:
        group = f"{grid}^3, {KINDS[split]}"
        names = ["deepcg", *CLASSICAL] if grid <= 32 or split == "test" else [*CLASSICAL]
        if grid > 64:
            names.sort(key=lambda name: name == "deepcg")  # by far the longest: last
        left = [name for name in names if name not in table.rows[group]]
        with tempfile.TemporaryDirectory() as scratch:
            given = problems(grid, split, Path(scratch)) if left else []
        for name in left:
            solvers = [built(name, "solver.tolerance=1e-7")]
            if name == "deepcg":
                solvers = learned if grid <= 32 else learned[:1]
            table.add(group, name, [[run(solver, p) for p in given] for solver in solvers])
    write()


if __name__ == "__main__":
    main()
