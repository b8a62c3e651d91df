"""The box whose matrix gives the training vectors."""

import torch

from pdebench.domain import Axis, Grid
from pdebench.errors import ConfigError
from pdebench.problem import Problem


def training_box(problem: Problem, empty: bool, wider: int) -> Problem:
    """Return one instance on a box ``wider`` times as long at the same spacing.

    Inputs are repeated along every axis; ``empty`` makes every cell of the input ``mask`` fluid.
    Raises ConfigError where the axes can not be made longer.
    """
    domain, inputs = problem.domain, dict(problem.inputs)
    if wider > 1:
        if not isinstance(domain, Grid):
            raise ConfigError(f"solver.wider={wider} needs a grid; take solver.wider=1")
        times = (1, 1, *(wider for _ in domain.axes))
        inputs = {name: values.repeat(times) for name, values in inputs.items()}
        domain = Grid(tuple(_longer(axis, wider) for axis in domain.axes))
    if empty and "mask" in inputs:
        inputs["mask"] = torch.ones_like(inputs["mask"])
    return Problem(problem.equation, domain, inputs)


def _longer(axis: Axis, times: int) -> Axis:
    made = {"periodic": Axis.torus, "midpoint": Axis.cells}.get(axis.rule)
    if made is None:
        raise ConfigError(
            f"solver.wider={times} needs axes of cells or periodic ones, not of rule "
            f"'{axis.rule}'; take solver.wider=1"
        )
    return made(times * len(axis.nodes), times * axis.length)
