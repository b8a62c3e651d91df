"""Statistics of wall-bounded flows: profiles over the wall-normal direction.

[.] is the mean over frames and over the periodic directions of one sample; y is the wall-normal
coordinate, integrated with its own quadrature weights W:  |f|^2 = sum_y W f(y)^2.
"""

import torch
from torch import Tensor

from pdebench.domain import Domain, Grid
from pdebench.errors import Unsupported
from pdebench.metric import metric
from pdebench.metrics.channels import velocity
from pdebench.metrics.fields import paired, ratio
from pdebench.problem import Problem, Solution


def wall(domain: Domain) -> tuple[Grid, int]:
    """Return the grid and the position of its one bounded axis; Unsupported elsewhere."""
    if not isinstance(domain, Grid):
        raise Unsupported("wall profiles need a tensor grid")
    walls = [i for i, axis in enumerate(domain.axes) if not axis.periodic]
    if len(walls) != 1 or domain.dim < 2:
        raise Unsupported(f"wall profiles need one wall-normal axis, the grid has {len(walls)}")
    return domain, walls[0]


def mean_profile(field: Tensor, domain: Domain) -> Tensor:
    """Return [u] (y), (B, C, n) float64, of fields (B, T, C, *S)."""
    return _average(field.mean(1, dtype=torch.float64), domain)


def stress_profiles(field: Tensor, domain: Domain) -> Tensor:
    """Return [u_i' u_j'] (y), (B, C, C, n) float64, u' = u - [u]; the diagonal holds variances.

    Frame by frame, so that no temporary is larger than a few frames.
    """
    _, normal = wall(domain)
    average = mean_profile(field, domain)
    shape = [1] * (field.ndim - 3)
    shape[normal] = average.shape[-1]
    centre = average.reshape(*average.shape[:2], *shape)
    num = field.shape[2]
    total = average.new_zeros((len(average), num, num, average.shape[-1]))
    for frame in field.unbind(1):
        fluctuation = frame.to(torch.float64) - centre
        for i in range(num):
            products = fluctuation[:, i : i + 1] * fluctuation[:, i:]
            part = _average(products, domain)
            total[:, i, i:] += part
            total[:, i + 1 :, i] += part[:, 1:]
    return total / field.shape[1]


def _average(field: Tensor, domain: Domain) -> Tensor:
    """Return the weighted mean of (B, C, *S) over all but the wall-normal axis, (B, C, n)."""
    grid, normal = wall(domain)
    moved = field.movedim(2 + normal, 2)
    others = [a.weights for i, a in enumerate(grid.axes) if i != normal]
    weights = others[0]
    for extra in others[1:]:
        weights = weights[..., None] * extra
    weights = (weights / weights.sum()).to(field)
    return moved.flatten(3) @ weights.reshape(-1)


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
