"""What Newton's method asks of an equation: residual and slopes at the nodes, and where it fits."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pdebench.domain import Grid
from pdebench.errors import Unsupported
from pdebench.problem import Problem

Array = NDArray[np.floating[Any]]
Derivatives = Mapping[str, Array]


def unsuitable(problem: Problem, least: int) -> str | None:
    """Return why collocation on uniform nodes, at least so many per axis, does not fit, or None."""
    domain = problem.domain
    if problem.times is not None:
        return "it is for steady problems, the task asks for an evolution in time"
    if not isinstance(domain, Grid) or any(domain.periodic) or domain.dim > 2:
        return "it needs a box of one or two dimensions that is not periodic"
    if not all(axis.uniform for axis in domain.axes):
        return "it needs uniform nodes"
    if min(domain.shape) < least:
        return f"it needs {least} nodes per axis, the grid has {min(domain.shape)}"
    if "boundary" not in problem.inputs:
        return f"it needs boundary values, the problem has {sorted(problem.inputs)}"
    try:
        derivatives(problem.take(slice(0, 1)))
    except Unsupported as error:
        return str(error)
    return None


def derivatives(problem: Problem) -> list[str]:
    """Return the names of the derivatives that the equation of one problem holds: u_x, u_yy, .."""
    zero = torch.zeros(1, problem.domain.points.shape[0], dtype=torch.float64)
    names = [f"u_{axis * times}" for axis in "xyz"[: problem.domain.dim] for times in (1, 2)]
    jet = {name: zero.clone().requires_grad_() for name in ("u", *names)}
    total = problem.equation.pointwise(jet, problem).sum()
    found = torch.autograd.grad(total, [jet[name] for name in names], allow_unused=True)
    return [name for name, slope in zip(names, found, strict=True) if slope is not None]


def pointwise(problem: Problem, u: Array, along: Derivatives) -> tuple[Array, Array, Derivatives]:
    """Return R (N,) and its derivatives by u and by every entry of ``along``, at all nodes.

    R may hold u and ``along``, the derivatives u_x, u_yy, .. by name, (N,) each; its Jacobian is
    diagonal in each of them and taken by automatic differentiation.
    """
    given = {"u": u, **along}
    jet = {n: torch.from_numpy(v.copy()).view(1, -1).requires_grad_() for n, v in given.items()}
    residual = problem.equation.pointwise(jet, problem)
    found = torch.autograd.grad(residual.sum(), list(jet.values()), materialize_grads=True)
    slopes = [slope[0].numpy() for slope in found]
    return residual.detach()[0].numpy(), slopes[0], dict(zip(along, slopes[1:], strict=True))


Misfit = tuple[Array, Array, Derivatives]


def shortened(
    x: Array, change: Array, misfit: Callable[[Array], Misfit], weight: Array | float = 1.0
) -> tuple[Array, Misfit]:
    """Return x - t change with its misfit: the first t of 1, 1/2, 1/4, .. at which the norm of the
    weighted misfit falls, (1 - t / 10^4) times the old; the last of twenty where it never does.

    Armijo, Pacific J. Math. 16 (1966). Without it Newton's method leaves the basin of Allen-Cahn's
    root where the first step is long.
    """
    before, t = np.linalg.norm(weight * misfit(x)[0]), 1.0
    for _ in range(19):
        found = misfit(x - t * change)
        if np.linalg.norm(weight * found[0]) < (1 - 1e-4 * t) * before:
            return x - t * change, found
        t /= 2
    return x - t * change, misfit(x - t * change)
