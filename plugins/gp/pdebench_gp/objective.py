"""The joint density that a Gaussian-process solver maximises."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from pdebench.errors import ConfigError
from pdebench_gp.kernel import Kernel, Parameters
from pdebench_gp.process import Factor, Prior, uniform

Linear = Callable[[Prior, float], Tensor]


def cubic(u: Tensor) -> Tensor:
    """Return u (u^2 - 1), what Allen-Cahn adds to the Laplacian."""
    return u * (u.square() - 1)


def _laplace(prior: Prior, beta: float) -> Tensor:
    parts = [prior.derivative(axis, 2) for axis in range(len(prior.factors))]
    return torch.stack(parts).sum(0)


LINEAR: Mapping[str, Linear] = {
    "poisson": _laplace,
    "allencahn": _laplace,
    "advection": lambda prior, beta: beta * prior.derivative(0, 1) + prior.derivative(1, 1),
}


def equation_named(equation: str) -> str:
    """Return ``poisson``, ``allencahn`` or ``advection``, of names that ``_1d`` may follow."""
    name = equation.partition("_")[0]
    if name not in LINEAR:
        raise ConfigError(f"equation={equation!r}, expected one of {', '.join(LINEAR)}")
    return name


def faces(shape: tuple[int, ...], corners_twice: bool = True) -> Tensor:
    """Return the positions of the boundary nodes in the row-major list of nodes.

    First and last layer of every axis in turn. The four corners of a rectangle, and the edges of a
    box, come twice, as in the released program, unless ``corners_twice`` is false.
    """
    place = torch.arange(math.prod(shape)).view(shape)
    if len(shape) == 1:
        return place[[0, -1]]
    layers = [place.select(axis, end).flatten() for axis in range(len(shape)) for end in (0, -1)]
    found = torch.cat(layers)
    return found if corners_twice else found.unique()


def edges(u: Tensor) -> Tensor:
    """Return the values of a field (*S) at `faces`, corners twice."""
    return u.flatten()[faces(tuple(u.shape)).to(u.device)]


@final
@dataclass(frozen=True)
class Task:
    """What is solved: residual = 0 at all nodes, values on the boundary.

    Attributes:
        points: nodes of every axis.
        source: f at the nodes, (.., *S); axes in front are instances.
        boundary: values at the boundary nodes, (.., Nb).
        equation: poisson, allencahn or advection.
        beta: speed of advection.
        where: positions of the boundary nodes in the list of nodes, (Nb,); None for `faces`.
        below: values (.., *S) of a frozen process that the one sought is added to; source and
            boundary are what it leaves.
    """

    points: tuple[Tensor, ...]
    source: Tensor
    boundary: Tensor
    equation: str
    beta: float = 1.0
    where: Tensor | None = None
    below: Tensor | None = None

    @property
    def kind(self) -> str:
        """The equation's name without its dimension."""
        return equation_named(self.equation)

    @property
    def order(self) -> int:
        """The equation's order."""
        return 1 if self.kind == "advection" else 2

    @property
    def edge(self) -> Tensor:
        """Positions of the boundary nodes, (Nb,)."""
        if self.where is not None:
            return self.where
        return faces(tuple(len(x) for x in self.points)).to(self.source.device)

    @property
    def instances(self) -> tuple[int, ...]:
        """Shape of the axes in front of the nodes'."""
        return tuple(self.source.shape[: self.source.ndim - len(self.points)])

    def total(self, u: Tensor) -> Tensor:
        """Return u, and what lies below it."""
        return u if self.below is None else u + self.below

    def residual(self, prior: Prior) -> Tensor:
        """Return the equation's residual of the conditional mean, at the nodes."""
        residual = LINEAR[self.kind](prior, self.beta) - self.source
        return residual + cubic(self.total(prior.values)) if self.kind == "allencahn" else residual

    def above(self, frozen: Prior) -> "Task":
        """Return the task of a second process that is added to a frozen first one.

        Boundary and equation see the sum, the prior is the second one's alone; the released
        program's second stage ("extra GP").
        """
        flat = frozen.values.flatten(len(self.instances))
        return replace(
            self,
            source=self.source - LINEAR[self.kind](frozen, self.beta),
            boundary=self.boundary - flat[..., self.edge],
            below=frozen.values,
        )

    def gaps(self, u: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
        """Return sum (u_b - g)^2 and sum residual^2, (..,) each."""
        flat = u.flatten(len(self.instances))
        ends = (flat[..., self.edge] - self.boundary).square().sum(-1)
        return ends, residual.square().flatten(len(self.instances)).sum(-1)


@final
@dataclass(frozen=True)
class Terms:
    """Value and parts of the objective, (..,) each; axes are instances."""

    loss: Tensor
    boundary_gap: Tensor
    equation_gap: Tensor
    prior: Prior


@final
class Objective:
    """The negative logarithm of the joint density, constants dropped.

        L = -[ log p(u) + lambda (Nb/2 log_tau - e^{log_tau}/2 sum (u_b - g)^2)
               + Nc/2 log_v - e^{log_v}/2 sum residual^2 ]
        log p(u) = -1/2 log |C| - 1/2 u^T C^{-1} u

    Fang et al., ICLR 2024 (arXiv 2311.04465), eq. 8 and 10; the equation is imposed on the
    conditional mean at every node, those of the boundary included.

    Args:
        task: what is solved.
        kernel: of every axis.
        jitter: added to the diagonal of every factor.
        boundary_weight: lambda.
        determinant: whether -1/2 log |C| counts.
        sparsity: rate s of an exponential prior on the weights, log p(w) = -s sum_q w_q per axis,
            which prunes components. 0 is published: Jeffreys' prior 1/w, flat in log w.
    """

    def __init__(
        self,
        task: Task,
        kernel: Kernel,
        jitter: float = 1e-6,
        boundary_weight: float = 200.0,
        determinant: bool = True,
        sparsity: float = 0.0,
    ) -> None:
        self.task, self.kernel, self.jitter = task, kernel, jitter
        self.boundary_weight, self.determinant = boundary_weight, determinant
        self.sparsity = sparsity
        self._order = task.order
        self._even = [uniform(x) for x in task.points]

    def prior(self, u: Tensor, axes: Sequence[Parameters]) -> Prior:
        """Return the process of ``u`` with these kernel parameters per axis."""
        factors = [
            Factor.of(x, self.kernel, p, self.jitter, self._order, even)
            for x, p, even in zip(self.task.points, axes, self._even, strict=True)
        ]
        return Prior(factors, u)

    def terms(self, u: Tensor, axes: Sequence[Parameters], log_tau: Tensor, log_v: Tensor) -> Terms:
        """Return the objective at free values u and parameters."""
        task, prior = self.task, self.prior(u, axes)
        boundary_gap, equation_gap = task.gaps(u, task.residual(prior))
        loss = -prior.log_density
        if self.determinant:
            loss = loss + 0.5 * prior.logdet
        if self.sparsity:
            weights = [p.log_w.exp().sum(-1) for p in axes]
            loss = loss + self.sparsity * torch.stack(weights).sum(0)
        ends = _gaussian(task.boundary.shape[-1], log_tau, boundary_gap)
        loss = loss - self.boundary_weight * ends
        loss = loss - _gaussian(math.prod(map(len, task.points)), log_v, equation_gap)
        return Terms(loss, boundary_gap, equation_gap, prior)


def _gaussian(count: int, log_precision: Tensor, gap: Tensor) -> Tensor:
    """Log density of ``count`` normal deviations whose squares sum to ``gap``."""
    return count / 2 * log_precision - 0.5 * log_precision.exp() * gap
