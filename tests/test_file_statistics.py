"""The statistics that a file of samples holds are those of its arrays."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray

from pdebench import file_statistics
from pdebench.files import Layout, Variable, write

RANDOM = np.random.default_rng(0)
U = (1e4 + RANDOM.normal(size=(10, 5, 2, 6))).astype(np.float32)
NU = RANDOM.random(10)


def _layout() -> Layout:
    variables = {
        "u": Variable(("time", "channel", "x"), "m/s", "velocity"),
        "nu": Variable((), "m^2/s", "viscosity"),
    }
    coordinates = {
        "time": (np.arange(5.0), "s"),
        "channel": (np.array(["a", "b"]), "1"),
        "x": (np.arange(6.0), "m"),
    }
    return Layout(variables, coordinates)


@pytest.mark.parametrize("block", [1, 3 * 5 * 2 * 6 * 4, 1 << 20])
def test_statistics_are_per_channel_whatever_the_block(
    tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_statistics, "_BLOCK", block)
    path = tmp_path / "train.h5"
    pieces = iter([{"u": U[:4], "nu": NU[:4]}, {"u": U[4:], "nu": NU[4:]}])
    write(path, _layout(), pieces, 10)
    exact, over = U.astype(np.float64), (0, 1, 3)
    with h5py.File(path) as opened:
        stored: Any = opened
        found = {key: value[()] for key, value in stored["stats/u"].items()}
        assert np.allclose(stored["stats/nu/std"][()], NU.std(), rtol=1e-12)
        assert set(stored["stats/nu"]) == {"mean", "std", "min", "max"}
    assert np.allclose(found["mean"], exact.mean(over), rtol=1e-12)
    assert np.allclose(found["std"], exact.std(over), rtol=1e-9)
    assert np.array_equal(found["min"], exact.min(over))
    assert np.array_equal(found["max"], exact.max(over))
    assert np.allclose(found["delta_std"], np.diff(exact, axis=1).std(over), rtol=1e-9)
    with xarray.open_dataset(path, engine="h5netcdf") as shown:
        assert set(shown.data_vars) == {"u", "nu"}
