"""What the iteration must do whatever the network proposes."""

import numpy as np
import pytest
import torch
from pdebench_deepcg.directions import Progress, conjugate_directions
from torch import Tensor

from pdebench.domain import Axis, Grid
from pdebench.equations.pressure import PressurePoisson
from pdebench.errors import DataError, SolverError
from pdebench.problem import Problem


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
