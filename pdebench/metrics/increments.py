"""Statistics of velocity increments, the usual test of small scales in turbulence."""

import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.errors import ConfigError, Unsupported
from pdebench.metric import EACH, Metric, metric
from pdebench.metrics.channels import velocity
from pdebench.metrics.distributions import wasserstein
from pdebench.metrics.fields import diverged, paired, ratio
from pdebench.metrics.quadrature import mean_square
from pdebench.metrics.shells import torus
from pdebench.problem import Problem, Solution


def increments(flow: Tensor, grid: Grid, separation: int) -> Tensor:
    """Return the longitudinal increments u_j(x + r e_j) - u_j(x), (..., d, *S), of (..., d, *S).

    r is ``separation`` cells along each periodic uniform axis.
    """
    parts = [
        increment(flow.select(-grid.dim - 1, j), j - grid.dim, separation) for j in range(grid.dim)
    ]
    return torch.stack(parts, -grid.dim - 1)


def increment(field: Tensor, axis: int, separation: int) -> Tensor:
    """Return u(x + r e) - u(x), r of ``separation`` cells along a periodic axis."""
    return field.roll(-separation, axis).sub_(field)


def increment_density(
    flow: Tensor, grid: Grid, separation: int = 1, bins: int = 64, reach: float = 8.0
) -> tuple[Tensor, Tensor]:
    """Return bin centres (bins,) and the density (bins,) of increments by their rms.

    Over all samples, frames, components and points; values beyond ``reach`` rms count in the
    normalisation but have no bin. For plots; the score is free of bins.
    """
    values = increments(flow.to(torch.float64), grid, separation).flatten()
    size = values.square().mean().sqrt()
    edges = torch.linspace(-reach, reach, bins + 1, dtype=torch.float64)
    counts = torch.histogram((values / size).cpu(), edges).hist
    return (edges[1:] + edges[:-1]) / 2, counts / values.numel() / (2 * reach / bins)


def increment_error(separation: int = 1) -> Metric:
    """Return the metric of the distance of the increments' distributions, (B, T).

        1/d sum_j W1(delta_r p_j, delta_r y_j) / <(delta_r y_j)^2>^{1/2}

    Longitudinal increments over ``separation`` cells, by `distributions.wasserstein`: the area
    between the two distribution functions, which needs no bins, in units of the target's rms
    increment. Raises ConfigError for a separation that is not positive; Unsupported where a period
    is no longer than the separation, off the torus, or without a velocity.
    """
    if separation < 1:
        raise ConfigError(f"metric.separation={separation}, expected at least one cell")

    def score(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
        grid = torus(problem.domain)
        if min(grid.shape) <= separation:
            raise Unsupported(f"increments over {separation} cells of a grid of {grid.shape}")
        fields = [velocity(v, problem) for v in paired(solution, target, problem)]
        frames = [
            _frame(fields[0][b, t], fields[1][b, t], grid, separation)
            for b in range(len(target))
            for t in range(fields[1].shape[1])
        ]
        return torch.stack(frames).reshape(fields[1].shape[:2])

    score.__doc__ = f"Distance of velocity-increment distributions over {separation} cells, (B, T)."
    name = f"pdebench.increment_error_{separation}@1"
    return metric(name, needs=("target", "torus"), fold=EACH)(score)


def _frame(got: Tensor, expected: Tensor, grid: Grid, separation: int) -> Tensor:
    """Return the score of one frame, its flows (d, *S)."""
    scores = []
    for j in range(grid.dim):
        x, y = (increment(v[j], j, separation) for v in (got, expected))
        common = torch.promote_types(x.dtype, y.dtype)
        size = mean_square(y, grid).sqrt()
        far = wasserstein(x.to(common), y.to(common), grid, overwrite=True)
        scores.append(ratio(diverged(far), size))
    return torch.stack(scores).mean()


increment_error_1 = increment_error()
