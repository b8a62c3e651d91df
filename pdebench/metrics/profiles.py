"""Statistics of wall-bounded flows: profiles over the wall-normal direction.

[.] is the mean over frames and over the periodic directions of one sample; y is the wall-normal
coordinate, integrated with its own quadrature weights W:  |f|^2 = sum_y W f(y)^2.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pdebench.domain import Domain, Grid
from pdebench.errors import Unsupported
from pdebench.metric import Fold, Metric, metric
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
    return moments(field, domain).stress


@final
@dataclass(frozen=True)
class Moments:
    """First and second moments of ``count`` frames; those of more frames by ``+``.

    Attributes:
        count: frames.
        mean: [u] (y), (B, C, n).
        stress: [u_i' u_j'] (y), (B, C, C, n).
    """

    count: int
    mean: Tensor
    stress: Tensor

    def __add__(self, other: "Moments") -> "Moments":
        """Pool the moments about the common mean, so that a large mean costs no digits.

        Chan, Golub and LeVeque, Am. Stat. 37 (1983), eq. 2.1.
        """
        total = self.count + other.count
        own, its = self.count / total, other.count / total
        apart = other.mean - self.mean
        between = (own * its) * apart.unsqueeze(1) * apart.unsqueeze(2)
        stress = own * self.stress + its * other.stress + between
        return Moments(total, self.mean + its * apart, stress)


def moments(field: Tensor, domain: Domain) -> Moments:
    """Return mean and stress profiles of fields (B, T, C, *S), float64."""
    weights = _lateral(domain).to(field.device)
    means, stresses = [], []
    for _, part in layers(field, domain):
        means.append(_mean(part, weights))
        centred = part.flatten(4) - means[-1][:, None, ..., None]
        rows = centred.permute(0, 3, 2, 1, 4)  # (B, n, C, T, points)
        products = (rows * weights).flatten(3) @ rows.flatten(3).mT
        stresses.append(products.permute(0, 2, 3, 1) / field.shape[1])
    return Moments(field.shape[1], torch.cat(means, -1), torch.cat(stresses, -1))


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


def _mean_distance(sums: tuple[Tensor, Tensor], problem: Problem) -> Tensor:
    return _distance(*sums, problem.domain)  # sums, not means: both of as many frames


@metric(
    "pdebench.mean_profile_error@1",
    needs=("target", "walls"),
    fold=Fold.sums(_mean_distance),
)
def mean_profile_error(solution: Solution, target: Tensor, problem: Problem) -> tuple[Tensor, ...]:
    """Relative error of the mean velocity profile, |[p] - [y]| / |[y]|, (B,)."""
    fields = _velocities(solution, target, problem)
    return tuple(v.shape[1] * mean_profile(v, problem.domain) for v in fields)


def _stress_error(name: str, form: Callable[[Tensor], Tensor], doc: str) -> Metric:
    """Return the metric of the distance of form(stress) of prediction and target."""

    def finish(found: tuple[Moments, ...], problem: Problem) -> Tensor:
        got, expected = (form(m.stress) for m in found)
        return _distance(got, expected, problem.domain)

    def part(solution: Solution, target: Tensor, problem: Problem) -> tuple[Moments, ...]:
        fields = _velocities(solution, target, problem)
        return tuple(moments(v, problem.domain) for v in fields)

    part.__doc__ = doc
    return metric(f"pdebench.{name}@1", needs=("target", "walls"), fold=Fold.sums(finish))(part)


def _rms(stress: Tensor) -> Tensor:
    return stress.diagonal(dim1=1, dim2=2).movedim(-1, 1).sqrt()


def _shear(stress: Tensor) -> Tensor:
    above = torch.triu_indices(stress.shape[1], stress.shape[1], 1)
    return stress[:, above[0], above[1]]


rms_profile_error = _stress_error(
    "rms_profile_error",
    _rms,
    """Relative error of the profiles of the velocity fluctuations' rms, (B,).

    |r_p - r_y| / |r_y|,    r_i = [u_i'^2]^{1/2}, all components together
    """,
)
reynolds_stress_error = _stress_error(
    "reynolds_stress_error",
    _shear,
    """Relative error of the Reynolds shear stresses [u_i' u_j'] (y), i < j, together, (B,).

    |s_p - s_y| / |s_y|. The normal stresses are in `rms_profile_error`.
    """,
)
