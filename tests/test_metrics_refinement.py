"""The same fields on uniform, stretched and random grids, clouds and meshes score alike."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from pdebench.domain import Axis, Domain, Grid, Mesh, Points
from pdebench.equation import Equation
from pdebench.metric import Metric
from pdebench.metrics import (
    boundary,
    correlation,
    distributions,
    errors,
    fourier,
    profiles,
    sobolev,
    spectra,
    symmetric,
    uncertainty,
)
from pdebench.metrics.quadrature import BLOCK
from pdebench.problem import Problem, Solution


class Velocity(Equation):
    """Two components without a law."""

    @property
    def fields(self):
        return {"u": "m/s", "v": "m/s"}

    @property
    def reference(self):
        return "none"

    def residual(self, u: Tensor, problem: Problem) -> Tensor:
        return u


def exact(points: Tensor) -> Tensor:
    """Two smooth fields (2, N) of points (N, 2) in the unit square."""
    x, y = points.to(torch.float64).T
    return torch.stack([1 + x * x - 0.5 * y, torch.sin(3 * x) * torch.exp(y)])


def mistake(points: Tensor) -> Tensor:
    x, y = points.to(torch.float64).T
    return 0.1 * torch.stack([torch.cos(2 * x + y), x * y - 0.3])


def case(domain: Domain) -> tuple[Problem, Tensor, Solution]:
    points = domain.points.reshape(-1, 2)
    y = exact(points).reshape(1, 2, *domain.shape)
    p = y + mistake(points).reshape(1, 2, *domain.shape)
    spread = 0.05 + 0.1 * points[:, 0].reshape(1, 1, *domain.shape).expand(1, 2, *domain.shape)
    return Problem(Velocity(), domain, {"a": y}), y, Solution(p, spread.to(torch.float64))


def stretched(num: int) -> Axis:
    s = torch.linspace(0, 1, num, dtype=torch.float64)
    return Axis.nodal(s + 0.12 * torch.sin(2 * math.pi * s))


def triangles(n: int) -> Mesh:
    generator = torch.Generator().manual_seed(3)
    x = torch.linspace(0, 1, n + 1, dtype=torch.float64)
    nodes = torch.cartesian_prod(x, x)
    rim = ((nodes == 0) | (nodes == 1)).any(1)
    shift = (torch.rand(nodes.shape, generator=generator, dtype=torch.float64) - 0.5) * 0.4 / n
    corner = (torch.arange(n)[:, None] * (n + 1) + torch.arange(n)).reshape(-1)
    lower = torch.stack([corner, corner + n + 1, corner + 1], 1)
    upper = torch.stack([corner + n + 1, corner + n + 2, corner + 1], 1)
    return Mesh(torch.where(rim[:, None], nodes, nodes + shift), torch.cat([lower, upper]), rim)


def scattered(num: int) -> Points:
    """A Sobol sequence: its equal weights converge about as 1/N."""
    return Points(torch.quasirandom.SobolEngine(2).draw(num, dtype=torch.float64))


FINE = Grid((Axis.chebyshev(80, 1.0, 0.0), Axis.chebyshev(80, 1.0, 0.0)))  # exact to round-off
DOMAINS = {
    # second-order rules at h = 1/48 with fields of curvature below 10: 1e-3 of the score
    "trapezoidal": (Grid((Axis.interval(49), Axis.interval(49))), 2e-3),
    "cells": (Grid((Axis.cells(48), Axis.cells(48))), 2e-3),
    "stretched": (Grid((stretched(65), stretched(49))), 4e-3),
    "mixed": (Grid((Axis.chebyshev(24, 1.0, 0.0), stretched(65))), 4e-3),
    "mesh": (triangles(48), 4e-3),
    # quasi-Monte Carlo of 2^14 points: log(N)^2/N times the variation, below 2e-3
    "cloud": (scattered(1 << 14), 4e-3),
}
METRICS: list[Metric] = [
    errors.nrmse,
    errors.relative_l2,
    errors.relative_l1,
    errors.channel_nrmse,
    errors.nmse,
    errors.nmae,
    errors.vrmse,
    errors.rmse,
    errors.mae,
    errors.crmse,
    symmetric.srmse,
    correlation.pearson,
    correlation.cosine,
    uncertainty.crps,
    uncertainty.sharpness_95,
]


@pytest.mark.parametrize("where", DOMAINS)
@pytest.mark.parametrize("metric", METRICS, ids=lambda m: m.short)
def test_every_domain_gives_the_integral(metric: Metric, where: str):
    domain, tolerance = DOMAINS[where]
    problem, y, solution = case(FINE)
    expected = float(metric(solution, y, problem).mean())
    problem, y, solution = case(domain)
    assert float(metric(solution, y, problem).mean()) == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("where", DOMAINS)
def test_distributions_of_values_agree(where: str):
    problem, y, solution = case(FINE)
    expected = float(distributions.histogram_w1(solution, y, problem))
    problem, y, solution = case(DOMAINS[where][0])
    # distribution functions are steps: no rule is better than first order, h = 1/48, here on the
    # distance of two functions that share their nodes, so that most of it cancels
    got = float(distributions.histogram_w1(solution, y, problem))
    assert got == pytest.approx(expected, rel=1e-2)


def test_equal_weights_would_be_wrong_on_a_stretched_grid():
    """The check above can fail: the plain mean is ten per cent off where weights are not."""
    problem, y, solution = case(DOMAINS["stretched"][0])
    plain = ((solution.u - y).square().mean() / y.square().mean()).sqrt()
    weighted = float(errors.nrmse(solution, y, problem))
    assert abs(float(plain) / weighted - 1) > 0.01


@pytest.mark.parametrize("where", ["trapezoidal", "stretched", "mesh"])
@pytest.mark.parametrize("metric", [sobolev.h1_nrmse, boundary.brmse], ids=lambda m: m.short)
def test_gradients_and_boundaries_agree(metric: Metric, where: str):
    problem, y, solution = case(FINE)
    expected = float(metric(solution, y, problem).mean())
    problem, y, solution = case(DOMAINS[where][0])
    # differences and linear elements: first-order gradients in the last cells, h = 1/48
    assert float(metric(solution, y, problem).mean()) == pytest.approx(expected, rel=1e-2)


def test_second_order_rules_converge_with_slope_two():
    problem, y, solution = case(FINE)
    expected = float(errors.rmse(solution, y, problem).mean())
    gaps = []
    for num in (17, 33, 65):
        problem, y, solution = case(Grid((stretched(num), Axis.interval(num))))
        gaps.append(abs(float(errors.rmse(solution, y, problem).mean()) - expected))
    slopes = [math.log2(a / b) for a, b in itertools.pairwise(gaps)]
    # the next term of the trapezoidal rule's series is smaller by h^2
    assert slopes == pytest.approx([2, 2], abs=0.1)


def waves(num: int) -> tuple[Problem, Tensor, Solution]:
    """Fields of wavenumbers up to 14 on a torus of num^2 points."""
    grid = Grid.torus((num, num), (2 * math.pi, 2 * math.pi))
    x, y = grid.points.to(torch.float64).reshape(-1, 2).T.reshape(2, num, num)
    u = torch.stack([torch.sin(x) * torch.cos(2 * y), torch.cos(5 * x - 3 * y)])[None]
    e = torch.stack([0.1 * torch.cos(3 * x + y), 0.2 * torch.sin(7 * x - 12 * y)])[None]
    return Problem(Velocity(), grid, {"a": u}), u, Solution(u + e)


@pytest.mark.parametrize(
    "metric",
    [
        fourier.frmse_low,
        fourier.frmse_mid,
        fourier.frmse_high,
        fourier.fourier_rmse(0, None, 1),
        spectra.spectrum_error,
        sobolev.h1_rmse,
    ],
    ids=lambda m: m.short,
)
def test_spectral_scores_do_not_change_when_the_grid_is_refined(metric: Metric):
    coarse, fine = (float(metric(s, y, p).sum()) for p, y, s in (waves(32), waves(80)))
    # transforms of float64 fields
    assert coarse == pytest.approx(fine, rel=1e-10, abs=1e-12)


LONG = {
    "torus": lambda num: Grid.torus((num,)),
    "interval": lambda num: Grid((Axis.interval(num),)),
}


@pytest.mark.parametrize("where", LONG)
@pytest.mark.parametrize("num", [BLOCK + 2, 2 * BLOCK + 7])
def test_long_lines_score_like_short_ones(where: str, num: int):
    """Lines beyond a block take other transforms and differences by parts: the same numbers."""
    metrics = [sobolev.h1_rmse, sobolev.h1_nrmse]
    if where == "torus":
        metrics += [fourier.frmse_low, fourier.frmse_mid, spectra.spectrum_error]
    scores = []
    for n in (4001, num):
        domain = LONG[where](n)
        x = 2 * math.pi * domain.axes[0].nodes
        y = (torch.sin(x) + 0.3 * torch.cos(7 * x))[None, None]
        error = (0.1 * torch.cos(3 * x + 1) + 0.05 * torch.sin(7 * x))[None, None]
        problem = Problem(Velocity(), domain, {"a": y})
        scores.append([float(m(Solution(y + error), y, problem)) for m in metrics])
    # spectral on the torus; second-order differences of 4001 nodes of a wave of 571 nodes
    assert scores[0] == pytest.approx(scores[1], rel=1e-9 if where == "torus" else 1e-4)


def test_the_spectrum_of_a_long_line_is_that_of_its_transform():
    generator = torch.Generator().manual_seed(0)
    num = BLOCK + 2
    field = torch.randn(1, 1, 1, num, dtype=torch.float64, generator=generator)
    modes = torch.fft.rfft(field[0, 0, 0], norm="forward").abs().square()
    got = spectra.energy_spectrum(field, Grid.torus((num,)))[0, 0]
    # all modes but the Nyquist one stand for two; E is half the square
    torch.testing.assert_close(got[1:], modes[1 : len(got)], rtol=1e-9, atol=1e-18)


def test_bands_add_up_to_the_error():
    problem, y, solution = waves(32)
    bands = (fourier.fourier_rmse(a, b) for a, b in ((0, 3), (4, 11), (12, None)))
    error = (solution.u - y)[:, :1]  # one channel, so that the mean over channels is no root's
    one = Problem(Velocity(), problem.domain, {"a": y[:, :1]})
    whole = errors.rmse(Solution(error), torch.zeros_like(error), one)
    parts = [m(Solution(error), torch.zeros_like(error), one).square() for m in bands]
    torch.testing.assert_close(sum(parts), whole.square(), rtol=1e-12, atol=0)


def test_wall_profiles_of_a_refined_channel_agree():
    values = []
    for num in (33, 65):
        grid = Grid((Axis.torus(32, 2 * math.pi), Axis.chebyshev(num)))
        x, y = grid.points.to(torch.float64).reshape(-1, 2).T.reshape(2, 32, num)
        u = torch.stack([1 - y * y + 0.2 * torch.sin(x) * y, 0.1 * torch.sin(x) * (1 - y * y)])
        p = torch.stack([1 - y**4 + 0.3 * torch.sin(x) * y, 0.1 * torch.cos(x - 1) * (1 - y * y)])
        clock = torch.tensor([1.0], dtype=torch.float64)
        problem = Problem(Velocity(), grid, {"a": u[None]}, times=clock)
        arguments = (Solution(p[None, None]), u[None, None], problem)
        values.append([float(m(*arguments)) for m in PROFILES])
    # the rms u' = 0.2 |y| / sqrt 2 has no kink once squared; polynomials are exact on both grids
    assert values[0] == pytest.approx(values[1], rel=1e-10)


PROFILES = (
    profiles.mean_profile_error,
    profiles.rms_profile_error,
    profiles.reynolds_stress_error,
)
