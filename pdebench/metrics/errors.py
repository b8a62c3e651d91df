"""Errors of the solution in norms over space, each a quadrature of the domain.

Notation: e = p - y is prediction minus target, <.> the mean over space sum_i w_i (.)_i / sum_i w_i.
A relative error whose scale vanishes is 0 where the error vanishes too, else infinite; a prediction
of NaN or infinity scores infinity. Where channels are not joined in one norm, the score is the mean
of the channels' own scores.
"""

from torch import Tensor

from pdebench.metric import EACH, Fold, metric
from pdebench.metrics import quadrature as q
from pdebench.metrics.fields import diverged, paired, ratio
from pdebench.problem import Problem, Solution

FIELD = "unit of the field"


def _squares(solution: Solution, target: Tensor, problem: Problem) -> tuple[Tensor, Tensor]:
    """Return <e^2> and <y^2>, each (B, T, C)."""
    prediction, reference = paired(solution, target, problem)
    error = q.weighted_mean(problem.domain, q.square_difference, prediction, reference)
    return error, q.weighted_mean(problem.domain, q.square, reference)


def _magnitudes(solution: Solution, target: Tensor, problem: Problem) -> tuple[Tensor, Tensor]:
    """Return <|e|> and <|y|>, each (B, T, C)."""
    prediction, reference = paired(solution, target, problem)
    error = q.weighted_mean(problem.domain, q.absolute_difference, prediction, reference)
    return error, q.weighted_mean(problem.domain, q.absolute, reference)


def _error_mean(solution: Solution, target: Tensor, problem: Problem, form: q.Form) -> Tensor:
    prediction, reference = paired(solution, target, problem)
    return diverged(q.weighted_mean(problem.domain, form, prediction, reference))


def _root_ratio(sums: tuple[Tensor, Tensor], problem: Problem) -> Tensor:
    return ratio(*sums).sqrt()


@metric("pdebench.relative_l2@1", fold=Fold.sums(_root_ratio))
def relative_l2(solution: Solution, target: Tensor, problem: Problem) -> tuple[Tensor, Tensor]:
    """Relative L2 error of the whole answer, (B,).

        ||e|| / ||y||,    ||v||^2 = sum_t sum_c sum_i w_i v_tci^2

    One number a sample over all frames (equal weight each), channels and points. The usual score of
    neural operators: Li et al., ICLR 2021 (arXiv 2010.08895), sec. 5, there without weights.
    """
    error, scale = _squares(solution, target, problem)
    return error.flatten(1).sum(1), scale.flatten(1).sum(1)


@metric("pdebench.relative_l1@1", fold=EACH)
def relative_l1(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Relative L1 error of each frame, (B, T).

        sum_c <|e_c|> / sum_c <|y_c|>

    Channels enter jointly. Herde et al. 2024, Poseidon (arXiv 2405.19101), score it at the final
    time (`rollouts.final`), in per cent, and report the median over samples, which is the board's
    business.
    """
    error, scale = _magnitudes(solution, target, problem)
    return ratio(error.sum(2), scale.sum(2))


@metric("pdebench.nrmse@1", fold=EACH)
def nrmse(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Root-mean-square error of each frame by the root mean square of the target, (B, T).

        ( sum_c <e_c^2> / sum_c <y_c^2> )^{1/2}

    Channels enter jointly, as components of one vector field: right where they share a unit; where
    they do not, the channel of the largest numbers decides and `channel_nrmse` is the one to use.
    For one channel both equal the nRMSE of PDEBench (Takamoto et al. 2022, arXiv 2210.07182,
    app. B).
    """
    error, scale = _squares(solution, target, problem)
    return ratio(error.sum(2), scale.sum(2)).sqrt()


@metric("pdebench.channel_nrmse@1", fold=EACH)
def channel_nrmse(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Mean over channels of each channel's nRMSE, (B, T): 1/C sum_c (<e_c^2> / <y_c^2>)^{1/2}.

    Independent of the channels' units. PDEBench's nRMSE (arXiv 2210.07182, app. B).
    """
    return ratio(*_squares(solution, target, problem)).sqrt().mean(2)


@metric("pdebench.nmse@1", fold=EACH)
def nmse(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Normalised mean square error, 1/C sum_c <e_c^2> / <y_c^2>, (B, T).

    The Well (arXiv 2412.00568), without the 1e-7 it adds below (see `published.the_well`).
    """
    return ratio(*_squares(solution, target, problem)).mean(2)


@metric("pdebench.nmae@1", fold=EACH)
def nmae(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Normalised mean absolute error, 1/C sum_c <|e_c|> / <|y_c|>, (B, T)."""
    return ratio(*_magnitudes(solution, target, problem)).mean(2)


@metric("pdebench.rmse@1", unit=FIELD, fold=EACH)
def rmse(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Root-mean-square error, 1/C sum_c <e_c^2>^{1/2}, (B, T); arXiv 2210.07182, app. B."""
    return _error_mean(solution, target, problem, q.square_difference).sqrt().mean(2)


@metric("pdebench.mse@1", unit="squared unit of the field", fold=EACH)
def mse(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Mean square error, 1/C sum_c <e_c^2>, (B, T)."""
    return _error_mean(solution, target, problem, q.square_difference).mean(2)


@metric("pdebench.mae@1", unit=FIELD, fold=EACH)
def mae(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Mean absolute error, 1/C sum_c <|e_c|>, (B, T)."""
    return _error_mean(solution, target, problem, q.absolute_difference).mean(2)


@metric("pdebench.vmse@1", fold=EACH)
def vmse(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Mean square error by the target's variance over space, mean over channels, (B, T).

    1/C sum_c <e_c^2> / <(y_c - <y_c>)^2>
    """
    return _by_variance(solution, target, problem).mean(2)


@metric("pdebench.vrmse@1", fold=EACH)
def vrmse(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Root-mean-square error of each frame by the target's standard deviation, (B, T).

        1/C sum_c ( <e_c^2> / <(y_c - <y_c>)^2> )^{1/2}

    Predicting the mean over space scores exactly 1. Ohana et al. 2024, The Well (arXiv 2412.00568),
    sec. 4. They divide the variance by N - 1 and add 1e-7 to it (`published.the_well`); a
    quadrature has no N, and an added constant makes the score depend on the unit.
    """
    return _by_variance(solution, target, problem).sqrt().mean(2)


def _by_variance(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    prediction, reference = paired(solution, target, problem)
    error = q.weighted_mean(problem.domain, q.square_difference, prediction, reference)
    return ratio(error, q.variance(reference, problem.domain))


@metric("pdebench.max_error@1", unit=FIELD, fold=EACH)
def max_error(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Largest error of each frame, max_{c,i} |e_ci|, (B, T)."""
    prediction, reference = paired(solution, target, problem)
    error = q.maximum(problem.domain, q.absolute_difference, prediction, reference)
    return diverged(error.amax(2))


@metric("pdebench.crmse@1", unit=FIELD, fold=EACH)
def crmse(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Error of the conserved mean, 1/C sum_c |<e_c>|, (B, T).

    PDEBench's cRMSE (arXiv 2210.07182, app. B) sample by sample; their program takes the root mean
    square over whatever batch it is given (`published.pdebench`).
    """
    return _error_mean(solution, target, problem, lambda p, y: p.sub_(y)).abs().mean(2)
