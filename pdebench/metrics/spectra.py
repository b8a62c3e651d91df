"""Spectra of periodic fields and their errors."""

import torch
from torch import Tensor

from pdebench.domain import Domain, Grid
from pdebench.errors import ConfigError, Unsupported
from pdebench.metric import EACH, Metric, Score, metric
from pdebench.metrics.fields import diverged, paired, ratio
from pdebench.metrics.shells import (
    Modes,
    Scale,
    anywhere,
    mode_sum,
    shell_sizes,
    shell_sums,
    shells,
    torus,
)
from pdebench.problem import Problem, Solution


def energy_spectrum(u: Tensor, domain: Domain) -> Tensor:
    """Shell-summed energy spectrum of fields (..., C, *S) on a torus, (..., K) float64.

        E(k) = 1/2 sum_c sum_{k - 1/2 <= |q|/k0 < k + 1/2} |u_c_hat(q)|^2

    u_hat = fft(u)/N, k0 = 2 pi / max(L); k = 0 is the mean. Over all modes it sums to
    sum_c <u_c^2>/2, in the squared unit of the field. Shells beyond the Nyquist radius are
    incomplete and dropped. Raises Unsupported on anything but a periodic uniform grid.
    """
    sums = shell_sums(domain, u)
    return (sums.squeeze(-2) if sums.shape[-2] == 1 else sums.sum(-2)).div_(2)


def power_spectrum(u: Tensor, domain: Domain) -> Tensor:
    """Mean power of the modes of each shell, sum_c <|u_c_hat|^2>_shell, (B, T, K) float64.

    The spectrum of The Well (arXiv 2412.00568) up to normalisation: white noise is flat.
    """
    return shell_sums(domain, u).sum(2) / shell_sizes(torus(domain)).to(u.device)


def _spectra(solution: Solution, target: Tensor, problem: Problem) -> tuple[Tensor, Tensor]:
    """Return E(k >= 1) of prediction and target; the mean is no scale and would hide all others."""
    prediction, reference = paired(solution, target, problem)
    got, expected = (energy_spectrum(v, problem.domain)[..., 1:] for v in (prediction, reference))
    if expected.shape[-1] == 0:
        raise Unsupported(f"a grid of {problem.domain.shape} points has no complete shell")
    return got, expected


@metric("pdebench.spectrum_error@1", needs=("target", "torus"), fold=EACH)
def spectrum_error(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Relative error of the energy spectrum of each frame, (B, T).

        ( sum_{k >= 1} (E_p(k) - E_y(k))^2 / sum_{k >= 1} E_y(k)^2 )^{1/2}

    Blind to phases: it asks whether the scales carry the right energy, not whether they are in the
    right place. The energetic shells decide; `log_spectral_distance` weighs all alike.
    """
    got, expected = _spectra(solution, target, problem)
    gap = torch.linalg.vector_norm(got.sub_(expected), dim=-1)
    return ratio(gap, torch.linalg.vector_norm(expected, dim=-1))


@metric("pdebench.log_spectral_distance@1", unit="dB", needs=("target", "torus"), fold=EACH)
def log_spectral_distance(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Root-mean-square distance of the logarithmic spectra of each frame, (B, T), in decibels.

        ( 1/K sum_{k >= 1} (10 log10 E_p(k)/E_y(k))^2 )^{1/2}

    Gray and Markel 1976. Shells that hold nothing but round-off say nothing: both spectra are
    raised to at least eps^2 sum_k E_y, eps the round-off of the target's precision.
    """
    got, expected = _spectra(solution, target, problem)
    eps = torch.finfo(target.dtype).eps if target.is_floating_point() else 1e-16
    floor = eps**2 * expected.sum(-1, keepdim=True)
    floor = floor.clamp_min(torch.finfo(torch.float64).tiny)
    bels = torch.maximum(got, floor, out=got).div_(torch.maximum(expected, floor, out=expected))
    return 10 * diverged(bels.log10_().square_().mean(-1)).sqrt()


def binned_mse(part: int, parts: int = 3) -> Metric:
    """Return the metric of the spectral square error in one of ``parts`` bins, (B, T).

        1/C sum_c sum_{bin} |e_c_hat|^2

    Summed over the bins it is the mean square error. Bins are logarithmic in the shell: the first
    is k < K^{1/parts}, the last reaches to the last mode; K is the largest complete shell. The Well
    (arXiv 2412.00568), there with edges compared in float32, which decides about modes that lie on
    them; edges between whole shells have none.
    """

    def score(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
        prediction, reference = paired(solution, target, problem)
        grid = torus(problem.domain)
        error = mode_sum(grid, _bin(grid, part, parts), prediction, reference)
        return diverged(error).mean(2)

    return _binned("mse", "squared unit of the field", part, parts, score)


def binned_nmse(part: int, parts: int = 3) -> Metric:
    """Return the metric of the normalised spectral error in one of ``parts`` bins, (B, T).

        1/C sum_c sum_{bin} |e_c_hat|^2 / sum_{bin} |y_c_hat|^2

    Bins as in `binned_mse`.
    """

    def score(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
        prediction, reference = paired(solution, target, problem)
        grid = torus(problem.domain)
        scale = _bin(grid, part, parts)
        error = mode_sum(grid, scale, prediction, reference)
        return ratio(error, mode_sum(grid, scale, reference)).mean(2)

    return _binned("nmse", "1", part, parts, score)


def _binned(kind: str, unit: str, part: int, parts: int, score: Score) -> Metric:
    if not 0 <= part < parts:
        raise ConfigError(f"metric.part={part}, expected one of 0, ..., {parts - 1}")
    score.__doc__ = f"Spectral {kind.upper()} in bin {part} of {parts}, (B, T)."
    name = f"pdebench.spectral_{kind}_{part}_of_{parts}@1"
    return metric(name, unit=unit, needs=("target", "torus"), fold=EACH)(score)


def _bin(grid: Grid, part: int, parts: int) -> Scale:
    """Return the scale that is 1 for the modes in the bin, else 0."""
    edges = float(shells(grid).count - 1) ** (torch.arange(1, parts, dtype=torch.float64) / parts)
    edges = torch.ceil(edges - 1e-9)  # whole roots (8^{1/3}) must not depend on round-off

    def inside(modes: Modes) -> Tensor:
        return (torch.bucketize(modes.number.double(), edges, right=True) == part).double()

    if not anywhere(grid, inside):
        raise Unsupported(f"a grid of {grid.shape} points leaves spectral bin {part} empty")
    return inside


spectral_nmse_low = binned_nmse(0)
spectral_nmse_mid = binned_nmse(1)
spectral_nmse_high = binned_nmse(2)
