"""Errors that see derivatives: the H1 family."""

from torch import Tensor

from pdebench.metric import EACH, metric
from pdebench.metrics import quadrature as q
from pdebench.metrics.derivatives import mean_square_gradient
from pdebench.metrics.fields import diverged, paired, ratio
from pdebench.problem import Problem, Solution


def _squares(solution: Solution, target: Tensor, problem: Problem) -> tuple[Tensor, Tensor]:
    """Return the squared H1 norms of error and target, (B, T, C)."""
    prediction, reference = paired(solution, target, problem)
    domain = problem.domain
    error = q.weighted_mean(domain, q.square_difference, prediction, reference)
    error = error + mean_square_gradient(domain, prediction, reference)
    scale = q.weighted_mean(domain, q.square, reference)
    return error, scale + mean_square_gradient(domain, reference)


@metric("pdebench.h1_rmse@1", unit="unit of the field", fold=EACH)
def h1_rmse(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Error in the H1 norm, 1/C sum_c (<e_c^2> + <|grad e_c|^2>)^{1/2}, (B, T).

    Lengths are counted in the domain's unit, so that the two terms add. APEBench (arXiv 2411.00180)
    adds the roots; we take the norm. Derivatives as in `derivatives.mean_square_gradient`.
    """
    return diverged(_squares(solution, target, problem)[0]).sqrt().mean(2)


@metric("pdebench.h1_nrmse@1", fold=EACH)
def h1_nrmse(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Relative error in the H1 norm, mean over channels, (B, T).

    1/C sum_c ( (<e_c^2> + <|grad e_c|^2>) / (<y_c^2> + <|grad y_c|^2>) )^{1/2}
    """
    return ratio(*_squares(solution, target, problem)).sqrt().mean(2)
