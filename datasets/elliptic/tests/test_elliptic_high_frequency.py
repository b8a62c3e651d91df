"""Exact solutions: they solve their equations, and the splits are what the card says."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from pdebench_elliptic.high_frequency import HighFrequency

from pdebench.config import compose
from pdebench.domain import Axis, Grid
from pdebench.equations.advection import Advection
from pdebench.errors import ConfigError, DataError

COUNTS = {"train": 2, "valid": 1, "test": 2, "ood_frequency": 1}


def made(problem: str, points: int, folder: Path) -> HighFrequency:
    data = HighFrequency(problem, points, COUNTS)
    data.prepare(folder)
    return data


@pytest.mark.parametrize("split", COUNTS)
def test_residual_of_the_exact_solution_falls_at_second_order(split: str, tmp_path: Path) -> None:
    sizes = []
    for points in (201, 401):
        data = made("allencahn_1d-sin_8", points, tmp_path)
        samples = data.split(split)
        sizes.append(float(data.equation.residual(samples.target, samples.problem).abs().max()))
    assert sizes[0] / sizes[1] == pytest.approx(4, rel=0.1)


def test_first_test_sample_is_the_published_one(tmp_path: Path) -> None:
    samples = made("poisson_2d-sin_4", 24, tmp_path).split("test")
    x, y = samples.problem.domain.points.T
    wanted = torch.sin(4 * x) * torch.sin(3 * y)
    assert torch.allclose(samples.target[0, 0].flatten(), wanted, atol=1e-14)


def test_out_of_distribution_frequencies_are_higher(tmp_path: Path) -> None:
    data = made("poisson_1d-sin_10", 400, tmp_path)
    near, far = (data.split(name) for name in ("test", "ood_frequency"))
    # u = sin(w (x + s)): f = -w^2 u
    ratio = [-float((s.problem.inputs["source"] / s.target).nanmedian()) for s in (near, far)]
    assert ratio == pytest.approx([100.0, 156.25])


@pytest.mark.parametrize("split", COUNTS)
def test_advection_moves_its_solution(split: str, tmp_path: Path) -> None:
    """u is constant along x - beta t, has no source, and its residual falls at second order."""
    sizes = []
    for points in (101, 201):
        data = made("advection-sin_2", points, tmp_path)
        samples = data.split(split)
        sizes.append(float(data.equation.residual(samples.target, samples.problem).abs().max()))
        assert float(samples.problem.inputs["source"].abs().max()) < 1e-12
    assert sizes[0] / sizes[1] == pytest.approx(4, rel=0.1)
    u = samples.target[0, 0]  # beta = 2: two nodes along x in the time of one along t
    assert torch.allclose(u[2:, 1:], u[:-2, :-1], atol=1e-12)


@pytest.mark.parametrize("speed", [2.0, -2.0])
def test_values_are_given_where_waves_enter(speed: float) -> None:
    grid = Grid((Axis.interval(5), Axis.interval(4)))
    entering = Advection(speed).prescribed(grid)
    assert bool(entering[:, 0].all()) and bool(entering[0 if speed > 0 else -1].all())
    assert int(entering.sum()) == 5 + 4 - 1
    assert torch.equal(Advection(speed, "all").prescribed(grid), grid.boundary)


def test_released_sides_give_the_end_away(tmp_path: Path) -> None:
    counts = {"test": 1}
    digests = set()
    for sides, given in (("inflow", 23), ("all", 44)):
        data = HighFrequency("advection-sin_2", 12, counts, sides)
        digests.add(data.prepare(tmp_path))
        assert int((data.split("test").problem.inputs["boundary"] != 0).sum()) == pytest.approx(
            given, abs=3
        )  # some values are zero
    assert len(digests) == 2


@pytest.mark.parametrize(
    "name", ["poisson_1d", "poisson_2d", "allencahn_1d", "allencahn_2d", "advection_1d"]
)
@pytest.mark.parametrize("track", ["tiny", "small", "paper"])
def test_tasks_compose(name: str, track: str) -> None:
    config = compose([f"task=elliptic/{name}", f"track={track}", "solver=mean"])
    assert isinstance(instantiate(config.dataset, _convert_="all"), HighFrequency)


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ConfigError, match=r"dataset\.points=3"):
        HighFrequency("poisson_1d-sin_10", 3, COUNTS)
    with pytest.raises(ConfigError, match=r"dataset\.sides=all, expected null for poisson"):
        HighFrequency("poisson_1d-sin_10", 20, COUNTS, "all")
    with pytest.raises(ConfigError, match=r"dataset\.sides=left, expected inflow or all"):
        HighFrequency("advection-sin", 20, COUNTS, "left")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"dataset\.counts=.*ood_frequency"):
        HighFrequency("poisson_1d-sin_10", 20, {"ood": 1})
    with pytest.raises(DataError, match="is not prepared"):
        HighFrequency("poisson_1d-sin_10", 24, COUNTS).split("test")
