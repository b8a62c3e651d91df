import math

import pytest
import torch

from pdebench.domain import Axis, Grid, Mesh, Points


@pytest.mark.parametrize("num", [2, 3, 8, 9, 17])
def test_clenshaw_curtis_is_exact_for_polynomials_of_degree_n_minus_one(num: int) -> None:
    axis = Axis.chebyshev(num)
    for degree in range(num):
        exact = 2 / (degree + 1) if degree % 2 == 0 else 0.0
        assert abs(float((axis.weights * axis.nodes**degree).sum()) - exact) < 1e-13  # round-off


@pytest.mark.parametrize("make", [Axis.torus, Axis.interval, Axis.cells, Axis.chebyshev])
def test_weights_sum_to_the_length(make) -> None:
    axis = make(11, 3.0)
    assert math.isclose(float(axis.weights.sum()), 3.0, rel_tol=1e-14)
    assert math.isclose(axis.length, 3.0)


def test_rectangle_rule_is_spectrally_exact_on_the_torus() -> None:
    axis = Axis.torus(16, 2 * math.pi)
    assert abs(float((axis.weights * torch.cos(5 * axis.nodes) ** 2).sum()) - math.pi) < 1e-13


@pytest.mark.parametrize(("make", "order"), [(Axis.interval, 2), (Axis.cells, 2)])
def test_trapezoid_and_midpoint_converge_at_second_order(make, order: int) -> None:
    errors = [
        abs(float((a.weights * torch.exp(a.nodes)).sum()) - (math.e - 1))
        for a in (make(33), make(65))
    ]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_grid_points_weights_and_boundary_agree_in_shape(dim: int) -> None:
    grid = Grid(tuple(Axis.interval(n) for n in (4, 5, 3)[:dim]))
    assert grid.shape == (4, 5, 3)[:dim]
    assert grid.points.shape == (math.prod(grid.shape), dim)
    assert grid.weights.shape == grid.boundary.shape == grid.shape
    inner = math.prod(n - 2 for n in grid.shape)
    assert int((~grid.boundary).sum()) == inner
    assert grid.volume == pytest.approx(1.0)


def test_torus_has_no_boundary_and_is_fourier() -> None:
    grid = Grid.torus((4, 6), (1.0, 2.0))
    assert not grid.boundary.any()
    assert grid.is_torus
    assert grid.extent == (1.0, 2.0)


def test_chebyshev_axis_is_not_uniform() -> None:
    assert not Axis.chebyshev(9).uniform
    assert Axis.torus(9).uniform


def test_mesh_weights_integrate_linear_functions_exactly() -> None:
    nodes = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    triangles = Mesh(nodes, torch.tensor([[0, 1, 2], [0, 2, 3]]))
    quads = Mesh(nodes, torch.tensor([[0, 1, 2, 3]]))
    for mesh in (triangles, quads):
        assert mesh.volume == pytest.approx(1.0)
        assert float((mesh.weights * (nodes[:, 0] + 2 * nodes[:, 1])).sum()) == pytest.approx(1.5)


def test_tetrahedron_has_volume_one_sixth() -> None:
    nodes = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    assert Mesh(nodes, torch.tensor([[0, 1, 2, 3]])).volume == pytest.approx(1 / 6)


def test_cloud_without_measure_weighs_points_equally() -> None:
    cloud = Points(torch.rand(7, 3, generator=torch.Generator().manual_seed(0)))
    assert cloud.volume == pytest.approx(1.0)
    assert cloud.shape == (7,)


def test_bad_axes_are_refused() -> None:
    with pytest.raises(ValueError, match="strictly increasing"):
        Axis.nodal(torch.tensor([0.0, 0.0, 1.0]))
    with pytest.raises(ValueError, match="num=1"):
        Axis.chebyshev(1)
    with pytest.raises(ValueError, match="one length"):
        Axis(torch.zeros(3), torch.zeros(2), 1.0, False, "trapezoid")
