"""Statistics of wall-bounded flows: profiles over the wall-normal direction.

[.] is the mean over frames and over the periodic directions of one sample; y is the wall-normal
coordinate, integrated with its own quadrature weights W:  |f|^2 = sum_y W f(y)^2.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from pdebench.domain import Domain, Grid
from pdebench.errors import Unsupported
from pdebench.metric import metric
from pdebench.metrics.channels import velocity
from pdebench.metrics.fields import paired, ratio
from pdebench.metrics.quadrature import BLOCK
from pdebench.problem import Problem, Solution


def wall(domain: Domain) -> tuple[Grid, int]:
    """Return the grid and the position of its one bounded axis; Unsupported elsewhere."""
    if not isinstance(domain, Grid):
        raise Unsupported("wall profiles need a tensor grid")
    walls = [i for i, axis in enumerate(domain.axes) if not axis.periodic]
    if len(walls) != 1 or domain.dim < 2:
        raise Unsupported(f"wall profiles need one wall-normal axis, the grid has {len(walls)}")
    return domain, walls[0]


def layers(field: Tensor, domain: Domain) -> Iterator[tuple[slice, Tensor]]:
    """Yield (nodes, part): layers of fields (B, T, C, *S) parallel to the wall, in float64.

    A part is (B, T, C, n, *others), n nodes along the wall-normal axis, about `BLOCK` values in
    all or one node's.
    """
    grid, normal = wall(domain)
    moved = field.movedim(3 + normal, 3)
    num = grid.shape[normal]
    step = max(1, BLOCK * num // max(field.numel(), 1))
    for start in range(0, num, step):
        nodes = slice(start, min(start + step, num))
        yield nodes, moved[:, :, :, nodes].to(torch.float64)


def mean_profile(field: Tensor, domain: Domain) -> Tensor:
    """Return [u] (y), (B, C, n) float64, of fields (B, T, C, *S)."""
    weights = _lateral(domain).to(field.device)
    return torch.cat([_mean(part, weights) for _, part in layers(field, domain)], -1)


def stress_profiles(field: Tensor, domain: Domain) -> Tensor:
    """Return [u_i' u_j'] (y), (B, C, C, n) float64, u' = u - [u]; the diagonal holds variances."""
    weights, found = _lateral(domain).to(field.device), []
    for _, part in layers(field, domain):
        centred = part.flatten(4) - _mean(part, weights)[:, None, ..., None]
        rows = centred.permute(0, 3, 2, 1, 4)  # (B, n, C, T, points)
        products = (rows * weights).flatten(3) @ rows.flatten(3).mT
        found.append(products.permute(0, 2, 3, 1) / field.shape[1])
    return torch.cat(found, -1)


def _mean(part: Tensor, weights: Tensor) -> Tensor:
    """Return the mean of a layer over frames and points, (B, C, n)."""
    return (part.flatten(4) @ weights).mean(1)


def _lateral(domain: Domain) -> Tensor:
    """Return the weights of the points of all but the wall-normal axis, flattened; sum 1."""
    grid, normal = wall(domain)
    others = Grid(tuple(a for i, a in enumerate(grid.axes) if i != normal))
    return (others.weights / others.weights.sum()).reshape(-1)


def _distance(got: Tensor, expected: Tensor, domain: Domain) -> Tensor:
    """Return |got - expected| / |expected| over channels and wall-normal nodes, (B,)."""
    grid, normal = wall(domain)
    weights = grid.axes[normal].weights.to(expected)
    error = ((got - expected).square() * weights).flatten(1).sum(1)
    return ratio(error, (expected.square() * weights).flatten(1).sum(1)).sqrt()


def _velocities(solution: Solution, target: Tensor, problem: Problem) -> tuple[Tensor, Tensor]:
    prediction, reference = paired(solution, target, problem)
    return velocity(prediction, problem), velocity(reference, problem)


@metric("pdebench.mean_profile_error@1", needs=("target", "walls"))
def mean_profile_error(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Relative error of the mean velocity profile, |[p] - [y]| / |[y]|, (B,)."""
    got, expected = _velocities(solution, target, problem)
    domain = problem.domain
    return _distance(mean_profile(got, domain), mean_profile(expected, domain), domain)


@metric("pdebench.rms_profile_error@1", needs=("target", "walls"))
def rms_profile_error(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Relative error of the profiles of the velocity fluctuations' rms, (B,).

    |r_p - r_y| / |r_y|,    r_i = [u_i'^2]^{1/2}, all components together
    """
    got, expected = (
        stress_profiles(v, problem.domain).diagonal(dim1=1, dim2=2).movedim(-1, 1).sqrt()
        for v in _velocities(solution, target, problem)
    )
    return _distance(got, expected, problem.domain)


@metric("pdebench.reynolds_stress_error@1", needs=("target", "walls"))
def reynolds_stress_error(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Relative error of the Reynolds shear stresses [u_i' u_j'] (y), i < j, together, (B,).

    |s_p - s_y| / |s_y|. The normal stresses are in `rms_profile_error`.
    """
    above = torch.triu_indices(problem.domain.dim, problem.domain.dim, 1)
    got, expected = (
        stress_profiles(v, problem.domain)[:, above[0], above[1]]
        for v in _velocities(solution, target, problem)
    )
    return _distance(got, expected, problem.domain)
