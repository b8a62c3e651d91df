"""Every solver of the plugin keeps the suite's rules; one that does not apply says why."""

import pytest
import torch
from hydra.utils import instantiate
from pdebench_fno.network import FNO as Network
from pdebench_fno.solver import FNO

from pdebench.config import compose
from pdebench.domain import Axis, Grid
from pdebench.equations.channel_flow import ChannelFlow
from pdebench.learning import OneShot, SpaceTime
from pdebench.metrics.errors import relative_l2
from pdebench.problem import Problem
from pdebench.samples import Samples
from pdebench.solver import Budget
from pdebench.task import Task
from pdebench.testing import check_solver
from pdebench.testing.problems import conformance_tasks

SMALL = {
    "fno": ("solver.architecture.modes=[8,8]", "solver.architecture.width=8"),
    "tfno": ("solver.architecture.modes=[8,8]", "solver.architecture.width=8"),
    "ifno": ("solver.architecture.modes=[4,4]", "solver.architecture.width=8"),
    "fno_2d_time": ("solver.architecture.modes=[4,4]", "solver.architecture.width=8"),
    "fno_3d": ("solver.architecture.modes=[4,4,2]", "solver.architecture.width=8"),
}
EXPERIMENTS = [
    "navier_stokes",
    *(f"navier_stokes_{d}{nu}" for d in ("2d_time", "3d") for nu in ("", "_1e-4", "_1e-5")),
]


@pytest.mark.parametrize("name", SMALL)
def test_solver_keeps_the_rules(name: str) -> None:
    check_solver(name, *SMALL[name])


def test_one_axis_in_double_precision_is_fitted_and_answered() -> None:
    """u'' = f with f = sin(x + s) and its shifts; the data are doubles, the weights are not."""
    axis = Axis.interval(32, 6.0)
    shift = torch.arange(8, dtype=torch.float64)[:, None, None]
    u = torch.sin(axis.nodes + shift)
    problem = Problem(None, Grid((axis,)), {"source": -u})  # type: ignore[arg-type]
    config = compose(["solver=fno_1d", "solver.architecture.modes=[8]"])
    solver = instantiate(config.solver, _convert_="all")
    solver.fit(Samples.of(problem, u), Samples.of(problem, u), Budget(epochs=40))
    found = solver.solve(problem).u
    assert float((found - u).norm() / u.norm()) < 0.2


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_published_experiment_composes_and_builds(name: str) -> None:
    config = compose([f"+experiment=fno/{name}"])
    assert isinstance(instantiate(config.solver, _convert_="all"), FNO)
    assert config.task.name.startswith("navier_stokes/evolve")


def test_wrong_number_of_modes_is_refused_with_the_key() -> None:
    solver = FNO(lambda **sizes: Network([4], **sizes), OneShot())
    solver._architecture.keywords = {"modes": [4]}  # type: ignore[attr-defined]
    said = solver.supports(conformance_tasks()[0])
    assert said is not None and "solver.architecture.modes" in said


def test_space_time_needs_times() -> None:
    config = compose(["solver=fno", "solver.form._target_=pdebench.learning.SpaceTime"])
    solver = instantiate(config.solver, _convert_="all")
    assert isinstance(solver.form, SpaceTime)
    assert "steady" in (solver.supports(conformance_tasks()[1]) or "")


def test_stretched_axes_are_refused_unless_asked_for() -> None:
    """Chebyshev nodes in y; modes taken over the index of the node only by option."""
    refused, taken = (
        instantiate(compose(["solver=ifno_flow_3d", f"solver.stretched={flag}"]).solver)
        for flag in ("false", "true")
    )
    task = channel_task()
    assert "solver.stretched=true" in (refused.supports(task) or "")
    assert taken.supports(task) is None


def channel_task() -> Task:
    grid = Grid((Axis.torus(8), Axis.chebyshev(9), Axis.torus(8)))
    frames = torch.zeros(2, 3, 3, *grid.shape)
    times = torch.arange(3.0)
    problem = Problem(ChannelFlow(), grid, {"velocity": frames[:, :1]}, times[1:], times[:1])
    samples = Samples.of(problem, frames[:, 1:])

    class Held:
        def split(self, name: str) -> Samples:
            return samples

    return Task("channel", Held(), (relative_l2,))  # type: ignore[arg-type]
