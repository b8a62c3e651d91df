"""The forced data set: statistics of its initial field, resolution shift, honesty of its card."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import xarray
from hydra.utils import instantiate
from pdebench_navier_stokes.field import draw
from pdebench_navier_stokes.forced import Forced
from pdebench_spectral.solver import Spectral

from pdebench.config import compose
from pdebench.errors import ConfigError, DataError
from pdebench.spectral import resample

COUNTS = {"train": 3, "valid": 1, "test": 2, "test_fine": 2, "ood_forcing": 1}


def forced(**changes) -> Forced:
    settings = {
        "viscosity": 1e-3,
        "stored_grid": 16,
        "solve_grid": 32,
        "frames": 3,
        "counts": COUNTS,
        "solver": Spectral(),
        "workers": 1,
    }
    return Forced(**(settings | changes))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Forced, Path, str]:
    data, folder = forced(), tmp_path_factory.mktemp("forced")
    return data, folder, data.prepare(folder)


def test_initial_field_has_the_published_spectrum() -> None:
    """N(0, 7^{3/2} (-lap + 49)^{-5/2}) restricted to |k| <= 32: variance and shape, mode by mode.

    256 samples: a variance estimated from n complex normals scatters by 1 / sqrt(n).
    """
    fields = torch.as_tensor(np.asarray(draw("test/stream", range(256), 64, 32, 2.5, 7.0)))
    spectrum = torch.fft.fft2(fields.double()) / 64**2
    power = spectrum.abs().square().mean(0)
    k = torch.fft.fftfreq(64, 1 / 64)
    expected = 2 * 7.0**3 * (4 * torch.pi**2 * (k[:, None] ** 2 + k**2) + 49) ** -2.5
    expected[0, 0] = 0.0
    ratio = (power / expected.clamp_min(1e-30))[:9, :9].flatten()[1:]
    # the real part of a complex field halves the power of each pair
    assert abs(float(ratio.mean()) - 0.5) < 0.03
    assert float(power[0, 0]) < 1e-20
    assert float(fields.double().square().mean().sqrt()) == pytest.approx(0.1852, rel=0.03)


def test_one_sample_exists_on_every_grid() -> None:
    coarse, fine = (np.asarray(draw("s", range(2), n, 7, 2.5, 7.0)) for n in (16, 48))
    down = resample(torch.as_tensor(fine), (16, 16)).numpy()
    assert np.allclose(down, coarse, atol=1e-12)


def test_fine_test_split_is_the_test_split(made: tuple[Forced, Path, str]) -> None:
    data = made[0]
    coarse, fine = data.split("test").target, data.split("test_fine").target
    assert fine.shape[-1] == 2 * coarse.shape[-1]
    down = resample(fine, tuple(coarse.shape[-2:]))
    assert float((down - coarse).norm() / coarse.norm()) < 1e-4  # float32 and the finer solution


def test_file_opens_in_xarray(made: tuple[Forced, Path, str]) -> None:
    with xarray.open_dataset(made[1] / "test.h5", engine="h5netcdf") as opened:
        assert opened["vorticity"].dims[0] == "sample"
        assert opened["vorticity"].attrs["units"] == "1/s"
        assert opened.attrs["dataset"] == "navier_stokes/forced"


def test_card_states_a_measured_reference_error(made: tuple[Forced, Path, str]) -> None:
    card = made[0].card
    assert card.reference_error is not None and 0 < card.reference_error["test"] < 1e-3
    assert set(card.splits) == set(COUNTS)


def test_digest_is_that_of_the_content(made: tuple[Forced, Path, str], tmp_path: Path) -> None:
    assert forced().prepare(tmp_path) == made[2]


def test_edited_file_is_refused(tmp_path: Path) -> None:
    data = forced(counts={"train": 1})
    data.prepare(tmp_path)
    with h5py.File(tmp_path / "train.h5", "a") as stored:
        stored["vorticity"][0, 1, 0, 0, 0] = 9.0
    with pytest.raises(DataError, match=r"train\.h5' was edited"):
        forced(counts={"train": 1}).prepare(tmp_path)


def test_other_settings_are_another_version(tmp_path: Path) -> None:
    forced(counts={"train": 1}).prepare(tmp_path)
    with pytest.raises(DataError, match="recipe="):
        forced(counts={"train": 1}, viscosity=1e-2).prepare(tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"viscosity": 0.0}, r"dataset\.viscosity=0\.0"),
        ({"solve_grid": 8}, r"dataset\.solve_grid=8 is coarser"),
        ({"frames": 1}, r"dataset\.frames=1"),
        ({"counts": {"tset": 3}}, r"dataset\.counts=.*expected positive numbers"),
        ({"counts": {"test": 0}}, r"dataset\.counts="),
    ],
)
def test_wrong_settings_are_named(changes: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        forced(**changes)


def test_unknown_split_and_unprepared_are_named(made: tuple[Forced, Path, str]) -> None:
    with pytest.raises(ConfigError, match="no split 'tset'; it has"):
        made[0].split("tset")
    with pytest.raises(DataError, match="is not prepared"):
        forced().split("test")


@pytest.mark.parametrize("track", ["tiny", "small", "paper"])
@pytest.mark.parametrize("task", ["evolve", "evolve_1e-4", "evolve_1e-5"])
def test_every_track_builds(track: str, task: str) -> None:
    config = compose([f"task=navier_stokes/{task}", f"track={track}"])
    assert isinstance(instantiate(config.dataset, _convert_="all"), Forced)
