"""What the iteration must do whatever the network proposes."""

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from pdebench_deepcg.directions import Progress, conjugate_directions
from pdebench_deepcg.solver import DeepCG
from torch import Tensor

from pdebench.config import compose
from pdebench.domain import Axis, Grid
from pdebench.equations.pressure import PressurePoisson
from pdebench.errors import DataError, SolverError
from pdebench.learning.solver import Scaled
from pdebench.problem import Problem
from pdebench.samples import Samples
from pdebench.solver import Budget


def poisson(n: int = 8, seed: int = 0, batch: int = 2) -> tuple:
    mask = torch.ones(batch, 1, n, n)
    mask[:, 0, 2:4, 3:6] = 0
    source = torch.randn(mask.shape, generator=torch.Generator().manual_seed(seed)).double()
    domain = Grid((Axis.cells(n, float(n)),) * 2)
    problem = Problem(PressurePoisson(), domain, {"mask": mask, "source": source * mask})
    system = problem.equation.linear_system(problem)
    return system, system.rhs.double()


def last(steps) -> Progress:
    return list(steps)[-1]


def random_network(r: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(r.shape[1], r.shape[1], generator=generator).double() / r.shape[1] ** 0.5
    return torch.tanh(4 * r @ weight)


def test_residual_as_direction_is_conjugate_gradients() -> None:
    """The textbook recurrence, step by step."""
    system, b = poisson()
    x, r, p = torch.zeros_like(b), b, b
    for step in list(conjugate_directions(system.matvec, b, lambda r: r, tolerance=0, steps=25))[
        1:
    ]:
        product = system.matvec(p)
        alpha = (r * r).sum(-1, keepdim=True) / (p * product).sum(-1, keepdim=True)
        x = x + alpha * p
        new = r - alpha * product
        p = new + p * (new * new).sum(-1, keepdim=True) / (r * r).sum(-1, keepdim=True)
        r = new
        assert float((step.x - x).norm() / x.norm()) < 1e-10


def test_exact_inverse_converges_in_one_step() -> None:
    system, b = poisson()
    inverse = [np.linalg.inv(m.toarray()) for m in system.matrices]
    stacked = torch.from_numpy(np.stack(inverse))
    end = last(
        conjugate_directions(
            system.matvec,
            b,
            lambda r: torch.einsum("bij,bj->bi", stacked, r),
            tolerance=1e-12,
            steps=1,
        )
    )
    assert float((end.residual / b.norm(dim=-1)).max()) < 1e-12


def test_error_in_the_energy_norm_never_grows() -> None:
    system, b = poisson()
    exact = torch.stack(
        [
            torch.from_numpy(np.linalg.solve(m.toarray(), v.numpy()))
            for m, v in zip(system.matrices, b, strict=True)
        ]
    )
    previous = torch.full((len(b),), float("inf")).double()
    for step in conjugate_directions(system.matvec, b, random_network, tolerance=0, steps=60):
        error = step.x - exact
        energy = (error * system.matvec(error)).sum(-1)
        assert bool((energy <= previous * (1 + 1e-12) + 1e-24).all())
        previous = energy


def test_residuals_are_the_true_ones() -> None:
    system, b = poisson()
    for step in conjugate_directions(system.matvec, b, random_network, steps=40):
        assert torch.allclose(step.residual, (b - system.matvec(step.x)).norm(dim=-1))


def test_answer_scales_with_the_right_hand_side() -> None:
    system, b = poisson()
    one = last(conjugate_directions(system.matvec, b, random_network, steps=20)).x
    many = last(conjugate_directions(system.matvec, 1e-6 * b, random_network, steps=20)).x
    assert float((many * 1e6 - one).norm() / one.norm()) < 1e-8


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_useless_directions_are_replaced_and_counted(value: float) -> None:
    system, b = poisson()
    plain = last(conjugate_directions(system.matvec, b, lambda r: r, steps=30))
    useless = last(
        conjugate_directions(system.matvec, b, lambda r: torch.full_like(r, value), steps=30)
    )
    assert torch.allclose(plain.x, useless.x)
    assert bool((useless.replaced > 0).all())
    assert bool((plain.replaced == 0).all())


def test_zero_right_hand_side_is_solved_at_once() -> None:
    system, b = poisson()
    steps = list(conjugate_directions(system.matvec, torch.zeros_like(b), random_network))
    assert len(steps) == 1
    assert float(steps[0].x.abs().max()) == 0


def test_finished_instances_rest_while_others_go_on() -> None:
    system, b = poisson()
    b = torch.stack([torch.zeros_like(b[0]), b[1]])
    end = last(conjugate_directions(system.matvec, b, lambda r: r, tolerance=1e-10))
    assert float(end.x[0].abs().max()) == 0
    assert float(end.residual[1] / b[1].norm()) <= 1e-10


def test_bad_systems_are_refused() -> None:
    b = torch.ones(1, 4).double()
    with pytest.raises(DataError, match="NaN"):
        next(conjugate_directions(lambda x: x, b * float("nan"), lambda r: r))
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0]).double()
    with pytest.raises(SolverError, match="not positive definite"):
        last(conjugate_directions(lambda x: signs * x, b, lambda r: r))


# White noise among air cells is not what the network has seen: it crawls, but it never goes back.
LOOSE = ("solver.tolerance=0.3", "solver.steps=300")


def trained(dim: int) -> DeepCG:
    """A small network after a second of training on an empty box."""
    solver = instantiate(
        compose(["solver=deepcg", "solver.architecture.channels=8", *LOOSE]).solver,
        _convert_="all",
    )
    grid = Grid((Axis.cells(8, 8.0),) * dim)
    ones = torch.ones(2, 1, *grid.shape)
    train = Samples.of(Problem(PressurePoisson(), grid, {"mask": ones, "source": ones}), ones)
    solver.lanczos, solver.vectors = 40, 80
    torch.manual_seed(0)
    solver.fit(train, train, Budget(steps=40))
    return solver


def asked(dim: int, n: int, fill: float = 1.0, open_top: bool = True) -> Problem:
    """Random sources between obstacles, mixed Dirichlet and Neumann cells."""
    grid = Grid((Axis.cells(n, float(n)),) * dim)
    mask = torch.full((1, 1, *grid.shape), fill)
    if n > 4:
        mask[(0, 0, *[slice(2, 4)] * dim)] = 0  # solid
        mask[(0, 0, *[slice(0, 2)] * dim)] = -1 if open_top else 0  # air: Dirichlet
    generator = torch.Generator().manual_seed(1)
    source = torch.randn(mask.shape, generator=generator).double() * (mask == 1)
    if not open_top:
        source = source - (mask == 1) * source.sum() / (mask == 1).sum()
    return Problem(PressurePoisson(open_top), grid, {"mask": mask, "source": source})


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("open_top", [True, False])
def test_two_and_three_axes_with_air_solids_and_null_space(dim: int, open_top: bool) -> None:
    problem = asked(dim, 8 if dim == 2 else 6, open_top=open_top)
    answer = trained(dim).solve(problem)
    residual = problem.equation.residual(answer.u, problem)
    assert float(residual.norm() / problem.inputs["source"].norm()) < 0.3001
    assert answer.iterations is not None and 0 < int(answer.iterations[0]) < 300


def test_one_cell_all_solid_and_zero_on_the_right() -> None:
    solver = trained(2)
    one = asked(2, 1)
    assert torch.allclose(solver.solve(one).u, one.inputs["source"])
    assert float(solver.solve(asked(2, 3, fill=0.0)).u.abs().max()) == 0
    still = asked(2, 4)
    still = Problem(
        still.equation, still.domain, {**still.inputs, "source": still.inputs["source"] * 0}
    )
    answer = solver.solve(still)
    assert float(answer.u.abs().max()) == 0 and answer.iterations is not None
    assert int(answer.iterations[0]) == 0


def test_bad_right_hand_sides_are_refused() -> None:
    solver, closed = trained(2), asked(2, 6, open_top=False)
    inputs = {**closed.inputs, "source": closed.inputs["source"] + (closed.inputs["mask"] == 1)}
    with pytest.raises(DataError, match="inconsistent"):
        solver.solve(Problem(closed.equation, closed.domain, inputs))
    inputs = {**closed.inputs, "source": closed.inputs["source"] * float("nan")}
    with pytest.raises(DataError, match="NaN"):
        solver.solve(Problem(closed.equation, closed.domain, inputs))


class _Loud(torch.nn.Module):
    """Proposes the residual, and ``level`` in solid cells, which it should not know."""

    def __init__(self, solid: Tensor, level: float) -> None:
        super().__init__()
        self.added = torch.nn.Parameter(solid * level)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.added


def test_proposals_in_solid_cells_are_not_followed() -> None:
    problem, solver = asked(2, 8), trained(2)
    answers = []
    for level in (0.0, 100.0):
        loud = _Loud((problem.inputs["mask"] == 0).float(), level)
        solver._direction.model = Scaled(loud, None, None)
        answers.append(solver.solve(problem))
    assert torch.equal(answers[0].u, answers[1].u)
