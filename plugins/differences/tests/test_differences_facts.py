"""Orders of accuracy, exactness on polynomials, the suite's rules, wrong options."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from pdebench_differences.extension import FourierExtension
from pdebench_differences.solver import FiniteDifferences
from pdebench_differences.stencil import derivative, weights
from pdebench_elliptic.high_frequency import HighFrequency

from pdebench.config import compose
from pdebench.errors import ConfigError, Diverged
from pdebench.metrics.errors import relative_l2
from pdebench.task import Task
from pdebench.testing import check_solver
from pdebench.testing.problems import conformance_tasks


def high_frequency(problem: str, points: int, folder: Path) -> HighFrequency:
    data = HighFrequency(problem, points, {"train": 1, "valid": 1, "test": 5})
    data.prepare(folder)
    return data


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("order", [2, 4, 6, 8])
def test_polynomials_are_differentiated_exactly(order: int, times: int) -> None:
    n, h = 20, 0.1
    x = h * np.arange(n)
    matrix = derivative(n, h, order, times)
    for degree in range(order + times):
        factor = degree if times == 1 else degree * (degree - 1)
        exact = factor * x ** max(degree - times, 0)
        assert np.allclose(matrix @ x**degree, exact, atol=1e-7 * max(1, abs(exact).max()))


def test_textbook_stencils() -> None:
    assert np.allclose(weights(np.array([-1, 0, 1]), 2), [1, -2, 1])
    wanted = np.array([-1, 16, -30, 16, -1]) / 12
    assert np.allclose(weights(np.array([-2, -1, 0, 1, 2]), 2), wanted)


@pytest.mark.parametrize("problem", ["poisson_1d-sin_10", "allencahn_1d-sin_8"])
@pytest.mark.parametrize("order", [2, 4])
def test_error_falls_at_the_order(problem: str, order: int, tmp_path: Path) -> None:
    errors = []
    for points in (201, 401, 801):
        samples = high_frequency(problem, points, tmp_path).split("test")[:1]
        u = FiniteDifferences(order).solve(samples.problem).u
        errors.append(float((u - samples.target).norm() / samples.target.norm()))
    found = [math.log2(a / b) for a, b in pairwise(errors)]
    assert all(abs(f - order) < 0.25 for f in found), found


def test_two_dimensions(tmp_path: Path) -> None:
    errors = []
    for points in (33, 65):
        samples = high_frequency("allencahn_2d-sin_4", points, tmp_path).split("test")[:1]
        u = FiniteDifferences(2).solve(samples.problem).u
        errors.append(float((u - samples.target).norm() / samples.target.norm()))
    assert abs(math.log2(errors[0] / errors[1]) - 2) < 0.2


@pytest.mark.parametrize("order", [2, 4])
def test_advection_in_space_and_time_at_once(order: int, tmp_path: Path) -> None:
    errors = []
    for points in (41, 81):
        samples = high_frequency("advection-sin_2", points, tmp_path).split("test")[:1]
        u = FiniteDifferences(order).solve(samples.problem).u
        errors.append(float((u - samples.target).norm() / samples.target.norm()))
    assert abs(math.log2(errors[0] / errors[1]) - order) < 0.3, errors


def test_long_steps_of_newton_are_shortened(tmp_path: Path) -> None:
    """Gauss-Newton without a search left the basin here: largest entries grew to 1800."""
    samples = high_frequency("allencahn_1d-sin_8", 40, tmp_path).split("test")[:2]
    u = FourierExtension(stretch=1.5).solve(samples.problem).u
    assert float((u - samples.target).norm() / samples.target.norm()) < 1e-10


def test_newton_that_does_not_end_is_reported(tmp_path: Path) -> None:
    problem = high_frequency("allencahn_1d-sin_8", 60, tmp_path).split("test").problem
    with pytest.raises(Diverged, match="did not end in 1 steps"):
        FiniteDifferences(2, steps=1).solve(problem)


@pytest.mark.parametrize("order", [2, 4, 8])
def test_it_keeps_the_rules(order: int, tmp_path: Path) -> None:
    task = Task("box", high_frequency("poisson_1d-sin_10", 24, tmp_path), (relative_l2,))
    check_solver(f"differences_{order}", tasks=(task,))


def test_other_tasks_and_options_get_a_reason(tmp_path: Path) -> None:
    said = FiniteDifferences().supports(conformance_tasks()[0])
    assert said is not None and "an evolution in time" in said
    few = Task("box", high_frequency("poisson_1d-sin_10", 8, tmp_path), (relative_l2,))
    assert "needs 10 nodes" in str(FiniteDifferences(8).supports(few))
    for options in ({"order": 3}, {"tolerance": 0.0}, {"steps": 0}):
        with pytest.raises(ConfigError, match=rf"solver\.{next(iter(options))}="):
            FiniteDifferences(**options)


def test_configuration_makes_it() -> None:
    solver = instantiate(compose(["solver=differences_8"]).solver, _convert_="all")
    assert solver.order == 8


@pytest.mark.parametrize(
    ("problem", "points"),
    [
        ("poisson_1d-sin_10", 80),
        ("allencahn_1d-sin_8", 80),
        ("allencahn_2d-sin_4", 28),
        ("advection-sin_2", 30),
    ],
)
def test_collocation_beats_every_order(problem: str, points: int, tmp_path: Path) -> None:
    """Faster than any power of h: far below differences of order 8 on the same nodes."""
    samples = high_frequency(problem, points, tmp_path).split("test")[:2]
    errors = [
        float((solver.solve(samples.problem).u - samples.target).norm() / samples.target.norm())
        for solver in (FourierExtension(), FiniteDifferences(8))
    ]
    assert errors[0] < 1e-3 and errors[0] < errors[1] / 10, errors


def test_collocation_keeps_the_rules(tmp_path: Path) -> None:
    data = high_frequency("poisson_1d-sin_10", 48, tmp_path)
    task = Task("elliptic/test", data, (relative_l2,))
    check_solver("fourier_extension", tasks=(task,))


@pytest.mark.parametrize("argument", ["stretch", "share", "cut", "tolerance", "steps"])
def test_wrong_settings_of_collocation_are_named(argument: str) -> None:
    with pytest.raises(ConfigError, match=f"solver.{argument}=0"):
        FourierExtension(**{argument: 0})
