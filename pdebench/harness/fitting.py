"""Fit one solver under the clock, the seal and the budget, and keep what the fit leaves."""

from dataclasses import asdict

import torch

from pdebench import cost, origin
from pdebench.harness.guard import sealed
from pdebench.harness.outcome import Outcome, Surroundings
from pdebench.samples import Samples
from pdebench.session import Session, opened
from pdebench.solver import Solver
from pdebench.task import Task


def fit_solver(
    solver: Solver,
    task: Task,
    train: Samples,
    valid: Samples,
    seed: int,
    around: Surroundings,
    outcome: Outcome,
) -> None:
    """Fit ``solver`` on ``train`` and ``valid`` into ``outcome``; keep its weights and their origin
    in the workspace.
    """
    device = torch.device(around.device)
    session = Session(
        seed=seed,
        folder=around.workspace,
        logger=around.logger,
        label=f"fit {type(solver).__name__} seed {seed}",
        progress=around.progress,
        device=around.device,
    )
    with opened(session), sealed(*around.sealed), cost.peak_memory(device) as peak:
        seconds, _ = cost.once(lambda: solver.fit(train, valid, task.budget), device)
    outcome.costs["fit"] = {"seconds": seconds, "peak_bytes": peak.bytes, "repeats": 1}
    _pretrained(solver, task, outcome)
    if around.workspace is not None:
        solver.save(around.workspace)
        if any(around.workspace.glob("*")):
            dataset = task.dataset.card.name
            origin.write(
                around.workspace, task.name, dataset, len(train), seconds, solver.pretraining
            )


def _pretrained(solver: Solver, task: Task, outcome: Outcome) -> None:
    """State where the fit's start came from; its cost is a phase of its own, never part of fit."""
    before = solver.pretraining
    if before is None:
        return
    outcome.pretrained = asdict(before) | {"related": before.related(task.dataset.card.name)}
    if before.seconds is not None:
        outcome.costs["pretrain"] = {"seconds": before.seconds, "repeats": 1}
