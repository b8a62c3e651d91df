"""Spectra and increments of wall-bounded flows, along the periodic axes only."""

import torch
from torch import Tensor

from pdebench.domain import Domain, Grid
from pdebench.errors import ConfigError, Unsupported
from pdebench.metric import EACH, Fold, Metric, metric
from pdebench.metrics.channels import velocity
from pdebench.metrics.distributions import wasserstein
from pdebench.metrics.fields import diverged, paired, ratio
from pdebench.metrics.increments import increment
from pdebench.metrics.profiles import layers, wall
from pdebench.metrics.quadrature import mean_square
from pdebench.problem import Problem, Solution


def wall_spectra(flow: Tensor, domain: Domain) -> list[Tensor]:
    """Return the spectra E_a(k, y) along every periodic axis a, each (B, C, K, n) float64.

        E_a(k) = [ |u_hat(k)|^2 + |u_hat(-k)|^2 ],   u_hat = fft along a / N_a,   1 <= k <= N_a / 2

    [.] is the mean over frames and the other periodic axes of flow (B, T, C, *S); the sum over k is
    the variance of u about its mean along a. Raises Unsupported without exactly one wall-normal
    axis, and on periodic axes that are not uniform.
    """
    grid, normal = wall(domain)
    periodic = [a for a in range(grid.dim) if a != normal]
    for axis in periodic:
        if not grid.axes[axis].uniform:
            raise Unsupported(f"axis {axis} is not uniform, a spectrum needs equal spacing")
    found: list[list[Tensor]] = [[] for _ in periodic]
    for _, layer in layers(flow, domain):
        for position, axis in enumerate(periodic):
            dim = 4 + position
            modes = torch.fft.rfft(layer, dim=dim, norm="forward")
            power = modes.real.square().add_(modes.imag.square())
            power = 2 * power.narrow(dim, 1, power.shape[dim] - 1)
            if grid.shape[axis] % 2 == 0:
                power.select(dim, -1).mul_(0.5)
            others = [d for d in range(4, 3 + grid.dim) if d != dim]
            found[position].append(power.mean([1, *others]).transpose(2, 3))
    return [torch.cat(blocks, -1) for blocks in found]


def _spectral_distance(sums: tuple[Tensor, ...], problem: Problem) -> Tensor:
    """Return the error of spectra summed over frames: all predicted ones, then the others."""
    grid, normal = wall(problem.domain)
    weights, half = grid.axes[normal].weights, len(sums) // 2
    above = torch.zeros(len(sums[0]), dtype=torch.float64)
    below = torch.zeros_like(above)
    for got, expected in zip(sums[:half], sums[half:], strict=True):
        above += ((got - expected).square() @ weights.to(got)).flatten(1).sum(1).cpu()
        below += (expected.square() @ weights.to(got)).flatten(1).sum(1).cpu()
    return ratio(diverged(above), below).sqrt()


@metric(
    "pdebench.wall_spectrum_error@1",
    needs=("target", "walls"),
    fold=Fold.sums(_spectral_distance),
)
def wall_spectrum_error(solution: Solution, target: Tensor, problem: Problem) -> tuple[Tensor, ...]:
    """Relative error of the spectra along the periodic axes, averaged over frames, (B,).

        ( sum_a sum_{i, k} int (E_p - E_y)^2 dy / sum_a sum_{i, k} int E_y^2 dy )^{1/2}

    E as in `wall_spectra`. The energetic scales decide.
    """
    fields = [velocity(v, problem) for v in paired(solution, target, problem)]
    spectra = [s for v in fields for s in wall_spectra(v, problem.domain)]
    return tuple(s * fields[1].shape[1] for s in spectra)


def wall_increments(separation: int = 1) -> Metric:
    """Return the metric of the distance of the increments' distributions, (B, T).

        1/A sum_a W1(delta_r p_a, delta_r y_a) / <(delta_r y_a)^2>^{1/2}

    Longitudinal increments u_a(x + r e_a) - u_a(x) over ``separation`` cells along the A periodic
    axes, weighted by volume. As `increments.increment_error` between walls. Raises ConfigError for
    a separation that is not positive; Unsupported without a wall-normal axis or a velocity.
    """
    if separation < 1:
        raise ConfigError(f"metric.separation={separation}, expected at least one cell")

    def score(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
        grid, normal = wall(problem.domain)
        fields = [velocity(v, problem) for v in paired(solution, target, problem)]
        periodic = [a for a in range(grid.dim) if a != normal]
        if min(grid.shape[a] for a in periodic) <= separation:
            raise Unsupported(f"increments over {separation} cells of a grid of {grid.shape}")
        out = torch.zeros(fields[1].shape[:2], dtype=torch.float64)
        for b, t in torch.cartesian_prod(*map(torch.arange, out.shape)).tolist():
            got, expected = (v[b, t] for v in fields)
            far = [_distance(got, expected, grid, a, separation) for a in periodic]
            out[b, t] = torch.stack(far).mean()
        return out

    score.__doc__ = f"Distance of increments' distributions over {separation} cells, (B, T)."
    name = f"pdebench.wall_increment_error_{separation}@1"
    return metric(name, needs=("target", "walls"), fold=EACH)(score)


def _distance(got: Tensor, expected: Tensor, grid: Grid, axis: int, separation: int) -> Tensor:
    """Return the distance of the increments of two frames (C, *S) along one axis."""
    x, y = (increment(v.select(0, axis).double(), axis, separation) for v in (got, expected))
    size = mean_square(y, grid).sqrt()
    return ratio(diverged(wasserstein(x, y, grid)), size)


wall_increment_error = wall_increments()
