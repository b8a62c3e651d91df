"""Solve and score one split, a batch at a time; the first batch is also timed and kept."""

from contextlib import suppress

import numpy as np
import torch
from torch import Tensor

from pdebench import cost
from pdebench.access import grant_problem
from pdebench.errors import Unsupported
from pdebench.harness.answer import checked
from pdebench.harness.guard import sealed
from pdebench.harness.iterates import iterates
from pdebench.harness.outcome import Outcome, Surroundings
from pdebench.harness.protocol import batch_dependence
from pdebench.harness.spectra import spectra
from pdebench.metric import Metric
from pdebench.problem import Problem, Solution
from pdebench.samples import Samples
from pdebench.solver import IterativeSolver, Solver
from pdebench.task import Task

_EXAMPLES = 2  # samples whose fields are kept for the board's pictures


def score_split(
    solver: Solver,
    task: Task,
    split: str,
    samples: Samples,
    device: torch.device,
    around: Surroundings,
    outcome: Outcome,
    headline: bool,
) -> None:
    """Score ``split`` into ``outcome``. Where ``headline``, its first batch is the one that is
    prepared and solved under the clock, checked for batch dependence and kept as examples.
    """
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
