import numpy as np
import pytest
import torch

from pdebench.domain import Grid
from pdebench.errors import AccessError, ConfigError
from pdebench.problem import Problem, Withheld
from pdebench.samples import Samples
from pdebench.task import Evolve

GRID = Grid.torus((4, 4))
LAW = Withheld("no equation in this test")


def _trajectories(num: int = 6, frames: int = 5) -> Samples:
    u = (
        torch.arange(num * frames, dtype=torch.float32)
        .view(num, frames, 1, 1, 1)
        .expand(-1, -1, 1, 4, 4)
    )
    problem = Problem(
        LAW,
        GRID,
        {"u": u[:, 0]},
        times=torch.arange(1.0, frames + 1),
        parameters={"nu": torch.ones(num)},
    )
    return Samples.of(problem, u.contiguous())


def test_wrong_layout_is_named() -> None:
    with pytest.raises(
        ValueError, match=r"inputs\['a'\] has shape \(8, 4, 4\), expected \(batch, channel, 4, 4\)"
    ):
        Problem(LAW, GRID, {"a": torch.zeros(8, 4, 4)})
    with pytest.raises(ValueError, match=r"parameters\['nu'\]"):
        Problem(LAW, GRID, {"a": torch.zeros(8, 1, 4, 4)}, parameters={"nu": torch.zeros(3)})
    with pytest.raises(ValueError, match="holds 3 instances"):
        Problem(LAW, GRID, {"a": torch.zeros(8, 1, 4, 4), "b": torch.zeros(3, 1, 4, 4)})


def test_problem_is_frozen() -> None:
    problem = _trajectories().problem
    with pytest.raises(TypeError):
        problem.inputs["u"] = torch.zeros(1)  # type: ignore[index]
    with pytest.raises(AttributeError):
        problem.times = None  # type: ignore[misc]


def test_withheld_equation_raises_its_reason() -> None:
    with pytest.raises(AccessError, match="no equation in this test"):
        _ = _trajectories().problem.equation


def test_slices_are_lazy_views_and_lists_copies() -> None:
    samples = _trajectories()
    part = samples[1:4][1:]
    assert len(part) == 2
    assert torch.equal(part.target, samples.target[2:4])
    picked = samples[np.array([4, 0])]
    assert torch.equal(picked.target[:, 0, 0, 0, 0], torch.tensor([20.0, 0.0]))
    with pytest.raises(TypeError, match="never implicit"):
        samples[1]  # type: ignore[index]


def test_chunks_cover_every_sample_once() -> None:
    sizes = [len(part) for part in _trajectories(7).chunks(3)]
    assert sizes == [3, 3, 1]


def test_evolve_splits_a_trajectory_into_history_and_target() -> None:
    asked = Evolve(history=2, horizon=2).ask(_trajectories())
    problem = asked.problem
    assert problem.input.shape == (6, 2, 1, 4, 4)
    assert problem.history is not None and problem.times is not None
    assert problem.history.tolist() == [1.0, 2.0]
    assert problem.times.tolist() == [3.0, 4.0]
    assert torch.equal(problem.initial[:, 0, 0, 0], asked.target[:, 0, 0, 0, 0] - 1)


def test_too_long_a_history_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"history=9, but the trajectories have 5 frames"):
        _ = Evolve(history=9).ask(_trajectories()).problem
    with pytest.raises(ConfigError, match="history=0"):
        Evolve(history=0)
