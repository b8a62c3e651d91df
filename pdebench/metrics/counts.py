"""What a solver counted while it worked; every instance has its own count."""

from torch import Tensor

from pdebench.errors import Unsupported
from pdebench.metric import Fold, metric
from pdebench.problem import Problem, Solution


@metric("pdebench.iterations@1", unit="1", needs=(), fold=Fold.latest())
def iterations(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Steps that the solver took for each instance, (B,); what a step is, the solver says."""
    if solution.iterations is None:
        raise Unsupported("the solver does not iterate")
    return solution.iterations.double()


@metric("pdebench.replaced@1", unit="1", needs=(), fold=Fold.latest())
def replaced(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Proposed search directions that were useless and gave way to the residual, (B,)."""
    if "replaced" not in solution.counts:
        raise Unsupported("the solver has no proposed directions")
    return solution.counts["replaced"].double()
