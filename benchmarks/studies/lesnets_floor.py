"""The residual that exact frames of a large-eddy simulation leave, before any training.

    python benchmarks/studies/lesnets_floor.py [--track small] [--out FILE.md]

For decaying and driven turbulence and frame spacings around the stored one: central differences,
one-sided ends, the released exchange of constants, the closure left out. A training on the residual
sees the closure only where the first column is far below the last.
"""

import argparse
import sys
from pathlib import Path

import torch
from pdebench_lesnets.floor import floor_table, markdown
from pdebench_lesnets.solver import LESnets

from pdebench.atomic import write_atomically
from pdebench.config import compose
from pdebench.harness import data
from pdebench.harness.run import Choices, build, resolve

TASKS = ("turbulence/hit_les_decaying", "turbulence/hit_les_driven")


def main() -> None:
    """Compute, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--track", default="small")
    parser.add_argument("--out", type=Path, help="Markdown file to write besides the result")
    given = parser.parse_args()
    text = f"# Residual of exact frames, track {given.track}\n\n"
    text += (
        "Mean-square momentum residual of exact large-eddy simulations (Smagorinsky, C = 0.01,\n"
        "width one cell) on the grid of the task, and of the filtered simulations themselves.\n"
        f"Made by `python benchmarks/studies/lesnets_floor.py --track {given.track}`.\n"
    )
    for name in TASKS:
        overrides = [f"task={name}", f"track={given.track}", "solver=lesnets"]
        run = resolve(compose(overrides), Choices("lesnets", name, given.track))
        task, solver = build(run.config["task"], "task"), build(run.config["solver"], "solver")
        assert isinstance(solver, LESnets)
        data.prepare(run.data, run.config["task"]["dataset"], task.dataset)
        samples = task.samples("test")[:2]
        with torch.no_grad():
            rows = floor_table(solver.physics, samples.problem, samples.target)
        part = f"\n## {name}\n\n{markdown(rows)}"
        sys.stdout.write(part)
        text += part
    if given.out:
        write_atomically(given.out, text.encode())


if __name__ == "__main__":
    main()
