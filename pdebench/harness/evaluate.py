"""Fit, prepare, solve and score one solver on one task; every outcome is a `Record`."""

import datetime
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from pdebench import cost, origin
from pdebench.access import declared, grant_problem, grant_samples, grant_task
from pdebench.errors import AccessError, Diverged, SolverError, Unsupported
from pdebench.harness.answer import checked
from pdebench.harness.draft import task_facts
from pdebench.harness.environment import environment, versions
from pdebench.harness.guard import sealed
from pdebench.harness.iterates import iterates
from pdebench.harness.protocol import batch_dependence, examined
from pdebench.harness.record import Record, Status
from pdebench.harness.spectra import spectra
from pdebench.metric import Metric
from pdebench.problem import Problem, Solution
from pdebench.samples import Samples
from pdebench.session import Session, opened
from pdebench.solver import IterativeSolver, Solver
from pdebench.task import Task

_EXAMPLES = 2  # samples whose fields are kept for the board's pictures


@final
@dataclass
class Surroundings:
    """Where and how a run happens, none of which is part of its identity.

    Attributes:
        device: "cpu" or "cuda".
        data: folder of the data set, where findings about its splits are kept; None for none.
        sealed: folders that solver code must not open.
        workspace: where a fit keeps its resume point and its weights; None for neither.
        logger: returns a Lightning logger for a folder; None for none.
        progress: whether to draw progress bars.
        timing_seconds: how long the online phase is repeated for its interval.
    """

    device: str = "cpu"
    data: Path | None = None
    sealed: tuple[Path, ...] = ()
    workspace: Path | None = None
    logger: Callable[[Path | None], Any] | None = None
    progress: bool = False
    timing_seconds: float = 2.0


@final
@dataclass
class Outcome:
    """What accumulates while a run goes on, so that a failure keeps all that came before it."""

    scores: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    costs: dict[str, dict[str, Any]] = field(default_factory=dict)
    arrays: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)
    parameters: int = 0
    pretrained: dict[str, Any] | None = None
    protocol: dict[str, Any] = field(default_factory=dict)
    alone: float | None = None
    precision: str | None = None


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
    _fit(solver, task, train, valid, seed, around, outcome)
    outcome.parameters = solver.num_parameters
    outcome.curve = list(getattr(solver, "curve", []))
    for position, split in enumerate(task.evaluate):
        samples = task.samples(split)
        seed_everything(seed)
        try:
            _score_split(solver, task, split, samples, device, around, outcome, position == 0)
        except (Diverged, Unsupported) as error:  # off its distribution: the headline stays
            if position == 0:
                raise
            kind = "diverged" if isinstance(error, Diverged) else "unsupported"
            told = {"not_applicable": f"{kind}: {error}"}
            outcome.scores[split] = {metric.short: told for metric in task.metrics}


def _fit(
    solver: Solver,
    task: Task,
    train: Samples,
    valid: Samples,
    seed: int,
    around: Surroundings,
    outcome: Outcome,
) -> None:
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


def _score_split(
    solver: Solver,
    task: Task,
    split: str,
    samples: Samples,
    device: torch.device,
    around: Surroundings,
    outcome: Outcome,
    headline: bool,
) -> None:
    collected: dict[str, list[Tensor]] = {}
    refused: dict[str, str] = {}
    prepared: int | None = None
    for number, part in enumerate(samples.chunks(task.batch)):
        first = headline and number == 0
        problem, target = _read(part, device, outcome if first else None)
        granted = grant_problem(problem, solver)
        with sealed(*around.sealed):
            if prepared != id(part.problem.domain):
                prepared = id(part.problem.domain)
                seconds, _ = cost.once(lambda g=granted: solver.prepare(g), device)
                if headline and number == 0:
                    outcome.costs["prepare"] = {"seconds": seconds, "repeats": 1}
            if headline and number == 0:
                _time_online(solver, granted, device, around, outcome)
            solution = solver.solve(granted)
        solution = checked(solution, problem, target, type(solver).__name__)
        if headline and number == 0:
            with sealed(*around.sealed):
                outcome.alone = batch_dependence(solver, granted, solution)
        _score(task.metrics, solution, target, problem, collected, refused)
        if headline and number == 0:
            _keep_iterates(solver, task.metrics[0], granted, problem, target, device, outcome)
            outcome.precision = str(solution.u.dtype).removeprefix("torch.")
            _keep_examples(outcome, problem, solution, target)
    outcome.scores[split] = {name: {"not_applicable": why} for name, why in refused.items()}
    for name, pieces in collected.items():
        values = torch.cat(pieces).double()
        if values.ndim == 2:
            outcome.arrays[f"{split}/{name}"] = values.numpy().astype(np.float32)
            values = values.mean(1)
        outcome.scores[split][name] = {"values": values.tolist()}


def _read(part: Samples, device: torch.device, outcome: Outcome | None) -> tuple[Problem, Tensor]:
    """Return the problem on ``device`` and its target; what reading and moving them took goes into
    ``outcome``, apart from the solver's own phases.
    """
    seconds, (problem, target) = cost.once(lambda: (part.problem, part.target), torch.device("cpu"))
    if outcome is not None:
        outcome.costs["load"] = {"seconds": seconds, "batch": len(problem), "repeats": 1}
        timing, size = cost.transfer(problem.inputs.values(), device)
        if timing is not None:
            held = {"batch": len(problem), "bytes": size}
            outcome.costs["transfer"] = timing.to_json() | held
    return problem.to(device), target


def _time_online(
    solver: Solver, granted: Problem, device: torch.device, around: Surroundings, outcome: Outcome
) -> None:
    with cost.peak_memory(device) as peak, cost.measured_energy(device) as energy:
        timing = cost.repeat(lambda: solver.solve(granted), device, seconds=around.timing_seconds)
    machine = cost.conditions(device)
    found = timing.to_json() | {"peak_bytes": peak.bytes, "batch": len(granted)}
    found |= {"machine": machine, "noisy": timing.noisy or bool(machine.get("gpu_throttled"))}
    if energy.joules is not None:  # warm-up and first call included, as they ran under the meter
        found["joules"] = energy.joules / (len(timing.samples) + timing.warmups + 1)
    if timing.median < around.timing_seconds:  # one more call
        with suppress(Exception):  # a counter that cannot follow a solver costs its count alone
            found["flops"] = cost.count_flops(lambda: solver.solve(granted))[0].total
    outcome.costs["solve"] = found


def _score(
    metrics: tuple[Metric, ...],
    solution: Solution,
    target: Tensor,
    problem: Problem,
    collected: dict[str, list[Tensor]],
    refused: dict[str, str],
) -> None:
    here = problem.to("cpu")
    for metric in metrics:
        if metric.short in refused:
            continue
        try:
            values = metric(solution, target, here)
        except Unsupported as error:
            refused[metric.short] = str(error)
            continue
        collected.setdefault(metric.short, []).append(values.detach().cpu())


def _keep_iterates(
    solver: Solver,
    metric: Metric,
    granted: Problem,
    problem: Problem,
    target: Tensor,
    device: torch.device,
    outcome: Outcome,
) -> None:
    """Keep the headline error of an iterative solver's iterates against its seconds, one batch."""
    if not isinstance(solver, IterativeSolver):
        return
    try:
        found = iterates(solver, metric, granted, problem.to("cpu"), target, device)
    except Unsupported:  # said where the metric was asked for the answer itself
        return
    outcome.arrays |= {"iterate/seconds": found[0], f"iterate/{metric.short}": found[1]}


def _keep_examples(outcome: Outcome, problem: Problem, solution: Solution, target: Tensor) -> None:
    """Keep the first and last asked frames of the first samples, prediction beside reference."""
    frames = slice(None) if problem.times is None else [0, -1]
    outcome.arrays["example/prediction"] = solution.u[:_EXAMPLES][:, frames].cpu().float().numpy()
    outcome.arrays["example/reference"] = target[:_EXAMPLES][:, frames].float().numpy()
    if problem.times is not None:
        outcome.arrays["example/times"] = problem.times.cpu().double().numpy()
    outcome.arrays |= spectra(problem, solution, target)
