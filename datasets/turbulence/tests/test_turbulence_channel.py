"""Channel data: starts without slip, windows in time order, resumption, cards, arguments."""

import math
from pathlib import Path

import h5py
import pytest
import torch
from pdebench_channel.solver import Channel as Solver
from pdebench_turbulence.channel import Channel
from pdebench_turbulence.channel_start import PerturbedPoiseuille, Turbulent

from pdebench.chebyshev import differentiation
from pdebench.domain import Axis, Grid
from pdebench.errors import ConfigError
from pdebench.estimate import estimate
from pdebench.metrics.errors import relative_l2
from pdebench.task import Evolve, Task

COUNTS = {"train": 3, "valid": 1, "test": 2, "test_long": 1, "ood_reynolds": 1}


def channel(**changes) -> Channel:
    settings = {
        "reynolds": 30.0,
        "ood_reynolds": 20.0,
        "grid": (6, 13, 6),
        "extent": (2 * math.pi, math.pi),
        "start": PerturbedPoiseuille(),
        "spin_up": 0.04,
        "spacing": 0.02,
        "frames": 4,
        "long": 9,
        "counts": COUNTS,
        "solver": Solver(step=0.01),
        "finer": Solver(step=0.005, grid=(8, 17, 8)),
        "workers": 1,
    }
    return Channel(**(settings | changes))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Channel, Path]:
    data, folder = channel(), tmp_path_factory.mktemp("channel")
    data.prepare(folder)
    return data, folder


@pytest.mark.parametrize("start", [PerturbedPoiseuille(), Turbulent()])
def test_start_has_no_slip_and_no_divergence(start: PerturbedPoiseuille | Turbulent) -> None:
    """Sines along x differentiate exactly; y by the interpolant, exact for degree 4."""
    grid = Grid((Axis.torus(12, 2.0), Axis.chebyshev(33), Axis.torus(12, 1.0)))
    u = start.draw("t", 1, grid, 180.0)
    assert float(u[:, :, [0, -1]].abs().max()) < 1e-12
    wave = u - u.mean((1, 3), keepdim=True)
    k = torch.fft.fftfreq(12, 1 / 12, dtype=torch.float64) * 2 * math.pi
    u_x = torch.fft.ifft(torch.fft.fft(wave[0], dim=0) * (1j * k / 2.0)[:, None, None], dim=0).real
    w_z = torch.fft.ifft(torch.fft.fft(wave[2], dim=2) * (1j * k), dim=2).real
    v_y = torch.einsum("ij,xjz->xiz", differentiation(grid.axes[1])[0], wave[1])
    assert float((u_x + v_y + w_z).abs().max()) < 1e-10
    coarse = Grid((Axis.torus(6, 2.0), grid.axes[1], Axis.torus(6, 1.0)))
    assert torch.allclose(start.draw("t", 1, coarse, 180.0), u[:, ::2, :, ::2], atol=1e-12)


def test_windows_of_one_flow_follow_each_other(made: tuple[Channel, Path]) -> None:
    train = made[0].split("train").target
    assert train.shape == (3, 4, 3, 6, 13, 6)
    assert torch.equal(train[0, -1], train[1, 0])
    test, long = made[0].split("test").target, made[0].split("test_long").target
    assert torch.equal(test[0], long[0, :4])
    assert torch.equal(test[1], long[0, 3:7])
    later = made[0].split("ood_reynolds").problem
    assert float(later.parameters["viscosity"][0]) == pytest.approx(1 / 20)


def test_solver_reproduces_the_data_and_the_card_states_an_error(
    made: tuple[Channel, Path],
) -> None:
    task = Task("channel", made[0], (relative_l2,), Evolve(1))
    problem, target = task.samples("test").problem, task.samples("test").target
    u = Solver(step=0.01).solve(problem).u
    assert float((u - target).norm() / target.norm()) < 1e-6  # float32 start
    errors = made[0].card.reference_error
    assert errors is not None
    assert set(errors) == {"test", "ood_reynolds"}
    assert 0 < errors["test"] < 0.05


def test_killed_simulation_goes_on_from_its_last_piece(tmp_path: Path, monkeypatch) -> None:
    """The second piece of the flow fails; the first is kept, and the data come out the same."""
    whole = channel(counts={"train": 8}, spin_up=0.0)
    whole.prepare(tmp_path / "whole")
    calls = []
    solve = Solver.solve

    def failing(self, problem):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return solve(self, problem)

    cut = channel(counts={"train": 8}, spin_up=0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Solver, "solve", failing)
        with pytest.raises(KeyboardInterrupt):
            cut.prepare(tmp_path / "cut")
    kept = list((tmp_path / "cut" / ".shards" / "flows").glob("*.npz"))
    assert len(kept) == 1
    stamp = kept[0].stat().st_mtime_ns
    kept[0].touch()
    cut.prepare(tmp_path / "cut")
    assert stamp
    assert not (tmp_path / "cut" / ".shards").exists()
    with h5py.File(tmp_path / "whole/train.h5") as a, h5py.File(tmp_path / "cut/train.h5") as b:
        assert a.attrs["digest"] == b.attrs["digest"]


def test_time_is_estimated_without_the_simulation(tmp_path: Path) -> None:
    """One flow cannot be split over workers; many can."""
    one = estimate(channel().recipe, tmp_path, 2)
    assert one.seconds > 0
    assert one.samples_left == sum(COUNTS.values())
    assert not list(tmp_path.rglob("*.npz"))


def test_every_sample_may_be_a_flow_of_its_own_and_be_stored_coarser(tmp_path: Path) -> None:
    counts = {"train": 2, "test": 1}
    data = channel(flows="each", counts=counts, grid=(8, 17, 8), store=(6, 9, 6), spin_up=0.0)
    data.prepare(tmp_path)
    train = data.split("train")
    assert train.target.shape == (2, 4, 3, 6, 9, 6)
    assert not torch.equal(train.target[0], train.target[1])
    y = train.problem.domain.axes[1]  # type: ignore[attr-defined]
    assert torch.allclose(y.nodes, Axis.chebyshev(9).nodes, atol=1e-15)
    assert y.rule == "clenshaw-curtis"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reynolds": 0.0}, r"dataset\.reynolds=0\.0"),
        ({"spin_up": -1.0}, r"dataset\.spin_up=-1\.0"),
        ({"frames": 2}, r"dataset\.frames=2, expected at least 3"),
        ({"long": 2}, r"dataset\.long=2"),
        ({"grid": (4, 13, 6)}, r"dataset\.grid="),
        ({"store": (6, 8, 6)}, r"in y a divisor of 12 plus one"),
        ({"flows": "many"}, r"dataset\.flows='many'"),
        ({"counts": {"dev": 1}}, r"dataset\.counts="),
    ],
)
def test_arguments_are_checked(changes: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        channel(**changes)
