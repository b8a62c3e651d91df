"""Polynomials through the nodes of a bounded axis: differentiation and interpolation matrices."""

import torch
from torch import Tensor

from pdebench.domain import Axis
from pdebench.errors import Unsupported


def gauss_lobatto(axis: Axis, needed_by: str) -> Axis:
    """Return the axis if it holds Chebyshev-Gauss-Lobatto nodes; Unsupported elsewhere."""
    if axis.rule == "clenshaw-curtis" and len(axis.nodes) >= 3:
        return axis
    raise Unsupported(
        f"{needed_by} needs Chebyshev-Gauss-Lobatto nodes (Axis.chebyshev, three or more), the "
        f"axis has {len(axis.nodes)} with the {axis.rule} rule"
    )


def differentiation(axis: Axis, order: int = 1) -> tuple[Tensor, ...]:
    """Return the matrices (n, n) of the derivatives 1 to ``order`` of the interpolant, float64.

        D^m_ij = m / (x_i - x_j) (c_i / c_j D^{m-1}_ii - D^{m-1}_ij),    D^m_ii = -sum_j D^m_ij

    c_i = +-1, doubled at both ends. The recursion loses less to round-off than powers of D.
    Welfert, SIAM J. Numer. Anal. 34 (1997), eq. 3; diagonal by Baltensperger and Trummer 2003.
    """
    nodes = gauss_lobatto(axis, "a spectral derivative").nodes
    num = len(nodes)
    # differences by the product formula: no cancellation between neighbours at the ends
    theta = torch.pi * torch.arange(num, dtype=torch.float64) / (num - 1)
    plus, minus = (theta[:, None] + theta) / 2, (theta[:, None] - theta) / 2
    apart = axis.length * torch.sin(plus) * torch.sin(minus)
    inverse = torch.where(torch.eye(num, dtype=torch.bool), 0.0, 1 / apart)
    c = (-1.0) ** torch.arange(num, dtype=torch.float64)
    c[0], c[-1] = 2 * c[0], 2 * c[-1]
    ratio = c[:, None] / c
    found: list[Tensor] = []
    last = torch.eye(num, dtype=torch.float64)
    for m in range(1, order + 1):
        last = m * inverse * (ratio * last.diagonal()[:, None] - last)
        last = last - torch.diag(last.sum(1))
        found.append(last)
    return tuple(found)


def interpolation(axis: Axis, points: Tensor) -> Tensor:
    """Return the matrix (len(points), n) that evaluates the interpolant at ``points``, float64.

    Barycentric formula of the second kind: Berrut and Trefethen, SIAM Rev. 46 (2004), eq. 5.4.
    """
    nodes = gauss_lobatto(axis, "spectral interpolation").nodes
    weights = (-1.0) ** torch.arange(len(nodes), dtype=torch.float64)
    weights[0], weights[-1] = weights[0] / 2, weights[-1] / 2
    apart = points.to(torch.float64)[:, None] - nodes
    hit = apart.abs() <= 1e-14 * axis.length
    terms = weights / torch.where(hit, 1.0, apart)
    matrix = terms / terms.sum(1, keepdim=True)
    return torch.where(hit.any(1, keepdim=True), hit.to(torch.float64), matrix)
