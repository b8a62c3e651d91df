"""Chebyshev matrices against polynomials and analytic functions."""

import pytest
import torch

from pdebench.chebyshev import differentiation, interpolation
from pdebench.domain import Axis, Grid
from pdebench.errors import Unsupported
from pdebench.metrics.derivatives import derivative, mean_square_gradient


@pytest.mark.parametrize("start", [-1.0, 3.0])
def test_derivatives_of_polynomials_are_exact(start: float) -> None:
    """Degree 6 on 8 nodes; round-off grows like n^(2m), 1e-16 x 8^8 for the fourth."""
    axis = Axis.chebyshev(8, 2.0, start)
    x = axis.nodes - start
    expected = (6 * x**5, 30 * x**4, 120 * x**3, 360 * x**2)
    for matrix, wanted in zip(differentiation(axis, 4), expected, strict=True):
        assert torch.allclose(matrix @ x**6, wanted, rtol=1e-9, atol=1e-9)


def test_derivatives_converge_faster_than_any_power() -> None:
    errors = []
    for num in (9, 17, 33):
        axis = Axis.chebyshev(num, 3.0, 0.0)
        got = differentiation(axis)[0] @ torch.sin(4 * axis.nodes)
        errors.append(float((got - 4 * torch.cos(4 * axis.nodes)).abs().max()))
    assert errors[1] < 1e-4 * errors[0]
    assert errors[2] < 1e-11


def test_interpolation_is_exact_for_polynomials_and_at_nodes() -> None:
    axis = Axis.chebyshev(7, 2.0, -1.0)
    points = torch.cat([torch.linspace(-1, 1, 13, dtype=torch.float64), axis.nodes])
    matrix = interpolation(axis, points)
    assert torch.allclose(matrix @ axis.nodes**6, points**6, atol=1e-14)
    assert torch.equal(matrix[13:], torch.eye(7, dtype=torch.float64))


def test_other_nodes_are_refused_with_the_reason() -> None:
    with pytest.raises(Unsupported, match="Gauss-Lobatto"):
        differentiation(Axis.interval(9))


def test_metric_derivatives_are_spectral_on_chebyshev_axes() -> None:
    grid = Grid((Axis.torus(4, 1.0), Axis.chebyshev(9)))
    y = grid.axes[1].nodes.expand(1, 1, 1, 4, 9)
    slope = derivative(y**8, grid.axes[1], -1)
    assert torch.allclose(slope, 8 * y**7, atol=1e-12)
    # <(2 y)^2> = 4/3 over -1 < y < 1
    assert float(mean_square_gradient(grid, y**2)) == pytest.approx(4 / 3, rel=1e-12)
