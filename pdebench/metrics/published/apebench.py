"""The nine errors of APEBench as its program defines them: summed over channels, not averaged.

Koehler et al. 2024 (arXiv 2411.00180) and exponax. |v|^2 = sum_i w_i v_i^2 and |v|_1 = sum_i w_i
|v_i| with the domain's weights themselves, so that absolute errors carry the domain's volume. In
`errors` and `symmetric` the mean over channels and over space stands instead.
"""

from collections.abc import Callable

from torch import Tensor

from pdebench.metric import EACH, Metric, metric
from pdebench.metrics import quadrature as q
from pdebench.metrics.fields import diverged, paired, ratio
from pdebench.problem import Problem, Solution

Form = Callable[[Tensor, Tensor, Tensor], Tensor]


def _summed(name: str, apart: q.Form, size: q.Form, form: Form) -> Metric:
    def score(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
        prediction, reference = paired(solution, target, problem)
        domain, volume = problem.domain, problem.domain.volume
        error = volume * q.weighted_mean(domain, apart, prediction, reference)
        sizes = [volume * q.weighted_mean(domain, size, v) for v in (prediction, reference)]
        return form(error, *sizes).sum(2)

    score.__doc__ = f"APEBench's {name}, summed over channels, (B, T)."
    unit = "1" if name[0] in "ns" else "see docstring"
    return metric(f"pdebench.published.apebench_{name}@1", unit=unit, fold=EACH)(score)


_L1 = (q.absolute_difference, q.absolute)
_L2 = (q.square_difference, q.square)

apebench_mae = _summed("mae", *_L1, lambda e, p, y: diverged(e))
apebench_nmae = _summed("nmae", *_L1, lambda e, p, y: ratio(e, y))
apebench_smae = _summed("smae", *_L1, lambda e, p, y: ratio(2 * e, p + y))
apebench_mse = _summed("mse", *_L2, lambda e, p, y: diverged(e))
apebench_nmse = _summed("nmse", *_L2, lambda e, p, y: ratio(e, y))
apebench_smse = _summed("smse", *_L2, lambda e, p, y: ratio(2 * e, p + y))
apebench_rmse = _summed("rmse", *_L2, lambda e, p, y: diverged(e).sqrt())
apebench_nrmse = _summed("nrmse", *_L2, lambda e, p, y: ratio(e, y).sqrt())
apebench_srmse = _summed("srmse", *_L2, lambda e, p, y: ratio(2 * e.sqrt(), p.sqrt() + y.sqrt()))
