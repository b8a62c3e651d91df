"""``pdebench data``: each command on a small data set and on a public file."""

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray

import pdebench
from pdebench.cli import main
from pdebench.errors import DataError
from pdebench.estimate import Estimate, require_space
from pdebench.testing import lookalikes

NAME = "navier_stokes/forced/tiny"
SMALL = (
    "dataset.counts={train:5,valid:1,test:3,test_fine:1}",
    "dataset.counts={ood_low_viscosity:1,ood_high_viscosity:1,ood_forcing:2}",
    "dataset.counts={ood_initial:1,ood_horizon:1}",
    "dataset.stored_grid=16",
    "dataset.solve_grid=16",
    "dataset.frames=12",
    "dataset.shard=2",
)

Command = Callable[..., str]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def data(root: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(command: str, target: object, *arguments: str, status: int = 0) -> str:
        overrides = SMALL if target == NAME else ()
        got = main(["data", command, str(target), *overrides, "--data", str(root), *arguments])
        said = capsys.readouterr()
        assert got == status, said
        return said.out + said.err

    return run


def test_make_tells_size_and_time_then_makes(data: Command) -> None:
    assert "is not made" in data("verify", NAME, status=1)
    assert "not made; make it: pdebench data make" in data("info", NAME)
    said = data("make", NAME, "--estimate", "--workers", "1")
    # 13 frames of 16^2 numbers in float32 and a viscosity; 32^2 in test_fine, 25 in ood_horizon
    assert 14 * 13 * 16**2 * 4 + 13 * 32**2 * 4 + 25 * 16**2 * 4 + 16 * 4 == 265_280
    assert "16 samples, 265 kB; 14 to make in about" in said
    said = data("make", NAME, "--workers", "1")
    assert "12 to make" in said  # the second estimate makes one more shard and "digest " in said
    assert "to make" not in data("make", NAME, "--workers", "2")


def test_info_is_the_card(data: Command) -> None:
    data("make", NAME, "--workers", "1")
    said = data("info", NAME)
    assert "w_t + u.grad w" in said and "harder: forcing of wavevector (1, 2)" in said
    found = json.loads(data("info", NAME, "--json"))
    assert 0 < found["reference_error"]["test"] < 1e-2
    row = found["variables"]["vorticity"]["splits"]["train"]
    split = next(Path(found["folder"]).glob("train.h5"))
    with h5py.File(split) as stored:
        w = stored["vorticity"][()].astype(float)
    assert row["mean"] == pytest.approx(w.mean(), abs=1e-9)
    assert row["deviation"] == pytest.approx(w.std(), rel=1e-9)
    assert (row["min"], row["max"]) == (w.min(), w.max())


def test_verify_is_content_and_notices_what_is_wrong(data: Command) -> None:
    data("make", NAME, "--workers", "1")
    said = data("verify", NAME, "--rows", "2")
    assert said.count("bit by bit") == 9 and "FAILED" not in said
    assert "mean vorticity drifts by" in said
    file = next(Path(json.loads(data("info", NAME, "--json"))["folder"]).glob("test.h5"))
    before = file.read_bytes()
    with h5py.File(file, "a") as stored:
        stored["vorticity"][1, 2, 0, 3, 4] += 1
    assert "was edited" in data("verify", NAME, status=1)
    file.write_bytes(before)
    assert "FAILED" not in data("verify", NAME, "--no-remake")


def test_verify_finds_swapped_answers_and_lost_conservation(tmp_path: Path, data: Command) -> None:
    path = lookalikes.fno_v73(tmp_path)  # noise, which solves no equation
    said = data("verify", path, status=1)
    assert "conservation  FAILED" in said


def test_import_says_how_to_run(tmp_path: Path, data: Command) -> None:
    odd = tmp_path / "with space and ümlaut"
    odd.mkdir()
    path = lookalikes.pdebench_flow(odd)
    said = data("import", path, "--out", str(tmp_path / "own"))
    assert "layout pdebench_single, 10 samples" in said and "read where it is" in said
    assert f"task=imported/evolve 'dataset.path=\"{path}\"'" in said
    with xarray.open_dataset(tmp_path / "own" / "test.nc", engine="h5netcdf") as opened:
        assert opened["Vx"].dims == ("sample", "time", "x", "y")
        with h5py.File(path) as stored:
            assert np.array_equal(opened["Vx"].values, stored["Vx"][:1])


@pytest.mark.parametrize("layout", ["the_well", "zarr", "netcdf"])
def test_export_keeps_the_values(layout: str, tmp_path: Path, data: Command) -> None:
    data("make", NAME, "--workers", "1")
    data("export", NAME, "--to", layout, "--out", str(tmp_path))
    folder = Path(json.loads(data("info", NAME, "--json"))["folder"])
    own = pdebench.open_dataset(str(folder), split="test")["vorticity"].values
    if layout == "the_well":
        with pdebench.open_dataset(str(tmp_path / "data"), split="test") as opened:
            got = opened["vorticity"].values[:, :, None]
    else:
        ending, engine = {"zarr": ("zarr", "zarr"), "netcdf": ("nc", "h5netcdf")}[layout]
        with xarray.open_dataset(tmp_path / f"test.{ending}", engine=engine) as opened:
            got = opened["vorticity"].values
            assert opened["vorticity"].attrs["units"] == "1/s"
    assert np.array_equal(got, own)


def test_plot_draws_pictures(tmp_path: Path, data: Command) -> None:
    data("make", NAME, "--workers", "1")
    data("plot", NAME, "--out", str(tmp_path), "--samples", "2")
    data("plot", lookalikes.geo_fno(tmp_path), "--out", str(tmp_path), "--variable", "sigma")
    pictures = sorted(file.name for file in tmp_path.glob("*.png"))
    assert len(pictures) == 5  # a cloud has no spectrum
    assert all((tmp_path / p).read_bytes()[:4] == b"\x89PNG" for p in pictures)
    assert "expected one of" in data("plot", NAME, "--variable", "x", status=2)


def test_shells_sum_to_half_the_mean_square() -> None:
    from pdebench.cli.data.pictures import shells

    points = 2 * np.pi * np.arange(16) / 16
    u = np.cos(3 * points)[:, None] * np.ones(16) + 0.5 * np.sin(5 * points)
    k, energy = shells(u[None, None])
    assert energy[k == 3] == pytest.approx(0.25) and energy[k == 5] == pytest.approx(0.0625)
    assert energy.sum() == pytest.approx(np.square(u).mean() / 2)


def test_a_disk_that_is_too_small_is_told_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"needs 2000000000\.0 GB .* free; free space"):
        require_space(Estimate(10, 10**18, 10, 1.0, 1), tmp_path)


def test_wrong_arguments_are_named(data: Command) -> None:
    assert "did you mean 'make'?" in data("mak", NAME, status=2)
    assert "dataset=navier_stokes/forced/tin is unknown" in data(
        "info", "navier_stokes/forced/tin", status=2
    )
    assert "changes nothing of the data set" in data("info", NAME, "seed=3", status=2)
    assert "is a data set of the suite" in data("import", NAME, status=2)
    assert "has no split 'dev'" in data("plot", NAME, "--split", "dev", status=2)
