"""Descent along proposed directions, made conjugate to the last ones."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pdebench.errors import DataError, SolverError

Map = Callable[[Tensor], Tensor]
_USELESS = 1e-7  # |cosine| between direction and residual below float32's round-off: no descent


@final
@dataclass(frozen=True)
class Progress:
    """One iterate: ``x`` (B, N), true residual norms (B,), steps so far (B,), and how often the
    residual replaced a useless direction so far (B,).
    """

    x: Tensor
    residual: Tensor
    steps: Tensor
    replaced: Tensor


def _inner(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1, keepdim=True)


def _useless(q: Tensor, r: Tensor) -> Tensor:
    size = q.norm(dim=-1, keepdim=True) * r.norm(dim=-1, keepdim=True)
    cosine = _inner(q, r).abs() / size
    return ~(torch.isfinite(q).all(-1, keepdim=True) & (cosine > _USELESS))


def conjugate_directions(
    matvec: Map,
    b: Tensor,
    direction: Map,
    kept: int = 2,
    tolerance: float = 1e-6,
    steps: int = 1000,
) -> Iterator[Progress]:
    """Yield x_0 = 0 and the iterates of  A x = b  until every |b - A x| <= tolerance |b|.

        q = f(r / |r|),   p = q - sum_j p_j (q . A p_j) / (p_j . A p_j)   over the last ``kept``
        x <- x + p (p . r) / (p . A p),   r <- b - A x, the true residual

    Kaneda et al., ICML 2023 (arXiv 2205.10763), alg. 1. The A-norm of the error never grows,
    whatever f returns; f = identity gives conjugate gradients. Where a direction is not finite or
    no descent, the residual takes its place and is counted.
    ``matvec`` and ``direction`` map (B, N) to (B, N); b: (B, N).

    Raises DataError where b is not finite, SolverError where p . A p <= 0 shows that the matrix is
    not positive definite.
    """
    if not bool(torch.isfinite(b).all()):
        raise DataError("the right-hand side holds NaN or infinity")
    x, r = torch.zeros_like(b), b
    first = r.norm(dim=-1, keepdim=True)
    replaced = torch.zeros(len(b), dtype=torch.long, device=b.device)
    taken = torch.zeros_like(replaced)
    history: list[tuple[Tensor, Tensor, Tensor]] = []
    yield Progress(x, first[:, 0], taken, replaced)
    for _ in range(steps):
        norm = r.norm(dim=-1, keepdim=True)
        going = norm > tolerance * first
        if not bool(going.any()):
            return
        unit = r / norm.where(norm > 0, 1.0)
        q = direction(unit).to(b.dtype)
        bad = _useless(q, unit)
        p = _conjugate(torch.where(bad, unit, q), history)
        lost = _useless(p, unit) & going  # nothing is left of q beside the kept directions
        p = torch.where(lost, unit, p)
        replaced = replaced + ((bad & going) | lost)[:, 0]
        product = matvec(p)
        energy = _inner(p, product)
        if bool((going & (energy <= 0)).any()):
            raise SolverError(
                f"p . A p = {float(energy[going].min()):.3g}: the matrix is not positive definite, "
                "conjugate directions do not apply"
            )
        p = torch.where(going, p, 0.0)
        x = x + p * (_inner(p, r) / energy.where(going, 1.0))
        r = b - matvec(x)
        history = [(p, product, energy.where(going, 1.0)), *history[: kept - 1]] if kept else []
        taken = taken + going[:, 0]
        yield Progress(x, r.norm(dim=-1), taken, replaced)


def _conjugate(q: Tensor, history: list[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
    p = q
    for past, product, energy in history:
        p = p - past * (_inner(q, product) / energy)
    return p
