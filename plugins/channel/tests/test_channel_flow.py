"""The channel solver against exact solutions, linear theory and the balances of the equations."""

import math
from itertools import pairwise

import pytest
import torch
from pdebench_channel.eddies import VanDriest, Wale
from pdebench_channel.evolve import evolve, frames, plan
from pdebench_channel.modes import Modes
from pdebench_channel.operators import ALPHA, BETA, GAMMA, ZETA
from pdebench_channel.stability import orr_sommerfeld

from pdebench.chebyshev import differentiation
from pdebench.domain import Axis, Grid
from pdebench.equations.channel_flow import ChannelFlow
from pdebench.equations.eddy_viscosity import strain_rate, wale_rate
from pdebench.errors import Diverged, Unsupported
from pdebench.problem import Problem


def channel(nx: int, ny: int, nz: int) -> Grid:
    return Grid((Axis.torus(nx, 2 * math.pi), Axis.chebyshev(ny), Axis.torus(nz, math.pi)))


def laminar(grid: Grid, reynolds: float) -> torch.Tensor:
    u = torch.zeros(1, 3, *grid.shape, dtype=torch.float64)
    u[:, 0] = ((1 - grid.axes[1].nodes.square()) * reynolds / 2)[:, None]
    return u


def disturbed(grid: Grid, reynolds: float, size: float = 1.0) -> torch.Tensor:
    """The laminar profile with three oblique modes, solenoidal and without slip."""
    x, y, z = (axis.nodes for axis in grid.axes)
    kx, kz = 2 * math.pi / grid.extent[0], 2 * math.pi / grid.extent[2]
    u = laminar(grid, reynolds)
    v, slope = (1 - y**2) ** 2, -4 * y * (1 - y**2)
    for a, b, phase in ((1, 1, 0.3), (1, -1, 1.1), (2, 1, 2.0)):
        angle = (a * kx * x[:, None, None] + b * kz * z + phase).expand(grid.shape)
        square = (a * kx) ** 2 + (b * kz) ** 2
        u[0, 1] += size * v[:, None] * angle.cos()
        u[0, 0] -= size * a * kx / square * slope[:, None] * angle.sin()
        u[0, 2] -= size * b * kz / square * slope[:, None] * angle.sin()
    return u


def divergence(u: torch.Tensor, grid: Grid) -> torch.Tensor:
    found = torch.einsum("ij,...xjz->...xiz", differentiation(grid.axes[1])[0], u[..., 1, :, :, :])
    for axis, part in ((-3, u[..., 0, :, :, :]), (-1, u[..., 2, :, :, :])):
        num, length = u.shape[axis], grid.extent[axis]
        k = torch.fft.fftfreq(num, length / num / (2 * math.pi), dtype=torch.float64)
        k[num // 2] = 0.0
        factor = (1j * k).reshape(-1, *(1,) * (-axis - 1))
        found = found + torch.fft.ifft(torch.fft.fft(part, dim=axis) * factor, dim=axis).real
    return found


def test_substeps_are_consistent() -> None:
    """Explicit and implicit parts of every substep cover the same time, all three one step."""
    for gamma, zeta, alpha, beta in zip(GAMMA, ZETA, ALPHA, BETA, strict=True):
        assert gamma + zeta == pytest.approx(alpha + beta, abs=1e-15)
    assert sum(GAMMA) + sum(ZETA) == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize("shape", [(8, 8), (7, 9), (12, 6)])
def test_modes_invert_and_drop_only_nyquist(shape: tuple[int, int]) -> None:
    modes = Modes(shape, (3.0, 2.0), torch.device("cpu"))
    field = torch.randn(2, 3, 5, *shape, generator=torch.Generator().manual_seed(0)).double()
    once = modes.inverse(modes.forward(field), shape)
    assert torch.allclose(modes.inverse(modes.forward(once), shape), once, atol=1e-14)
    fine = modes.inverse(modes.forward(once), modes.padded)
    assert torch.allclose(modes.forward(fine), modes.forward(once), atol=1e-14)
    if shape == (7, 9):
        assert torch.allclose(once, field, atol=1e-14)


@pytest.mark.parametrize("gradient", [1.0, None])
def test_poiseuille_stays(gradient: float | None) -> None:
    grid = channel(8, 33, 8)
    u0 = laminar(grid, 60.0)
    u = evolve(u0, [1.0], 1 / 60, grid, step=0.01, gradient=gradient)
    assert float((u[:, 0] - u0).abs().max() / u0.max()) < 1e-12


def test_flow_from_rest_approaches_poiseuille_as_the_heat_equation_does() -> None:
    """U = (1 - y^2) / 2 nu - a sum of decaying cosines, exactly; the error falls as h^2."""
    grid, nu, t = channel(4, 33, 4), 0.5, 0.3
    y = grid.axes[1].nodes
    exact = (1 - y**2) / (2 * nu)
    for n in range(40):
        k = (n + 0.5) * math.pi
        part = 2 * (-1) ** n / (nu * k**3) * math.exp(-nu * k**2 * t)
        exact = exact - part * torch.cos(k * y)
    rest = torch.zeros(1, 3, *grid.shape, dtype=torch.float64)
    errors = [
        float((evolve(rest, [t], nu, grid, step=h)[0, 0, 0, 0, :, 0] - exact).abs().max())
        for h in (0.03, 0.015)
    ]
    assert errors[0] < 1e-3
    assert errors[0] / errors[1] > 3.0


def test_orr_sommerfeld_eigenvalues_are_the_published_ones() -> None:
    """Orszag 1971 at Re = 10000; Re = 7500 at two resolutions."""
    known = 0.24989154 + 0.00223498j
    assert abs(orr_sommerfeld(1.0, 10000.0, 65)[0] - (0.23752649 + 0.00373967j)) < 1e-7
    assert abs(orr_sommerfeld(1.0, 7500.0, 65)[0] - known) < 1e-8
    assert abs(orr_sommerfeld(1.0, 7500.0, 49)[0] - known) < 1e-7


def test_unstable_wave_grows_at_the_rate_of_linear_theory() -> None:
    """Amplitude 1e-6: nonlinear terms are 1e-12, the time error of h = 0.02 is far below 1 %."""
    grid, nu = channel(4, 49, 4), 1 / 7500
    omega, v = orr_sommerfeld(1.0, 7500.0, 49)
    x, y = grid.axes[0].nodes, grid.axes[1].nodes
    wave = torch.exp(1j * x)[:, None]
    u = 1j * (differentiation(grid.axes[1])[0].to(v) @ v)
    u0 = torch.zeros(1, 3, *grid.shape, dtype=torch.float64)
    u0[:, 0] = ((1 - y**2) + 1e-6 * (u * wave).real)[..., None]
    u0[:, 1] = (1e-6 * (v * wave).real)[..., None]
    later = evolve(u0, [2.0], nu, grid, step=0.02, gradient=2 * nu)[:, 0]
    start, end = (torch.fft.fft(f[0, 1, :, 24, 0])[1] for f in (u0, later))
    found = 1j * torch.log(end / start) / 2.0
    assert float(found.imag) == pytest.approx(omega.imag, rel=0.01)
    assert float(found.real) == pytest.approx(omega.real, rel=0.01)


@pytest.mark.parametrize("eddies", [None, VanDriest(), Wale()])
def test_flow_keeps_divergence_walls_and_flux(eddies: VanDriest | Wale | None) -> None:
    grid = channel(8, 25, 8)
    u0 = disturbed(grid, 60.0, 3.0)
    u = evolve(u0, [0.1, 0.2], 1 / 60, grid, gradient=None, eddies=eddies)[0]
    # gradients are of order 60 at the walls, where derivatives lose 1e-16 x 24^2
    assert float(divergence(u, grid).abs().max()) < 1e-11
    assert float(u[..., [0, -1], :].abs().max()) < 1e-12
    weights = grid.axes[1].weights / 2
    flux = [float(f[0].mean((0, 2)) @ weights) for f in (u0[0], *u)]
    assert flux == pytest.approx([flux[0]] * 3, rel=1e-13)


def test_mean_momentum_changes_by_what_the_walls_leave() -> None:
    """d U_b / dt = G - nu (U_y(-1) - U_y(1)) / 2; central differences of second order in 2e-3."""
    grid, nu, h = channel(8, 33, 8), 1 / 60, 2e-3
    u = evolve(disturbed(grid, 50.0, 0.5), [0.1 - h, 0.1, 0.1 + h], nu, grid, step=h)[0]
    profile = u[:, 0].mean((-3, -1))
    bulk = profile @ grid.axes[1].weights / 2
    slope = differentiation(grid.axes[1])[0] @ profile[1]
    drag = nu * (slope[0] - slope[-1]) / 2
    assert float((bulk[2] - bulk[0]) / (2 * h)) == pytest.approx(float(1 - drag), rel=1e-4)


def test_step_error_falls_with_second_order_and_more() -> None:
    """Advection is of third order, diffusion of second: slopes lie between."""
    grid, nu = channel(8, 25, 8), 1 / 60
    u0 = disturbed(grid, 60.0, 3.0)
    exact = evolve(u0, [0.08], nu, grid, step=5e-4)
    errors = [
        float((evolve(u0, [0.08], nu, grid, step=h) - exact).norm()) for h in (8e-3, 4e-3, 2e-3)
    ]
    slopes = [math.log2(a / b) for a, b in pairwise(errors)]
    assert min(slopes) > 1.9


def test_residual_of_the_equation_vanishes_on_the_flow() -> None:
    """Central differences: the residual falls as the square of the frames' spacing."""
    grid, nu = channel(8, 33, 8), 1 / 60
    sizes = []
    for h in (4e-3, 2e-3):
        moments = [0.1 + h * n for n in range(4)]
        u = evolve(disturbed(grid, 60.0, 0.5), moments, nu, grid, step=1e-3)
        times = torch.tensor(moments, dtype=torch.float64)
        nus = torch.tensor([nu], dtype=torch.float64)
        problem = Problem(
            ChannelFlow(), grid, {"velocity": u[:, :1]}, times[1:], times[:1], {"viscosity": nus}
        )
        found = ChannelFlow().residual(u[:, 1:], problem)
        assert found.shape == (1, 2, 4, *grid.shape)
        assert float(found[:, :, 3].abs().max()) < 1e-9
        rate = float((u[:, 2] - u[:, 0]).norm() / (2 * h))
        sizes.append(float(found[:, 0, :3].norm()) / rate)
    assert sizes[1] < 2e-3
    assert sizes[0] / sizes[1] > 3.0


def test_residual_has_gradients_and_sees_slip_and_forcing() -> None:
    grid = channel(4, 17, 4)
    times = torch.tensor([0.0, 0.1, 0.2], dtype=torch.float64)
    u = laminar(grid, 30.0)[:, None].expand(-1, 3, -1, -1, -1, -1).clone()
    nus = torch.tensor([1 / 30], dtype=torch.float64)
    problem = Problem(
        ChannelFlow(), grid, {"velocity": u[:, :1]}, times[1:], times[:1], {"viscosity": nus}
    )
    assert float(ChannelFlow().residual(u[:, 1:], problem).abs().max()) < 1e-10
    unforced = ChannelFlow(gradient=0.0).residual(u[:, 1:], problem)
    assert float(unforced[0, 0, 0, :, 8].mean()) == pytest.approx(1.0, rel=1e-9)
    kept = ChannelFlow(drive="mass_flux", gradient=0.0).residual(u[:, 1:], problem)
    assert float(kept.abs().max()) < 1e-10
    slipping = (u[:, 1:] + 1.0).requires_grad_()
    found = ChannelFlow().residual(slipping, problem)
    assert torch.allclose(found[0, 0, :3, :, 0], torch.full((), 10.0, dtype=torch.float64))
    found.square().sum().backward()
    assert slipping.grad is not None
    assert bool(torch.isfinite(slipping.grad).all())


def test_finer_grid_and_interpolation_agree() -> None:
    grid = channel(8, 25, 8)
    u0 = disturbed(grid, 60.0, 0.1)
    own = evolve(u0, [0.1], 1 / 60, grid, step=5e-3)
    finer = evolve(u0, [0.1], 1 / 60, grid, step=5e-3, grid=(12, 33, 12))
    assert float((own - finer).norm() / own.norm()) < 1e-5


def test_eddy_viscosities_vanish_where_they_should() -> None:
    """WALE is nothing in pure shear; van Driest's falls like the square of the distance."""
    one, zero = torch.ones(1, 25, 2, 2).double(), torch.zeros(1, 25, 2, 2).double()
    shear = [[zero, one, zero], [zero] * 3, [zero] * 3]
    assert float(strain_rate(shear).max()) == pytest.approx(1.0)
    assert float(wale_rate(shear).max()) < 1e-100
    axis = channel(8, 65, 8).axes[1]
    modes = plan(channel(8, 65, 8), 1 / 60).flow.modes
    wall = torch.full((1, 65, 2, 2), 60.0).double()
    rows = [[0 * wall, wall, 0 * wall], [0 * wall] * 3, [0 * wall] * 3]
    nu_t = VanDriest().viscosity(rows, axis, modes, 1 / 60)[0, :, 0, 0]
    assert float(nu_t[0]) == 0.0
    y, cell = 1 + axis.nodes, axis.weights ** (2 / 3)
    fall = (nu_t[2] / cell[2] / (nu_t[1] / cell[1])).log() / (y[2] / y[1]).log()
    assert float(fall) == pytest.approx(2.0, abs=0.1)


def test_blow_up_is_told_with_its_time_and_wrong_domains_are_refused() -> None:
    grid = channel(8, 17, 8)
    with pytest.raises(Diverged, match=r"channel blew up by t=.*smaller step"):
        evolve(disturbed(grid, 200.0, 500.0), [50.0], 1 / 200, grid, step=0.5)
    bare = Grid((Axis.torus(8), Axis.interval(9), Axis.torus(8)))
    with pytest.raises(Unsupported, match="Gauss-Lobatto"):
        evolve(torch.zeros(1, 3, 8, 9, 8), [1.0], 0.1, bare)
    with pytest.raises(ValueError, match="increasing times"):
        list(frames(laminar(grid, 1.0), [0.2, 0.1], grid, plan(grid, 0.1)))
