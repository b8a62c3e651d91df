"""Newton's method for a batch of stretched unit cells."""

from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pdebench.equations.quadratic_cells import Cells
from pdebench.errors import Diverged
from pdebench_fem.rivlin import Rivlin

Array = NDArray[Any]


@final
@dataclass(frozen=True)
class Loading:
    """What a body is subject to: ``force`` (B, 2, N), ``fixed`` (2 N,) bool, and the ``values``
    (B, 2, N) of fixed unknowns.
    """

    force: Tensor
    fixed: Array
    values: Tensor


@final
@dataclass
class Found:
    """Displacements (B, 2, N) and relative residuals by step, the largest of the batch."""

    u: Tensor
    residuals: list[float] = field(default_factory=list)


def deformation(cells: Cells, u: Tensor) -> Tensor:
    """Return F = I + grad u (B, E, 9, 2, 2)."""
    return cells.gradient(u) + torch.eye(2, dtype=torch.float64)


def newton(
    cells: Cells,
    material: Rivlin,
    loading: Loading,
    start: Tensor | None = None,
    tolerance: float = 1e-10,
    steps: int = 12,
    load_steps: int = 1,
) -> Found:
    """Solve int P(F) : grad v = f . v, by full Newton steps with the exact tangent.

    Stops where |residual| <= tolerance |f| for every body, or where it no longer falls below
    1e-6 |f|, at the level of round-off. Forces grow in ``load_steps`` equal parts.

    Raises Diverged where det F <= 0 or the steps do not suffice.
    """
    held = torch.from_numpy(loading.fixed).view(2, -1)
    u = torch.zeros_like(loading.force) if start is None else start.clone()
    u = torch.where(held, loading.values, u)
    found = Found(u)
    for part in range(1, load_steps + 1):
        force = loading.force * (part / load_steps)
        last = float("inf")
        for _ in range(steps):
            f = deformation(cells, found.u)
            if not bool((torch.linalg.det(f) > 0).all()):
                raise Diverged("an element was turned inside out; use more load_steps")
            inner = cells.divergence(material.first(f))
            gap = torch.where(held, 0.0, force - inner)
            size = torch.maximum(force.flatten(1).norm(dim=1), inner.flatten(1).norm(dim=1))
            error = float((gap.flatten(1).norm(dim=1) / size.clamp_min(1e-300)).max())
            found.residuals.append(error)
            if error <= tolerance or (last < 1e-6 and error > 0.5 * last):
                break
            last = error
            found.u = found.u + _step(cells, material.tangent(f), gap, loading.fixed)
        else:
            raise Diverged(f"Newton's method did not end in {steps} steps; use more load_steps")
    return found


def _step(cells: Cells, tangent: Tensor, gap: Tensor, fixed: Array) -> Tensor:
    """Return K^{-1} gap for every body."""
    from scipy.sparse.linalg import splu

    local = cells.local_matrices(tangent)
    rows = []
    for one, right in zip(local, gap.flatten(1).numpy(), strict=True):
        matrix = cells.pattern.matrix(one, fixed).tocsc()
        options = {"SymmetricMode": True, "DiagPivotThresh": 0.0}
        rows.append(splu(matrix, permc_spec="MMD_AT_PLUS_A", options=options).solve(right))
    return torch.from_numpy(np.stack(rows)).view_as(gap)
