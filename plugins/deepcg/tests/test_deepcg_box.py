"""The box that training vectors come from."""

import numpy as np
import pytest
import torch
from pdebench_deepcg.box import training_box

from pdebench.domain import Axis, Grid
from pdebench.equations.pressure import PressurePoisson, assembled
from pdebench.errors import ConfigError
from pdebench.problem import Problem


def asked(axis: Axis) -> Problem:
    mask = torch.ones(1, 1, 4, 4)
    mask[0, 0, 1, 1] = 0
    return Problem(PressurePoisson(), Grid((axis,) * 2), {"mask": mask, "source": mask})


def test_a_wider_box_has_the_matrix_of_the_larger_grid() -> None:
    box = training_box(asked(Axis.cells(4, 4.0)), empty=True, wider=2)
    assert box.domain.shape == (8, 8)
    assert torch.allclose(box.domain.weights, torch.ones(8, 8).double())
    matrix = box.equation.linear_system(box).matrices[0]
    assert np.array_equal(matrix.toarray(), assembled(np.ones((8, 8)), open_top=True).toarray())


def test_obstacles_stay_where_they_are_asked_for() -> None:
    problem = asked(Axis.cells(4, 4.0))
    assert torch.equal(training_box(problem, False, 1).inputs["mask"], problem.inputs["mask"])
    assert int((training_box(problem, False, 2).inputs["mask"] == 0).sum()) == 4


def test_axes_that_end_on_nodes_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"solver\.wider=2"):
        training_box(asked(Axis.interval(4)), True, 2)
