"""Several solvers on the same problems, timed in turn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import torch

from pdebench import cost
from pdebench.access import grant_problem
from pdebench.cost.clock import Work
from pdebench.cost.machine import conditions
from pdebench.cost.sweep import Sweep, sweep
from pdebench.cost.timing import Timing
from pdebench.errors import ConfigError
from pdebench.harness.answer import block_frames, drain
from pdebench.harness.run import Run, build, execute
from pdebench.problem import Problem
from pdebench.samples import Samples
from pdebench.solver import Solver
from pdebench.task import Task


@final
@dataclass(frozen=True)
class Interleaved:
    """What was timed.

    Attributes:
        timings: name -> seconds of one batch, rounds of all names belonging together.
        alone: name -> seconds of one sample in a call of its own, rounds as above.
        prepared: name -> seconds that ``prepare`` took for the batch, once.
        load: seconds of reading the batch from the data set, once.
        transfer: seconds of moving its inputs to the device; None on the CPU, where nothing moves.
        sweeps: name -> batch-size sweep, where one was asked for.
        errors: name -> headline error of the record, None without one.
        batch: samples per call.
        machine: its conditions while timing.
    """

    timings: Mapping[str, Timing]
    alone: Mapping[str, Timing]
    prepared: Mapping[str, float]
    load: float
    transfer: Timing | None
    sweeps: Mapping[str, Sweep]
    errors: Mapping[str, float | None]
    batch: int
    machine: dict[str, Any]


def timed(
    runs: Mapping[str, Run],
    *,
    batch: int | None = None,
    seconds: float = 2.0,
    flush: bool = False,
    sizes: bool = False,
    progress: bool = True,
) -> Interleaved:
    """Fit or recall every run, then time their ``solve`` on the first test samples in turn.

    Raises ConfigError where a run did not end well, tasks differ, or the split is smaller than the
    batch.
    """
    solvers: dict[str, tuple[Solver, Problem, Samples]] = {}
    errors: dict[str, float | None] = {}
    first = next(iter(runs.values()))
    device = torch.device(first.device)
    count, load, transfer = 0, 0.0, None
    for name, run in runs.items():
        record, _ = execute(run, progress)
        if record.status != "ok":
            raise ConfigError(f"solver={name} is {record.status}: {record.reason}; leave it out")
        errors[name] = record.mean(str(record.task["headline"]), run.config["task"]["evaluate"][0])
        task = _prepared(run)
        samples = task.samples(task.evaluate[0])
        count = batch or min(task.batch, len(samples))
        if not 0 < count <= len(samples):
            raise ConfigError(f"--batch {count}, expected 1 to {len(samples)}, the test samples")
        solver: Solver = build(run.config["solver"], "solver")
        solver.load(run.store.workspace(record.id))
        if not solvers:
            chosen = samples[:count]
            load, read = cost.once(lambda part=chosen: part.problem, torch.device("cpu"))
            transfer, _ = cost.transfer(read.inputs.values(), device)
        granted = grant_problem(samples.problem.to(device), solver)
        solvers[name] = (solver, granted, samples)
    prepared: dict[str, float] = {}
    alone = cost.compare(_pieces(solvers, 1, {}, device), device, seconds=seconds, flush=flush)
    pieces = _pieces(solvers, count, prepared, device)
    timings = cost.compare(pieces, device, seconds=seconds, flush=flush)
    machine = conditions(device)
    found = {}
    if sizes:
        for name, (solver, problem, samples) in solvers.items():
            most = 1 << (len(problem).bit_length() - 1)
            found[name] = sweep(_work(solver, problem, samples), device, most=most, seconds=seconds)
    return Interleaved(timings, alone, prepared, load, transfer, found, errors, count, machine)


def _pieces(
    solvers: Mapping[str, tuple[Solver, Problem, Samples]],
    size: int,
    prepared: dict[str, float],
    device: torch.device,
) -> dict[str, Work]:
    """Return every solver's answer to the first ``size`` samples, ready to run."""
    pieces: dict[str, Work] = {}
    for name, (solver, problem, samples) in solvers.items():
        part = problem.take(slice(0, size))
        prepared[name], _ = cost.once(lambda s=solver, p=part: s.prepare(p), device)
        pieces[name] = partial(drain, solver, part, block_frames(samples[:size], part))
    return pieces


def _work(solver: Solver, problem: Problem, samples: Samples):
    def make(size: int):
        part = problem.take(slice(0, size))
        solver.prepare(part)
        return partial(drain, solver, part, block_frames(samples[:size], part))

    return make


def _prepared(run: Run) -> Task:
    from pdebench.harness import data

    task: Task = build(run.config["task"], "task")
    data.prepare(run.data, run.config["task"]["dataset"], task.dataset)
    return task


def same_question(runs: Sequence[Run]) -> None:
    """Raise ConfigError unless all runs are of one task and track."""
    asked = {(r.choices.task, r.choices.track) for r in runs}
    if len(asked) > 1:
        raise ConfigError("pdebench time compares solvers on one task and track; give one of each")
