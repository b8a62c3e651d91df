"""How sure the process is: the posterior covariance of the values at the nodes."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pdebench_gp.objective import Task
from pdebench_gp.process import Factor, Prior

_JITTERS = (0.0, 1e-14, 1e-12, 1e-10, 1e-8)  # of the largest diagonal entry, where round-off bites


def kron(parts: Sequence[Tensor]) -> Tensor:
    """Return the Kronecker product of (.., N_a, N_a) over axes, (.., N, N)."""
    whole = parts[0]
    for part in parts[1:]:
        n, m = whole.shape[-1], part.shape[-1]
        product = whole[..., :, None, :, None] * part[..., None, :, None, :]
        whole = product.reshape(*product.shape[:-4], n * m, n * m)
    return whole


def operators(factors: Sequence[Factor], order: int) -> list[Tensor]:
    """Return D_a = K_a^(order) K_a^{-1} of every axis on all nodes, (.., N, N)."""
    found = []
    for axis, factor in enumerate(factors):
        line = factor.solve(factor.matrices[order].mT).mT
        eyes = [torch.eye(len(f.points), dtype=line.dtype, device=line.device) for f in factors]
        found.append(kron([line if a == axis else eyes[a] for a in range(len(factors))]))
    return found


def linearised(task: Task, prior: Prior) -> Tensor:
    """Return the equation's linear operator on all nodes, (N, N), of one instance; for Allen-Cahn
    its linearisation lap + 3 u^2 - 1 at the values of the process.
    """
    parts = operators(prior.factors, task.order)
    if task.kind == "advection":
        return task.beta * parts[0] + parts[1]
    total = torch.stack(parts).sum(0)
    if task.kind == "allencahn":
        total = total + torch.diag((3 * task.total(prior.values).square() - 1).flatten())
    return total


def precision(
    factors: Sequence[Factor], operator: Tensor, edge: Tensor, boundary: Tensor, equation: Tensor
) -> Tensor:
    """Return the precision matrix of u given data, kernel and precisions, (.., N, N).

        H = C^{-1} + b E^T E + v L^T L,    u ~ N(H^{-1} (b E^T g + v L^T f), H^{-1})

    Exact for a linear operator L = ``operator`` (.., N, N); the Gauss-Newton (Laplace)
    approximation where L is a linearisation. E picks the nodes ``edge``; ``boundary`` = lambda
    e^{log tau} and ``equation`` = e^{log v} are (..,).
    """
    eyes = [torch.eye(len(f.points)).to(f.cholesky) for f in factors]
    inverses = [f.solve(eye.expand_as(f.cholesky)) for f, eye in zip(factors, eyes, strict=True)]
    total = kron(inverses) + equation[..., None, None] * (operator.mT @ operator)
    counts = (
        torch.zeros(total.shape[-1]).to(total).index_add_(0, edge, torch.ones(len(edge)).to(total))
    )
    return total + boundary[..., None, None] * torch.diag(counts)


def root(matrix: Tensor) -> Tensor:
    """Return the Cholesky factor of a precision matrix, after scaling to unit diagonal.

    Where round-off leaves it indefinite, up to 1e-8 of the diagonal is added: the spread is then a
    little too small.
    """
    scale = matrix.diagonal(dim1=-2, dim2=-1).rsqrt()
    scaled = scale[..., :, None] * matrix * scale[..., None, :]
    eye = torch.eye(matrix.shape[-1]).to(matrix)
    factor, info = torch.linalg.cholesky_ex(scaled + _JITTERS[0] * eye)
    for jitter in _JITTERS[1:]:
        if not bool((info > 0).any()):
            break
        factor, info = torch.linalg.cholesky_ex(scaled + jitter * eye)
    return factor / scale[..., :, None]


def spread(factors: Sequence[Factor], factor: Tensor) -> Tensor:
    """Return the standard deviation of the field at the nodes, (.., N), from ``root`` of H.

    The answer at the nodes is P u with P = C (C + jitter)^{-1} per axis, u ~ N(., H^{-1}), so

        variance = diag(P H^{-1} P^T) + diag(C - P C)

    the second part being what the jitter leaves open between u and the field.
    """
    smooth, prior = [], []
    for f in factors:
        smooth.append(f.solve(f.matrices[0]).mT)
        prior.append(f.matrices[0])
    p, c = kron(smooth), kron(prior)
    half = torch.linalg.solve_triangular(factor, p.mT, upper=False)
    open_ = (c - p @ c).diagonal(dim1=-2, dim2=-1).clamp_min(0)
    return (half.square().sum(-2) + open_).sqrt()
