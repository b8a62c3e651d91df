"""Decaying and Kolmogorov flow, and stream functions: laws of their fields and splits."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from pdebench_navier_stokes.decaying import Decaying, McWilliamsStart
from pdebench_navier_stokes.forced import Forced
from pdebench_navier_stokes.kolmogorov import Kolmogorov
from pdebench_navier_stokes.streamfunction import Streamfunction
from pdebench_spectral.solver import Spectral

from pdebench.config import compose
from pdebench.domain import Grid
from pdebench.errors import ConfigError
from pdebench.generated import GeneratedDataset
from pdebench.metrics.spectra import energy_spectrum
from pdebench.spectral import Modes, resample, velocity
from pdebench.task import Evolve


def decaying(**changes) -> Decaying:
    settings = {
        "viscosity": 0.05,
        "stored_grid": 16,
        "solve_grid": 36,
        "frames": 3,
        "spacing": 0.1,
        "warm_up": 0.2,
        "counts": {"train": 2, "test": 2, "ood_peak": 1, "ood_horizon": 1},
        "solver": Spectral(),
        "workers": 1,
    }
    return Decaying(**(settings | changes))


def kolmogorov(**changes) -> Kolmogorov:
    settings = {
        "reynolds": 10.0,
        "stored_grid": 16,
        "solve_grid": 36,
        "frames": 3,
        "spacing": 0.1,
        "warm_up": 0.2,
        "counts": {"train": 1, "test": 1, "ood_forcing": 1},
        "solver": Spectral(),
        "workers": 1,
    }
    return Kolmogorov(**(settings | changes))


def stream(**changes) -> Streamfunction:
    settings = {
        "viscosity": 1e-3,
        "stored_grid": 16,
        "solve_grid": 32,
        "at": 2,
        "counts": {"train": 2, "test": 2, "test_fine": 1, "ood_rough": 1},
        "solver": Spectral(),
        "workers": 1,
    }
    return Streamfunction(**(settings | changes))


def test_start_has_the_stated_energy_spectrum_on_every_grid() -> None:
    """E(k) ~ k (1 + (k/4)^4)^{-2} by the number of modes in a shell; 64 fields scatter by 5 %."""
    start = McWilliamsStart(4.0, 16)
    w = start.draw("t", range(64), 48)
    modes = Modes.of((48, 48), (2 * math.pi, 2 * math.pi))
    u = velocity(w, modes)
    assert torch.allclose(u.square().sum(1).mean((1, 2)), torch.ones(64).double())
    spectrum = energy_spectrum(u, Grid.torus((48, 48), 2 * math.pi)).mean(0)
    line = torch.fft.fftfreq(48, 1 / 48, dtype=torch.float64)
    radius = torch.hypot(line[:, None], line)
    density = torch.where(radius > 0, (1 + (radius / 4) ** 4) ** -2.0, 0.0)
    density = density * (radius <= 16)
    shell = torch.floor(radius + 0.5).long().flatten()
    wanted = torch.zeros(int(shell.max()) + 1).double().index_add_(0, shell, density.flatten())
    wanted = wanted / wanted.sum() / 2
    assert torch.allclose(spectrum[1:9], wanted[1:9], rtol=0.2)
    assert torch.allclose(resample(start.draw("t", range(2), 66), (48, 48)), w[:2], atol=1e-11)


def test_energy_decays_and_horizon_continues_the_test_samples(tmp_path: Path) -> None:
    data = decaying()
    data.prepare(tmp_path)
    short, long = data.split("test"), data.split("ood_horizon")
    assert long.target.shape[1] == 6 and short.target.shape[1] == 3
    assert np.allclose(long.target[:1, :3], short.target[:1], atol=1e-5)
    frames = torch.cat([short.problem.input, short.target], 1)
    assert bool((frames.square().mean((2, 3, 4)).diff(dim=1) < 0).all())
    assert short.problem.times is not None and short.problem.history is not None
    assert short.problem.history.tolist() == pytest.approx([0.2])
    asked = Evolve(2).ask(short).problem
    assert asked.history is not None and asked.history.tolist() == pytest.approx([0.3, 0.4])


def test_solver_continues_from_any_frame(tmp_path: Path) -> None:
    data = kolmogorov(stored_grid=36, drag=0.1)
    data.prepare(tmp_path)
    samples = Evolve(2).ask(data.split("test"))
    answer = Spectral().solve(samples.problem).u
    # frames are stored in float32 and the state passes through the mask of the two-thirds rule
    assert float((answer - samples.target).norm() / samples.target.norm()) < 1e-5
    assert float(samples.problem.parameters["drag"][0]) == pytest.approx(0.1)


def test_stream_function_is_that_of_the_vorticity(tmp_path: Path) -> None:
    data = stream()
    data.prepare(tmp_path)
    for split in ("test", "test_fine", "ood_rough"):
        samples = data.split(split)
        residual = data.equation.residual(samples.target.double(), samples.problem)
        # psi is stored in float32: k^2 amplifies its rounding
        assert float(residual.norm() / samples.problem.input.norm()) < 1e-4
    assert data.card.reference_error is not None
    assert max(data.card.reference_error.values()) < 1e-6


@pytest.mark.parametrize(
    ("make", "changes", "said"),
    [
        (decaying, {"spacing": 0.0}, r"dataset\.spacing=0\.0"),
        (decaying, {"counts": {"ood_forcing": 1}}, r"dataset\.counts="),
        (kolmogorov, {"reynolds": -1.0}, r"dataset\.reynolds=-1\.0"),
        (kolmogorov, {"drag": -1.0}, r"drag=-1\.0"),
        (kolmogorov, {"solve_grid": 8}, r"dataset\.solve_grid=8 is coarser"),
        (stream, {"at": 1}, r"dataset\.at=1"),
    ],
)
def test_wrong_settings_are_named(make, changes: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make(**changes)


@pytest.mark.parametrize("track", ["tiny", "small", "paper"])
@pytest.mark.parametrize("task", ["evolve_decaying", "evolve_kolmogorov", "streamfunction"])
def test_every_track_builds_and_explains_its_shifts(track: str, task: str) -> None:
    config = compose([f"task=navier_stokes/{task}", f"track={track}"])
    data = instantiate(config.dataset, _convert_="all")
    assert isinstance(data, GeneratedDataset) and not isinstance(data, Forced)
    assert {s for s in data.card.splits if s.startswith(("ood", "test_"))} == set(data.card.shifts)
