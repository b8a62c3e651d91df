"""The filtered Navier-Stokes equations and their closures: identities, symmetries, orders."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from pdebench_spectral.velocity import evolve_velocity

from pdebench.domain import Grid
from pdebench.equations import closures, tensors
from pdebench.equations.differences import defects
from pdebench.equations.filtered_flow import FilteredNavierStokes
from pdebench.equations.filters import filtered, response
from pdebench.errors import ConfigError, Unsupported
from pdebench.problem import Problem
from pdebench.spectral import Modes, project, resample

BOX = (2 * math.pi,) * 3
WIDTH = 2 * math.pi / 12
ALL = [
    closures.Smagorinsky(WIDTH),
    closures.DynamicSmagorinsky(WIDTH),
    closures.Wale(WIDTH),
    closures.GradientModel(WIDTH),
    closures.NoClosure(),
]
IDS = [type(c).__name__ for c in ALL]


def rough(n: int | tuple[int, int, int] = 12, seed: int = 0) -> torch.Tensor:
    shape = (n,) * 3 if isinstance(n, int) else n
    generator = torch.Generator().manual_seed(seed)
    modes = Modes.of(shape, BOX)
    noise = torch.randn(1, 3, *shape, generator=generator, dtype=torch.float64)
    return project(modes.inverse(modes.forward(noise) * torch.exp(-modes.square / 6)), modes)


def modes_of(n: int) -> Modes:
    return Modes.of((n,) * 3, BOX)


def trajectory(step: float, count: int, law: FilteredNavierStokes) -> torch.Tensor:
    u0 = rough() / rough().square().mean().sqrt()
    times = [step * n for n in range(count)]
    return evolve_velocity(u0, times, 0.05, law, extent=BOX, step=0.01)


def problem_of(frames: torch.Tensor, step: float) -> Problem:
    count = frames.shape[1]
    return Problem(
        FilteredNavierStokes(),
        Grid.torus((12,) * 3, 2 * math.pi),
        {"velocity": frames[:, :1]},
        times=step * torch.arange(1, count, dtype=torch.float64),
        history=torch.zeros(1, dtype=torch.float64),
        parameters={"viscosity": torch.tensor([0.05], dtype=torch.float64)},
    )


@pytest.mark.parametrize("scheme", ["central", "crank_nicolson"])
def test_residual_of_a_solution_falls_as_the_square_of_the_step(scheme) -> None:
    law = FilteredNavierStokes(closures.Smagorinsky(WIDTH), scheme=scheme)
    sizes = []
    for step in (0.08, 0.04, 0.02):
        frames = trajectory(step, 4, law)
        found = law.residual(frames[:, 1:], problem_of(frames, step))
        sizes.append(float(found[:, 0, :3].norm()))
        assert float(found[:, :, 3].abs().max()) < 1e-12
    assert all(abs(math.log2(a / b) - 2) < 0.15 for a, b in pairwise(sizes)), sizes


def test_one_sided_ends_are_of_first_order() -> None:
    law = FilteredNavierStokes(scheme="mixed")
    sizes = []
    for step in (0.04, 0.02, 0.01):
        frames = trajectory(step, 4, law)
        found = law.residual(frames[:, 1:], problem_of(frames, step))
        assert found.shape[1] == 4
        sizes.append(float(found[:, 0, :3].norm()))
    assert all(abs(math.log2(a / b) - 1) < 0.15 for a, b in pairwise(sizes)), sizes


def test_divergence_and_rotation_form_agree() -> None:
    """P[-div(u u)] = P[u x w] for solenoidal fields whose products the grid resolves."""
    modes = modes_of(24)
    coarse = rough(8, 1)
    u = resample(coarse, (24,) * 3)
    g = tensors.gradient(modes.forward(u), modes)
    w = torch.stack([g[:, b, a] - g[:, a, b] for a, b in ((1, 2), (2, 0), (0, 1))], 1)
    v = u.unbind(1)
    z = w.unbind(1)
    cross = torch.stack([v[a] * z[b] - v[b] * z[a] for a, b in ((1, 2), (2, 0), (0, 1))], 1)
    rate = FilteredNavierStokes().tendency(u, 0.0, modes)
    assert float((rate - project(cross, modes)).abs().max()) < 1e-12


@pytest.mark.parametrize("closure", ALL, ids=IDS)
def test_rotating_field_and_axes_rotates_the_right_side(closure) -> None:
    law, modes, u = FilteredNavierStokes(closure), modes_of(12), rough()

    def turned(field: torch.Tensor) -> torch.Tensor:
        """A quarter turn about z: (x, y) -> (-y, x)."""
        moved = torch.rot90(field, 1, (2, 3)).roll(1, 2)
        return torch.stack([-moved[:, 1], moved[:, 0], moved[:, 2]], 1)

    there = law.tendency(turned(u), 0.1, modes)
    assert float((there - turned(law.tendency(u, 0.1, modes))).abs().max()) < 1e-11


@pytest.mark.parametrize("closure", ALL, ids=IDS)
def test_a_frame_in_motion_sees_the_same_rates(closure) -> None:
    """Adding a mean velocity c adds -c . grad u and nothing else."""
    law, modes, u = FilteredNavierStokes(closure), modes_of(12), rough()
    u = modes.inverse(modes.forward(u) * modes.kept)
    c = torch.tensor([0.7, -0.3, 0.5]).double().view(1, 3, 1, 1, 1)
    g = tensors.gradient(modes.forward(u), modes)
    carried = (g * c.view(1, 1, 3, 1, 1, 1)).sum(2)
    gap = law.tendency(u + c, 0.1, modes) - law.tendency(u, 0.1, modes) + carried
    assert float(gap.abs().max()) < 1e-11


@pytest.mark.parametrize("closure", ALL, ids=IDS)
def test_gradient_is_that_of_finite_differences_and_finite_at_rest(closure) -> None:
    law, modes = FilteredNavierStokes(closure), modes_of(8)
    u = rough(8).requires_grad_()
    loss = law.tendency(u, 0.1, modes).square().mean()
    (slope,) = torch.autograd.grad(loss, u)
    way = rough(8, 7)
    step = 1e-5
    ends = [law.tendency(u.detach() + s * step * way, 0.1, modes).square().mean() for s in (1, -1)]
    assert float((slope * way).sum()) == pytest.approx(
        float(ends[0] - ends[1]) / (2 * step), rel=1e-6
    )
    rest = torch.zeros(1, 3, 8, 8, 8, dtype=torch.float64, requires_grad=True)
    law.tendency(rest, 0.1, modes).square().mean().backward()
    assert rest.grad is not None
    assert bool(torch.isfinite(rest.grad).all())


def test_eddy_viscosities_take_energy_everywhere() -> None:
    modes, u = modes_of(12), rough()
    u_hat = modes.forward(u)
    s = tensors.strain(u_hat, modes)
    for closure in (closures.Smagorinsky(WIDTH), closures.Wale(WIDTH)):
        tau = closure.stress(u, u_hat, modes)
        assert tau is not None
        assert float(tensors.contracted(tau, s, modes).max()) <= 1e-15


def test_wale_is_zero_in_pure_shear() -> None:
    line = torch.arange(12, dtype=torch.float64) * (2 * math.pi / 12)
    u = torch.zeros(1, 3, 12, 12, 12, dtype=torch.float64)
    u[:, 0] = line.sin().view(1, 12, 1)
    modes = modes_of(12)
    viscosity = closures.Wale(WIDTH).eddy_viscosity(modes.forward(u), modes)
    sheared = closures.Smagorinsky(WIDTH).stress(u, modes.forward(u), modes)
    assert float(viscosity.abs().max()) < 1e-12
    assert sheared is not None
    assert float(sheared.abs().max()) > 1e-4


def test_dynamic_coefficient_can_be_clipped() -> None:
    modes = modes_of(12)
    u = next(u for u in map(rough_seeded, range(50)) if coefficient(u, modes) < 0)
    clipped = closures.DynamicSmagorinsky(WIDTH).stress(u, modes.forward(u), modes)
    free = replace(closures.DynamicSmagorinsky(WIDTH), clip=False)
    unclipped = free.stress(u, modes.forward(u), modes)
    assert clipped is not None
    assert unclipped is not None
    assert float(clipped.abs().max()) == 0.0
    assert float(unclipped.abs().max()) > 0.0


def rough_seeded(seed: int) -> torch.Tensor:
    return rough(12, seed)


def coefficient(u: torch.Tensor, modes: Modes) -> float:
    return float(closures.DynamicSmagorinsky(WIDTH).coefficient(u, modes.forward(u), modes))


def test_filters_keep_the_mean_and_never_amplify() -> None:
    modes = modes_of(12)
    for kind in ("gaussian", "box", "sharp"):
        g = response(kind, 2 * WIDTH, modes)
        assert float(g.flatten()[0]) == 1.0
        assert float(g.abs().max()) <= 1.0 + 1e-15
    u = rough()
    once = filtered(u, "sharp", 2 * WIDTH, modes)
    assert torch.allclose(filtered(once, "sharp", 2 * WIDTH, modes), once)


def test_padding_gives_what_a_larger_grid_gives() -> None:
    """A field that fills 12^3, on its own grid with padding and on 36^3 without dealiasing."""
    u = rough()
    law = FilteredNavierStokes(dealias="padding")
    fine = FilteredNavierStokes(dealias="none").tendency(resample(u, (36,) * 3), 0.1, modes_of(36))
    gap = law.tendency(resample(resample(u, (36,) * 3), (12,) * 3), 0.1, modes_of(12))
    assert float((gap - resample(fine, (12,) * 3)).abs().max()) < 1e-12


def test_odd_grids_work() -> None:
    modes = Modes.of((9, 11, 15), BOX)
    u = rough((9, 11, 15))
    rate = FilteredNavierStokes(closures.Smagorinsky(0.8)).tendency(u, 0.1, modes)
    assert float(FilteredNavierStokes().divergence(rate, modes).abs().max()) < 1e-12


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ConfigError, match=r"closure\.width=0"):
        closures.Smagorinsky(0)
    with pytest.raises(ConfigError, match=r"closure\.ratio=1"):
        closures.DynamicSmagorinsky(0.1, ratio=1.0)
    with pytest.raises(ConfigError, match="below the grid spacing"):
        response("box", 0.1, modes_of(8))
    for wrong in ({"scheme": "euler"}, {"dealias": "half"}):
        name, value = next(iter(wrong.items()))
        with pytest.raises(ConfigError, match=f"{name}='{value}', expected"):
            FilteredNavierStokes(**wrong)
    frames = rough()[:, None].expand(-1, 2, *rough().shape[1:])
    with pytest.raises(Unsupported, match="three frames"):
        defects(frames, frames, 0.1, "mixed")
    with pytest.raises(Unsupported, match="two or more equally spaced"):
        FilteredNavierStokes().residual(frames[:, :1], problem_of(frames, 0.1))
    steady = replace(problem_of(frames, 0.1), times=None, history=None)
    with pytest.raises(Unsupported, match="an evolution in time"):
        FilteredNavierStokes().residual(frames, steady)
