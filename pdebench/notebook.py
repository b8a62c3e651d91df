"""The harness without configuration files: `evaluate` a solver object on a task object."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pdebench.harness.data import prepare
from pdebench.harness.evaluate import evaluate as _evaluate
from pdebench.harness.evaluate import seed_everything
from pdebench.harness.outcome import Surroundings
from pdebench.harness.record import Record
from pdebench.paths import default_data
from pdebench.solver import Solver
from pdebench.task import Task
from pdebench.wrap import as_solver

__all__ = ["evaluate"]


def evaluate(
    solver: "Solver | type | Callable[..., Any]",
    task: Task | str,
    *,
    seed: int = 0,
    device: str = "cpu",
    data: Path | str | None = None,
    progress: bool = False,
) -> Record:
    """Prepare the task's data, run the solver on it and return the record; nothing is stored.

    Args:
        solver: a `Solver`, a class of networks (`pdebench.wrap.Network` trains it), or a function
            of the problem (`pdebench.wrap.Function`); random initialisation follows ``seed``.
        task: a `Task`, or what follows ``task=`` on the command line (track ``tiny``).
        seed: seeds fit and solve.
        device: "cpu" or "cuda".
        data: folder for data sets; as ``pdebench list --paths`` says by default.
        progress: whether to draw progress bars.
    """
    if isinstance(task, str):
        task = _named(task)
    wrapped = as_solver(solver)
    card = task.dataset.card
    root = Path(data) if data is not None else default_data()
    described = {
        "name": card.name,
        "version": card.version,
        "made_as": repr(sorted(vars(task.dataset).items(), key=str)),
    }
    prepare(root, described, task.dataset)
    seed_everything(seed)
    around = Surroundings(device=device, sealed=(root, *task.dataset.files), progress=progress)
    record, _ = _evaluate(wrapped, task, seed=seed, surroundings=around)
    return record


def _named(name: str) -> Task:
    from pdebench.config import compose
    from pdebench.harness.run import build

    return build(compose([f"task={name}"]).task, "task")
