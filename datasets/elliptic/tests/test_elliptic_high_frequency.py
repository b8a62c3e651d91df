"""Exact solutions: they solve their equations, and the splits are what the card says."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from pdebench_elliptic.high_frequency import HighFrequency

from pdebench.config import compose
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


@pytest.mark.parametrize("name", ["poisson_1d", "poisson_2d", "allencahn_1d", "allencahn_2d"])
@pytest.mark.parametrize("track", ["tiny", "small", "paper"])
def test_tasks_compose(name: str, track: str) -> None:
    config = compose([f"task=elliptic/{name}", f"track={track}", "solver=mean"])
    assert isinstance(instantiate(config.dataset, _convert_="all"), HighFrequency)


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ConfigError, match=r"dataset\.points=3"):
        HighFrequency("poisson_1d-sin_10", 3, COUNTS)
    with pytest.raises(ConfigError, match=r"dataset\.problem='advection-sin'"):
        HighFrequency("advection-sin", 20, COUNTS)
    with pytest.raises(ConfigError, match=r"dataset\.counts=.*ood_frequency"):
        HighFrequency("poisson_1d-sin_10", 20, {"ood": 1})
    with pytest.raises(DataError, match="is not prepared"):
        HighFrequency("poisson_1d-sin_10", 24, COUNTS).split("test")
