"""Filtered isotropic turbulence: initial spectrum, one flow on every grid, its reference."""

import math
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from pdebench_spectral.large_eddy import LargeEddy
from pdebench_turbulence.isotropic import Isotropic
from pdebench_turbulence.isotropic_recipe import draw_velocity

from pdebench.config import compose
from pdebench.domain import Grid
from pdebench.equations.filtered_flow import FilteredNavierStokes
from pdebench.equations.filters import filtered
from pdebench.equations.forcing import ConstantPower, HeldShells, RandomForce
from pdebench.errors import ConfigError, DataError
from pdebench.metrics.spectra import energy_spectrum
from pdebench.spectral import Modes, resample

COUNTS = {"train": 2, "valid": 1, "test": 1, "test_fine": 1}


def isotropic(**changes) -> Isotropic:
    settings = {
        "viscosity": 0.05,
        "dns_grid": 24,
        "les_grid": 10,
        "frames": 2,
        "spacing": 0.1,
        "spin_up": 0.2,
        "counts": COUNTS,
        "solver": LargeEddy(dtype="float64"),
        "workers": 1,
    }
    return Isotropic(**(settings | changes))


def _curl(u_hat: torch.Tensor, modes: Modes) -> torch.Tensor:
    x, y, z = (modes.slopes[a] for a in range(3))
    u, v, w = u_hat
    return torch.stack([y * w - z * v, z * u - x * w, x * v - y * u])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Isotropic, Path]:
    data, folder = isotropic(), tmp_path_factory.mktemp("isotropic")
    data.prepare(folder)
    return data, folder


def test_initial_spectrum_is_the_stated_one() -> None:
    """E(k) ~ k^4 exp(-2 (k / 3)^2); 64 fields, shells of 50 modes and more scatter by 2 %."""
    fields = torch.stack([draw_velocity("t", i, 24, 3.0) for i in range(64)])
    spectrum = energy_spectrum(fields, Grid.torus((24,) * 3, 2 * math.pi)).mean(0)
    k = torch.arange(len(spectrum), dtype=torch.float64)
    # modes are counted, not measured: a shell holds as many as fall into it
    line = torch.fft.fftfreq(24, 1 / 24, dtype=torch.float64)
    radius = torch.stack(torch.meshgrid(line, line, line, indexing="ij")).norm(dim=0)
    density = radius**2 * torch.exp(-2 * (radius / 3) ** 2)
    shell = torch.floor(radius + 0.5).long().flatten()
    wanted = torch.zeros(int(shell.max()) + 1).double().index_add_(0, shell, density.flatten())
    wanted = wanted[: len(k)] * (1.5 / wanted.sum())
    assert torch.allclose(spectrum[1:9], wanted[1:9], rtol=0.08)


def test_initial_field_is_solenoidal_and_exists_on_every_grid() -> None:
    coarse, fine = (draw_velocity("t", 5, n, 3.0) for n in (22, 33))
    assert torch.allclose(resample(fine, (22,) * 3), coarse, atol=1e-12)
    modes = Modes.of((22,) * 3, (2 * math.pi,) * 3)
    assert float(FilteredNavierStokes().divergence(coarse, modes).abs().max()) < 1e-12
    assert float(coarse.square().sum(0).mean()) == pytest.approx(3.0)


def test_flow_decays_and_the_reference_is_resolved(made: tuple[Isotropic, Path]) -> None:
    samples = made[0].split("test")
    energy = torch.cat([samples.problem.input, samples.target], 1).square().mean((2, 3, 4, 5))
    assert bool((energy.diff(dim=1) < 0).all())
    assert made[0].card.reference_error is not None
    assert made[0].card.reference_error["test"] < 0.01


def test_fine_split_holds_the_same_flow(made: tuple[Isotropic, Path]) -> None:
    coarse, fine = (made[0].split(n).target for n in ("test", "test_fine"))
    assert fine.shape[-3:] == (20, 20, 20)
    # the coarse field is the fine one, filtered at |k| <= 5 and without its Nyquist modes
    modes = Modes.of((20,) * 3, (2 * math.pi,) * 3)
    cut = modes.inverse(modes.forward(fine.double()) * (modes.square <= 25))
    got = resample(cut, (10,) * 3)
    assert float((got - coarse).norm() / coarse.norm()) < 1e-6


def test_sample_does_not_depend_on_how_many(made: tuple[Isotropic, Path], tmp_path: Path) -> None:
    isotropic(counts={"train": 1}, workers=2).prepare(tmp_path)
    with h5py.File(made[1] / "train.h5") as many, h5py.File(tmp_path / "train.h5") as one:
        # threads may change the order of sums
        assert np.allclose(many["velocity"][:1], one["velocity"][:1], atol=1e-6)


def test_subgrid_stress_closes_the_filtered_flux(tmp_path: Path) -> None:
    """Stored: tau of a positive filter, tau_ii >= 0 up to the truncation, and (u u)~ = u~ u~ + tau
    on the simulation's grid; the statistics follow from the vorticity, too.
    """
    counts = {"test": 1, "ood_decaying": 1, "ood_peak": 1}
    data = isotropic(power=0.5, filter_kind="gaussian", stress_frames=2, counts=counts)
    data.prepare(tmp_path)
    with h5py.File(tmp_path / "test.h5") as stored:
        tau = torch.from_numpy(stored["stress"][0])
        numbers = {name: float(stored[name][0]) for name in ("reynolds", "resolution", "energy")}
    assert tau.shape == (2, 6, 10, 10, 10)
    recipe = data.recipe
    u, modes = recipe.simulated("test", 0)
    same = recipe.stress("test", u[:1], modes)
    assert torch.allclose(same[0].float(), tau[0], atol=1e-5)
    trace = tau[:, 0] + tau[:, 3] + tau[:, 5]
    assert float(trace.mean()) > 0
    assert float(trace.min()) > -0.05 * float(trace.max())  # what the truncation cut away
    whole = float(u[0].square().sum(0).mean())
    smooth = filtered(u[0], "gaussian", 2 * math.pi / 10, modes)
    # the filter keeps means: what it took from the energy is the mean of the trace
    taken = whole - float(smooth.square().sum(0).mean())
    assert float(trace[0].mean()) == pytest.approx(taken, rel=1e-5)
    assert numbers["energy"] == pytest.approx(whole / 2, rel=1e-5)
    # eps = nu <|curl u|^2> for a solenoidal field; the simulation keeps |k_i| < 12
    curl = modes.inverse(_curl(modes.forward(u[0]), modes))
    dissipation = 0.05 * float(curl.square().sum(0).mean())
    assert numbers["resolution"] == pytest.approx(12 * (0.05**3 / dissipation) ** 0.25, rel=1e-4)
    taylor = math.sqrt(15 * 0.05 * (whole / 3) / dissipation)  # lambda^2 = 15 nu u'^2 / eps
    assert numbers["reynolds"] == pytest.approx(math.sqrt(whole / 3) * taylor / 0.05, rel=1e-4)


def test_shifts_change_one_thing(tmp_path: Path) -> None:
    counts = {"test": 1, "ood_decaying": 1, "ood_peak": 1}
    data = isotropic(power=2.0, counts=counts)
    data.prepare(tmp_path)
    energy = {s: data.split(s).target.square().mean((2, 3, 4, 5)).mul(1.5)[0] for s in counts}
    assert energy["ood_decaying"][1] < energy["ood_decaying"][0]
    assert data.split("ood_decaying").problem.equation.forcing is None
    assert data.split("test").problem.equation.forcing == ConstantPower(2.0)
    with pytest.raises(ConfigError, match=r"dataset\.counts="):
        isotropic(counts={"ood_decaying": 1})  # nothing to switch off


@pytest.mark.parametrize("track", ["tiny", "small", "paper"])
@pytest.mark.parametrize("task", ["hit_evolve", "hit_les_decaying", "hit_les_driven"])
def test_every_track_builds(track: str, task: str) -> None:
    data = instantiate(
        compose([f"task=turbulence/{task}", f"track={track}"]).dataset, _convert_="all"
    )
    assert {s for s in data.card.splits if s.startswith(("ood", "test_"))} == set(data.card.shifts)


def test_held_shells_keep_their_energies(tmp_path: Path) -> None:
    """E(1) = 2^{5/3} E(2) in every frame: 1e-4 for steps of 0.02, RK4, single precision stored."""
    data = isotropic(force=HeldShells(), filter_kind="sharp", counts={"test": 1})
    data.prepare(tmp_path)
    samples = data.split("test")
    frames = torch.cat([samples.problem.input, samples.target], 1)[0].double()
    spectrum = energy_spectrum(frames, Grid.torus((10,) * 3, 2 * math.pi))
    assert torch.allclose(
        spectrum[:, 1] / spectrum[:, 2], torch.tensor(2 ** (5 / 3)).double(), rtol=1e-3
    )
    assert torch.allclose(spectrum[1:, 1], spectrum[:1, 1].expand(2), rtol=1e-3)


def test_random_force_of_a_window_goes_on_where_the_last_ended(tmp_path: Path) -> None:
    """On the simulation's own grid a stored window is what the solver makes of its first frame."""
    counts = {"train": 1, "test": 1}
    settings = {"frames": 4, "spacing": 0.05, "spin_up": 0.1, "counts": counts}
    force = RandomForce(deviation=1.0, memory=0.2)
    data = isotropic(
        **settings, force=force, window=2, les_grid=12, filter_kind="sharp", viscosity=0.5
    )
    data.prepare(tmp_path)
    last = data.split("train")[1:2]
    found = LargeEddy(dtype="float64", grid=36).solve(last.problem).u
    wrong = replace(
        last.problem, parameters={**last.problem.parameters, "force_seed": torch.ones(1)}
    )
    other = LargeEddy(dtype="float64", grid=36).solve(wrong).u
    error, miss = (float((u - last.target).norm() / last.target.norm()) for u in (found, other))
    # what is left is the stress of the modes that the stored grid cannot hold
    assert error < 0.02 < 10 * error < miss


def test_windows_follow_each_other_and_scored_splits_are_whole(tmp_path: Path) -> None:
    """Four frames in windows of two: the last frame of one window is the input of the next."""
    settings = {"frames": 4, "spacing": 0.02, "spin_up": 0.0, "counts": {"train": 2, "test": 1}}
    cut = isotropic(**settings, window=2)
    cut.prepare(tmp_path)
    whole = isotropic(**settings)
    whole.prepare(tmp_path)
    windows, flows = cut.split("train"), whole.split("train")
    assert len(windows) == 4
    assert windows.target.shape[1] == 2
    assert torch.equal(windows[0:1].target[:, -1:], windows[1:2].problem.input)
    assert torch.equal(windows[2:4].target.flatten(0, 1), flows[1:2].target[0])
    assert torch.equal(windows[np.array([3, 0])].target[1:], windows[0:1].target)
    assert cut.split("test").target.shape[1] == 4


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"viscosity": 0.0}, r"dataset\.viscosity=0\.0"),
        ({"dns_grid": 16}, r"dataset\.dns_grid=16, expected more than 20"),
        ({"les_grid": 20}, r"dataset\.les_grid=20, expected 4 to dns_grid / 2 = 12"),
        ({"frames": 1}, r"dataset\.frames=1"),
        ({"window": 3}, r"dataset\.window=3, expected 2 to dataset\.frames=2"),
        ({"counts": {"tests": 1}}, r"dataset\.counts="),
        ({"power": -1.0}, r"power=-1\.0"),
        ({"stress_frames": 9}, r"dataset\.stress_frames=9, expected 0 to frames \+ 1 = 3"),
    ],
)
def test_arguments_are_checked(changes: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        isotropic(**changes)


def test_unprepared_and_unknown_are_named(made: tuple[Isotropic, Path]) -> None:
    with pytest.raises(ConfigError, match="no split 'dev'"):
        made[0].split("dev")
    with pytest.raises(DataError, match="not prepared"):
        isotropic().split("test")
