"""Every public layout is recognised, read lazily with names and units, and cut as published."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

import pdebench
from pdebench.equations.vorticity import Vorticity
from pdebench.errors import ConfigError, DataError
from pdebench.formats import protocols
from pdebench.formats.detect import contents
from pdebench.formats.imported import Imported
from pdebench.formats.lazy import Joined, Mapped, Stacked, Transposed
from pdebench.task import Evolve
from pdebench.testing import lookalikes

DIMS = {
    "pdebench_single": ("tensor", ("sample", "time", "x")),
    "pdebench_single_flow": ("Vx", ("sample", "time", "x", "y")),
    "pdebench_single_darcy": ("nu", ("sample", "x", "y")),
    "pdebench_grouped": ("data", ("sample", "time", "x", "y", "channel")),
    "pdebench_incompressible": ("velocity", ("sample", "time", "x", "y", "component")),
    "the_well": ("velocity", ("sample", "time", "x", "y", "component_0")),
    "fno_mat_v5": ("u", ("sample", "x", "y", "time")),
    "fno_mat_v73": ("u", ("sample", "x", "y", "time")),
    "fno_mat_darcy": ("sol", ("sample", "x", "y")),
    "geo_fno": ("position", ("sample", "point", "component")),
    "poseidon": ("velocity", ("sample", "time", "channel", "x", "y")),
    "pdearena": ("vx", ("sample", "time", "x", "y")),
    "cfdbench": ("u", ("sample", "time", "x", "y")),
    "blastnet": ("RHO_kgm-3", ("sample", "x", "y", "z")),
}


@pytest.mark.parametrize("name", lookalikes.ALL)
def test_layout_is_recognised_and_opens_with_names_and_units(name: str, tmp_path: Path) -> None:
    path = lookalikes.ALL[name](tmp_path)
    opened = pdebench.open_dataset(str(path))
    assert name.startswith(opened.attrs["layout"])
    variable, dims = DIMS[name]
    assert opened[variable].dims == dims
    assert "units" in opened[variable].attrs
    for dim in dims:
        if dim in ("sample", "time", "x", "y", "z") and name != "geo_fno":
            assert "units" in opened[dim].attrs and opened[dim].size == opened[variable].sizes[dim]
    whole = opened[variable].values
    picked = opened[variable].isel(sample=[1, 0]).values
    assert np.array_equal(picked, whole[[1, 0]])
    last = opened[variable].isel({dims[-1]: slice(None, None, -1)}).values
    assert np.array_equal(last, whole[..., ::-1])


@pytest.mark.parametrize("name", [name for name in lookalikes.ALL if name != "blastnet"])
def test_splits_are_disjoint_and_problems_fit(name: str, tmp_path: Path) -> None:
    data = Imported(str(lookalikes.ALL[name](tmp_path)))
    digest = data.prepare(tmp_path / "prepared")
    assert len(digest) == 64
    used: set[int] = set()
    for split, size in data.card.splits.items():
        samples = data.split(split)
        assert len(samples) == size and not used & set(samples.indices)
        used |= set(samples.indices)
        one = samples[:1]
        problem, target = one.problem, one.target
        lead = (1, len(problem.times)) if problem.times is not None else (1,)
        assert tuple(target.shape[: len(lead)]) == lead
        assert tuple(target.shape[len(lead) + 1 :]) == problem.domain.shape
        assert target.dtype == torch.float32


def expected(name: str, path: Path) -> np.ndarray:
    """The state (N, T, C, *S) of two evolving look-alikes, read without the readers."""
    if name == "fno_mat_v73":
        with h5py.File(path) as stored:
            return stored["u"][()].transpose(3, 0, 2, 1)[:, :, None]
    with h5py.File(path) as stored:
        names = ("density", "pressure", "Vx", "Vy")
        return np.stack([stored[n][()] for n in names], axis=2)


@pytest.mark.parametrize("name", ["fno_mat_v73", "pdebench_single_flow"])
def test_values_are_those_of_the_file(name: str, tmp_path: Path) -> None:
    path = lookalikes.ALL[name](tmp_path)
    data = Imported(str(path))
    data.prepare(tmp_path / "prepared")
    test = data.split("test")
    assert np.array_equal(test.target.numpy(), expected(name, path)[test.indices])
    train = data.split("train")[np.array([3, 1])]
    assert np.array_equal(train.target.numpy(), expected(name, path)[train.indices])


def test_direct_files_are_not_copied_and_others_once(tmp_path: Path) -> None:
    direct, other = tmp_path / "a", tmp_path / "b"
    Imported(str(lookalikes.pdebench_flow(tmp_path))).prepare(direct)
    assert not (direct / "samples.h5").exists()
    path = str(lookalikes.fno_v73(tmp_path))
    digest = Imported(path).prepare(other)
    written = (other / "samples.h5").stat().st_mtime_ns
    assert Imported(path).prepare(other) == digest
    assert (other / "samples.h5").stat().st_mtime_ns == written


def test_header_of_matlab_makes_no_difference(tmp_path: Path) -> None:
    for header in (True, False):
        (tmp_path / str(header)).mkdir()
    a, b = (lookalikes.fno_v73(tmp_path / str(h), header=h) for h in (True, False))
    one, two = (pdebench.open_dataset(str(p)) for p in (a, b))
    assert np.array_equal(one["u"].values, two["u"].values)


def test_published_vorticity_keeps_its_equation(tmp_path: Path) -> None:
    data = Imported(str(lookalikes.fno_v73(tmp_path)))
    data.prepare(tmp_path / "p")
    problem = Evolve(history=10).ask(data.split("test")).problem
    assert isinstance(problem.equation, Vorticity)
    assert torch.all(problem.parameters["viscosity"] == 1e-3)
    assert problem.input.shape[1] == 10 and problem.history is not None
    assert problem.history.tolist() == list(range(1, 11))


def test_constant_fields_stay_beside_the_history(tmp_path: Path) -> None:
    data = Imported(str(lookalikes.the_well(tmp_path)))
    data.prepare(tmp_path / "p")
    problem = Evolve(history=4).ask(data.split("test")).problem
    assert problem.inputs["state"].shape == (2, 4, 7, 16, 12)  # 1 + 2 + 4 components
    assert problem.inputs["density"].shape == (2, 1, 16, 12)
    assert problem.domain.periodic == (True, False)


@pytest.mark.parametrize("num", [1, 2, 3, 5, 12, 20, 100, 1200, 1400, 5000])
def test_protocols_share_no_sample(num: int) -> None:
    for splits in (
        protocols.test_first(num),
        protocols.test_last(num, 1000, 200),
        protocols.before_last(num, 120, 240),
    ):
        rows = [i for start, stop in splits.values() for i in range(start, stop)]
        assert len(rows) == len(set(rows)) and set(rows) <= set(range(num))
        assert num < 3 or {"train", "test", "valid"} <= set(splits)


def test_published_sizes() -> None:
    assert protocols.test_last(5000, 1000, 200) == {
        "train": (0, 1000), "valid": (4600, 4800), "test": (4800, 5000)
    }  # fmt: skip
    assert protocols.test_last(1200, 1000, 200)["valid"] == (900, 1000)
    assert protocols.test_first(10000)["test"] == (0, 1000)
    assert protocols.before_last(20000, 120, 240)["test"] == (19760, 20000)


def test_own_splits_must_be_disjoint(tmp_path: Path) -> None:
    path = str(lookalikes.pdebench_flow(tmp_path))
    data = Imported(path, splits={"train": [0, 6], "valid": [6, 8], "test": [8, 10]})
    assert data.card.splits == {"train": 6, "valid": 2, "test": 2}
    with pytest.raises(ConfigError, match="share samples"):
        Imported(path, splits={"train": [0, 6], "test": [5, 10]})
    with pytest.raises(ConfigError, match=r"splits\.test=\[5, 11\], expected"):
        Imported(path, splits={"test": [5, 11]})


def test_lazy_views_read_what_numpy_indexes() -> None:
    values = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    view = Transposed(Mapped(values), (3, 0, 2, 1))
    whole = values.transpose(3, 0, 2, 1)
    joined = Joined([Mapped(values), Mapped(values + 1000)], "f")
    stacked = Stacked([Mapped(values), Mapped(values + 1000)], "f")
    keys = [
        (slice(None),) * 4,
        (2, slice(0, 1), slice(1, None), slice(None)),
        (slice(1, 4, 2), 1, slice(None), 0),
    ]
    for key in keys:
        assert np.array_equal(view.read(key), whole[key])
    both = np.concatenate([values, values + 1000])
    for first in (slice(None), slice(1, 3), 3, slice(0, 4, 3), slice(2, 2)):
        key = (first, slice(1, 2), slice(None), slice(None))
        assert np.array_equal(joined.read(key), both[key])
        key = (slice(0, 2) if isinstance(first, slice) else 1, first, *key[2:])
        if not isinstance(first, int):
            key = (key[0], slice(0, 2), *key[2:])
            more = (*key, slice(None))
            assert np.array_equal(stacked.read(more), np.stack([values, values + 1000])[more])
    assert np.array_equal(joined.rows([3, 0, 3]), both[[3, 0, 3]])


def test_fields_that_depend_on_nothing_are_no_task(tmp_path: Path) -> None:
    data = Imported(str(lookalikes.blastnet(tmp_path)))
    data.prepare(tmp_path / "p")
    with pytest.raises(ConfigError, match="nothing that they depend on"):
        data.split("test")


def test_layout_can_be_named(tmp_path: Path) -> None:
    path = str(lookalikes.poseidon(tmp_path))
    assert contents(path, layout="poseidon").layout == "poseidon"
    with pytest.raises(DataError, match=r"expected groups '0000'"):
        contents(path, layout="pdebench_grouped")
    with pytest.raises(ConfigError, match="layout=poseidn is unknown"):
        contents(path, layout="poseidn")
