"""Errors of the solution in norms over space, each a quadrature of the domain.

Notation: e = p - y is prediction minus target, <.> the mean over space sum_i w_i (.)_i / sum_i w_i.
A relative error whose scale vanishes is 0 where the error vanishes too, else infinite; a prediction
of NaN or infinity scores infinity.
"""

from torch import Tensor

from pdebench.metric import metric
from pdebench.metrics import quadrature as q
from pdebench.metrics.fields import diverged, paired, ratio
from pdebench.problem import Problem, Solution


@metric("pdebench.relative_l2@1")
def relative_l2(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Relative L2 error of the whole answer, (B,).

        ||e|| / ||y||,    ||v||^2 = sum_t sum_c sum_i w_i v_tci^2

    One number a sample over all frames (equal weight each), channels and points. The usual score of
    neural operators: Li et al., ICLR 2021 (arXiv 2010.08895), sec. 5, there without weights.
    """
    prediction, reference = paired(solution, target, problem)
    error = q.weighted_mean(problem.domain, q.square_difference, prediction, reference)
    scale = q.weighted_mean(problem.domain, q.square, reference)
    return ratio(error.flatten(1).sum(1), scale.flatten(1).sum(1)).sqrt()


@metric("pdebench.nrmse@1")
def nrmse(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Root-mean-square error of each frame by the root mean square of the target, (B, T).

        ( sum_c <e_c^2> / sum_c <y_c^2> )^{1/2}

    Channels enter jointly, as components of one vector field: right where they share a unit; where
    they do not, the channel of the largest numbers decides and `channel_nrmse` is the one to use.
    For one channel both equal the nRMSE of PDEBench (Takamoto et al. 2022, arXiv 2210.07182, app.
    B).
    """
    prediction, reference = paired(solution, target, problem)
    error = q.weighted_mean(problem.domain, q.square_difference, prediction, reference)
    scale = q.weighted_mean(problem.domain, q.square, reference)
    return ratio(error.sum(2), scale.sum(2)).sqrt()


@metric("pdebench.vrmse@1")
def vrmse(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Root-mean-square error of each frame by the target's standard deviation, (B, T).

        1/C sum_c ( <e_c^2> / <(y_c - <y_c>)^2> )^{1/2}

    Predicting the mean over space scores exactly 1. Ohana et al. 2024, The Well (arXiv 2412.00568),
    eq. for VRMSE. They divide the variance by N - 1 and add 1e-7 to it (`published.the_well`); a
    quadrature has no N, and an added constant makes the score depend on the unit.
    """
    prediction, reference = paired(solution, target, problem)
    error = q.weighted_mean(problem.domain, q.square_difference, prediction, reference)
    return ratio(error, q.variance(reference, problem.domain)).sqrt().mean(2)


@metric("pdebench.max_error@1", unit="field")
def max_error(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Largest error of each frame, max_{c,i} abs(e_ci), (B, T), in the field's unit."""
    prediction, reference = paired(solution, target, problem)
    error = q.maximum(problem.domain, q.absolute_difference, prediction, reference)
    return diverged(error.amax(2))
