"""Single scores of further programs, as they compute them; points count equally."""

from torch import Tensor

from pdebench.metric import Fold, metric
from pdebench.metrics.fields import diverged, paired, ratio
from pdebench.problem import Problem, Solution


def _space(field: Tensor) -> tuple[int, ...]:
    return tuple(range(3, field.ndim))


@metric(
    "pdebench.published.pdearena_mse@1",
    unit="squared unit of the field",
    fold=Fold.sums(lambda sums, problem: diverged(sums[0])),
)
def pdearena_mse(solution: Solution, target: Tensor, problem: Problem) -> tuple[Tensor]:
    """PDEArena's loss, sum_t sum_c mean_x e^2, (B,): grows with the horizon.

    Gupta and Brandstetter 2022 (arXiv 2209.15616).
    """
    prediction, reference = paired(solution, target, problem)
    error = (prediction.double() - reference).square()
    return (error.mean(_space(error)).flatten(1).sum(1),)


@metric(
    "pdebench.published.cfdbench_nmse@1",
    fold=Fold.sums(lambda sums, problem: ratio(*sums).expand(len(problem))),
    breaks={"samples apart": "the program divides two means over the whole batch"},
)
def cfdbench_nmse(solution: Solution, target: Tensor, problem: Problem) -> tuple[Tensor, Tensor]:
    """CFDBench's normalised error, mean(e^2) / mean(y^2) over the whole batch, (B,) all equal.

    A ratio of means: samples of large values decide, and the number depends on the batch. Luo et
    al. 2023 (arXiv 2310.05963).
    """
    prediction, reference = paired(solution, target, problem)
    return (prediction.double() - reference).square().sum(), reference.double().square().sum()


@metric("pdebench.published.poseidon_relative_l1@1", unit="%", fold=Fold.latest())
def poseidon_relative_l1(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Poseidon's score, 100 sum_{c,x} |e| / sum_{c,x} |y| at the last frame, (B,), in per cent.

    They report its median over samples. Herde et al. 2024 (arXiv 2405.19101).
    """
    prediction, reference = (v[:, -1].double() for v in paired(solution, target, problem))
    error = (prediction - reference).abs().flatten(1).sum(1)
    return 100 * ratio(error, reference.abs().flatten(1).sum(1))
