"""Rates that eddy-viscosity models are made of, pointwise in the velocity gradient.

A gradient is ``rows[i][j]`` = d_j u_i, each (..., *S), 1/s, whatever the grid. A model is
nu_t = (constant x width)^2 x rate.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

Rows = Sequence[Sequence[Tensor]]


def _doubled(rows: Rows) -> list[Tensor]:
    """Return 2 sym(rows)_ij of the pairs i < j, in the order of `pairs` without the diagonal."""
    dim = len(rows)
    return [rows[i][j] + rows[j][i] for i in range(dim) for j in range(i + 1, dim)]


def _square(diagonal: Sequence[Tensor], doubled: Sequence[Tensor]) -> Tensor:
    """Return A_ij A_ij of a symmetric A given by its diagonal and twice what is above it."""
    total = diagonal[0].square()
    for entry in diagonal[1:]:
        total = torch.addcmul(total, entry, entry)
    for both in doubled:
        total = torch.addcmul(total, both, both, value=0.5)
    return total


def strain_rate(rows: Rows) -> Tensor:
    """Return |S| = (2 S_ij S_ij)^{1/2}, S = sym(grad u); its gradient is zero, not NaN, at zero.

    Smagorinsky, Mon. Weather Rev. 91 (1963).
    """
    square = 2 * _square([rows[i][i] for i in range(len(rows))], _doubled(rows))
    return torch.where(square > 0, square.clamp_min(torch.finfo(square.dtype).tiny), 0.0).sqrt()


def sized_strain_divergence(gradient: Tensor, bend: Tensor) -> Tensor:
    """Return d_j ( |S| S_ij ) (..., d) of d_j u_i (..., d, d) and d_j d_k u_i (..., d, d, d).

        |S| d_j S_ij + S_ij d_j |S|,   d_k |S| = 2 S_ab d_k S_ab / |S|,

    zero where S is, where it has no derivative.
    """
    s = (gradient + gradient.mT) / 2
    ds = (bend + bend.transpose(-3, -2)) / 2  # d_k S_ij
    square = 2 * s.square().sum((-2, -1))
    positive = square > 0
    size = torch.where(positive, square, 1.0).sqrt()
    along = 2 * torch.einsum("...ab,...abk->...k", s, ds) / size.unsqueeze(-1)
    own = size.unsqueeze(-1) * torch.einsum("...ijj->...i", ds)
    found = own + torch.einsum("...ij,...j->...i", s, along)
    return torch.where(positive.unsqueeze(-1), found, 0.0)


def wale_rate(rows: Rows) -> Tensor:
    """Return the rate of the wall-adapting local eddy viscosity, zero in pure shear.

        (D:D)^{3/2} / ( (S:S)^{5/2} + (D:D)^{5/4} ),
        D = sym(g g) - tr(g g) I / 3,    S = sym(g)

    Nicoud and Ducros, Flow Turbul. Combust. 62 (1999), eq. 13.
    """
    straight, doubled = [rows[i][i] for i in range(len(rows))], _doubled(rows)
    diagonal, above = _squared(rows, straight, doubled)
    trace = diagonal[0]
    for entry in diagonal[1:]:
        trace = trace + entry
    trace = trace / 3
    d2 = _square([entry - trace for entry in diagonal], above)
    s2 = _square(straight, doubled)
    tiny = torch.finfo(d2.dtype).tiny
    # by roots: torch's power of a fraction costs twenty times as much; the floor of d2 and s2 keeps
    # gradients finite and vanishes below
    d2, s2 = d2.clamp_min(tiny), s2.clamp_min(tiny)
    root = d2.sqrt()
    below = torch.addcmul(d2 * root.sqrt(), s2.square(), s2.sqrt())
    return d2 * root / below.clamp_min_(tiny)


def _squared(
    rows: Rows, straight: Sequence[Tensor], doubled: Sequence[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """Return the diagonal of g g and twice what is above it in sym(g g).

    2 sym(g g)_ij = (g_ii + g_jj) (g_ij + g_ji) + sum_{k != i, j} g_ik g_kj + g_jk g_ki
    """
    dim = len(rows)
    above = [(i, j) for i in range(dim) for j in range(i + 1, dim)]
    crossed = {pair: rows[pair[0]][pair[1]] * rows[pair[1]][pair[0]] for pair in above}
    diagonal: list[Tensor] = []
    for i in range(dim):
        total = straight[i].square()
        for pair in above:
            total = total + crossed[pair] if i in pair else total
        diagonal.append(total)
    entries: list[Tensor] = []
    for (i, j), both in zip(above, doubled, strict=True):
        total = (straight[i] + straight[j]) * both
        for k in set(range(dim)) - {i, j}:
            total = torch.addcmul(total, rows[i][k], rows[k][j])
            total = torch.addcmul(total, rows[j][k], rows[k][i])
        entries.append(total)
    return diagonal, entries
