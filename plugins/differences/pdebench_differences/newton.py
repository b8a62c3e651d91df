"""What Newton's method asks of an equation: residual and slopes at the nodes, and where it fits."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pdebench.domain import Grid
from pdebench.errors import Unsupported
from pdebench.problem import Problem

Array = NDArray[np.float64]


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
        zero = np.zeros(domain.points.shape[0])
        pointwise(problem.take(slice(0, 1)), zero, [zero] * domain.dim)
    except Unsupported as error:
        return str(error)
    return None


def pointwise(problem: Problem, u: Array, seconds: Sequence[Array]) -> tuple[Array, list[Array]]:
    """Return R (N,) and its derivatives by u and by every second derivative, at all nodes.

    R may hold u and ``seconds``, u_xx, u_yy, .. (N,) each; its Jacobian is diagonal in each of them
    and taken by automatic differentiation.
    """
    entries: list[Tensor] = [torch.from_numpy(u).view(1, -1).clone().requires_grad_()]
    entries += [torch.from_numpy(s.copy()).view(1, -1).requires_grad_() for s in seconds]
    zero = torch.zeros_like(entries[0])
    jet = {"u": entries[0]}
    for name, second in zip("xyz", entries[1:], strict=False):
        jet |= {f"u_{name}": zero, f"u_{name}{name}": second}
    residual = problem.equation.pointwise(jet, problem)
    slopes = torch.autograd.grad(residual.sum(), entries, materialize_grads=True)
    return residual.detach()[0].numpy(), [s[0].numpy() for s in slopes]
