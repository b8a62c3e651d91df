"""Every configuration of the plugin keeps the suite's rules on pressure systems."""

import pytest
from hydra.utils import instantiate
from pdebench_turbulence.pressure import Pressure

from pdebench import plugins
from pdebench.access import grant_task
from pdebench.config import compose
from pdebench.errors import ConfigError
from pdebench.metrics.errors import relative_l2
from pdebench.task import Task
from pdebench.testing import check_solver
from pdebench.testing.problems import conformance_tasks

NAMES = sorted(
    name
    for (group, name), choice in plugins.catalog().items()
    if group == "solver" and choice.plugin.package == "pdebench_krylov"
)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    data = Pressure(8, {"train": 1, "valid": 1, "test": 5}, 1, workers=1)
    data.prepare(tmp_path_factory.mktemp("pressure"))
    return Task("pressure", data, (relative_l2,))


@pytest.mark.parametrize("name", NAMES)
def test_solver_keeps_the_rules(name: str, task: Task) -> None:
    check_solver(name, tasks=(task,))


def test_evolutions_are_refused_with_a_reason() -> None:
    for name in NAMES:
        solver = instantiate(compose([f"solver={name}"]).solver, _convert_="all")
        reasons = [solver.supports(grant_task(task, solver)) for task in conformance_tasks()]
        assert "an evolution in time" in str(reasons[0])


@pytest.mark.parametrize(
    ("name", "override"),
    [
        ("cg", "tolerance=-1"),
        ("cg", "steps=0"),
        ("ic_cg", "preconditioner.sweeps=0"),
        ("amg_cg", "preconditioner.kind=classical"),
        ("amg_cg", "preconditioner.cycle=X"),
        ("deflated_cg", "preconditioner.blocks=0"),
    ],
)
def test_arguments_are_checked(name: str, override: str) -> None:
    with pytest.raises(Exception, match=f"solver.{override.split('=')[0]}=") as caught:
        instantiate(compose([f"solver={name}", f"solver.{override}"]).solver, _convert_="all")
    chain = [caught.value, caught.value.__cause__, caught.value.__context__]
    assert any(isinstance(error, ConfigError) for error in chain) or "ConfigError" in str(
        caught.value
    )
