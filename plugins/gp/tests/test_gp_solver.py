"""The solver on its tasks: it converges, keeps the rules, and is chosen by configuration."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from pdebench_gp.dataset import Multiscale
from pdebench_gp.solver import GaussianProcess

from pdebench.config import compose
from pdebench.errors import ConfigError, DataError
from pdebench.metrics.errors import relative_l2
from pdebench.task import Task
from pdebench.testing import check_solver
from pdebench.testing.problems import conformance_tasks

COUNTS = {"train": 2, "valid": 1, "test": 2}


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    data = Multiscale("poisson_1d-sin_10", 24, COUNTS)
    data.prepare(tmp_path_factory.mktemp("gp"))
    return Task("multiscale/test", data, (relative_l2,), batch=2)


def test_it_keeps_the_rules(task: Task) -> None:
    check_solver("gp", "solver.components=4", "solver.steps=40", "solver.every=20", tasks=(task,))


def test_iterates_improve_and_end_with_the_last_step(tmp_path: Path) -> None:
    """The authors' program has errors .066, .045 and .0093 after 500, 1000 and 2000 steps here."""
    data = Multiscale("poisson_1d-sin_10", 48, COUNTS)
    data.prepare(tmp_path)
    samples = data.split("test")[:1]
    solver = GaussianProcess("SE_Cos_1d", 8, 4.0, steps=2000, every=500)
    iterates = list(solver.iterate(samples.problem))
    errors = [float((u - samples.target).norm() / samples.target.norm()) for u in iterates]
    assert len(errors) == 4
    assert errors[0] < 0.15 and errors[1] < 0.1 and errors[3] < 0.03  # paths spread twofold
    assert torch.equal(solver.solve(samples.problem).u, iterates[-1])


def test_tolerance_ends_it_early(task: Task) -> None:
    problem = task.samples("test").problem
    loose = GaussianProcess("SE_Cos_1d", 4, 2.0, steps=1000, every=10, tolerance=1e9)
    assert len(list(loose.iterate(problem))) == 1


def test_other_tasks_get_a_reason() -> None:
    said = GaussianProcess().supports(conformance_tasks()[0])
    assert said is not None and "multiscale Dirichlet problems, the task's is Vorticity" in said


def test_residual_of_the_exact_solution_falls_at_second_order(tmp_path: Path) -> None:
    sizes = []
    for points in (101, 201):
        data = Multiscale("allencahn_1d-sin_8", points, COUNTS)
        data.prepare(tmp_path)
        samples = data.split("test")
        sizes.append(float(data.equation.residual(samples.target, samples.problem).abs().max()))
    assert sizes[0] / sizes[1] == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize("name", ["poisson_1d", "allencahn_1d"])
@pytest.mark.parametrize("track", ["tiny", "small", "paper"])
def test_tasks_compose(name: str, track: str) -> None:
    config = compose([f"task=multiscale/{name}", f"track={track}", "solver=gp"])
    assert isinstance(instantiate(config.dataset, _convert_="all"), Multiscale)


def test_wrong_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"solver\.steps=0, expected a positive integer"):
        GaussianProcess(steps=0)
    with pytest.raises(ConfigError, match=r"dataset\.points=3"):
        Multiscale("poisson_1d-sin_10", 3, COUNTS)
    with pytest.raises(ConfigError, match=r"dataset\.problem='advection-sin'"):
        Multiscale("advection-sin", 20, COUNTS)
    with pytest.raises(DataError, match="is not prepared"):
        Multiscale("poisson_1d-sin_10", 24, COUNTS).split("test")
