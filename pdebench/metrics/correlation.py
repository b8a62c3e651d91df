"""Correlations of prediction and target over space, and how long they last."""

from torch import Tensor

from pdebench.errors import ConfigError
from pdebench.metric import EACH, Metric, metric
from pdebench.metrics import quadrature as q
from pdebench.metrics.fields import diverged, label, paired
from pdebench.metrics.rollouts import lasting
from pdebench.problem import Problem, Solution


def _cosine(product: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Return product / (first second)^{1/2}; 1 where both sizes vanish, 0 where one does."""
    cosine = product / first.sqrt() / second.sqrt()
    lost = (first == 0) | (second == 0)
    cosine = cosine.masked_fill(lost, 0.0).masked_fill((first == 0) & (second == 0), 1.0)
    return diverged(cosine, -1.0).clamp(-1.0, 1.0)  # clamp: round-off only


@metric("pdebench.pearson@1", better="higher", fold=EACH)
def pearson(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Correlation coefficient over space, mean over channels, (B, T), in [-1, 1].

        1/C sum_c <p_c' y_c'> / (<p_c'^2> <y_c'^2>)^{1/2},    v' = v - <v>

    A field correlates with itself to exactly 1, on any quadrature (in The Well's program to
    (N - 1)/N). Two constant fields count as 1, a constant and a varying one as 0; NaN or infinity
    in the prediction as -1.
    """
    prediction, reference = paired(solution, target, problem)
    domain = problem.domain
    means = [q.per_row(q.mean(v, domain), domain) for v in (prediction, reference)]
    product = q.weighted_mean(
        domain, lambda p, y, a, b: p.sub_(a).mul_(y - b), prediction, reference, *means
    )
    sizes = [q.variance(v, domain) for v in (prediction, reference)]
    return _cosine(product, *sizes).mean(2)


@metric("pdebench.cosine@1", better="higher", fold=EACH)
def cosine(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Cosine similarity over space, 1/C sum_c <p_c y_c> / (<p_c^2> <y_c^2>)^{1/2}, (B, T).

    What APEBench (arXiv 2411.00180) calls correlation: not centred, so that a common mean counts as
    agreement. Zero fields as in `pearson`.
    """
    prediction, reference = paired(solution, target, problem)
    domain = problem.domain
    product = q.weighted_mean(domain, lambda p, y: p.mul_(y), prediction, reference)
    sizes = [q.weighted_mean(domain, q.square, v) for v in (prediction, reference)]
    return _cosine(product, *sizes).mean(2)


def correlation_time(threshold: float = 0.8) -> Metric:
    """Return the metric of how long `pearson` stays at or above ``threshold``, (B,), in s.

    From the last given frame to the last asked frame before the first fall below; 0 where the first
    frame has fallen, the whole horizon where none has (then a lower bound). Gupta and Brandstetter
    2022, PDEArena (arXiv 2209.15616); threshold 0.8 is theirs. Raises ConfigError outside (-1, 1).
    """
    if not -1 < threshold < 1:
        raise ConfigError(f"metric.threshold={threshold}, expected a correlation between -1 and 1")

    def form(correlation: Tensor, problem: Problem) -> Tensor:
        return lasting(correlation >= threshold, problem)

    name = f"pdebench.correlation_time_{label(threshold)}@1"
    doc = f"Time until the correlation first falls below {threshold:g}, (B,), s."
    return pearson.then(name, form, doc, unit="s", better="higher", needs=("times",))
