"""The scores of The Well as its program computes them, (B, T, C) for fields (B, T, C, *S).

Ohana et al. 2024 (arXiv 2412.00568) and ``the_well.benchmark.metrics`` of their program. Points
count equally.

Kept as they are: 1e-7 is added to mean squares and variances, so that scores change with the unit;
variances divide by N - 1 while covariances divide by N, so that a field correlates with itself to
(N - 1)/N; spectral bins are compared in float32, which decides where modes on an edge belong;
``histogram_w1`` divides by the mean square instead of its root; ``dtw`` normalises by the channels
instead of space and leaves the first pair out.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from pdebench.metric import EACH, Better, Fold, Metric, metric
from pdebench.metrics.fields import paired
from pdebench.metrics.warping import warp
from pdebench.problem import Problem, Solution

EPS = 1e-7  # added to every scale by the program


def _space(field: Tensor) -> tuple[int, ...]:
    return tuple(range(3, field.ndim))


def mse(x: Tensor, y: Tensor) -> Tensor:
    """Return mean_x e^2."""
    return (x - y).square().mean(_space(y))


def mae(x: Tensor, y: Tensor) -> Tensor:
    """Return mean_x abs(e)."""
    return (x - y).abs().mean(_space(y))


def nmse(x: Tensor, y: Tensor) -> Tensor:
    """Return mean_x e^2 / (mean_x y^2 + 1e-7)."""
    return mse(x, y) / (y.square().mean(_space(y)) + EPS)


def nmae(x: Tensor, y: Tensor) -> Tensor:
    """Return mean_x abs(e) / (mean_x abs(y) + 1e-7)."""
    return mae(x, y) / (y.abs().mean(_space(y)) + EPS)


def vmse(x: Tensor, y: Tensor) -> Tensor:
    """Return mean_x e^2 / (var_{N-1}(y) + 1e-7)."""
    return mse(x, y) / (y.var(_space(y)) + EPS)


def pearson(x: Tensor, y: Tensor) -> Tensor:
    """Return mean_x((x - <x>)(y - <y>)) / (std_{N-1}(x) std_{N-1}(y) + 1e-7)."""
    space = _space(y)
    centred = (x - x.mean(space, keepdim=True)) * (y - y.mean(space, keepdim=True))
    return centred.mean(space) / (x.std(space) * y.std(space) + EPS)


def histogram_w1(x: Tensor, y: Tensor) -> Tensor:
    """Return mean abs(sort(x) - sort(y)) / (mean y^2 + 1e-7) over times and points, (B, 1, C)."""
    flat = [v.transpose(1, 2).flatten(2) for v in (x, y)]
    scale = flat[1].square().mean(-1) + EPS
    ordered = [v.sort(-1).values for v in flat]
    return ((ordered[0] - ordered[1]).abs().mean(-1) / scale)[:, None]


def wavenumbers(shape: tuple[int, ...]) -> Tensor:
    """Return |2 pi fftfreq| of every mode of a full transform, (*S), float32 as in the program."""
    total = torch.zeros(shape)
    for axis, num in enumerate(shape):
        view = [1] * len(shape)
        view[axis] = num
        total += (2 * math.pi * torch.fft.fftfreq(num)).reshape(view).square()
    return total.sqrt()


def power_spectrum(x: Tensor, edges: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return (edges, mean, standard deviation, counts) of |fft(x)|^2 in bins of the wavenumber.

    mean and deviation are (B, T, K, C), K = len(edges) - 1. Default edges: floor(sqrt(min S))
    values from 0 to the largest wavenumber + 1e-6. A mode on an edge belongs to the upper bin.
    """
    shape = tuple(x.shape[3:])
    radius = wavenumbers(shape)
    if edges is None:
        edges = torch.linspace(0, float(radius.max()) + 1e-6, math.isqrt(min(shape)))
    index = torch.bucketize(radius.flatten(), edges, right=True) - 1
    power = torch.fft.fftn(x, dim=_space(x)).abs().square().flatten(3)
    counts = torch.bincount(index, minlength=len(edges)).to(power)
    zeros = power.new_zeros((*power.shape[:3], len(edges)))
    mean = zeros.index_add(3, index, power) / counts
    deviation = (zeros.index_add(3, index, (power - mean[..., index]).square()) / counts).sqrt()
    kept = slice(0, len(edges) - 1)
    swapped = (v[..., kept].transpose(2, 3) for v in (mean, deviation))
    return edges, *swapped, counts[kept]


def binned_spectral_mse(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return (mse, nmse) of three bins of the wavenumber, each (B, T, C, 3).

        mse_k = sum_{bin k} |fft(e)|^2 / N^2,    nmse_k = mse_k / (sum_{bin k} |fft(y)|^2 / N^2 +
        1e-7)

    Edges: 0, then logarithmic from 2 pi / max(S) to pi sqrt(d) + 1e-6, in float32.
    """
    shape = tuple(y.shape[3:])
    top = math.log10(math.pi * math.sqrt(len(shape)) + 1e-6)
    edges = torch.logspace(math.log10(2 * math.pi / max(shape)), top, 4)
    edges[0] = 0.0
    sums = []
    for field in (x - y, y):
        _, mean, _, counts = power_spectrum(field, edges)
        sums.append(mean.transpose(2, 3) * counts / math.prod(shape) ** 2)
    return sums[0], sums[0] / (sums[1] + EPS)


def dtw(x: Tensor, y: Tensor, window: int = 10, normalise: bool = True) -> tuple[Tensor, Tensor]:
    """Return the windowed warping distance and path distortion of every channel, each (B, 1, C).

        (D[n-1, n-1] / n)^{1/2},   D[i, j] = mean_x (x_i - y_j)^2 + min(D[i-1, j], D[i, j-1], D[i-1,
        j-1]),  D[0, 0] = 0

    abs(i - j) <= window. ``normalise`` divides both fields, point by point, by their norm over
    channels (+ 1e-7). The distortion is the mean of abs(i - j) along the path.
    """
    if normalise:
        x, y = (v / (torch.linalg.vector_norm(v, dim=2, keepdim=True) + EPS) for v in (x, y))
    flat = [v.transpose(1, 2).flatten(3).flatten(0, 1) for v in (x, y)]  # (B C, T, N)
    cost = torch.stack(
        [(flat[0][:, [i]] - flat[1]).square().mean(-1) for i in range(x.shape[1])], 1
    )
    total, distortion = warp(cost, window, free_start=True)
    shape = (len(x), 1, x.shape[2])
    return (total / x.shape[1]).sqrt().reshape(shape), distortion.reshape(shape)


def _scored(
    name: str,
    form: Callable[[Tensor, Tensor], Tensor],
    better: Better = "lower",
    fold: Fold | None = EACH,
) -> Metric:
    def score(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
        prediction, reference = paired(solution, target, problem)
        return form(prediction.double(), reference.double()).mean(2)

    score.__doc__ = f"The Well's {name}, mean over channels, (B, T) or (B, 1)."
    return metric(f"pdebench.published.the_well_{name}@1", better=better, fold=fold)(score)


the_well_nmse = _scored("nmse", nmse)
the_well_nrmse = _scored("nrmse", lambda x, y: nmse(x, y).sqrt())
the_well_nmae = _scored("nmae", nmae)
the_well_vmse = _scored("vmse", vmse)
the_well_vrmse = _scored("vrmse", lambda x, y: vmse(x, y).sqrt())
the_well_pearson = _scored("pearson", pearson, "higher")
the_well_histogram_w1 = _scored("histogram_w1", histogram_w1, fold=None)
the_well_dtw = _scored("dtw", lambda x, y: dtw(x, y)[0], fold=None)
