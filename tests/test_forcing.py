"""Forces of isotropic turbulence: power, held energies, statistics of the random force."""

import math

import pytest
import torch
from pdebench_spectral.velocity import evolve_velocity

from pdebench.domain import Grid
from pdebench.equations.filtered_flow import FilteredNavierStokes
from pdebench.equations.forcing import ConstantPower, HeldShells, RandomForce
from pdebench.errors import ConfigError, Unsupported
from pdebench.metrics.spectra import energy_spectrum
from pdebench.spectral import Modes, project

LENGTH = 2 * math.pi
BOX = (LENGTH,) * 3
N = 12
MODES = Modes.of((N,) * 3, BOX)


def rough(seed: int = 0) -> torch.Tensor:
    noise = torch.randn(
        1, 3, N, N, N, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    return project(MODES.inverse(MODES.forward(noise) * torch.exp(-MODES.square / 6)), MODES)


@pytest.mark.parametrize("below", [2.5, None])
def test_constant_power_is_injected(below: float | None) -> None:
    u, law = rough(), FilteredNavierStokes(forcing=ConstantPower(0.3, below))
    force = law.tendency(u, 0.0, MODES) - FilteredNavierStokes().tendency(u, 0.0, MODES)
    assert float((force * u).sum(1).mean()) == pytest.approx(0.3, rel=1e-9)
    if below is None:  # f = A u with A = eps / (3 u'^2)
        rate = 0.3 / float(u.square().sum(1).mean())
        assert torch.allclose(force, rate * u, atol=1e-12)


def test_linear_force_balances_at_the_power_it_gives() -> None:
    """dE/dt = P - eps, with the dissipation from central differences in time."""
    nu, h = 0.05, 0.01
    law = FilteredNavierStokes(forcing=ConstantPower(0.3, None))
    u = evolve_velocity(rough(), [0.2 - h, 0.2, 0.2 + h], nu, law, extent=BOX, step=0.01)[0]
    energy = u.square().sum(1).mean((1, 2, 3)) / 2
    u_hat = MODES.forward(u[1])
    gradient = sum(MODES.inverse(slope * u_hat).square().sum(0).mean() for slope in MODES.slopes)
    rate = float(energy[2] - energy[0]) / (2 * h)
    assert rate == pytest.approx(0.3 - nu * float(gradient), rel=1e-3)


def held(u: torch.Tensor) -> torch.Tensor:
    return energy_spectrum(u, Grid.torus((N,) * 3, LENGTH))[..., 1:3]


def test_held_shells_start_at_the_ratio_of_the_inertial_range() -> None:
    u = rough()
    started = HeldShells().started(u, MODES)
    before, after = held(u)[0], held(started)[0]
    assert float(after[0] / after[1]) == pytest.approx(2 ** (5 / 3), rel=1e-12)
    assert float(after.sum()) == pytest.approx(float(before.sum()), rel=1e-12)
    assert torch.allclose(project(started, MODES), started, atol=1e-12)


def test_held_shells_stay_to_the_order_of_the_scheme() -> None:
    """Energies drift by the error of RK4 alone: 16 times less with half the step."""
    law = FilteredNavierStokes(forcing=HeldShells())
    start = HeldShells().started(3 * rough(), MODES)
    drift = []
    for step in (0.08, 0.04):
        u = evolve_velocity(start, [0.8], 0.05, law, extent=BOX, step=step)[0, 0]
        # the scheme cuts the first field to |n| < N/3, the shells with it
        drift.append(float((held(u) / held(start[0]) - 1).abs().max()))
    assert drift[1] < 1e-4
    assert 3 < math.log2(drift[0] / drift[1]) < 5.5


def test_held_shells_need_the_viscosity() -> None:
    with pytest.raises(Unsupported, match="HeldShells needs the viscosity"):
        FilteredNavierStokes(forcing=HeldShells()).advance(MODES.forward(rough()), MODES)


def test_random_force_is_stationary_with_the_stated_variance_and_memory() -> None:
    """<|f|^2> = 2 (d - 1) sigma^2 N_k with N_k = 80, and e^{-1} of it after T.

    40 x 2 x 2 numbers over 200 times two memories apart scatter by sqrt(2 / 32000) = 0.8 %.
    """
    force, wanted = RandomForce(0.1, 0.5, seed=3), 2 * 2 * 0.1**2 * 80

    def field(time: float) -> torch.Tensor:
        return MODES.inverse(MODES.project(force.spectrum(time, MODES)))

    same = later = 0.0
    for n in range(200):
        now = field(n * 1.0)
        same += float(now.square().sum(0).mean()) / 200
        later += float((now * field(n * 1.0 + 0.5)).sum(0).mean()) / 200
    assert same == pytest.approx(wanted, rel=0.03)
    assert later == pytest.approx(wanted / math.e, abs=0.03 * wanted)


def test_random_force_is_one_function_of_time_on_every_grid() -> None:
    force, fine = RandomForce(0.1, 0.5, seed=3), Modes.of((16,) * 3, BOX)
    for time in (0.0, 0.31, 40.0):
        f, g = (m.inverse(force.spectrum(time, m)) for m in (MODES, fine))
        assert torch.allclose(f[:, ::3, ::3, ::3], g[:, ::4, ::4, ::4], atol=1e-12)
    pruned = MODES.pruned
    assert torch.allclose(pruned.inverse(force.spectrum(0.31, pruned)),
                          MODES.inverse(force.spectrum(0.31, MODES)), atol=1e-12)  # fmt: skip
    knots = [MODES.inverse(force.spectrum(0.025 * n, MODES)) for n in (7, 7.5, 8)]
    assert torch.allclose(knots[1], (knots[0] + knots[2]) / 2, atol=1e-12)


def test_flow_under_the_random_force_does_not_depend_on_the_step() -> None:
    law = FilteredNavierStokes(forcing=RandomForce(0.5, 0.4, seed=1))
    one, other = (
        evolve_velocity(rough(), [0.4], 0.05, law, extent=BOX, step=h)[0, 0] for h in (0.02, 0.01)
    )
    assert float((one - other).norm() / other.norm()) < 1e-4
    still = evolve_velocity(rough(), [0.4], 0.05, FilteredNavierStokes(), extent=BOX)[0, 0]
    assert float((one - still).norm() / still.norm()) > 0.1


def test_random_force_asks_for_what_it_needs() -> None:
    with pytest.raises(Unsupported, match="force_seed"):
        RandomForce(0.1, 0.5).of_sample({}, 0)
    with pytest.raises(Unsupported, match="function of time and seed"):
        FilteredNavierStokes(forcing=RandomForce(0.1, 0.5)).tendency(rough(), 0.1, MODES)
    for wrong in ({"deviation": 0.0}, {"memory": -1.0}, {"below": 0.0}):
        with pytest.raises(ConfigError, match=rf"forcing\..*{next(iter(wrong))}"):
            RandomForce(**({"deviation": 0.1, "memory": 0.5} | wrong))
    with pytest.raises(ConfigError, match="holds no wave"):
        RandomForce(0.1, 0.5, below=0.5, seed=1).spectrum(0.0, MODES)
