"""Symmetric errors: neither field is the scale of the other, and the score is bounded.

    2 d(p, y) / (|p| + |y|)

Koehler et al. 2024, APEBench (arXiv 2411.00180), app. on metrics. Mean over channels; theirs is a
sum (`published.apebench`).
"""

from torch import Tensor

from pdebench.metric import EACH, metric
from pdebench.metrics import quadrature as q
from pdebench.metrics.fields import paired, ratio
from pdebench.problem import Problem, Solution


def _parts(
    solution: Solution, target: Tensor, problem: Problem, apart: q.Form, size: q.Form
) -> tuple[Tensor, Tensor, Tensor]:
    prediction, reference = paired(solution, target, problem)
    distance = q.weighted_mean(problem.domain, apart, prediction, reference)
    first = q.weighted_mean(problem.domain, size, prediction)
    return distance, first, q.weighted_mean(problem.domain, size, reference)


@metric("pdebench.srmse@1", fold=EACH)
def srmse(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Symmetric RMSE, 1/C sum_c 2 <e_c^2>^{1/2} / (<p_c^2>^{1/2} + <y_c^2>^{1/2}), (B, T)."""
    error, first, second = _parts(solution, target, problem, q.square_difference, q.square)
    return ratio(2 * error.sqrt(), first.sqrt() + second.sqrt()).mean(2)


@metric("pdebench.smse@1", fold=EACH)
def smse(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Symmetric MSE, 1/C sum_c 2 <e_c^2> / (<p_c^2> + <y_c^2>), (B, T); up to 4."""
    error, first, second = _parts(solution, target, problem, q.square_difference, q.square)
    return ratio(2 * error, first + second).mean(2)


@metric("pdebench.smae@1", fold=EACH)
def smae(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Symmetric MAE, 1/C sum_c 2 <|e_c|> / (<|p_c|> + <|y_c|>), (B, T)."""
    error, first, second = _parts(solution, target, problem, q.absolute_difference, q.absolute)
    return ratio(2 * error, first + second).mean(2)
