"""The solvers of the plugin keep the suite's rules; what they learn from is what they declare."""

import math
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from pdebench_lesnets.coefficient import best_coefficient
from pdebench_lesnets.solver import residual_floor
from pdebench_spectral.large_eddy import LargeEddy
from pdebench_spectral.velocity import evolve_velocity
from pdebench_turbulence.isotropic import Isotropic
from pdebench_turbulence.isotropic_recipe import draw_velocity

from pdebench.access import grant_samples, grant_task
from pdebench.config import compose
from pdebench.domain import Grid
from pdebench.equations.closures import Smagorinsky
from pdebench.equations.filtered_flow import FilteredNavierStokes
from pdebench.errors import AccessError, ConfigError
from pdebench.metrics.errors import relative_l2
from pdebench.problem import Problem
from pdebench.samples import Samples
from pdebench.solver import Budget
from pdebench.task import Task
from pdebench.testing import check_solver
from pdebench.testing.problems import conformance_tasks

SMALL = (
    "solver.architecture.modes=[2,2,2,2]",
    "solver.architecture.head=[8]",
)
WIDE = "solver.architecture.widths=[6,6,6]"


def built(name: str, *overrides: str):
    return instantiate(compose([f"solver={name}", *overrides]).solver, _convert_="all")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Task:
    counts = {"train": 4, "valid": 1, "test": 5}
    data = Isotropic(0.1, 22, 8, 4, 0.05, 0.0, counts, LargeEddy(), workers=1)
    data.prepare(tmp_path_factory.mktemp("isotropic"))
    return Task("box", data, (relative_l2,), budget=Budget(epochs=2), batch=5)


@pytest.mark.parametrize("name", ["lesnets", "lesnets_labelled"])
def test_lesnets_keeps_the_rules(name: str, box: Task) -> None:
    check_solver(name, *SMALL, WIDE, tasks=(box,))


def test_implicit_lesnets_keeps_the_rules(box: Task) -> None:
    width = ("solver.architecture.width=6", "solver.architecture.layers=2")
    check_solver("lesnets_implicit", *SMALL, *width, tasks=(box,))


@pytest.mark.parametrize("name", ["pino", "pino_unlabelled"])
def test_pino_keeps_the_rules(name: str, vorticity: Task) -> None:
    check_solver(name, "solver.architecture.modes=[4,4,2]", WIDE, SMALL[1], tasks=(vorticity,))


@pytest.fixture(scope="module")
def vorticity(tmp_path_factory: pytest.TempPathFactory) -> Task:
    overrides = [
        "task=navier_stokes/evolve",
        "track=tiny",
        "dataset.counts={train: 4, valid: 1, test: 5}",
        "dataset.stored_grid=16",
        "dataset.solve_grid=32",
        "dataset.frames=14",
        "track.budget.epochs=1",
        "task.evaluate=[test]",
    ]
    task = instantiate(compose(overrides).task, _convert_="all")
    task.dataset.prepare(tmp_path_factory.mktemp("vorticity"))
    return task


def test_uses_follow_the_weights() -> None:
    assert built("lesnets").uses == {"equation"}
    assert built("lesnets_labelled").uses == {"labels"}
    assert built("pino").uses == {"labels", "equation"}


def test_reading_a_target_without_declaring_it_raises(box: Task) -> None:
    granted = grant_samples(box.samples("train"), built("lesnets"))
    with pytest.raises(AccessError, match="labels"):
        _ = granted.target


class _Ruined(Samples):
    """Samples whose every target is NaN."""

    @property
    def target(self) -> torch.Tensor:
        return torch.full_like(super().target, math.nan)


def test_targets_may_all_be_nan(box: Task) -> None:
    """Two label-free runs of one seed, one of them with ruined targets: the same weights."""
    answers = []
    for kind in (Samples, _Ruined):
        torch.manual_seed(0)
        solver = built("lesnets", *SMALL, WIDE)
        splits = [kind(box.samples(name).source) for name in ("train", "valid")]
        solver.fit(splits[0], splits[1], Budget(epochs=2))
        problem = box.samples("test").problem
        solver.prepare(problem)
        answers.append(solver.solve(problem).u)
    assert bool(torch.isfinite(answers[1]).all())
    assert torch.equal(*answers)


def test_training_lowers_the_residual_and_the_error(box: Task) -> None:
    """Fitted to one flow without its target, the answer is nearer to it than the given field."""
    torch.manual_seed(0)
    width = "solver.architecture.widths=[16,16,16,16]"
    solver = built(
        "lesnets", "solver.architecture.modes=[4,4,4,2]", width, "solver.training.optimizer.lr=5e-3"
    )
    flow = box.samples("train")[:1]
    granted = grant_samples(flow, solver)
    solver.fit(granted, granted, Budget(epochs=150))
    problem, target = flow.problem, flow.target
    solver.prepare(problem)
    u = solver.solve(problem).u
    still = problem.initial.unsqueeze(1).expand_as(target)
    assert float((u - target).norm()) < 0.6 * float((still - target).norm())
    assert residual_floor(solver, problem, u) < 0.3 * residual_floor(solver, problem, still)


def test_closed_form_finds_the_coefficient_of_a_simulation() -> None:
    """Frames of an LES with C = 0.01 have the least residual near C = 0.01."""
    grid, spacing = 16, 2 * math.pi / 16
    law = FilteredNavierStokes(Smagorinsky(spacing, 0.01))
    times = [0.2 + 0.005 * n for n in range(6)]
    u = evolve_velocity(
        draw_velocity("c", 0, 22, 3.0)[None],
        times,
        0.02,
        law,
        extent=(2 * math.pi,) * 3,
        grid=(grid,) * 3,
        store=(grid,) * 3,
        step=0.005,
    )
    problem = Problem(
        law,
        Grid.torus((grid,) * 3, 2 * math.pi),
        {"velocity": u[:, :1]},
        times=torch.tensor(times[1:], dtype=torch.float64),
        history=torch.tensor(times[:1], dtype=torch.float64),
        parameters={"viscosity": torch.tensor([0.02], dtype=torch.float64)},
    )

    def residual(c: float) -> torch.Tensor:
        return FilteredNavierStokes(Smagorinsky(spacing, c)).residual(u[:, 1:], problem)

    assert float(best_coefficient(residual)) == pytest.approx(0.01, rel=0.02)


def test_evolutions_it_cannot_answer_are_refused_with_a_reason(box: Task) -> None:
    solver = built("lesnets")
    reasons = [solver.supports(grant_task(task, solver)) for task in conformance_tasks()]
    assert all(reasons)
    wrong = built("lesnets", "solver.channels=[1,1]")
    assert "expected 4 weights" in str(wrong.supports(grant_task(box, wrong)))
    few = built("lesnets", "solver.architecture.modes=[2,2,2]")
    assert "for 3 axes" in str(few.supports(grant_task(box, few)))


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("residual=-1", r"solver\.residual=-1"),
        ("cells=0.5", r"solver\.cells=0\.5: a filter narrower"),
        ("frames=1", r"solver\.form\.frames=1"),
        ("architecture.activation=swish", None),
    ],
)
def test_arguments_are_checked(override: str, said: str | None) -> None:
    with pytest.raises(Exception, match=said or "swish") as caught:
        solver = built("lesnets", f"solver.{override}")
        solver._architecture(in_channels=7, out_channels=3)
    assert isinstance(caught.value.__cause__ or caught.value, ConfigError)


def test_saved_weights_give_the_same_answer(box: Task, tmp_path: Path) -> None:
    made = [built("lesnets", *SMALL, WIDE) for _ in range(2)]
    made[0].fit(box.samples("train"), box.samples("valid"), Budget(epochs=1))
    made[0].save(tmp_path)
    made[1].load(tmp_path)
    problem = box.samples("test").problem
    assert torch.equal(*(s.solve(problem).u for s in made))
