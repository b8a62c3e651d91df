"""Solve and score one split, a batch at a time; the first batch is also timed and kept."""

from collections.abc import Callable
from contextlib import suppress
from typing import final

import numpy as np
import torch
from torch import Tensor

from pdebench import cost
from pdebench.access import grant_problem
from pdebench.errors import Unsupported
from pdebench.harness.answer import answered, block_frames, drain, frames_of
from pdebench.harness.guard import sealed
from pdebench.harness.iterates import iterates
from pdebench.harness.outcome import Outcome, Surroundings
from pdebench.harness.protocol import batch_dependence
from pdebench.harness.spectra import spectra
from pdebench.metric import Metric
from pdebench.problem import Problem
from pdebench.running import Running
from pdebench.samples import Samples
from pdebench.solver import IterativeSolver, Solver
from pdebench.task import Task, frame_axis

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

    Answers are scored as their frames come; neither they nor the reference are held whole, unless
    the solver or a metric needs it.
    """
    collected: dict[str, list[Tensor]] = {}
    refused: dict[str, str] = {}
    prepared: int | None = None
    for number, part in enumerate(samples.chunks(task.batch)):
        first = headline and number == 0
        problem = _read(part, device, outcome if first else None)
        granted = grant_problem(problem, solver)
        block = block_frames(part, problem, around.block_bytes)
        with sealed(*around.sealed):
            if prepared != id(part.problem.domain):
                prepared = id(part.problem.domain)
                seconds, _ = cost.once(lambda g=granted: solver.prepare(g), device)
                if first:
                    outcome.costs["prepare"] = {"seconds": seconds, "repeats": 1}
            if first:
                _time_online(solver, granted, block, device, around, outcome)
        here, ends = problem.to("cpu"), Ends()
        running = Running([m for m in task.metrics if m.short not in refused], here)
        frames = _reader(part, problem, outcome if first else None)
        blocks = answered(solver, granted, problem, frames, block, around.sealed)
        for solution, target in blocks:
            running.add(solution, target)
            if first:
                ends.add(solution.u, target, here)
        for name, values in running.scores().items():
            collected.setdefault(name, []).append(values.detach().cpu())
        refused |= running.refused
        if first:
            with sealed(*around.sealed):
                outcome.alone = batch_dependence(solver, granted, ends.prediction[0, 0])
            _keep_iterates(solver, task.metrics[0], granted, here, part, device, outcome)
            outcome.precision = str(ends.prediction.dtype).removeprefix("torch.")
            _keep_examples(outcome, here, ends)
    outcome.scores[split] = {name: {"not_applicable": why} for name, why in refused.items()}
    for name, pieces in collected.items():
        values = torch.cat(pieces).double()
        if values.ndim == 2:
            outcome.arrays[f"{split}/{name}"] = values.numpy().astype(np.float32)
            values = values.mean(1)
        outcome.scores[split][name] = {"values": values.tolist()}


@final
class Ends:
    """The first and the last frame of an answer and of its reference, (B, 1 or 2, C, *S)."""

    def __init__(self) -> None:
        self._kept: list[tuple[Tensor, Tensor]] = []

    def add(self, u: Tensor, target: Tensor, problem: Problem) -> None:
        """Take the next frames."""
        pair = [frame_axis(v, problem) for v in (u, target)]
        if not self._kept:
            self._kept.append((pair[0][:, :1].clone(), pair[1][:, :1].clone()))
        last = (pair[0][:, -1:].clone(), pair[1][:, -1:].clone())
        self._kept[1:] = [] if problem.times is None else [last]

    @property
    def prediction(self) -> Tensor:
        """Frames of the answer."""
        return torch.cat([u for u, _ in self._kept], 1)

    @property
    def reference(self) -> Tensor:
        """Frames of the reference."""
        return torch.cat([target for _, target in self._kept], 1)


def _read(part: Samples, device: torch.device, outcome: Outcome | None) -> Problem:
    """Return the problem on ``device``; what reading and moving it took goes into ``outcome``,
    apart from the solver's own phases.
    """
    seconds, problem = cost.once(lambda: part.problem, torch.device("cpu"))
    if outcome is not None:
        outcome.costs["load"] = {"seconds": seconds, "batch": len(problem), "repeats": 1}
        timing, size = cost.transfer(problem.inputs.values(), device)
        if timing is not None:
            held = {"batch": len(problem), "bytes": size}
            outcome.costs["transfer"] = timing.to_json() | held
    return problem.to(device)


def _reader(part: Samples, problem: Problem, outcome: Outcome | None) -> Callable[[slice], Tensor]:
    """Return what reads frames of the reference; its seconds add to those of reading."""
    frames = frames_of(part, problem)

    def read(wanted: slice) -> Tensor:
        seconds, target = cost.once(lambda: frames(wanted), torch.device("cpu"))
        if outcome is not None:
            outcome.costs["load"]["seconds"] += seconds
        return target

    return read


def _time_online(
    solver: Solver,
    granted: Problem,
    block: int,
    device: torch.device,
    around: Surroundings,
    outcome: Outcome,
) -> None:
    def work() -> None:
        drain(solver, granted, block)

    with cost.peak_memory(device) as peak, cost.measured_energy(device) as energy:
        timing = cost.repeat(work, device, seconds=around.timing_seconds)
    machine = cost.conditions(device)
    found = timing.to_json() | {"peak_bytes": peak.bytes, "batch": len(granted)}
    found |= {"machine": machine, "noisy": timing.noisy or bool(machine.get("gpu_throttled"))}
    if energy.joules is not None:  # warm-up and first call included, as they ran under the meter
        found["joules"] = energy.joules / (len(timing.samples) + timing.warmups + 1)
    if timing.median < around.timing_seconds:  # one more call
        with suppress(Exception):  # a counter that cannot follow a solver costs its count alone
            found["flops"] = cost.count_flops(work)[0].total
    outcome.costs["solve"] = found


def _keep_iterates(
    solver: Solver,
    metric: Metric,
    granted: Problem,
    problem: Problem,
    part: Samples,
    device: torch.device,
    outcome: Outcome,
) -> None:
    """Keep the headline error of an iterative solver's iterates against its seconds, one batch."""
    if not isinstance(solver, IterativeSolver):
        return
    try:
        found = iterates(solver, metric, granted, problem, part.target, device)
    except Unsupported:  # said where the metric was asked for the answer itself
        return
    outcome.arrays |= {"iterate/seconds": found[0], f"iterate/{metric.short}": found[1]}


def _keep_examples(outcome: Outcome, problem: Problem, ends: Ends) -> None:
    """Keep the first and last asked frames of the first samples, prediction beside reference."""
    shown = {"prediction": ends.prediction, "reference": ends.reference}
    for name, frames in shown.items():
        kept = frames[:_EXAMPLES].cpu().float()
        outcome.arrays[f"example/{name}"] = (kept[:, 0] if problem.times is None else kept).numpy()
    if problem.times is not None:
        outcome.arrays["example/times"] = problem.times.cpu().double().numpy()
    outcome.arrays |= spectra(problem, **shown)
