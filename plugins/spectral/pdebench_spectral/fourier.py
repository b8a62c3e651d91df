"""Linear equations with constant coefficients on a torus, divided by their symbol."""

from typing import TYPE_CHECKING, ClassVar, final

from torch import Tensor

from pdebench.domain import Grid
from pdebench.errors import Unsupported
from pdebench.problem import Problem, Solution
from pdebench.solver import Solver, Use
from pdebench.spectral import Modes

if TYPE_CHECKING:
    from pdebench.task import Task


@final
class FourierInverse(Solver):
    """u = F^{-1}( F f / sigma(k) ), sigma the symbol of the task's equation: exact for what a grid
    holds.

    Modes with sigma = 0, the constants of a Laplacian, are zero in u. Computes in float64; two
    real transforms per instance. Canuto et al., Spectral Methods (2006), sec. 2.1.
    """

    uses: ClassVar[frozenset[Use]] = frozenset({"equation"})

    def __init__(self) -> None:
        self._prepared: tuple[tuple[int, ...], tuple[float, ...], str, Modes, Tensor] | None = None

    def supports(self, task: "Task") -> str | None:
        return _unsuitable(task.samples(task.evaluate[0])[:1].problem)

    def prepare(self, problem: Problem) -> None:
        """Tabulate 1 / sigma."""
        self._tables(problem)

    def solve(self, problem: Problem) -> Solution:
        modes, inverse = self._tables(problem)
        source = problem.input
        return Solution(modes.inverse(modes.forward(source.double()) * inverse).to(source.dtype))

    def _tables(self, problem: Problem) -> tuple[Modes, Tensor]:
        reason = _unsuitable(problem)
        domain = problem.domain
        if reason or not isinstance(domain, Grid):
            raise Unsupported(f"fourier: {reason}")
        device = problem.input.device
        key = domain.shape, domain.extent, str(device)
        if self._prepared is None or self._prepared[:3] != key:
            modes = Modes.of(domain.shape, domain.extent, device)
            symbol = problem.equation.symbol(modes.k)
            live = symbol != 0
            inverse = (1 / symbol.where(live, 1.0)).where(live, 0.0)
            self._prepared = (*key, modes, inverse)
        return self._prepared[3], self._prepared[4]


def _unsuitable(problem: Problem) -> str | None:
    domain = problem.domain
    if problem.times is not None:
        return "it solves steady linear equations, the task asks for an evolution in time"
    if not isinstance(domain, Grid) or not domain.is_torus:
        return "it needs a periodic uniform grid"
    if len(problem.inputs) != 1:
        return f"it needs one right-hand side, the problem has {sorted(problem.inputs)}"
    try:
        problem.equation.symbol(Modes.of(domain.shape, domain.extent).k)
    except Unsupported as error:
        return str(error)
    return None
