"""Conjugate gradients and their preconditioners: textbook facts, agreement, bad systems."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from pdebench_krylov.gradients import conjugate_gradients
from pdebench_krylov.incomplete import factor
from scipy import sparse

from pdebench.config import compose
from pdebench.domain import Axis, Grid
from pdebench.equation import Equation, LinearSystem
from pdebench.equations.pressure import PressurePoisson
from pdebench.errors import DataError, SolverError
from pdebench.problem import Problem

CG = ["cg", "jacobi_cg", "ic_cg", "amg_cg", "deflated_cg", "poisson_cg"]


def problem_of(n: int = 8, open_top: bool = True, batch: int = 2) -> Problem:
    generator = torch.Generator().manual_seed(0)
    mask = torch.ones(batch, 1, n, n, n)
    mask[0, 0, 2:4, 3:6, 1:5] = 0
    source = torch.randn(mask.shape, generator=generator).double() * mask
    if not open_top:  # the right-hand side of a closed box has zero mean over the fluid
        source = source - mask * (source.sum((1, 2, 3, 4)) / mask.sum((1, 2, 3, 4))).view(
            -1, 1, 1, 1, 1
        )
    domain = Grid((Axis.cells(n, float(n)),) * 3)
    return Problem(PressurePoisson(open_top), domain, {"mask": mask, "source": source})


def built(name: str, *overrides: str):
    return instantiate(compose([f"solver={name}", *overrides]).solver, _convert_="all")


@pytest.mark.parametrize("name", [*CG, "direct"])
def test_all_solvers_agree_with_dense_elimination(name: str) -> None:
    problem = problem_of()
    system = problem.equation.linear_system(problem)
    exact = np.stack(
        [
            np.linalg.solve(m.toarray(), b)
            for m, b in zip(system.matrices, system.rhs.double().numpy(), strict=True)
        ]
    )
    tight = [] if name == "direct" else ["solver.tolerance=1e-12"]
    u = built(name, *tight).solve(problem).u.flatten(1).numpy()
    assert np.linalg.norm(u - exact) < 1e-10 * np.linalg.norm(exact)


@pytest.mark.parametrize("name", [n for n in CG if n != "deflated_cg"])
def test_preconditioners_are_symmetric_and_positive(name: str) -> None:
    """u . M^-1 v = v . M^-1 u for random vectors. A-DEF2 is symmetric only within the space that CG
    visits (Tang et al. 2009, sec. 4.3).
    """
    problem = problem_of(batch=1)
    system = problem.equation.linear_system(problem)
    inverse = built(name).preconditioner.build(system, problem)
    generator = torch.Generator().manual_seed(1)
    u, v = (torch.randn(1, 512, generator=generator).double() for _ in range(2))
    a, b = float((u * inverse(v)).sum()), float((v * inverse(u)).sum())
    assert a == pytest.approx(b, rel=1e-9)
    assert float((u * inverse(u)).sum()) > 0


@pytest.mark.parametrize("name", ["ic_cg", "amg_cg", "deflated_cg", "poisson_cg"])
def test_preconditioners_save_iterations(name: str) -> None:
    problem = problem_of(12)
    plain, better = (len(list(built(n).iterate(problem))) for n in ("cg", name))
    assert better < 0.7 * plain


def test_empty_box_is_solved_at_once() -> None:
    full = problem_of(batch=1)
    problem = Problem(
        full.equation, full.domain, {**full.inputs, "mask": torch.ones_like(full.inputs["mask"])}
    )
    assert len(list(built("poisson_cg").iterate(problem))) == 2


def test_multigrid_is_almost_independent_of_the_size() -> None:
    few, many = (len(list(built("amg_cg").iterate(problem_of(n)))) for n in (8, 20))
    assert many <= 1.6 * few


@pytest.mark.parametrize("name", ["cg", "jacobi_cg", "poisson_cg"])
def test_closed_boxes_are_singular_and_consistent(name: str) -> None:
    problem = problem_of(open_top=False, batch=1)
    u = built(name, "solver.tolerance=1e-10").solve(problem).u
    residual = problem.equation.residual(u, problem)
    assert float(residual.norm() / problem.inputs["source"].norm()) < 1e-8


def test_incomplete_factor_is_that_of_the_sequential_algorithm() -> None:
    """Row by row, in Python, on a random sparse M-matrix with triangles in its graph."""
    n = 40
    random = sparse.random_array((n, n), density=0.12, rng=np.random.default_rng(0))
    matrix = -abs(random + random.T)
    matrix.setdiag(0)
    matrix = (sparse.diags_array(1.05 - np.asarray(matrix.sum(1)).ravel()) + matrix).tocsr()
    a = np.tril(matrix.toarray())
    pattern = a != 0
    lower = np.zeros_like(a)
    for i in range(n):
        for j in range(i + 1):
            if pattern[i, j]:
                rest = a[i, j] - lower[i, :j] @ lower[j, :j]
                lower[i, j] = np.sqrt(rest) if i == j else rest / lower[j, j]
    assert np.allclose(factor(matrix).toarray(), lower, atol=1e-10)


def test_true_residual_decides() -> None:
    problem = problem_of()
    system = problem.equation.linear_system(problem)
    b = system.rhs.double()
    steps = list(
        conjugate_gradients(system.matvec, b, lambda r: r, torch.zeros_like(b), 1e-10, 500)
    )
    true = (b - system.matvec(steps[-1].x)).norm(dim=-1)
    assert torch.allclose(steps[-1].residual, true, rtol=1e-6)
    assert bool((true <= 1e-10 * b.norm(dim=-1)).all())


def test_zero_right_hand_side_is_solved_at_once() -> None:
    problem = problem_of()
    inputs = {**problem.inputs, "source": torch.zeros_like(problem.inputs["source"])}
    steps = list(built("cg").iterate(Problem(problem.equation, problem.domain, inputs)))
    assert len(steps) == 1
    assert float(steps[0].u.abs().max()) == 0 and float(steps[0].iterations.max()) == 0


def test_bad_systems_are_refused() -> None:
    b = torch.ones(1, 4).double()
    start = torch.zeros_like(b)
    signs = torch.tensor([1.0, -1.0, 1.0, -3.0]).double()
    with pytest.raises(DataError, match="NaN"):
        next(conjugate_gradients(lambda x: x, b / 0 * 0, lambda r: r, start, 1e-8, 5))
    with pytest.raises(SolverError, match="not positive definite"):
        list(conjugate_gradients(lambda x: signs * x, b, lambda r: r, start, 1e-8, 5))
    with pytest.raises(SolverError, match="preconditioner is not"):
        list(conjugate_gradients(lambda x: x, b, lambda r: -r, start, 1e-8, 5))
    indefinite = sparse.csr_array(np.array([[1.0, 2.0], [2.0, 1.0]]))
    with pytest.raises(SolverError, match="pivot"):
        factor(indefinite)


def test_steps_are_counted_per_instance() -> None:
    """Together as alone, and none for an instance whose right-hand side is zero."""
    problem = problem_of()
    source = problem.inputs["source"].clone()
    source[1] = 0
    alone = built("cg").solve(problem.take(slice(0, 1))).iterations
    inputs = {**problem.inputs, "source": source}
    both = built("cg").solve(Problem(problem.equation, problem.domain, inputs)).iterations
    assert both is not None and alone is not None
    assert both.tolist() == [*alone.tolist(), 0]


@pytest.mark.parametrize("name", ["cg", "jacobi_cg", "amg_cg"])
def test_inconsistent_right_hand_sides_are_refused(name: str) -> None:
    problem = problem_of(open_top=False, batch=1)
    inputs = {**problem.inputs, "source": problem.inputs["source"] + problem.inputs["mask"]}
    with pytest.raises(DataError, match=r"inconsistent: .* of its norm lies in the null space"):
        built(name).solve(Problem(problem.equation, problem.domain, inputs))


class Skewed(Equation):
    """A matrix that is not symmetric, though it says so."""

    fields: ClassVar[dict[str, str]] = {"u": "1"}
    reference = "none"

    def residual(self, u, problem):
        return u

    def linear_system(self, problem: Problem) -> LinearSystem:
        b = problem.inputs["source"].flatten(1)
        matrix = torch.eye(b.shape[1], dtype=torch.float64)
        matrix[0, 1] = 0.5
        return LinearSystem(
            lambda x: x @ matrix.mT, b, (sparse.csr_array(matrix.numpy()),), symmetric_positive=True
        )


def test_matrices_that_are_not_symmetric_are_refused() -> None:
    problem = problem_of(4, batch=1)
    with pytest.raises(SolverError, match="not symmetric"):
        built("cg").solve(Problem(Skewed(), problem.domain, problem.inputs))


@pytest.mark.parametrize("mask", [0.0, 1.0])
def test_one_cell_and_all_solid(mask: float) -> None:
    n = 1 if mask else 3
    domain = Grid((Axis.cells(n, float(n)),) * 3)
    inputs = {"mask": torch.full((1, 1, n, n, n), mask), "source": torch.ones(1, 1, n, n, n)}
    problem = Problem(PressurePoisson(), domain, inputs)
    u = built("cg").solve(problem).u
    assert float(u.flatten()[0]) == mask  # one open face: p = b; solid cells: p = 0
