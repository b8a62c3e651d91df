"""The solver on its tasks: it converges, keeps the rules, and is chosen by configuration."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from pdebench_elliptic.high_frequency import HighFrequency
from pdebench_gp.solver import GaussianProcess

from pdebench.config import compose
from pdebench.errors import ConfigError
from pdebench.metrics.errors import relative_l2
from pdebench.task import Task
from pdebench.testing import check_solver
from pdebench.testing.problems import conformance_tasks

COUNTS = {"train": 2, "valid": 1, "test": 2}


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    data = HighFrequency("poisson_1d-sin_10", 24, COUNTS)
    data.prepare(tmp_path_factory.mktemp("gp"))
    return Task("elliptic/test", data, (relative_l2,), batch=2)


def test_it_keeps_the_rules(task: Task) -> None:
    check_solver("gp", "solver.components=4", "solver.steps=40", "solver.every=20", tasks=(task,))


def test_iterates_improve_and_end_with_the_last_step(tmp_path: Path) -> None:
    """The authors' program has errors .066, .045 and .0093 after 500, 1000 and 2000 steps here."""
    data = HighFrequency("poisson_1d-sin_10", 48, COUNTS)
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
    assert said is not None and "Dirichlet problems, the task's is Vorticity" in said


@pytest.mark.parametrize("name", ["poisson_1d", "allencahn_1d"])
@pytest.mark.parametrize("track", ["tiny", "small", "paper"])
def test_tasks_compose(name: str, track: str) -> None:
    config = compose([f"task=elliptic/{name}", f"track={track}", "solver=gp"])
    assert isinstance(instantiate(config.dataset, _convert_="all"), HighFrequency)


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ConfigError, match=r"solver\.steps=0, expected a positive integer"):
        GaussianProcess(steps=0)
