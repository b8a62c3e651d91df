"""Rates that eddy-viscosity models are made of, pointwise in the velocity gradient.

A gradient is ``rows[i][j]`` = d_j u_i, each (..., *S), 1/s, whatever the grid. A model is
nu_t = (constant x width)^2 x rate.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

Rows = Sequence[Sequence[Tensor]]


def _square(rows: Rows) -> Tensor:
    """Return the double contraction of the symmetric part, sym(rows)_ij sym(rows)_ij."""
    total = rows[0][0].square()
    for i in range(1, len(rows)):
        total = torch.addcmul(total, rows[i][i], rows[i][i])
        for j in range(i):
            both = rows[i][j] + rows[j][i]
            total = torch.addcmul(total, both, both, value=0.5)
    return total


def strain_rate(rows: Rows) -> Tensor:
    """Return |S| = (2 S_ij S_ij)^{1/2}, S = sym(grad u); its gradient is zero, not NaN, at zero.

    Smagorinsky, Mon. Weather Rev. 91 (1963).
    """
    square = 2 * _square(rows)
    return torch.where(square > 0, square.clamp_min(torch.finfo(square.dtype).tiny), 0.0).sqrt()


def wale_rate(rows: Rows) -> Tensor:
    """Return the rate of the wall-adapting local eddy viscosity, zero in pure shear.

        (D:D)^{3/2} / ( (S:S)^{5/2} + (D:D)^{5/4} ),
        D = sym(g g) - tr(g g) I / 3,    S = sym(g)

    Nicoud and Ducros, Flow Turbul. Combust. 62 (1999), eq. 13.
    """
    dim = len(rows)
    squared = [[_row_times_column(rows, i, j) for j in range(dim)] for i in range(dim)]
    trace = squared[0][0]
    for i in range(1, dim):
        trace = trace + squared[i][i]
    trace = trace / 3
    deviator = [
        [squared[i][j] - trace if i == j else squared[i][j] for j in range(dim)] for i in range(dim)
    ]
    d2, s2 = _square(deviator), _square(rows)
    tiny = torch.finfo(d2.dtype).tiny
    live = d2 > 0
    safe = torch.where(live, d2, 1.0)
    # by roots: torch's power of a fraction costs twenty times as much
    root, strain = safe.sqrt(), s2.clamp_min(tiny)
    below = (strain.square() * strain.sqrt() + safe * root.sqrt()).clamp_min(tiny)
    return torch.where(live, safe * root / below, 0.0)


def _row_times_column(rows: Rows, i: int, j: int) -> Tensor:
    total = rows[i][0] * rows[0][j]
    for k in range(1, len(rows)):
        total = torch.addcmul(total, rows[i][k], rows[k][j])
    return total
