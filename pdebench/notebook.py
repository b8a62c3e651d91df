"""The harness without configuration files: `evaluate` a solver object on a task object."""

from pathlib import Path

from pdebench.harness.data import prepare
from pdebench.harness.evaluate import Surroundings, seed_everything
from pdebench.harness.evaluate import evaluate as _evaluate
from pdebench.harness.record import Record
from pdebench.paths import default_data
from pdebench.solver import Solver
from pdebench.task import Task

__all__ = ["evaluate"]


def evaluate(
    solver: Solver,
    task: Task,
    *,
    seed: int = 0,
    device: str = "cpu",
    data: Path | str | None = None,
    progress: bool = False,
) -> Record:
    """Prepare the task's data, run the solver on it and return the record; nothing is stored.

    Args:
        solver: any `Solver`; its random initialisation follows ``seed``.
        task: a `Task`.
        seed: seeds fit and solve.
        device: "cpu" or "cuda".
        data: folder for data sets; as ``pdebench list --paths`` says by default.
        progress: whether to draw progress bars.
    """
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
    record, _ = _evaluate(solver, task, seed=seed, surroundings=around)
    return record
