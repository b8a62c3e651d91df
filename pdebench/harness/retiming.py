"""The online phase of finished runs measured again, from their fitted state, in turns.

A sweep measures each run when it happens, perhaps while the machine does other things. Afterwards,
on a quiet machine, the same solvers answer the same batch in turns and the records get the new
figure; the former one stays beside it.
"""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import torch

from pdebench import cost, heap
from pdebench.access import grant_problem
from pdebench.errors import PdebenchError
from pdebench.harness import data, identity
from pdebench.harness.answer import answered, block_frames, drain, frames_of
from pdebench.harness.environment import environment
from pdebench.harness.guard import sealed
from pdebench.harness.record import Record
from pdebench.harness.run import build
from pdebench.harness.store import Store
from pdebench.running import scored
from pdebench.solver import Solver
from pdebench.task import Task

_SAME = 0.1  # relative change of the first batch's error beyond which the state is another one


@final
@dataclass(frozen=True)
class Retimed:
    """What became of one record: its new ``solve`` cost, or the ``reason`` why it has none."""

    record: Record
    cost: dict[str, Any] | None = None
    reason: str | None = None


def groups(records: Sequence[Record]) -> list[list[Record]]:
    """Return the records that are timed in turns: same task, data, device and threads."""
    found: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda r: (r.solver.get("name", ""), r.seed, r.id)):
        key = [record.config.get("task"), record.task.get("digest"), record.device]
        name = identity.canonical([*key, record.environment.get("threads")])
        found.setdefault(name, []).append(record)
    return list(found.values())


def retime(
    records: Sequence[Record],
    store: Store,
    root: Path,
    *,
    seconds: float = 2.0,
    watch: Callable[[float], None] | None = None,
) -> list[Retimed]:
    """Time one group's ``solve`` again and write the figures into the store.

    Every record is one piece of `cost.in_turns`, on the first batch of the headline split. A record
    is left as it was, with the reason, where it was made on another machine, its plugin or data
    have changed since, or its fitted state is gone or gives other errors than recorded. Records are
    replaced as a whole, one by one; a killed command leaves each old or new.

    Args:
        records: one of `groups`.
        store: where they live.
        root: folder of data sets.
        seconds: share of each record.
        watch: told the finished fraction.
    """
    found: dict[str, Retimed] = {}
    ready: dict[str, Callable[[], Any]] = {}
    by_id = {record.id: record for record in records}
    threads = records[0].environment.get("threads")
    if isinstance(threads, int):
        torch.set_num_threads(threads)
    kind = records[0].device
    heap.keep_freed()
    device, batch = torch.device(kind), 0
    seal = (root, store.root / "records")
    task, changed = _task(records[0], root)
    for record in records:
        reason = changed or _other(record, kind)
        if reason is None and task is not None:
            try:
                ready[record.id], batch = _ready(record, task, store, device, seal)
            except Exception as error:  # whatever foreign code raises keeps one record as it was
                said = str(error) if isinstance(error, PdebenchError) else repr(error)
                reason = f"not timed: {said}"
        if reason is not None:
            found[record.id] = Retimed(record, reason=reason)
    with sealed(*seal):
        timings = cost.in_turns(ready, device, seconds=seconds, watch=watch) if ready else {}
    machine = cost.conditions(device) | {"in_turns": len(ready)}
    for name, timing in timings.items():
        new = timing.to_json() | {"batch": batch, "machine": machine}
        new["noisy"] = timing.noisy or bool(machine.get("gpu_throttled"))
        found[name] = _written(store, by_id[name], new)
    return [found[record.id] for record in records]


def _other(record: Record, kind: str) -> str | None:
    """Return why this machine cannot speak for the record, or None."""
    if kind == "cuda" and not torch.cuda.is_available():
        return "made on a GPU, and there is none here"
    here = environment(kind)
    part = "device_name" if kind == "cuda" else "processor"
    if here.get(part) != record.environment.get(part):
        return f"made on {record.environment.get(part)}, this is {here.get(part)}"
    return None


def _task(record: Record, root: Path) -> tuple[Task | None, str | None]:
    """Return the records' task over prepared data, or the reason why there is none."""
    config = record.config.get("task")
    if not isinstance(config, dict):
        return None, "made without a configuration (in a notebook); run it with pdebench run"
    try:
        task: Task = build(config, "task")
        digest = data.prepare(root, config["dataset"], task.dataset)
    except PdebenchError as error:
        return None, f"its data: {error}"
    if digest != record.task.get("digest"):
        return None, f"its data have changed since; data='{root}' holds {digest[:12]}"
    return task, None


def _ready(
    record: Record, task: Task, store: Store, device: torch.device, seal: tuple[Path, ...]
) -> tuple[Callable[[], Any], int]:
    """Return one call of the record's solver, checked against the recorded errors, and its
    batch.
    """
    config = record.config
    code = identity.plugin_digest(config["solver"])
    digest = str(record.task["digest"])
    same = identity.run_id(config["task"], config["solver"], record.seed, digest, code)
    if same != record.id:
        raise PdebenchError("its plugin's source has changed since; run it again")
    solver: Solver = build(config["solver"], "solver")
    solver.load(store.workspace(record.id))
    split = task.evaluate[0]
    part = next(task.samples(split).chunks(task.batch))
    problem = part.problem.to(device)
    granted = grant_problem(problem, solver)
    torch.manual_seed(record.seed)
    with sealed(*seal):
        solver.prepare(granted)
    metric, block = task.metrics[0], block_frames(part, problem)
    blocks = answered(solver, granted, problem, frames_of(part, problem), block, seal)
    got = float(scored([metric], blocks, part.problem)[metric.short].double().mean())
    recorded = record.scores.get(split, {}).get(metric.short, {}).get("values") or []
    before = sum(recorded[: len(granted)]) / max(len(recorded[: len(granted)]), 1)
    if recorded and abs(got - before) > _SAME * abs(before):
        raise PdebenchError(
            f"the fitted state gives {metric.short}={got:.3g} on the first batch, recorded was "
            f"{before:.3g}; run it again"
        )
    return lambda: drain(solver, granted, block), len(granted)


def _written(store: Store, record: Record, new: Mapping[str, Any]) -> Retimed:
    """Put the new figure into the record, the former one beside it."""
    with store.claim(record.id, record.device):
        newest = store.get(record.id, record.device) or record
        old = newest.costs.get("solve", {})
        former = [*old.get("former", []), {k: v for k, v in old.items() if k != "former"}]
        of_the_run = ("first", "peak_bytes", "flops", "joules")  # in a process of its own
        kept = {k: old[k] for k in of_the_run if k in old}
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        done = {**new, **kept, "retimed": now, "former": former}
        changed = replace(newest, costs={**newest.costs, "solve": done})
        store.put(changed, record.device)
    return Retimed(changed, done)
