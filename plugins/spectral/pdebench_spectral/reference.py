"""The released data generator's results, recomputed for comparison with recorded ones."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equations.vorticity import Forcing
from pdebench_spectral.crank_nicolson_euler import CrankNicolsonEuler
from pdebench_spectral.evolve import evolve

Array = NDArray[Any]


@final
@dataclass(frozen=True, eq=False)
class Sampled(Forcing):
    """A forcing known by its values (X, Y) on one grid."""

    values: Tensor

    def on(self, grid: Grid) -> Tensor:
        if grid.shape != tuple(self.values.shape):
            raise ValueError(f"forcing is sampled on {tuple(self.values.shape)}, not {grid.shape}")
        return self.values.double()


def evaluate(meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return what the generator returned for ``w0`` (B, N, N), ``forcing`` (N, N) and times ``t``.

    ``sol`` (B, N, N, T): Crank-Nicolson and Euler with step ``meta["delta_t"]`` in the precision of
    w0, see `CrankNicolsonEuler`. ``grf_sqrt_eig`` (N, N): standard deviations of the unnormalised
    Fourier coefficients of the initial field, where ``meta`` names its ``alpha`` and ``tau``.
    """
    w0, forcing = (torch.as_tensor(inputs[name]) for name in ("w0", "forcing"))
    step = float(meta["delta_t"])
    # The recorded times are sums of steps in float32: take the steps that were meant.
    times = [round(float(t) / step) * step for t in np.asarray(inputs["t"])]
    frames = evolve(
        w0,
        times,
        float(meta["visc"]),
        forcing=Sampled(forcing),
        scheme=CrankNicolsonEuler(released_mask=True),
        step=step,
        dtype=w0.dtype,
    )
    results: dict[str, Array] = {"sol": frames.permute(0, 2, 3, 1).numpy()}
    if "alpha" in meta and "tau" in meta:
        deviations = initial_deviations(w0.shape[-1], float(meta["alpha"]), float(meta["tau"]))
        results["grf_sqrt_eig"] = deviations.to(w0.dtype).numpy()
    return results


def initial_deviations(num: int, alpha: float, tau: float) -> Tensor:
    """Return N^2 sqrt(2) tau^{alpha - 1} (4 pi^2 |k|^2 + tau^2)^{-alpha / 2}, zero mean (N, N).

    Li et al. 2021 write 7^{3/2} (-lap + 49)^{-5/2} for the covariance (alpha = 5/2, tau = 7); the
    generator applies tau^{alpha - 1} = 7^{3/2} to the standard deviation.
    """
    k = torch.fft.fftfreq(num, 1 / num, dtype=torch.float64)
    square = 4 * math.pi**2 * (k[:, None] ** 2 + k**2)
    deviation = num**2 * math.sqrt(2) * tau ** (alpha - 1) * (square + tau**2) ** (-alpha / 2)
    deviation[0, 0] = 0.0
    return deviation
