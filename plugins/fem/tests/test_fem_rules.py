"""Orders of Lagrange elements, agreement with differences, the suite's rules, wrong options."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from pdebench_elasticity.cell import OnGrid, StretchedCells
from pdebench_elliptic.diffusion import Diffusion
from pdebench_elliptic.helmholtz import HelmholtzWaves
from pdebench_elliptic.laws import GaussianLaw
from pdebench_fem.elliptic import Lagrange
from pdebench_fem.hyperelastic import Hyperelastic
from pdebench_fem.spectral_elements import SpectralElements
from pdebench_krylov.direct import Direct

from pdebench.config import compose
from pdebench.domain import Axis, Grid
from pdebench.equations.divergence_form import DivergenceForm
from pdebench.errors import ConfigError, Unsupported
from pdebench.metrics.errors import relative_l2
from pdebench.problem import Problem
from pdebench.task import Task
from pdebench.testing import check_solver

COUNTS = {"train": 2, "valid": 1, "test": 5}


def smooth(n: int) -> tuple[Problem, torch.Tensor]:
    """a = 1 + x y, u = sin(pi x) sin(2 pi y)."""
    x, y = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 1, n), indexing="ij")
    sx, cx = np.sin(np.pi * x), np.pi * np.cos(np.pi * x)
    sy, cy = np.sin(2 * np.pi * y), 2 * np.pi * np.cos(2 * np.pi * y)
    f = 5 * np.pi**2 * (1 + x * y) * sx * sy - y * cx * sy - x * sx * cy
    inputs = {
        "coefficient": torch.from_numpy(1 + x * y)[None, None],
        "source": torch.from_numpy(f)[None, None],
    }
    grid = Grid((Axis.interval(n),) * 2)
    return Problem(DivergenceForm(), grid, inputs), torch.from_numpy(sx * sy)


@pytest.mark.parametrize("element", ["p1", "p2", "q1", "q2"])
def test_smooth_problems_converge_at_second_order_of_the_data(element: str) -> None:
    """Coefficient and source are known at nodes and interpolated linearly: order 2 for all."""
    errors = []
    for n in (17, 33, 65):
        problem, u = smooth(n)
        got = Lagrange(element, "linear").solve(problem).u[0, 0]  # pyright: ignore[reportArgumentType]
        errors.append(float((got - u).norm() / u.norm()))
    assert abs(np.log2(errors[1] / errors[2]) - 2) < 0.1, errors


def test_bilinear_elements_and_fluxes_come_together() -> None:
    gaps = []
    for n in (17, 65):
        problem, _ = smooth(n)
        fluxes = Direct().solve(problem).u
        gaps.append(float((Lagrange("q1", "linear").solve(problem).u - fluxes).norm() / n))
    assert gaps[1] < gaps[0] / 12  # both of second order: a sixteenth


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Task]:
    folder: Path = tmp_path_factory.mktemp("fem")
    fem = Hyperelastic(8, 2)
    sem = SpectralElements(4, 3)
    made = {
        "darcy": Diffusion("darcy", 17, 17, 17, GaussianLaw(modes=8), COUNTS, Direct(), workers=1),
        "waves": HelmholtzWaves(100.0, 17, 4, COUNTS, sem, sem, workers=1),
        "cell": StretchedCells(8, 2, COUNTS, fem, fem, workers=1),
    }
    for name, data in made.items():
        data.prepare(folder / name)
    tasks = {name: Task(name, data, (relative_l2,), batch=1) for name, data in made.items()}
    return tasks | {"grid": Task("grid", made["cell"], (relative_l2,), OnGrid())}


@pytest.mark.parametrize(
    ("solver", "task"),
    [
        ("fem_p1", "darcy"),
        ("fem_q2", "darcy"),
        ("sem_4x4", "waves"),
        ("fem_8x2", "cell"),
        ("fem_8x2", "grid"),
    ],
)
def test_it_keeps_the_rules(solver: str, task: str, tasks: dict[str, Task]) -> None:
    check_solver(solver, tasks=(tasks[task],))


def test_other_tasks_get_a_reason(tasks: dict[str, Task]) -> None:
    for solver, name, reason in (
        (Lagrange(), "waves", "solves diffusion and Poisson, the task's is Helmholtz"),
        (SpectralElements(), "cell", "for Helmholtz, the task's is StretchedCell"),
        (Hyperelastic(), "darcy", "stretched unit cells, the task's is DivergenceForm"),
    ):
        said = solver.supports(tasks[name])
        assert said is not None and reason in said
        with pytest.raises(Unsupported, match="task's is"):
            solver.solve(tasks[name].samples("test")[:1].problem)


def test_wrong_options_are_named() -> None:
    with pytest.raises(ConfigError, match=r"solver\.element='p3'"):
        Lagrange("p3")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match=r"solver\.interpolation='cubic'"):
        Lagrange("p1", "cubic")  # pyright: ignore[reportArgumentType]
    made = instantiate(compose(["solver=fem_p2"]).solver, _convert_="all")
    assert isinstance(made, Lagrange) and made.element == "p2"
