"""Errors in bands of the wavenumber, on periodic uniform grids.

With v_hat = fft(v)/N and shells k = round(|q|/k0), k0 = 2 pi / max(L), over the full spectrum,

    |v|_band^2 = sum_{low <= k <= high} |q|^{2s} |v_hat|^2

so that for s = 0 the squares of all bands add up to <v^2> (Parseval), and refining the grid under
the same field changes no band. ``high=None`` reaches to the last mode, ``derivative`` is s: 1 takes
the gradient, 2 the Laplacian. APEBench (arXiv 2411.00180) has the same family on cubes of modes and
sums over channels; we take spherical shells and the mean over channels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from torch import Tensor

from pdebench.domain import Grid
from pdebench.errors import ConfigError, Unsupported
from pdebench.metric import Metric, metric
from pdebench.metrics.fields import diverged, paired, ratio
from pdebench.metrics.shells import mode_sum, shells, torus
from pdebench.problem import Problem, Solution

_FIELD = "unit of the field"


@final
@dataclass(frozen=True)
class Band:
    """Shells low to high (inclusive; None: all above) of the derivative of order ``derivative``."""

    low: int
    high: int | None
    derivative: int = 0

    def __post_init__(self) -> None:
        if self.low < 0 or (self.high is not None and self.high < self.low):
            raise ConfigError(
                f"metric band low={self.low}, high={self.high}, expected 0 <= low <= high"
            )
        if self.derivative < 0:
            raise ConfigError(f"metric.derivative={self.derivative}, expected 0 or more")

    @property
    def suffix(self) -> str:
        """The band in a metric's name, such as ``0_5_d1``."""
        order = f"_d{self.derivative}" if self.derivative else ""
        return f"{self.low}_{'end' if self.high is None else self.high}{order}"

    def scale(self, grid: Grid) -> Tensor:
        """Return |q|^{2s} inside the band and 0 outside, for every mode (M,)."""
        layout = shells(grid)
        inside = layout.number >= self.low
        if self.high is not None:
            inside &= layout.number <= self.high
        if not bool(inside.any()):
            raise Unsupported(f"a grid of {grid.shape} points has no shell {self.suffix}")
        return inside * (layout.radius * layout.spacing) ** (2 * self.derivative)


def _banded(
    name: str, unit: str, band: Band, form: Callable[[Tensor, Tensor, Tensor], Tensor]
) -> Metric:
    """Return the metric mean_c form(|e|^2, |p|^2, |y|^2), the squares taken in the band."""

    def score(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
        prediction, reference = paired(solution, target, problem)
        grid = torus(problem.domain)
        scale = band.scale(grid)
        error = mode_sum(grid, scale, prediction, reference)
        sizes = [mode_sum(grid, scale, v) for v in (prediction, reference)]
        return form(error, *sizes).mean(2)

    score.__doc__ = f"{name} in shells {band.suffix} (see pdebench.metrics.fourier), (B, T)."
    return metric(f"pdebench.{name}@1", unit=unit, needs=("target", "torus"))(score)


def _unit(band: Band) -> str:
    return _FIELD + (f" / length^{band.derivative}" if band.derivative else "")


def fourier_rmse(low: int = 0, high: int | None = None, derivative: int = 0) -> Metric:
    """Return the metric 1/C sum_c |e_c|_band, (B, T)."""
    band = Band(low, high, derivative)
    name = f"fourier_rmse_{band.suffix}"
    return _banded(name, _unit(band), band, lambda e, p, y: diverged(e).sqrt())


def fourier_nrmse(low: int = 0, high: int | None = None, derivative: int = 0) -> Metric:
    """Return the metric 1/C sum_c |e_c|_band / |y_c|_band, (B, T)."""
    band = Band(low, high, derivative)
    return _banded(f"fourier_nrmse_{band.suffix}", "1", band, lambda e, p, y: ratio(e, y).sqrt())


def fourier_nmse(low: int = 0, high: int | None = None, derivative: int = 0) -> Metric:
    """Return the metric 1/C sum_c |e_c|_band^2 / |y_c|_band^2, (B, T)."""
    band = Band(low, high, derivative)
    return _banded(f"fourier_nmse_{band.suffix}", "1", band, lambda e, p, y: ratio(e, y))


def fourier_srmse(low: int = 0, high: int | None = None, derivative: int = 0) -> Metric:
    """Return the metric 1/C sum_c 2 |e_c|_band / (|p_c|_band + |y_c|_band), (B, T)."""
    band = Band(low, high, derivative)
    return _banded(
        f"fourier_srmse_{band.suffix}",
        "1",
        band,
        lambda e, p, y: ratio(2 * e.sqrt(), p.sqrt() + y.sqrt()),
    )


def _root(error: Tensor, _: Tensor, __: Tensor) -> Tensor:
    return diverged(error).sqrt()


# The bands of PDEBench (arXiv 2210.07182, app. B): shells 0-3, 4-11, 12 and above. Their program
# takes a quarter of the spectrum, the mean over the shells' amplitudes instead of Parseval's sum
# (which makes the high band fall with the grid's size) and the root over the batch.
frmse_low = _banded("frmse_low", _FIELD, Band(0, 3), _root)
frmse_mid = _banded("frmse_mid", _FIELD, Band(4, 11), _root)
frmse_high = _banded("frmse_high", _FIELD, Band(12, None), _root)
