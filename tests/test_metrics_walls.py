"""Spectra and increments between walls: known waves, invariances, grids they do not apply to."""

import math

import pytest
import torch

from pdebench.domain import Axis, Grid
from pdebench.equations.channel_flow import ChannelFlow
from pdebench.errors import Unsupported
from pdebench.metrics.walls import wall_increment_error, wall_spectra, wall_spectrum_error
from pdebench.problem import Problem, Solution

GRID = Grid((Axis.torus(8, 2.0), Axis.chebyshev(9), Axis.torus(6, 1.0)))


def asked(frames: int = 2) -> Problem:
    times = torch.arange(1.0, frames + 1)
    inputs = {"velocity": torch.zeros(2, 1, 3, *GRID.shape)}
    return Problem(ChannelFlow(), GRID, inputs, times, torch.zeros(1))


def flow() -> torch.Tensor:
    return torch.randn(2, 2, 3, *GRID.shape, generator=torch.Generator().manual_seed(0))


def test_spectra_of_a_wave_and_their_sum() -> None:
    """a(y) cos(2 pi 3 x / L) has a^2 / 2 at k = 3; the sum over k is the variance along x."""
    x, y, _ = GRID.axes
    u = torch.zeros(1, 1, 3, *GRID.shape, dtype=torch.float64)
    amplitude = 1 - y.nodes**2
    u[:, :, 0] = (torch.cos(3 * 2 * math.pi * x.nodes / 2.0)[:, None] * amplitude)[..., None]
    along_x, along_z = wall_spectra(u, GRID)
    assert along_x.shape == (1, 3, 4, 9)
    assert torch.allclose(along_x[0, 0, 2], amplitude**2 / 2, atol=1e-14)
    assert float(along_x[0, 0, [0, 1, 3]].abs().max()) < 1e-14
    assert float(along_z.abs().max()) < 1e-14
    v = flow().double()
    total = wall_spectra(v, GRID)[0].sum(2)
    variance = v.var(3, correction=0).mean((1, 4))
    assert torch.allclose(total, variance, atol=1e-12)


def test_scores_are_zero_for_the_target_and_blind_to_shifts() -> None:
    u, problem = flow(), asked()
    for score in (wall_spectrum_error, wall_increment_error):
        assert float(score(Solution(u), u, problem).abs().max()) < 1e-6
        assert float(score(Solution(u.roll((3, 2), (3, 5))), u, problem).abs().max()) < 1e-6
        assert float(score(Solution(2 * u), u, problem).min()) > 0.3


def test_doubled_flow_has_four_times_the_spectrum() -> None:
    u = flow()
    assert torch.allclose(
        wall_spectrum_error(Solution(2 * u), u, asked()), torch.full((2,), 3.0).double(), rtol=1e-6
    )


def test_boxes_without_walls_are_refused() -> None:
    with pytest.raises(Unsupported, match="one wall-normal axis"):
        wall_spectra(torch.zeros(1, 1, 2, 4, 4), Grid.torus((4, 4)))
