"""The six scores of PDEBench as its program computes them: over the batch, on half the spectrum.

Takamoto et al. 2022 (arXiv 2210.07182), app. B, and ``metric_func`` of their program. Errors e = p
- y are (B, T, C, *S); points count equally whatever the domain's weights. The functions return (C,
T), the tables' numbers are means over both.

Kept as they are, because published numbers contain them: ``crmse``, ``maximum`` and ``frmse``
depend on the size of the batch they are given; ``frmse`` sees only the modes of non-negative index
and is NaN in a band without a shell; ``brmse`` in 3D sums channels (and is (B, T)), and takes first
and last points for the boundary even where the domain is periodic. `pdebench.metrics.errors`,
`conserved`, `boundary` and `fourier` hold the definitions without these.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.errors import Unsupported
from pdebench.metric import EACH, Metric, metric
from pdebench.metrics.fields import paired
from pdebench.problem import Problem, Solution

_BATCH = {"samples apart": "the program scores a whole batch; its tables hold such numbers"}
LOW, HIGH = 4, 12  # default first shells of the middle and the high band, arXiv 2210.07182 app. B


def _space(field: Tensor) -> tuple[int, ...]:
    return tuple(range(3, field.ndim))


def _rms(field: Tensor) -> Tensor:
    size = torch.linalg.vector_norm(field, dim=_space(field))  # no square of the field is kept
    return size / math.sqrt(math.prod(field.shape[3:]))


def rmse(error: Tensor) -> Tensor:
    """Return mean_b (mean_x e^2)^{1/2}, (C, T)."""
    return _rms(error).mean(0).T


def nrmse(error: Tensor, target: Tensor) -> Tensor:
    """Return mean_b (mean_x e^2 / mean_x y^2)^{1/2}, (C, T); inf or NaN at a zero target."""
    return (_rms(error) / _rms(target)).mean(0).T


def crmse(error: Tensor) -> Tensor:
    """Return (mean_b (sum_x e)^2)^{1/2} / N, (C, T), the root mean square over the batch."""
    space = _space(error)
    return error.sum(space).square().mean(0).sqrt().T / math.prod(error.shape[3:])


def maximum(error: Tensor) -> Tensor:
    """Return max_{b,x} abs(e), (C, T), the largest of the batch."""
    over = (0, *_space(error))
    return torch.maximum(error.amax(over), -error.amin(over)).T


def brmse(error: Tensor) -> Tensor:
    """Return the root mean square of e on the first and last points of every axis, (C, T).

    Corners count once per axis.

    (C, T) in 1D and 2D; in 3D ( sum_{faces, c} e^2 / (number of face points) )^{1/2}, (B, T).
    """
    shape = error.shape[3:]
    total, count = error.new_zeros(error.shape[:3]), 0
    for axis, length in enumerate(shape):
        for end in (0, -1):
            face = error.select(3 + axis, end).square()
            total = total + face.flatten(3).sum(-1) if face.ndim > 3 else total + face
        count += 2 * math.prod(shape) // length
    if len(shape) == 3:
        return (total.sum(2) / count).sqrt()
    return (total / count).sqrt().mean(0).T


def frmse(
    error: Tensor, extent: Sequence[float] | None = None, low: int = LOW, high: int = HIGH
) -> Tensor:
    """Return the means over the bands k < low, low <= k < high, k >= high of S_k, (C, 3, T).

        S_k = (mean_b sum_{floor|q| = k} |F_q|^2)^{1/2} prod(L) / prod(n),    F = fft(e),  0 <= q_i
        < n_i // 2

    In 1D every mode of the real transform is a shell; in 2D and 3D shells k >= min(n // 2) are left
    out.
    """
    shape = error.shape[3:]
    modes = torch.fft.rfftn(error, dim=_space(error))
    if len(shape) > 1:
        for axis, length in enumerate(shape):
            modes = modes.narrow(3 + axis, 0, length // 2)
    power = modes.real.square().addcmul_(modes.imag, modes.imag).mean(0)
    num = min(n // 2 for n in shape) if len(shape) > 1 else power.shape[-1]
    index = torch.arange(num) if len(shape) == 1 else _octant(shape).clamp(max=num)
    sums = power.new_zeros((*power.shape[:2], num + 1))
    sums.index_add_(2, index.reshape(-1).to(power.device), power.flatten(2))
    scale = math.prod(extent or (1.0,) * len(shape)) / math.prod(shape)
    amplitude = sums[..., :num].sqrt() * scale
    bands = (amplitude[..., :low], amplitude[..., low:high], amplitude[..., high:])
    return torch.stack([band.mean(-1) for band in bands]).permute(2, 0, 1)


def _octant(shape: Sequence[int]) -> Tensor:
    squares = [torch.arange(n // 2, dtype=torch.float64).square() for n in shape]
    total = torch.stack(torch.meshgrid(*squares, indexing="ij")).sum(0)
    return total.sqrt().floor().long()  # roots of perfect squares are exact in IEEE arithmetic


def _extent(problem: Problem) -> tuple[float, ...]:
    if not isinstance(problem.domain, Grid):
        raise Unsupported("the scores of PDEBench need a tensor grid")
    return problem.domain.extent


def _whole_batch(name: str, form: Callable[[Tensor, Tensor, tuple[float, ...]], Tensor]) -> Metric:
    def score(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
        prediction, reference = paired(solution, target, problem)
        wide = reference.double()
        values = form(prediction.double() - wide, wide, _extent(problem))
        return values.mean(0).expand(len(prediction), -1)

    score.__doc__ = (
        f"PDEBench's {name} of the whole batch, repeated for each of its samples, (B, T)."
    )
    known = f"pdebench.published.pdebench_{name}@1"
    return metric(known, needs=("target", "grid"), fold=EACH, breaks=_BATCH)(score)


pdebench_rmse = _whole_batch("rmse", lambda e, y, _: rmse(e))
pdebench_nrmse = _whole_batch("nrmse", lambda e, y, _: nrmse(e, y))
pdebench_crmse = _whole_batch("crmse", lambda e, y, _: crmse(e))
pdebench_max = _whole_batch("max", lambda e, y, _: maximum(e))
pdebench_brmse = _whole_batch("brmse", lambda e, y, _: brmse(e))
pdebench_frmse_low = _whole_batch("frmse_low", lambda e, y, L: frmse(e, L)[:, 0])
pdebench_frmse_mid = _whole_batch("frmse_mid", lambda e, y, L: frmse(e, L)[:, 1])
pdebench_frmse_high = _whole_batch("frmse_high", lambda e, y, L: frmse(e, L)[:, 2])
