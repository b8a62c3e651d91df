"""Rows of a study from the records of a store: what its pictures and its verdict are made of."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pdebench.config import compose
from pdebench.harness import data
from pdebench.harness.record import Record
from pdebench.harness.run import Choices, build, resolve
from pdebench.harness.store import Store
from pdebench.leaderboard.command import readable
from pdebench.samples import Samples

Rows = Mapping[str, Sequence[Record]]


def label(record: Record) -> str:
    """Return the name of a record's solver with the overrides that make it another one."""
    overrides = [str(o) for o in record.solver.get("overrides", ())]
    extra = [o.removeprefix("solver.") for o in overrides if o.startswith("solver.")]
    return " ".join([str(record.solver["name"]), *extra])


def rows_of(
    store: Store, task: str, track: str, keep: Callable[[Record], bool] = lambda _: True
) -> Rows:
    """Return the newest good record of every solver (with its overrides) and seed to ``keep``."""
    newest: dict[tuple[str, int], Record] = {}
    for record in readable(store, task, "study"):
        if record.status != "ok" or record.task.get("track") != track or not keep(record):
            continue
        key = (label(record), record.seed)
        if key not in newest or newest[key].created < record.created:
            newest[key] = record
    found: dict[str, list[Record]] = {}
    for (name, _), record in sorted(newest.items()):
        found.setdefault(name, []).append(record)
    return found


def errors(records: Sequence[Record], metric: str = "relative_l2", split: str = "test") -> Any:
    """Return the scores (seeds, samples) of a row."""
    return np.array([record.scores[split][metric]["values"] for record in records], dtype=float)


def seconds(records: Sequence[Record], phase: str = "solve") -> float:
    """Return the mean seconds of a phase: ``solve`` per sample, ``fit`` per run."""
    costs = [record.costs[phase] for record in records]
    return float(np.mean([cost["seconds"] / (cost.get("batch") or 1) for cost in costs]))


def samples_of(task: str, track: str, split: str | None = None) -> Samples:
    """Return problem and target of a split, by default the task's first."""
    config = compose([f"task={task}", f"track={track}", "solver=persistence"])
    run = resolve(config, Choices("persistence", task, track))
    built = build(run.config["task"], "task")
    data.prepare(run.data, run.config["task"]["dataset"], built.dataset)
    return built.samples(split or built.evaluate[0])


def answers(store: Store, record: Record, problem: Any) -> Tensor:
    """Return the frames (B, T, C, *S) of a recorded solver, fitted weights loaded again."""
    solver = build(record.config["solver"], "solver")
    torch.manual_seed(record.seed)
    folder = store.workspace(record.id)
    if folder.is_dir():
        solver.load(folder)
    solver.prepare(problem)
    return solver.solve(problem).u
