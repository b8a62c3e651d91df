"""What a problem of the suite asks of the process: source and values in a box."""

from dataclasses import replace

from torch import Tensor

from pdebench.domain import Grid
from pdebench.equations.advection import Advection
from pdebench.equations.dirichlet import Dirichlet
from pdebench.errors import Unsupported
from pdebench.problem import Problem
from pdebench_gp.objective import Task, faces


def task_of(problem: Problem, corners_twice: bool = False) -> Task:
    """Return what a batch of problems in a box asks for, float64."""
    domain, equation = problem.domain, problem.equation
    if not isinstance(domain, Grid) or not isinstance(equation, (Dirichlet, Advection)):
        raise Unsupported("gp: it needs a box with values on its boundary")
    source, given = (problem.inputs[name][:, 0].double() for name in ("source", "boundary"))
    where = faces(domain.shape, corners_twice)
    where = where[equation.prescribed(domain).flatten()[where]].to(source.device)
    points = tuple(axis.nodes.to(source.device) for axis in domain.axes)
    speed = equation.speed if isinstance(equation, Advection) else 1.0
    return Task(points, source, given.flatten(1)[:, where], equation.kind, speed, where)


def take(task: Task, rows: Tensor | int) -> Task:
    """Return the task of some instances, or of one without the axis of instances."""
    below = None if task.below is None else task.below[rows]
    return replace(task, source=task.source[rows], boundary=task.boundary[rows], below=below)


def unsuitable(problem: Problem) -> str | None:
    """Return why the process does not fit a problem, or None."""
    equation, domain = problem.equation, problem.domain
    if not isinstance(equation, (Dirichlet, Advection)):
        return (
            "its objective weighs values on the boundary of a box (Dirichlet) and its kernels are "
            f"not periodic; the task's equation is {type(equation).__name__}"
        )
    if not isinstance(domain, Grid) or any(domain.periodic) or domain.dim > 3:
        return "it needs a box of one to three dimensions that is not periodic"
    if not {"source", "boundary"} <= set(problem.inputs):
        return f"it needs source and boundary, the problem has {sorted(problem.inputs)}"
    return None
