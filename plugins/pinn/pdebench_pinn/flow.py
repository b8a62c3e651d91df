"""Physics-informed networks of space and time as iterative solvers of flows."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, final

from torch import Tensor

from pdebench.errors import ConfigError, Unsupported
from pdebench.problem import Problem
from pdebench_pinn.flow_fit import FlowFit, Points
from pdebench_pinn.form import Form
from pdebench_pinn.seeded import Seeded, check_counts, check_positive

if TYPE_CHECKING:
    from pdebench.task import Task


@final
class PinnFlow(Seeded):
    """One network of space and time per flow, fitted to its equation and its first frames online.

        loss = residuals of the form + lambda <(q - given)^2> / <given^2>

    q(x, t) has the period of the box by construction. Raissi, Perdikaris and Karniadakis,
    J. Comput. Phys. 378 (2019); NSFnets: Jin, Cai, Li and Karniadakis, J. Comput. Phys. 426 (2021)
    109951.
    Points are drawn anew at every step: a uniform lattice, moved by a random part of its cell, at
    random instants, one in each equal part of the time span. Departures: a lattice, not scattered
    points, so that forces that depend on Fourier modes of the flow can be evaluated; fixed weights;
    Adam alone, its rate a half cosine to zero. Each flow has weights and loss of its own.

    Args:
        form: channels of the network and their equations.
        width: units of a hidden layer.
        depth: hidden layers.
        band: largest wavenumber index of the first layer; 1: sine and cosine of each coordinate.
        points: of the lattice, per axis.
        instants: at which the lattice is placed in one step.
        given: points of the given frames in one step.
        initial: lambda.
        lr: of Adam at the start.
        steps: of Adam.
        every: steps between iterates.
    """

    def __init__(
        self,
        form: Form,
        width: int = 64,
        depth: int = 4,
        band: float = 2.0,
        points: int = 8,
        instants: int = 1,
        given: int = 1024,
        initial: float = 100.0,
        lr: float = 2e-3,
        steps: int = 1000,
        every: int = 250,
    ) -> None:
        check_counts(width=width, depth=depth, instants=instants, given=given, steps=steps)
        check_counts(every=every)
        check_positive(initial=initial, lr=lr)
        if not 1 <= band <= 16:
            raise ConfigError(f"solver.band={band}, expected a number from 1 to 16")
        if points < 2:
            raise ConfigError(f"solver.points={points}, expected 2 or more")
        self.form, self.width, self.depth, self.band = form, width, depth, band
        self.points = Points(points, instants, given)
        self.initial, self.lr, self.steps, self.every = initial, lr, steps, every

    def supports(self, task: "Task") -> str | None:
        return self.form.unsuitable(task.samples(task.evaluate[0])[:1].problem)

    @property
    def disclosures(self) -> Mapping[str, str]:
        return self.form.disclosures()

    def iterate(self, problem: Problem) -> Iterator[Tensor]:
        """Yield the fields (B, T, C, *S) at the asked times every few steps.

        Raises Diverged where the loss is not finite.
        """
        reason = self.form.unsuitable(problem)
        if reason:
            raise Unsupported(f"pinn_flow: {reason}")
        fit = FlowFit(self, problem)
        while fit.taken < self.steps:
            fit.advance(min(self.every, self.steps - fit.taken))
            yield fit.answer()
