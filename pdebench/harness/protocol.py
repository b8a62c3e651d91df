"""The guards of one run: what its protocol was, and which guard it violates, in sentences.

What the harness can prevent it prevents (`access`, `guard`): no labels, equation or stored answers
beyond what was granted. What it can only find out afterwards stands here, in the record's
``protocol``, and in the board's column of that name.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pdebench.harness.overlap import overlaps
from pdebench.problem import Problem
from pdebench.solver import Budget, Solver
from pdebench.task import Task

_STATISTICS = 1e-2  # relative change of an answer by its batch; round-off is below 1e-4 in float32
_LATE = 1.2  # of the budget's seconds: the last step and the last validation end after them


def examined(
    solver: Solver,
    task: Task,
    *,
    costs: Mapping[str, Mapping[str, Any]],
    curve: Sequence[Mapping[str, float]],
    alone: float | None,
    precision: str | None,
    described: Mapping[str, Any],
    folder: Path | None,
) -> dict[str, Any]:
    """Return the record's ``protocol``: trials, precision, budget, and the guards it violates.

    Args:
        solver: after its fit.
        task: what it was asked.
        costs: of the phases.
        curve: of its training.
        alone: `batch_dependence` of its answers, None where it was not measured.
        precision: dtype of its answers.
        described: ``trials``, how many configurations were tried, chosen on valid, for this one
            (None: not declared), ``name``, ``overrides``, and of the ``task`` the ``digest``.
        folder: of the data set, for what is found about its splits.
    """
    digest = str(described.get("task", {}).get("digest", ""))
    violations = [{"guard": "overlap", "reason": said} for said in _shared(task, folder, digest)]
    if alone is not None and alone > _STATISTICS:
        violations.append({"guard": "test statistics", "reason": _depends(alone)})
    violations += [{"guard": "budget", "reason": s} for s in overspent(task.budget, costs, curve)]
    trials = described.get("trials")
    overrides = [o for o in described.get("overrides") or () if str(o).startswith("solver.")]
    named = (str(described.get("name")), *overrides)
    if trials is None and overrides and not any(set(r.split()) <= set(named) for r in task.ladder):
        said = f"{' '.join(overrides)} was chosen somehow: say of how many with trials=N"
        violations.append({"guard": "trials", "reason": said})
    training = getattr(getattr(solver, "training", None), "precision", None)
    return {
        "trials": 1 if trials is None and not overrides else trials,
        "precision": precision,
        "training_precision": None if training is None else str(training),
        "budget": {k: v for k, v in vars(task.budget).items() if v is not None},
        "violations": violations,
    }


def _shared(task: Task, folder: Path | None, digest: str) -> list[str]:
    try:
        return overlaps(task, folder, digest)
    except Exception as error:  # a finished run is never lost to what is looked at after it
        return [f"the splits could not be compared: {type(error).__name__}: {error}"]


def _depends(alone: float) -> str:
    return (
        f"the answer to one problem changes by {alone:.1e} with the others of its batch: "
        "statistics of the test split are in it"
    )


def overspent(
    budget: Budget, costs: Mapping[str, Mapping[str, Any]], curve: Sequence[Mapping[str, float]]
) -> list[str]:
    """Return where a fit took more than its budget: by the clock, or by its own curve.

    Only a fit that trains (has a curve, or is given nothing but seconds) has a budget of epochs or
    steps to keep.
    """
    found = []
    seconds = float(costs.get("fit", {}).get("seconds", 0.0))
    if budget.seconds is not None and seconds > _LATE * budget.seconds + 1.0:
        found.append(f"fit took {seconds:.3g} s of {budget.seconds:g} allowed")
    for name, limit in (("epoch", budget.epochs), ("step", budget.steps)):
        last = max((float(entry.get(name, 0)) for entry in curve), default=0.0)
        if limit is not None and last > limit:
            found.append(f"fit went to {name} {last:g} of {limit} allowed")
    return found


def batch_dependence(solver: Solver, problem: Problem, beside: Tensor) -> float | None:
    """Return the relative change of the first answer when it is solved alone; inf where it fails.

    Only the first asked frame counts: later ones of a chaotic flow differ by round-off. ``beside``
    is that frame (C, *S) of the first problem, solved with the others. None where the batch is one
    problem.
    """
    if len(problem) < 2:
        return None
    state = torch.random.get_rng_state()
    try:
        first = next(iter(solver.stream(problem.take(slice(0, 1)), 1))).u[0]
        alone = (first if problem.times is None else first[0]).to(beside.device)
    except Exception:  # what it says when it is asked for one problem is the finding
        return float("inf")
    finally:
        torch.random.set_rng_state(state)
    if alone.shape != beside.shape:
        return float("inf")
    scale = float(torch.linalg.vector_norm(beside.double()))
    apart = float(torch.linalg.vector_norm((alone - beside).double()))
    change = apart / scale if scale else apart
    return change if math.isfinite(change) else float("inf")
