"""Whether the prediction solves the equation."""

import torch
from torch import Tensor

from pdebench.errors import AccessError, Unsupported
from pdebench.metric import metric
from pdebench.metrics import quadrature as q
from pdebench.metrics.fields import diverged
from pdebench.problem import Problem, Solution


@metric("pdebench.residual@1", unit="unit of the equation", needs=("equation",))
def residual(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Root-mean-square residual of the equation, 1/C sum_c <R_c(p)^2>^{1/2}, (B, T).

    As the task's equation discretises it, so the reference's own residual is not 0 where its solver
    used another discretisation; T is the number of frames of the residual. Raises Unsupported where
    the equation is withheld or has no residual here.
    """
    try:
        equation = problem.equation
    except AccessError as error:
        raise Unsupported(f"residual: {error}") from error
    with torch.no_grad():
        values = equation.residual(solution.u, problem)
    ndim = len(problem.domain.shape)
    values = values.unsqueeze(1) if values.ndim == 2 + ndim else values
    size = q.weighted_mean(problem.domain, q.square, values)
    return diverged(size).sqrt().mean(2)
