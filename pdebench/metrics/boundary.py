"""Errors on the boundary, integrated over its surface."""

import math

import torch
from torch import Tensor

from pdebench.domain import Domain, Grid, Mesh
from pdebench.errors import Unsupported
from pdebench.metric import EACH, metric
from pdebench.metrics.fields import diverged, paired
from pdebench.metrics.quadrature import box_weights
from pdebench.problem import Problem, Solution

Part = tuple[tuple[slice | int, ...] | Tensor, Tensor]  # where, surface weights there


def surface(domain: Domain) -> list[Part]:
    """Return the boundary in parts: an index of space, and the quadrature weights (float64) there.

    Grid: every face of a bounded axis carries the product of the other axes' weights, so that an
    edge belongs to both its faces. Mesh: facets that belong to one cell and whose vertices are all
    marked share their measure among their vertices. Points: every marked point counts alike, for a
    cloud does not know its surface. Raises Unsupported where there is no boundary.
    """
    if isinstance(domain, Grid):
        parts = _faces(domain)
    else:
        weights = _facets(domain) if isinstance(domain, Mesh) else domain.boundary.double()
        on = weights.nonzero()[:, 0]
        parts: list[Part] = [(on, weights[on])] if len(on) else []
    if not parts:
        raise Unsupported("the domain has no boundary points")
    return parts


def _faces(grid: Grid) -> list[Part]:
    parts: list[Part] = []
    for position, axis in enumerate(grid.axes):
        if axis.periodic or axis.rule == "midpoint":  # no node lies on the wall
            continue
        others = (slice(None),) * grid.dim
        along = Grid((*grid.axes[:position], *grid.axes[position + 1 :]))
        face = box_weights(along, others[1:])
        parts += [((*others[:position], end, *others[position + 1 :]), face) for end in (0, -1)]
    return parts


def _facets(mesh: Mesh) -> Tensor:
    cells, num = mesh.cells, mesh.cells.shape[1]
    if num == 4 and mesh.dim == 2:
        local = [(i, (i + 1) % 4) for i in range(4)]
    else:
        local = [tuple(j for j in range(num) if j != i) for i in range(num)]
    facets = torch.cat([cells[:, list(corners)] for corners in local])
    _, inverse, counts = facets.sort(1).values.unique(
        dim=0, return_inverse=True, return_counts=True
    )
    outer = facets[(counts[inverse] == 1) & mesh.boundary[facets].all(1)]
    corners = mesh.nodes.to(torch.float64)[outer]
    edges = corners[:, 1:] - corners[:, :1]
    gram = edges @ edges.mT
    size = torch.linalg.det(gram).clamp_min(0).sqrt() / math.factorial(mesh.dim - 1)
    if mesh.dim == 1:
        size = torch.ones(len(outer), dtype=torch.float64)
    total = torch.zeros(len(mesh.nodes), dtype=torch.float64)
    share = (size / outer.shape[1]).repeat_interleave(outer.shape[1])
    return total.index_add_(0, outer.reshape(-1), share)


@metric("pdebench.brmse@1", unit="unit of the field", needs=("target", "boundary"), fold=EACH)
def brmse(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Root-mean-square error on the boundary, mean over channels, (B, T).

        1/C sum_c ( int_boundary e_c^2 / int_boundary 1 )^{1/2}

    PDEBench's bRMSE (arXiv 2210.07182, app. B) on surfaces that are boundaries: theirs takes the
    first and last points of periodic directions, too, and sums channels in 3D
    (`published.pdebench`). Surface weights as in `surface`.
    """
    prediction, reference = paired(solution, target, problem)
    total, size = reference.new_zeros(reference.shape[:3], dtype=torch.float64), 0.0
    for where, weights in surface(problem.domain):
        index = (..., *where) if isinstance(where, tuple) else (..., where.to(reference.device))
        error = prediction[index].to(torch.float64, copy=True).sub_(reference[index]).square_()
        line = weights.to(error).reshape(-1)
        total += error.flatten(3) @ line if error.ndim > 3 else error * line
        size += float(line.sum())
    return diverged(total / size).sqrt().mean(2)
