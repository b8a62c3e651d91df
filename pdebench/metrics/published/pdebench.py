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
from functools import lru_cache

import torch
from torch import Tensor

from pdebench.domain import Grid
from pdebench.errors import Unsupported
from pdebench.metric import EACH, Metric, metric
from pdebench.metrics.fields import paired
from pdebench.metrics.quadrature import BLOCK
from pdebench.problem import Problem, Solution

_BATCH = {"samples apart": "the program scores a whole batch; its tables hold such numbers"}
LOW, HIGH = 4, 12  # default first shells of the middle and the high band, arXiv 2210.07182 app. B


def scores(
    prediction: Tensor,
    target: Tensor,
    extent: Sequence[float] | None = None,
    low: int = LOW,
    high: int = HIGH,
) -> dict[str, Tensor]:
    """Return all six by name, equal to those of the functions below.

    Samples are taken a few at a time, so that their error and modes stay in the cache and nothing
    of the batch's size is held. Fields (B, T, C, *S) may be views of any order in memory.
    """
    shape = target.shape[3:]
    power = target.new_zeros((*target.shape[1:3], *_seen(shape), 2))
    rows: list[tuple[Tensor, ...]] = []
    step = max(1, BLOCK // target[:1].numel())
    for p, y in zip(prediction.split(step), target.split(step), strict=True):
        error = _packed(p - y)
        rows.append((_rms(error), _mean(y.square()).sqrt(), _mean(error), _largest(error)))
        _add_power(power, error)
    size, scale, mean, largest = map(torch.cat, zip(*rows, strict=True))
    return {
        "rmse": _averaged(size),
        "nrmse": _averaged(size / scale),
        "crmse": _rooted(mean),
        "max": _worst(largest),
        "brmse": _on_rim(_rim(prediction, target), len(shape)),
        "frmse": _bands(power / len(target), shape, extent, low, high),
    }


def rmse(error: Tensor) -> Tensor:
    """Return mean_b (mean_x e^2)^{1/2}, (C, T)."""
    return _averaged(_rms(error))


def nrmse(error: Tensor, target: Tensor) -> Tensor:
    """Return mean_b (mean_x e^2 / mean_x y^2)^{1/2}, (C, T); inf or NaN at a zero target."""
    return _averaged(_rms(error) / _rms(target))


def crmse(error: Tensor) -> Tensor:
    """Return (mean_b (sum_x e)^2)^{1/2} / N, (C, T), the root mean square over the batch."""
    return _rooted(_mean(error))


def maximum(error: Tensor) -> Tensor:
    """Return max_{b,x} abs(e), (C, T), the largest of the batch."""
    return _worst(_largest(error))


def brmse(error: Tensor) -> Tensor:
    """Return the root mean square of e on the first and last points of every axis, (C, T).

    Corners count once per axis.

    (C, T) in 1D and 2D; in 3D ( sum_{faces, c} e^2 / (number of face points) )^{1/2}, (B, T).
    """
    return _on_rim(_rim(error), error.ndim - 3)


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
    power = error.new_zeros((*error.shape[1:3], *_seen(shape), 2))
    for sample in error.split(1):
        _add_power(power, sample)
    return _bands(power / len(error), shape, extent, low, high)


def _packed(field: Tensor) -> Tensor:
    """Return the field in the order of memory: reductions over strided space are slow."""
    rows = field.flatten(3).flatten(1, 2)  # two axes are transposed twice as fast as five
    return rows.contiguous().view(field.shape)


def _rms(field: Tensor) -> Tensor:
    size = torch.linalg.vector_norm(field.flatten(3), dim=-1)  # no square of the field is kept
    return size / math.sqrt(math.prod(field.shape[3:]))


def _mean(field: Tensor) -> Tensor:
    num = math.prod(field.shape[3:])
    # unlike a sum, a product with ones is as fast over space that is strided
    return field.flatten(3) @ field.new_full((num,), 1 / num)


def _largest(field: Tensor) -> Tensor:
    points = field.flatten(3)
    return torch.maximum(points.amax(-1), -points.amin(-1))


def _rim(field: Tensor, *other: Tensor) -> Tensor:
    """Return the mean of e^2 over first and last points of every axis, (B, T, C).

    e is the field (minus another).
    """
    total, count = field.new_zeros(field.shape[:3]), 0
    for axis, length in enumerate(field.shape[3:], 3):
        ends = (
            ...,
            slice(None, None, max(length - 1, 1)),
            *(slice(None),) * (field.ndim - axis - 1),
        )
        error = field[ends] - other[0][ends] if other else field[ends]
        total += error.square().flatten(3).sum(-1)
        count += math.prod(error.shape[3:])
    return total / count


def _seen(shape: Sequence[int]) -> tuple[int, ...]:
    """Return how many modes along every axis count: all of the half transform in 1D."""
    return (shape[0] // 2 + 1,) if len(shape) == 1 else tuple(n // 2 for n in shape)


def _add_power(total: Tensor, field: Tensor) -> None:
    """Add the squares of both parts of the modes of all samples to total (T, C, ..., 2)."""
    modes = torch.fft.rfftn(field, dim=tuple(range(3, field.ndim)))
    for parts in torch.view_as_real(modes)[:, *map(slice, total.shape)]:
        total.addcmul_(parts, parts)


@lru_cache(maxsize=16)
def _shells(shape: tuple[int, ...]) -> tuple[Tensor, int]:
    """Return the shell of every mode that counts, flattened, and the number of shells."""
    seen = _seen(shape)
    axes = [torch.arange(n, dtype=torch.float64).square() for n in seen]
    total = torch.stack(torch.meshgrid(*axes, indexing="ij")).sum(0)
    shell = total.sqrt().long()  # roots of perfect squares are exact in IEEE arithmetic
    return shell.clamp(max=min(seen)).reshape(-1), min(seen)


def _bands(
    power: Tensor, shape: Sequence[int], extent: Sequence[float] | None, low: int, high: int
) -> Tensor:
    shell, num = _shells(tuple(shape))
    sums = power.new_zeros((*power.shape[:2], num + 1))
    sums.index_add_(2, shell.to(power.device), (power[..., 0] + power[..., 1]).flatten(2))
    scale = math.prod(extent or (1.0,) * len(shape)) / math.prod(shape)
    amplitude = sums[..., :num].sqrt() * scale
    bands = (amplitude[..., :low], amplitude[..., low:high], amplitude[..., high:])
    return torch.stack([band.mean(-1) for band in bands]).permute(2, 0, 1)


def _averaged(score: Tensor) -> Tensor:
    return score.mean(0).T


def _rooted(score: Tensor) -> Tensor:
    return score.square().mean(0).sqrt().T


def _worst(score: Tensor) -> Tensor:
    return score.amax(0).T


def _on_rim(square: Tensor, dim: int) -> Tensor:
    return square.sum(2).sqrt() if dim == 3 else _averaged(square.sqrt())


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
