"""pdebench: one clock, one set of metrics and one leaderboard for PDE surrogates and solvers.

Names are loaded when first used, so that ``import pdebench`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "AsStored": "task",
    "Axis": "domain",
    "Budget": "solver",
    "Card": "dataset",
    "Dataset": "dataset",
    "Equation": "equation",
    "Evolve": "task",
    "GeneratedDataset": "generated",
    "Grid": "domain",
    "IterativeSolver": "solver",
    "LearnedSolver": "learning",
    "Mesh": "domain",
    "Metric": "metric",
    "Points": "domain",
    "Problem": "problem",
    "Record": "harness.record",
    "Samples": "samples",
    "Solution": "problem",
    "Solver": "solver",
    "Store": "harness.store",
    "Task": "task",
    "Training": "learning",
    "evaluate": "notebook",
    "open_dataset": "formats.xarrays",
    "scores": "harness.table",
}

__all__ = [
    "AsStored",
    "Axis",
    "Budget",
    "Card",
    "Dataset",
    "Equation",
    "Evolve",
    "GeneratedDataset",
    "Grid",
    "IterativeSolver",
    "LearnedSolver",
    "Mesh",
    "Metric",
    "Points",
    "Problem",
    "Record",
    "Samples",
    "Solution",
    "Solver",
    "Store",
    "Task",
    "Training",
    "__version__",
    "evaluate",
    "open_dataset",
    "scores",
]

if TYPE_CHECKING:
    from pdebench.dataset import Card, Dataset
    from pdebench.domain import Axis, Grid, Mesh, Points
    from pdebench.equation import Equation
    from pdebench.formats.xarrays import open_dataset
    from pdebench.generated import GeneratedDataset
    from pdebench.harness.record import Record
    from pdebench.harness.store import Store
    from pdebench.harness.table import scores
    from pdebench.learning import LearnedSolver, Training
    from pdebench.metric import Metric
    from pdebench.notebook import evaluate
    from pdebench.problem import Problem, Solution
    from pdebench.samples import Samples
    from pdebench.solver import Budget, IterativeSolver, Solver
    from pdebench.task import AsStored, Evolve, Task


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'pdebench' has no attribute {name!r}")
    return getattr(import_module(f"pdebench.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
