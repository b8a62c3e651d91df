"""Answer every question about the future with the present."""

from typing import TYPE_CHECKING, ClassVar, final

from pdebench.errors import Unsupported
from pdebench.problem import Problem, Solution
from pdebench.solver import Solver, Use

if TYPE_CHECKING:
    from pdebench.task import Task


@final
class Persistence(Solver):
    """The last known frame, for all times: u(t_n) = u(t_0)."""

    uses: ClassVar[frozenset[Use]] = frozenset()

    def supports(self, task: "Task") -> str | None:
        problem = task.samples(task.evaluate[0])[:1].problem
        return _unsuitable(problem)

    def solve(self, problem: Problem) -> Solution:
        reason = _unsuitable(problem)
        if reason or problem.times is None:
            raise Unsupported(f"persistence: {reason}")
        frame = problem.initial
        return Solution(
            frame.unsqueeze(1).expand(-1, len(problem.times), *frame.shape[1:]).contiguous()
        )


def _unsuitable(problem: Problem) -> str | None:
    if problem.times is None:
        return "the problem is steady, there is no earlier state to persist"
    if len(problem.inputs) != 1:
        return f"the problem has inputs {sorted(problem.inputs)}, no single field to persist"
    return None
