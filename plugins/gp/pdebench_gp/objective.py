"""The joint density that a Gaussian-process solver maximises."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pdebench.errors import ConfigError
from pdebench_gp.kernel import Kernel, Parameters
from pdebench_gp.process import Factor, Prior, uniform

Residual = Callable[[Prior, Tensor, float], Tensor]


def _cubic(u: Tensor) -> Tensor:
    return u * (u.square() - 1)


def _laplace(prior: Prior) -> Tensor:
    parts = [prior.derivative(axis, 2) for axis in range(len(prior.factors))]
    return torch.stack(parts).sum(0)


RESIDUALS: Mapping[str, Residual] = {
    "poisson": lambda prior, source, beta: _laplace(prior) - source,
    "allencahn": lambda prior, source, beta: _laplace(prior) + _cubic(prior.values) - source,
    "advection": lambda prior, source, beta: (
        beta * prior.derivative(0, 1) + prior.derivative(1, 1) - source
    ),
}


def residual_named(equation: str) -> Residual:
    """Return the residual of ``poisson``, ``allencahn`` or ``advection``; ``_1d`` may follow."""
    name = equation.partition("_")[0]
    if name not in RESIDUALS:
        raise ConfigError(f"equation={equation!r}, expected one of {', '.join(RESIDUALS)}")
    return RESIDUALS[name]


def edges(u: Tensor) -> Tensor:
    """Return the boundary values: the ends in 1D; first and last rows and columns in 2D.

    The four corners of a rectangle come twice, as in the released program.
    """
    if u.ndim == 1:
        return u[[0, -1]]
    return torch.cat([u[0, :], u[-1, :], u[:, 0], u[:, -1]])


@final
@dataclass(frozen=True)
class Task:
    """What is solved: residual = 0 at all nodes, values on the boundary.

    Attributes:
        points: nodes of every axis.
        source: f at the nodes.
        boundary: values in the order of `edges`.
        equation: name of the residual.
        beta: speed of advection.
    """

    points: tuple[Tensor, ...]
    source: Tensor
    boundary: Tensor
    equation: str
    beta: float = 1.0


@final
@dataclass(frozen=True)
class Terms:
    """Value and parts of the objective."""

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
    """

    def __init__(
        self,
        task: Task,
        kernel: Kernel,
        jitter: float = 1e-6,
        boundary_weight: float = 200.0,
        determinant: bool = True,
    ) -> None:
        self.task, self.kernel, self.jitter = task, kernel, jitter
        self.boundary_weight, self.determinant = boundary_weight, determinant
        self._residual = residual_named(task.equation)
        self._order = 1 if task.equation.startswith("advection") else 2
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
        boundary_gap = (edges(u) - task.boundary).square().sum()
        equation_gap = self._residual(prior, task.source, task.beta).square().sum()
        loss = -prior.log_density
        if self.determinant:
            loss = loss + 0.5 * prior.logdet
        loss = loss - self.boundary_weight * _gaussian(len(task.boundary), log_tau, boundary_gap)
        loss = loss - _gaussian(u.numel(), log_v, equation_gap)
        return Terms(loss, boundary_gap, equation_gap, prior)


def _gaussian(count: int, log_precision: Tensor, gap: Tensor) -> Tensor:
    """Log density of ``count`` normal deviations whose squares sum to ``gap``."""
    return count / 2 * log_precision - 0.5 * log_precision.exp() * gap


def second_stage(
    task: Task,
    frozen: Prior,
    extra: Prior,
    log_tau: Tensor,
    log_v: Tensor,
    boundary_weight: float = 200.0,
) -> Terms:
    """Return the objective of a second process that is added to a frozen first one.

    The prior is the second one's alone; boundary and (linear) equation see the sum.
    """
    total = frozen.values + extra.values
    boundary_gap = (edges(total) - task.boundary).square().sum()
    laplace = _laplace(frozen) + _laplace(extra)
    residual = laplace - task.source
    if task.equation.startswith("allencahn"):
        residual = residual + _cubic(total)
    equation_gap = residual.square().sum()
    loss = -extra.log_density + 0.5 * extra.logdet
    loss = loss - boundary_weight * _gaussian(len(task.boundary), log_tau, boundary_gap)
    loss = loss - _gaussian(total.numel(), log_v, equation_gap)
    return Terms(loss, boundary_gap, equation_gap, extra)
