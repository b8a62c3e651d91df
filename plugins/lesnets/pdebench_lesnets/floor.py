"""The residual that exact frames leave: what no training on them can beat.

Frames of an exact solution of the filtered equations with the solver's closure have no residual but
that of the time differences. Where this floor is not far below the residual that leaving out the
closure makes, a training on the residual cannot see the closure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equations.closures import NoClosure
from pdebench.equations.filtered_flow import FilteredNavierStokes
from pdebench.errors import Unsupported
from pdebench.problem import Problem
from pdebench.spectral import Modes
from pdebench_lesnets.physics import Physics
from pdebench_lesnets.released import Program

STRIDES = (1, 2, 4, 10)  # in units of half the spacing of the stored frames
COLUMNS = ("central", "mixed", "constants exchanged", "no closure")


def exact_frames(
    law: FilteredNavierStokes, problem: Problem, spacing: float, count: int, substeps: int = 4
) -> Tensor:
    """Return u (B, count + 1, d, *S) of du/dt = N(u) from the problem's initial field, float64.

    Classical Runge-Kutta of order four with ``substeps`` steps per frame, on the problem's own
    grid with the law's dealiasing: its error is far below that of the differences it serves to
    measure.
    """
    grid = problem.domain
    assert isinstance(grid, Grid)
    u = problem.initial.double()
    modes = Modes.of(grid.shape, grid.extent)
    nu = problem.parameters["viscosity"].double().view(-1, *(1,) * (grid.dim + 1))
    h = spacing / substeps
    frames = [u]
    for _ in range(count):
        for _ in range(substeps):
            a = law.tendency(u, nu, modes)
            b = law.tendency(u + h / 2 * a, nu, modes)
            c = law.tendency(u + h / 2 * b, nu, modes)
            d = law.tendency(u + h * c, nu, modes)
            u = u + h / 6 * (a + 2 * b + 2 * c + d)
        frames.append(u)
    return torch.stack(frames, 1)


def floor_table(
    physics: Physics, problem: Problem, target: Tensor, count: int = 10
) -> list[dict[str, Any]]:
    """Return one row per frame spacing: mean-square momentum residual of exact frames, and the
    filtered simulation's own at the stored spacing.
    """
    law = physics.equation(problem)
    if not isinstance(law, FilteredNavierStokes) or problem.times is None:
        raise Unsupported(f"the floor is for filtered flows, the task's is {type(law).__name__}")
    stored = float(problem.times[1] - problem.times[0])
    finest = exact_frames(law, problem, stored / 2, count * max(STRIDES))
    rows = []
    for stride in STRIDES:
        frames = finest[:, : count * stride + 1 : stride]
        rows.append({"spacing": stored / 2 * stride, "frames": "exact"} | _row(
            physics, law, problem, frames, stored / 2 * stride))  # fmt: skip
    filtered = torch.cat([problem.initial.unsqueeze(1), target[:, :count]], 1).double()
    return [*rows, {"spacing": stored, "frames": "filtered simulation"} | _row(
        physics, law, problem, filtered, stored)]  # fmt: skip


def _row(
    physics: Physics,
    law: FilteredNavierStokes,
    problem: Problem,
    frames: Tensor,
    spacing: float,
) -> dict[str, float]:
    times = spacing * torch.arange(1, frames.shape[1], dtype=torch.float64)
    asked = replace(
        problem,
        inputs={next(iter(problem.inputs)): frames[:, :1]},
        times=times,
        history=torch.zeros(1, dtype=torch.float64),
        parameters={k: v.double() for k, v in problem.parameters.items()},
    )

    def mean_square(form: FilteredNavierStokes) -> float:
        found = form.residual(frames[:, 1:], asked)
        return float(found[:, :, :-1].square().mean())

    grid = problem.domain
    assert isinstance(grid, Grid)
    exchanged = Program(
        (grid.extent[0], grid.extent[1], grid.extent[2]),
        physics.width(grid),
        float(problem.parameters["viscosity"][0]),
        physics.given or 0.0,
        swapped=True,
    )
    return {
        "central": mean_square(replace(law, scheme="central")),
        "mixed": mean_square(replace(law, scheme="mixed")),
        "constants exchanged": float(exchanged.residual(frames, spacing).square().mean()),
        "no closure": mean_square(replace(law, scheme="central", closure=NoClosure())),
    }


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table as Markdown."""
    lines = [
        "| frame spacing | frames | " + " | ".join(COLUMNS) + " |",
        "| ---: | --- |" + " ---: |" * len(COLUMNS),
    ]
    for row in rows:
        cells = " | ".join(f"{row[column]:.2e}" for column in COLUMNS)
        lines.append(f"| {row['spacing']:g} | {row['frames']} | {cells} |")
    return "\n".join(lines) + "\n"
