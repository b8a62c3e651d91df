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
    total = torch.zeros((), dtype=rows[0][0].dtype, device=rows[0][0].device)
    for i in range(len(rows)):
        total = total + rows[i][i].square()
        for j in range(i):
            total = total + (rows[i][j] + rows[j][i]).square() / 2
    return total


def strain_rate(rows: Rows) -> Tensor:
    """Return |S| = (2 S_ij S_ij)^{1/2}, S = sym(grad u); its gradient is zero, not NaN, at zero.

    Smagorinsky, Mon. Weather Rev. 91 (1963).
    """
    square = 2 * _square(rows)
    return torch.where(square > 0, square.clamp_min(torch.finfo(square.dtype).tiny), 0.0).pow(0.5)


def wale_rate(rows: Rows) -> Tensor:
    """Return the rate of the wall-adapting local eddy viscosity, zero in pure shear.

        (D:D)^{3/2} / ( (S:S)^{5/2} + (D:D)^{5/4} ),
        D = sym(g g) - tr(g g) I / 3,    S = sym(g)

    Nicoud and Ducros, Flow Turbul. Combust. 62 (1999), eq. 13.
    """
    dim = len(rows)
    squared: list[list[Tensor]] = [
        [torch.stack([rows[i][k] * rows[k][j] for k in range(dim)]).sum(0) for j in range(dim)]
        for i in range(dim)
    ]
    trace = torch.stack([squared[i][i] for i in range(dim)]).sum(0) / 3
    d = [[squared[i][j] - trace if i == j else squared[i][j] for j in range(dim)]
         for i in range(dim)]  # fmt: skip
    d2, s2 = _square(d), _square(rows)
    tiny = torch.finfo(d2.dtype).tiny
    live = d2 > 0
    safe = torch.where(live, d2, 1.0)
    below = (s2.clamp_min(tiny) ** 2.5 + safe**1.25).clamp_min(tiny)
    return torch.where(live, safe**1.5 / below, 0.0)
