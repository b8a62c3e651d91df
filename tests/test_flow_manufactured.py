"""Residuals of manufactured solutions: what is left is the forcing that makes them solutions."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equations.closures import Smagorinsky
from pdebench.equations.filtered_flow import Dealias, FilteredNavierStokes
from pdebench.equations.vorticity import Vorticity
from pdebench.problem import Problem

NU = 0.07


def amplitude(t: Tensor) -> Tensor:
    return 1 + 0.5 * torch.sin(3 * t)


def slope(t: Tensor) -> Tensor:
    return 1.5 * torch.cos(3 * t)


def lines(n: int, dim: int = 3) -> tuple[Tensor, ...]:
    line = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
    return torch.meshgrid(*[line] * dim, indexing="ij")


def problem_of(law, frames: Tensor, step: float, name: str = "velocity") -> Problem:
    shape = tuple(frames.shape[3:])
    return Problem(
        law,
        Grid.torus(shape, 2 * math.pi),
        {name: frames[:, :1]},
        times=step * torch.arange(1, frames.shape[1], dtype=torch.float64),
        history=torch.zeros(1, dtype=torch.float64),
        parameters={"viscosity": torch.tensor([NU], dtype=torch.float64)},
    )


def taylor_green(n: int) -> tuple[Tensor, Tensor]:
    """Return u and P[u . grad u] of (sin x cos y cos z, -cos x sin y cos z, 0), with the pressure
    p = (cos 2x + cos 2y)(cos 2z + 2) / 16 (Taylor and Green, Proc. R. Soc. A 158, 1937)."""
    x, y, z = lines(n)
    u = torch.stack(
        [x.sin() * y.cos() * z.cos(), -x.cos() * y.sin() * z.cos(), torch.zeros_like(x)]
    )
    carried = torch.stack(
        [
            x.sin() * x.cos() * z.cos() ** 2,
            y.sin() * y.cos() * z.cos() ** 2,
            torch.zeros_like(x),
        ]
    )
    pressure = torch.stack(
        [
            -(2 * x).sin() * ((2 * z).cos() + 2) / 8,
            -(2 * y).sin() * ((2 * z).cos() + 2) / 8,
            -((2 * x).cos() + (2 * y).cos()) * (2 * z).sin() / 8,
        ]
    )
    return u, carried + pressure


@pytest.mark.parametrize("dealias", ["two_thirds", "padding"])
@pytest.mark.parametrize("scheme", ["central", "crank_nicolson"])
def test_momentum_of_a_taylor_green_vortex_is_of_second_order(dealias: Dealias, scheme) -> None:
    u, nonlinear = taylor_green(12)
    gaps = []
    for step in (0.04, 0.02, 0.01):
        t = (step * torch.arange(5, dtype=torch.float64)).view(1, 5, 1, 1, 1, 1)
        frames = amplitude(t) * u
        forcing = slope(t) * u + amplitude(t) ** 2 * nonlinear + 3 * NU * amplitude(t) * u
        law = FilteredNavierStokes(dealias=dealias, scheme=scheme)
        found = law.residual(frames[:, 1:], problem_of(law, frames, step))
        exact = forcing[:, 1:-1] if scheme == "central" else (forcing[:, 1:] + forcing[:, :-1]) / 2
        assert float(found[:, :, 3].abs().max()) < 1e-13
        gaps.append(float((found[:, :, :3] - exact).abs().max()))
    assert all(abs(math.log2(a / b) - 2) < 0.1 for a, b in pairwise(gaps)), gaps


def test_stress_of_a_sheared_flow_converges_in_space() -> None:
    """u = a (sin y, 0, 0): tau_xy = -C D^2 a|a| |cos y| cos y, which has a kink in its slope."""
    c, width, a, gaps = 0.02, 0.5, 1.3, []
    for n in (12, 24, 48):
        y = lines(n, 1)[0]
        shape = (1, 4, 3, 4, n, 4)
        frames = torch.zeros(shape, dtype=torch.float64)
        frames[:, :, 0] = (a * y.sin()).view(1, 1, 1, n, 1)
        law = FilteredNavierStokes(Smagorinsky(width, c), dealias="none")
        found = law.residual(frames[:, 1:], problem_of(law, frames, 0.1))[0, 0, 0, 0, :, 0]
        exact = NU * a * y.sin() + 2 * c * width**2 * a * abs(a) * y.cos().abs() * y.sin()
        gaps.append(float((found - exact).square().mean().sqrt()))
    # |cos| cos has Fourier coefficients ~ k^-3, its slope an L2 error ~ n^-3/2 or better
    assert all(math.log2(p / q) > 1.4 for p, q in pairwise(gaps)), gaps


def test_vorticity_of_two_waves_is_of_second_order() -> None:
    """w = a(t) (cos x + sin 2y): psi = a (cos x + sin(2y) / 4), u . grad w in closed form."""
    x, y = lines(16, 2)
    w = x.cos() + (2 * y).sin()
    lap = -x.cos() - 4 * (2 * y).sin()
    u, v = (2 * y).cos() / 2, x.sin()  # psi_y, -psi_x
    carried = u * -x.sin() + v * 2 * (2 * y).cos()
    gaps = []
    for step in (0.04, 0.02, 0.01):
        t = (step * torch.arange(5, dtype=torch.float64)).view(1, 5, 1, 1, 1)
        frames = amplitude(t) * w
        forcing = slope(t) * w + amplitude(t) ** 2 * carried - NU * amplitude(t) * lap
        found = Vorticity().residual(
            frames[:, 1:], problem_of(Vorticity(), frames, step, "vorticity")
        )
        gaps.append(float((found - forcing[:, 1:]).abs().max()))
    assert all(abs(math.log2(a / b) - 2) < 0.15 for a, b in pairwise(gaps)), gaps
