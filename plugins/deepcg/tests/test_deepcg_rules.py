"""The solver keeps the suite's rules on pressure systems; elsewhere it says why not."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from pdebench_turbulence.pressure import Pressure

from pdebench.access import grant_task
from pdebench.config import compose
from pdebench.errors import ConfigError
from pdebench.metrics.errors import relative_l2
from pdebench.solver import Budget
from pdebench.task import AsStored, Task
from pdebench.testing import check_solver
from pdebench.testing.problems import conformance_tasks

SMALL = ("solver.lanczos=120", "solver.vectors=200", "solver.tolerance=1e-8", "solver.steps=300")


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    counts = {"train": 2, "valid": 1, "test": 5, "test_large": 2}
    data = Pressure(8, counts, 1, workers=1)
    data.prepare(tmp_path_factory.mktemp("pressure"))
    return Task(
        name="pressure",
        dataset=data,
        metrics=(relative_l2,),
        question=AsStored(),
        budget=Budget(epochs=10),
        version="1",
        evaluate=("test", "test_large"),
    )


def test_deepcg_keeps_the_rules(task: Task) -> None:
    check_solver("deepcg", *SMALL, tasks=(task,))


def test_evolutions_are_refused_with_a_reason() -> None:
    solver = instantiate(compose(["solver=deepcg"]).solver, _convert_="all")
    reasons = [solver.supports(grant_task(task, solver)) for task in conformance_tasks()]
    assert "an evolution in time" in str(reasons[0])
    assert all(reasons)


def test_other_obstacles_are_solved_to_the_tolerance(task: Task) -> None:
    """Trained without obstacles, asked with them: the true residual decides when to stop."""
    solver = instantiate(compose(["solver=deepcg", *SMALL]).solver, _convert_="all")
    torch.manual_seed(0)
    solver.fit(task.samples("train"), task.samples("valid"), Budget(epochs=10))
    samples = task.samples("test")
    solver.prepare(samples.problem)
    iterates = [step.u for step in solver.iterates(samples.problem)]
    residual = samples.problem.equation.residual(iterates[-1], samples.problem)
    source = samples.problem.inputs["source"]
    relative = residual.flatten(1).norm(dim=1) / source.flatten(1).norm(dim=1)
    assert len(iterates) < 300
    assert float(relative.max()) < 1.01e-8
    error = (iterates[-1] - samples.target).norm() / samples.target.norm()
    assert float(error) < 1e-6  # the target is kept in single precision


@pytest.mark.parametrize("override", ["lanczos=0", "kept=-1", "lowest=1.5", "tolerance=-1"])
def test_arguments_are_checked(override: str) -> None:
    with pytest.raises(Exception, match=f"solver.{override.split('=')[0]}=") as caught:
        instantiate(compose(["solver=deepcg", f"solver.{override}"]).solver, _convert_="all")
    assert isinstance(caught.value.__cause__ or caught.value, ConfigError)


def test_saved_network_gives_the_same_answer(task: Task, tmp_path: Path) -> None:
    made = [
        instantiate(compose(["solver=deepcg", *SMALL]).solver, _convert_="all") for _ in range(2)
    ]
    made[0].fit(task.samples("train"), task.samples("valid"), Budget(epochs=1))
    made[0].save(tmp_path)
    made[1].load(tmp_path)
    problem = task.samples("test").problem
    answers = []
    for solver in made:
        solver.prepare(problem)
        answers.append(solver.solve(problem).u)
    assert torch.equal(*answers)
