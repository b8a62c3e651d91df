"""Helmholtz: exact solutions, exponential convergence, pollution, why conjugate gradients do not
apply.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from pdebench_elliptic.helmholtz import HelmholtzWaves
from pdebench_fem.spectral_elements import SpectralElements
from pdebench_krylov.direct import Direct
from pdebench_krylov.solver import ConjugateGradients

from pdebench.config import compose
from pdebench.domain import Axis, Grid
from pdebench.equations.helmholtz import Helmholtz, Line, lobatto
from pdebench.errors import ConfigError
from pdebench.metrics.errors import relative_l2
from pdebench.problem import Problem
from pdebench.task import Task

COUNTS = {"train": 4, "valid": 1, "test": 2, "ood_frequency": 1, "ood_source": 1}


def waves(points: int, omega: float, speed: float = 20.0, low=0.0, high=1.0) -> Problem:
    grid = Grid((Axis.interval(points),) * 2)
    c = torch.full((1, 1, points, points), speed, dtype=torch.float64)
    return Problem(Helmholtz(omega, low, high), grid, {"speed": c})


def exact(points: int, k: float) -> torch.Tensor:
    """Driven along the whole top: u = -cos(k y) / (k sin k)."""
    y = torch.linspace(0, 1, points, dtype=torch.float64)
    return (-torch.cos(k * y) / (k * np.sin(k))).expand(points, points)


def test_lobatto_nodes_integrate_polynomials() -> None:
    for order in (1, 2, 5, 8):
        x, w = lobatto(order)
        for degree in range(2 * order):
            wanted = 2 / (degree + 1) if degree % 2 == 0 else 0
            assert (w * x**degree).sum() == pytest.approx(wanted, abs=1e-13)


def test_line_of_order_one_is_the_second_difference() -> None:
    line = Line(4, 1)
    wanted = 4 * (np.diag([1, 2, 2, 2, 1]) - np.eye(5, k=1) - np.eye(5, k=-1))
    assert np.allclose(line.stiffness, wanted) and np.allclose(
        line.mass, [1, 2, 2, 2, 1] / np.array(8)
    )


def test_line_differentiates_and_evaluates_polynomials() -> None:
    line, at = Line(3, 5), np.linspace(0, 1, 17)
    x = line.nodes
    assert np.allclose(line.evaluation(at) @ x**5, at**5, atol=1e-14)
    assert x**3 @ line.stiffness @ x**2 == pytest.approx(6 / 4)
    assert line.integrals(0.35, 0.65) @ x**2 == pytest.approx((0.65**3 - 0.35**3) / 3)


def test_error_falls_exponentially_with_the_order() -> None:
    """Constant speed, k = 20: eight elements, orders 2 to 8."""
    errors = []
    for order in (2, 4, 6, 8):
        u = SpectralElements(8, order).solve(waves(33, 400.0)).u[0, 0]
        errors.append(float((u - exact(33, 20.0)).norm() / exact(33, 20.0).norm()))
    assert errors[1] < 0.03 and errors[2] < 1e-4 and errors[3] < 1e-6, errors
    assert all(a > 20 * b for a, b in pairwise(errors)), errors  # a fixed order gains 4 at most


def test_modes_along_the_top() -> None:
    """A mode cos(3 pi x): u = cos(3 pi x) cos(q y) / (-q sin q), by the line matrices alone."""
    line, k = Line(8, 6), 20.0
    q = np.sqrt(k**2 - 9 * np.pi**2)
    a = np.kron(line.stiffness, np.diag(line.mass)) + np.kron(np.diag(line.mass), line.stiffness)
    a -= k**2 * np.diag(np.outer(line.mass, line.mass).ravel())
    b = np.zeros((line.size, line.size))
    b[:, -1] = line.mass * np.cos(3 * np.pi * line.nodes)
    u = np.linalg.solve(a, b.ravel()).reshape(b.shape)
    wanted = np.outer(np.cos(3 * np.pi * line.nodes), np.cos(q * line.nodes)) / (-q * np.sin(q))
    assert np.abs(u - wanted).max() / np.abs(wanted).max() < 1e-4


def test_differences_are_polluted() -> None:
    """Five-point differences at k = 50: hardly any digit on 101^2, 12 points a wavelength."""
    errors = []
    for n in (101, 201):
        u = Direct().solve(waves(n, 1000.0)).u[0, 0]
        errors.append(float((u - exact(n, 50.0)).norm() / exact(n, 50.0).norm()))
    assert errors[0] > 0.3 and errors[1] < errors[0], errors


def test_direct_solution_leaves_no_residual() -> None:
    problem = waves(33, 400.0, low=0.35, high=0.65)
    u = Direct().solve(problem).u
    assert float(problem.equation.residual(u, problem).abs().max()) < 1e-8
    system = problem.equation.linear_system(problem)
    x = torch.randn(1, 33 * 33, dtype=torch.float64)
    assert np.allclose(system.matrices[0] @ x[0].numpy(), system.matvec(x)[0].numpy(), atol=1e-12)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[HelmholtzWaves, Path]:
    data = HelmholtzWaves(
        200.0, 33, 8, COUNTS, SpectralElements(8, 6), SpectralElements(8, 10), workers=1
    )
    folder = tmp_path_factory.mktemp("waves")
    data.prepare(folder)
    return data, folder


def test_labels_are_accurate(made: tuple[HelmholtzWaves, Path]) -> None:
    errors = made[0].card.reference_error
    # the jumps of the driven part limit the order: 1e-3 to 1e-4
    assert errors is not None and max(errors.values()) < 5e-3


def test_conjugate_gradients_are_refused_with_the_reason(
    made: tuple[HelmholtzWaves, Path],
) -> None:
    task = Task("waves", made[0], (relative_l2,))
    said = ConjugateGradients().supports(task)
    assert said == "its matrix is not symmetric positive definite"
    assert Direct().supports(task) is None and SpectralElements().supports(task) is None


@pytest.mark.parametrize("track", ["tiny", "small", "paper"])
def test_tasks_compose(track: str) -> None:
    config = compose(["task=elliptic/helmholtz", f"track={track}", "solver=mean"])
    data = instantiate(config.dataset, _convert_="all")
    assert set(config.task.evaluate) <= set(data.card.splits)


def test_wrong_settings_are_named() -> None:
    sem = SpectralElements(4, 4)
    with pytest.raises(ConfigError, match=r"dataset\.omega=0"):
        HelmholtzWaves(0.0, 33, 8, COUNTS, sem, sem)
    with pytest.raises(ConfigError, match=r"dataset\.points=3"):
        HelmholtzWaves(200.0, 3, 8, COUNTS, sem, sem)
    with pytest.raises(ConfigError, match=r"solver\.elements=0"):
        SpectralElements(0)
    with pytest.raises(ConfigError, match="not positive everywhere"):
        Direct().solve(waves(33, 100.0, speed=0.0))
