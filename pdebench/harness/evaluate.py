"""Fit, prepare, solve and score one solver on one task; every outcome is a `Record`."""

import datetime
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pdebench.access import declared, grant_samples, grant_task
from pdebench.errors import AccessError, Diverged, SolverError, Unsupported
from pdebench.harness.draft import task_facts
from pdebench.harness.environment import environment, versions
from pdebench.harness.fitting import fit_solver
from pdebench.harness.guard import sealed
from pdebench.harness.outcome import Outcome, Surroundings
from pdebench.harness.protocol import examined
from pdebench.harness.record import Record, Status
from pdebench.harness.scoring import score_split
from pdebench.solver import Solver
from pdebench.task import Task


def seed_everything(seed: int) -> None:
    """Seed Python, numpy and torch from one number."""
    import random

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def evaluate(
    solver: Solver,
    task: Task,
    *,
    seed: int = 0,
    run_id: str = "0" * 64,
    described: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    surroundings: Surroundings | None = None,
) -> tuple[Record, dict[str, np.ndarray[Any, Any]]]:
    """Run ``solver`` on ``task`` and return its record and arrays (scores over time, example
    fields).

    Solver failures become statuses, never exceptions. The data set must be prepared.
    """
    around = surroundings or Surroundings()
    outcome = Outcome()
    status, reason = _attempt(solver, task, seed, around, outcome)
    if status == "ok":
        outcome.protocol = examined(
            solver,
            task,
            costs=outcome.costs,
            curve=outcome.curve,
            alone=outcome.alone,
            precision=outcome.precision,
            described=described or {},
            folder=around.data,
        )
    solver_facts = {"name": type(solver).__name__.lower(), "target": _qualified(solver)} | (
        described or {}
    )
    if solver.disclosures:
        solver_facts["disclosures"] = dict(solver.disclosures)
    record = Record(
        id=run_id,
        status=status,
        reason=reason,
        task=task_facts(task) | (described or {}).get("task", {}),
        solver={k: v for k, v in solver_facts.items() if k not in ("task", "trials")},
        seed=seed,
        uses=sorted(solver.uses),
        parameters=outcome.parameters,
        pretrained=outcome.pretrained,
        scores=outcome.scores,
        costs=outcome.costs,
        curve=outcome.curve,
        protocol=outcome.protocol,
        environment=environment(around.device),
        versions=versions(),
        config=config or {},
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    return record, outcome.arrays


def _qualified(solver: Solver) -> str:
    return f"{type(solver).__module__}.{type(solver).__qualname__}"


def _attempt(
    solver: Solver, task: Task, seed: int, around: Surroundings, outcome: Outcome
) -> tuple[Status, str | None]:
    try:
        declared(solver)
        shown = grant_task(task, solver)
        with sealed(*around.sealed):
            reason = solver.supports(shown)
        if reason:
            return "unsupported", reason
        _run(solver, task, seed, around, outcome)
    except Unsupported as error:
        return "unsupported", str(error)
    except Diverged as error:
        return "diverged", str(error)
    except (MemoryError, torch.OutOfMemoryError) as error:
        return "out_of_memory", f"out of memory: {error}"
    except (AccessError, SolverError) as error:
        return "failed", f"{type(error).__name__}: {error}"
    except (Exception, SystemExit) as error:  # whatever it raises costs one record, not the sweep
        if "can't allocate memory" in str(error):  # torch's CPU allocator has no class of its own
            return "out_of_memory", f"out of memory: {error}"
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(where.filename).name}:{where.lineno}"
        return "failed", f"{type(error).__name__}: {error} ({place})"
    return "ok", None


def _run(solver: Solver, task: Task, seed: int, around: Surroundings, outcome: Outcome) -> None:
    device = torch.device(around.device)
    # Targets are read before the seal closes; solvers that see no labels get copies without them.
    train, valid = (grant_samples(task.samples(name), solver) for name in ("train", "valid"))
    seed_everything(seed)
    fit_solver(solver, task, train, valid, seed, around, outcome)
    outcome.parameters = solver.num_parameters
    outcome.curve = list(getattr(solver, "curve", []))
    for position, split in enumerate(task.evaluate):
        samples = task.samples(split)
        seed_everything(seed)
        try:
            score_split(solver, task, split, samples, device, around, outcome, position == 0)
        except (Diverged, Unsupported) as error:  # off its distribution: the headline stays
            if position == 0:
                raise
            kind = "diverged" if isinstance(error, Diverged) else "unsupported"
            told = {"not_applicable": f"{kind}: {error}"}
            outcome.scores[split] = {metric.short: told for metric in task.metrics}
