"""How networks of space and time write a flow, and the residual they are held to."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equation import Equation
from pdebench.errors import Unsupported
from pdebench.problem import Problem
from pdebench_pinn.jet import Jet, pairs


class Form(ABC):
    """Channels q(x, t) of a network, the fields of the problem first, and their equations.

    Residuals are nondimensional, in the length l = L / 2 pi of the longest side and the root mean
    square of the given field, so that weights mean the same for every flow.
    """

    mixed: bool  # whether residuals need second derivatives along two axes

    @abstractmethod
    def refused(self, law: Equation, dim: int) -> str | None:
        """Return why this form does not hold for an equation on a torus, or None."""

    @abstractmethod
    def channels(self, dim: int) -> int:
        """How many q there are."""

    @abstractmethod
    def scales(self, size: Tensor, length: float, dim: int) -> Tensor:
        """Return the unit (B, C) of every channel; size (B,) is that of the given field."""

    @abstractmethod
    def residuals(
        self, jet: Jet, lattice: Grid, problem: Problem, size: Tensor, length: float
    ) -> Mapping[str, Tensor]:
        """Return weighted mean squares by name, (B,) each.

        ``jet`` holds q at the points of ``lattice``, (B, I N, C) for I instants in turn.
        """

    def disclosures(self) -> Mapping[str, str]:
        """What a record says of the constants of this form."""
        return {}

    def unsuitable(self, problem: Problem) -> str | None:
        """Return why the problem cannot be written in this form, or None."""
        domain = problem.domain
        if problem.times is None:
            return "it is for evolutions in time, the task is steady; solver=pinn answers those"
        if not isinstance(domain, Grid) or not domain.is_torus:
            return "its networks have the period of a box, which takes a periodic uniform grid"
        said = self.refused(problem.equation, domain.dim)
        if said:
            return said
        try:
            self._tried(problem.take(slice(0, 1)), domain)
        except Unsupported as error:
            return str(error)
        return None

    def _tried(self, problem: Problem, domain: Grid) -> None:
        """Evaluate the residual of a flow at rest, which raises Unsupported where it has none."""
        lattice = Grid.torus((4,) * domain.dim, domain.extent)
        held = pairs(domain.dim, self.mixed)
        given, dim = problem.input, domain.dim
        streams = (len(given), 2 + dim + len(held), 4**dim, self.channels(dim))
        one = given.new_ones(len(given))
        self.residuals(Jet(given.new_zeros(streams), dim, held), lattice, problem, one, 1.0)


def mean_square(residual: Tensor) -> Tensor:
    """Return the mean square (B,) of (B, ...)."""
    return residual.flatten(1).square().mean(1)


def per_instance(value: Tensor, like: Tensor) -> Tensor:
    """Return value (B,) shaped to broadcast against (B, ...)."""
    return torch.atleast_1d(value).to(like).view(-1, *(1,) * (like.ndim - 1))
