"""Every solver of the plugin keeps the suite's rules; one that does not apply says why."""

import pytest
from hydra.utils import instantiate

from pdebench.access import grant_task
from pdebench.config import compose
from pdebench.testing import check_solver
from pdebench.testing.problems import conformance_tasks

SMALL = ("solver.architecture.width=8", "solver.architecture.basis=3")


@pytest.mark.parametrize("name", ["lsm", "lsm_rollout"])
def test_lsm_keeps_the_rules(name: str) -> None:
    check_solver(name, *SMALL)


def test_the_cloud_variant_refuses_grids() -> None:
    solver = instantiate(compose(["solver=lsm_points", *SMALL]).solver, _convert_="all")
    reasons = [solver.supports(grant_task(task, solver)) for task in conformance_tasks()]
    assert any("for point clouds" in (reason or "") for reason in reasons)
