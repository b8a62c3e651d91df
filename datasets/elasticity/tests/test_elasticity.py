"""Unit cells: voids, meshes, labels that converge, systems that all solvers solve, splits."""

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray
from hydra.utils import instantiate
from pdebench_elasticity.cell import OnGrid, StretchedCells, mesh_domain
from pdebench_elasticity.equilibrium import Bodies
from pdebench_elasticity.voids import draw
from pdebench_fem.hyperelastic import Hyperelastic
from pdebench_krylov.direct import Direct
from pdebench_krylov.incomplete import IncompleteCholesky
from pdebench_krylov.jacobi import Jacobi
from pdebench_krylov.multigrid import Multigrid
from pdebench_krylov.solver import ConjugateGradients

from pdebench.config import compose
from pdebench.equations.elasticity import StretchedCell
from pdebench.equations.unit_cell import CellMesh, numbers_of, parameters_of, radius
from pdebench.errors import ConfigError, DataError, Unsupported
from pdebench.metrics.errors import relative_l2
from pdebench.problem import Problem, Solution
from pdebench.task import Task

COUNTS = {"train": 4, "valid": 1, "test": 2, "ood_ellipse": 1}


@pytest.fixture(scope="module")
def stretched(tmp_path_factory: pytest.TempPathFactory) -> tuple[StretchedCells, Path]:
    data = StretchedCells(16, 4, COUNTS, Hyperelastic(24, 6), Hyperelastic(48, 12), workers=1)
    folder = tmp_path_factory.mktemp("cell")
    data.prepare(folder)
    return data, folder


@pytest.fixture(scope="module")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> Bodies:
    counts = {"train": 4, "valid": 1, "test": 2, "test_large": 1, "ood_incompressible": 1}
    other = ConjugateGradients(Multigrid("smoothed_aggregation"), 1e-11, 2000)
    data = Bodies(16, 4, counts, Direct(), other, workers=1)
    data.prepare(tmp_path_factory.mktemp("bodies"))
    return data


def test_voids_stay_inside_and_have_ten_numbers() -> None:
    theta = np.linspace(0, 2 * np.pi, 200)
    for prior in ("published", "amplitude", "modes", "ellipse"):
        numbers = np.stack([draw("t", i, prior) for i in range(20)])
        r = radius(numbers, theta)
        assert r.min() > 0.2 and r.max() < 0.4
        assert np.allclose(r[:, 0], r[:, -1])
        per = (numbers != 0).sum(1).max()
        assert per == {"published": 10, "amplitude": 10, "modes": 16}.get(prior, per)


def test_ellipse_is_one() -> None:
    """r(theta) of a turned ellipse, to the cut at eight harmonics."""
    numbers = draw("t", 2, "ellipse")
    theta = np.linspace(0, 2 * np.pi, 721)
    r = radius(numbers[None], theta)[0]
    long, short = r.max(), r.min()
    angle = theta[np.argmax(r)]
    wanted = long * short / np.hypot(short * np.cos(theta - angle), long * np.sin(theta - angle))
    assert np.abs(r - wanted).max() < 0.01


def test_finer_meshes_hold_the_nodes_of_coarser_ones() -> None:
    numbers = np.stack([draw("t", i, "published") for i in range(2)])
    coarse, fine = CellMesh(16, 4), CellMesh(32, 8)
    kept = fine.nodes(numbers)[:, fine.kept_by(coarse)]
    assert np.allclose(kept, coarse.nodes(numbers), atol=1e-15)
    with pytest.raises(ConfigError, match="does not hold the nodes"):
        fine.kept_by(CellMesh(24, 4))


def test_points_are_found_again_in_the_mesh() -> None:
    """A quadratic field of the coordinates at random points of the body."""
    numbers, mesh = draw("t", 1, "published"), CellMesh(32, 8)
    nodes = mesh.nodes(numbers[None])[0]
    points = np.random.default_rng(0).random((500, 2))
    at = mesh.located(numbers, points)
    linear = np.stack([2 * nodes[:, 0] - nodes[:, 1] + 1, nodes[:, 0] + nodes[:, 1]])
    x, y = points[at.inside].T
    found = at.field(linear)[:, at.inside]
    assert np.allclose(found, [2 * x - y + 1, x + y], atol=1e-10)  # isoparametric: exact
    gradient = at.gradient(linear)[at.inside]
    assert np.allclose(gradient, [[2, -1], [1, 1]], atol=1e-9)
    assert at.inside.mean() == pytest.approx(1 - 0.09 * np.pi, abs=0.12)


def test_asked_stress_converges_with_the_mesh() -> None:
    numbers = np.stack([draw("t", i, "published") for i in range(2)])
    nodes = CellMesh(16, 4).nodes(numbers)
    mesh = StretchedCell(16, 4)
    domain = mesh_domain(CellMesh(16, 4), nodes[0])
    problem = Problem(
        mesh, domain, {"points": torch.from_numpy(nodes).mT}, parameters=parameters_of(numbers)
    )
    best = Hyperelastic(80, 20).solve(problem).u
    gaps = [
        float((Hyperelastic(n, n // 4).solve(problem).u - best).norm() / best.norm())
        for n in (8, 16, 40)
    ]
    assert gaps[0] > 2 * gaps[1] > 4 * gaps[2] and gaps[2] < 0.02, gaps


def test_stress_does_not_depend_on_the_moduli_at_small_load() -> None:
    numbers = draw("t", 0, "published")[None]
    nodes = CellMesh(16, 4).nodes(numbers)
    fields = []
    for scale in ((1, 1), (2, 10)):
        law = StretchedCell(16, 4, 1.863e5 * scale[0], 9.79e3 * scale[1])
        domain = mesh_domain(CellMesh(16, 4), nodes[0])
        given = {"points": torch.from_numpy(nodes).mT}
        problem = Problem(law, domain, given, parameters=parameters_of(numbers))
        fields.append(Hyperelastic(16, 4).solve(problem).u)
    gap = float((fields[0] - fields[1]).abs().max() / fields[0].max())
    assert gap < 1e-3  # strains of 1e-4 and more where the stress peaks


def test_reading_alone_and_together(stretched: tuple[StretchedCells, Path]) -> None:
    samples = stretched[0].split("train")
    parts = list(samples.chunks(16))
    assert [len(p) for p in parts] == [1, 1, 1, 1]
    own = parts[1].problem
    assert torch.equal(own.domain.points.float(), own.inputs["points"][0].mT)
    assert torch.equal(samples.problem.inputs["points"][1], own.inputs["points"][0])
    theta = np.linspace(0, 2 * np.pi, 4001)
    void = np.trapezoid(radius(numbers_of(own), theta)[0] ** 2, theta) / 2
    assert own.domain.volume == pytest.approx(1 - void, rel=0.02)  # cells with straight sides
    again = Hyperelastic(24, 6).solve(own).u
    assert float(relative_l2(Solution(again), parts[1].target, own)) < 1e-5  # single precision


def test_grid_question_has_zero_stress_in_the_void(
    stretched: tuple[StretchedCells, Path],
) -> None:
    task = Task("grid", stretched[0], (relative_l2,), OnGrid())
    samples = task.samples("test")
    problem, target = samples.problem, samples.target
    assert target.shape == (2, 1, 41, 41)
    mask = problem.inputs["mask"]
    assert bool((target[mask == 0] == 0).all()) and bool((target[mask == 1] > 0).all())
    again = Hyperelastic(24, 6).solve(problem).u
    assert float(relative_l2(Solution(again), target, problem).max()) < 1e-5


def test_files_open_with_named_dimensions(stretched: tuple[StretchedCells, Path]) -> None:
    with xarray.open_dataset(stretched[1] / "train.h5", engine="h5netcdf") as opened:
        assert opened["stress"].dims == ("sample", "channel", "node")
        assert opened["stress"].attrs["units"] == "N/m^2"
        assert opened["radius"].shape == (4, 42)
    error = stretched[0].card.reference_error
    assert error is not None and 0 < error["test"] < 0.05


@pytest.mark.parametrize("split", ["test", "test_large", "ood_incompressible"])
def test_all_solvers_agree_on_the_systems(bodies: Bodies, split: str) -> None:
    one = bodies.split(split)[:1]
    problem, target = one.problem, one.target
    for preconditioner in (Jacobi(), IncompleteCholesky(), Multigrid("smoothed_aggregation")):
        u = ConjugateGradients(preconditioner, 1e-9, 5000).solve(problem).u
        assert float((u - target).norm() / target.norm()) < 1e-5, preconditioner
    residual = problem.equation.residual(target.double(), problem)
    # targets are stored in single precision and the matrix is ill conditioned
    assert float(residual.norm() / problem.inputs["force"].norm()) < 1e-2
    exact = Direct().solve(problem).u
    gap = problem.equation.residual(exact, problem)
    assert float(gap.norm() / problem.inputs["force"].norm()) < 1e-10


def test_system_is_symmetric_positive_and_keeps_rigid_motions(bodies: Bodies) -> None:
    problem = bodies.split("test")[:1].problem
    system = problem.equation.linear_system(problem)
    matrix = system.matrices[0]
    assert abs(matrix - matrix.T).max() < 1e-14 * abs(matrix).max()
    assert np.linalg.eigvalsh(matrix.toarray())[0] > 0
    near = system.near_null_space
    assert near is not None and near.shape == (1, 3, matrix.shape[0])
    # Away from the clamped side no rigid motion costs energy.
    away = np.repeat((problem.inputs["points"][0, 1].numpy() > 0.55)[None], 2, 0).ravel()
    work = matrix @ near[0].numpy().T
    assert np.abs(work[away]).max() < 1e-6 * abs(matrix).max()  # nodes in single precision


@pytest.mark.parametrize("name", ["stress_points", "stress_grid", "equilibrium"])
@pytest.mark.parametrize("track", ["tiny", "small", "paper"])
def test_tasks_compose(name: str, track: str) -> None:
    config = compose([f"task=elasticity/{name}", f"track={track}", "solver=mean"])
    data = instantiate(config.dataset, _convert_="all")
    assert set(config.task.evaluate) <= set(data.card.splits)


def test_wrong_settings_are_named(bodies: Bodies) -> None:
    fem = Hyperelastic(16, 4)
    with pytest.raises(ConfigError, match="around=12, expected a multiple of 8"):
        StretchedCells(12, 4, COUNTS, fem, fem)
    with pytest.raises(ConfigError, match=r"dataset\.traction=0"):
        StretchedCells(16, 4, COUNTS, fem, fem, 0.0)
    with pytest.raises(ConfigError, match=r"dataset\.counts="):
        StretchedCells(16, 4, {"tests": 1}, fem, fem)
    with pytest.raises(ConfigError, match=r"solver\.around=10"):
        Hyperelastic(10)
    with pytest.raises(DataError, match="not prepared"):
        StretchedCells(16, 4, COUNTS, fem, fem).split("test")
    problem = bodies.split("test")[:1].problem
    with pytest.raises(Unsupported, match="the task's is Equilibrium"):
        fem.solve(problem)
    task = Task("grid", bodies, (relative_l2,), OnGrid())
    with pytest.raises(ConfigError, match="asks elasticity/cell only"):
        task.samples("test")
