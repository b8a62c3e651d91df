"""The stream function's equation: exact operator, order of its matrix, kernel."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from pdebench.domain import Grid
from pdebench.equations.streamfunction import StreamFunction
from pdebench.errors import ConfigError, Unsupported
from pdebench.problem import Problem


def made(n: int) -> tuple[Problem, torch.Tensor]:
    """psi = exp(sin 2 pi x) cos 2 pi y up to its mean, analytic and not band-limited."""
    domain = Grid.torus((n, n))
    x, y = (2 * math.pi * axis for axis in domain.points.T.reshape(2, n, n))
    psi = torch.exp(x.sin()) * y.cos()
    w = 4 * math.pi**2 * (1 + x.sin() - x.cos().square()) * psi
    return Problem(StreamFunction(), domain, {"vorticity": w[None, None]}), psi[None, None]


def test_residual_of_the_exact_stream_function_is_zero() -> None:
    problem, psi = made(32)
    residual = StreamFunction().residual(psi, problem)
    assert float(residual.abs().max()) < 1e-9 * float(problem.input.abs().max())


def test_matrix_free_and_assembled_systems_are_one() -> None:
    problem, _ = made(12)
    system = StreamFunction().linear_system(problem)
    matrix = system.matrices[0]
    x = torch.randn(3, 144, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert np.allclose(system.matvec(x).numpy(), x.numpy() @ matrix.T.toarray(), atol=1e-9)
    assert abs(matrix - matrix.T).max() == 0
    assert system.null_space is not None
    assert float(system.matvec(system.null_space).abs().max()) < 1e-9
    values = np.linalg.eigvalsh(matrix.toarray())
    assert abs(values[0]) < 1e-9 * values[-1] and values[1] > 0


def test_system_is_of_fourth_order() -> None:
    errors = []
    for n in (16, 32, 64):
        problem, psi = made(n)
        system = StreamFunction().linear_system(problem)
        from scipy.sparse.linalg import spsolve

        pinned = system.matrices[0].tolil()
        pinned[0] = 0
        pinned[0, 0] = 1
        right = system.rhs[0].numpy().copy()
        right[0] = 0
        x = torch.from_numpy(np.asarray(spsolve(pinned.tocsc(), right))).view(n, n)
        gap = (x - x.mean()) - (psi[0, 0] - psi[0, 0].mean())
        errors.append(float(gap.norm() / psi.norm()))
    assert all(3.8 < math.log2(a / b) < 4.3 for a, b in pairwise(errors)), errors


def test_what_does_not_fit_is_named() -> None:
    problem, _ = made(8)
    uneven = Problem(StreamFunction(), Grid.torus((8, 4)), {"vorticity": torch.zeros(1, 1, 8, 4)})
    with pytest.raises(Unsupported, match="square cells"):
        StreamFunction().linear_system(uneven)
    other = Problem(StreamFunction(), problem.domain, {"source": problem.input})
    with pytest.raises(ConfigError, match=r"needs inputs\['vorticity'\], the problem has"):
        StreamFunction().residual(problem.input, other)
