"""Preconditioned conjugate gradients over a batch of systems."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pdebench.errors import DataError, SolverError
from pdebench_krylov.preconditioner import Map


@final
@dataclass(frozen=True)
class Progress:
    """One iterate: ``x`` (B, N), residual norms (B,), the true ones at the end, and steps (B,)."""

    x: Tensor
    residual: Tensor
    steps: Tensor


def _inner(a: Tensor, b: Tensor) -> Tensor:
    return torch.linalg.vecdot(a, b).unsqueeze(-1)


def _norm(a: Tensor) -> Tensor:
    return a.norm(dim=-1, keepdim=True)


def conjugate_gradients(
    matvec: Map, b: Tensor, inverse: Map, start: Tensor, tolerance: float, steps: int
) -> Iterator[Progress]:
    """Yield the start and the iterates of  A x = b  until every |b - A x| <= tolerance |b|.

        z = M^{-1} r,  p <- z + p (r . z) / (r . z)_old,  x <- x + p (r . z) / (p . A p)

    Hestenes and Stiefel, J. Res. Natl. Bur. Stand. 49 (1952). The recurrence's residual decides
    when to look, the true one whether to stop: where round-off has parted them, the iteration is
    restarted from the true one. Instances that are done rest.

    Raises DataError where b is not finite, SolverError where p . A p <= 0 (not positive definite)
    or r . M^{-1} r <= 0 (the preconditioner is not).
    """
    if not bool(torch.isfinite(b).all()):
        raise DataError("the right-hand side holds NaN or infinity")
    x, r = start, b - matvec(start)
    norm, limit = _norm(r), tolerance * _norm(b)
    taken = torch.zeros(len(b), dtype=torch.long, device=b.device)
    yield Progress(x, norm[:, 0], taken)
    p, old, fresh = torch.empty_like(b), torch.ones_like(limit), True
    for _ in range(steps):
        going = norm > limit
        if not bool(going.any()):
            return
        z = inverse(r)
        rho = _inner(r, z)
        if bool((going & (rho <= 0)).any()):
            raise SolverError(
                "r . M^-1 r is not positive: the preconditioner is not positive definite"
            )
        p = p.copy_(z) if fresh else torch.addcmul(z, p, rho / old, out=p)
        product = matvec(p)
        energy = _inner(p, product)
        if bool((going & (energy <= 0)).any()):
            raise SolverError(
                f"p . A p = {float(energy[going].min()):.3g}: the matrix is not positive definite, "
                "conjugate gradients do not apply"
            )
        step = torch.where(going, rho / torch.where(going, energy, 1.0), 0.0)
        x = torch.addcmul(x, step, p)  # a new one: whoever asked may keep the last
        r.addcmul_(-step, product)
        norm, old, fresh = _norm(r), torch.where(going, rho, 1.0), False
        if bool((going & (norm <= limit)).any()):
            true = b - matvec(x)
            late = _norm(true) > limit
            fresh = bool((late & going).any()) and not bool((norm > limit).any())
            r, norm = true, _norm(true)
        taken = taken + going[:, 0]
        yield Progress(x, norm[:, 0], taken)
