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
from pdebench.metric import EACH, Metric, metric
from pdebench.metrics.fields import diverged, paired, ratio
from pdebench.metrics.shells import Modes, anywhere, mode_sum, torus
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

    def require(self, grid: Grid) -> None:
        """Raise Unsupported where no mode of the grid lies in the band."""
        if not anywhere(grid, self._inside):
            raise Unsupported(f"a grid of {grid.shape} points has no shell {self.suffix}")

    def scale(self, modes: Modes) -> Tensor:
        """Return |q|^{2s} inside the band and 0 outside, (m,)."""
        inside = self._inside(modes).double()
        if self.derivative == 0:
            return inside
        return inside.mul_((modes.radius * modes.spacing) ** (2 * self.derivative))

    def _inside(self, modes: Modes) -> Tensor:
        inside = modes.number >= self.low
        return inside if self.high is None else inside & (modes.number <= self.high)


Square = Callable[..., Tensor]  # |field (minus another)|_band^2


def _banded(
    name: str, unit: str, band: Band, form: Callable[[Square, Tensor, Tensor], Tensor]
) -> Metric:
    """Return the metric mean_c form(square, prediction, target), squares taken in the band."""

    def score(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
        prediction, reference = paired(solution, target, problem)
        grid = torus(problem.domain)
        band.require(grid)

        def square(*fields: Tensor) -> Tensor:
            return mode_sum(grid, band.scale, *fields)

        return form(square, prediction, reference).mean(2)

    score.__doc__ = f"{name} in shells {band.suffix} (see pdebench.metrics.fourier), (B, T)."
    return metric(f"pdebench.{name}@1", unit=unit, needs=("target", "torus"), fold=EACH)(score)


def _root(square: Square, prediction: Tensor, reference: Tensor) -> Tensor:
    return diverged(square(prediction, reference)).sqrt()


def _relative(square: Square, prediction: Tensor, reference: Tensor) -> Tensor:
    return ratio(square(prediction, reference), square(reference))


def _unit(band: Band) -> str:
    return _FIELD + (f" / length^{band.derivative}" if band.derivative else "")


def fourier_rmse(low: int = 0, high: int | None = None, derivative: int = 0) -> Metric:
    """Return the metric 1/C sum_c |e_c|_band, (B, T)."""
    band = Band(low, high, derivative)
    name = f"fourier_rmse_{band.suffix}"
    return _banded(name, _unit(band), band, _root)


def fourier_nrmse(low: int = 0, high: int | None = None, derivative: int = 0) -> Metric:
    """Return the metric 1/C sum_c |e_c|_band / |y_c|_band, (B, T)."""
    band = Band(low, high, derivative)
    return _banded(f"fourier_nrmse_{band.suffix}", "1", band, lambda *v: _relative(*v).sqrt())


def fourier_nmse(low: int = 0, high: int | None = None, derivative: int = 0) -> Metric:
    """Return the metric 1/C sum_c |e_c|_band^2 / |y_c|_band^2, (B, T)."""
    band = Band(low, high, derivative)
    return _banded(f"fourier_nmse_{band.suffix}", "1", band, _relative)


def fourier_srmse(low: int = 0, high: int | None = None, derivative: int = 0) -> Metric:
    """Return the metric 1/C sum_c 2 |e_c|_band / (|p_c|_band + |y_c|_band), (B, T)."""
    band = Band(low, high, derivative)
    return _banded(
        f"fourier_srmse_{band.suffix}",
        "1",
        band,
        lambda square, p, y: ratio(2 * square(p, y).sqrt(), square(p).sqrt() + square(y).sqrt()),
    )


# The bands of PDEBench (arXiv 2210.07182, app. B): shells 0-3, 4-11, 12 and above. Their program
# takes a quarter of the spectrum, the mean over the shells' amplitudes instead of Parseval's sum
# (which makes the high band fall with the grid's size) and the root over the batch.
frmse_low = _banded("frmse_low", _FIELD, Band(0, 3), _root)
frmse_mid = _banded("frmse_mid", _FIELD, Band(4, 11), _root)
frmse_high = _banded("frmse_high", _FIELD, Band(12, None), _root)
