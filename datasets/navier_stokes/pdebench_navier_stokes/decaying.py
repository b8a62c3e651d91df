"""Decaying two-dimensional turbulence that organises itself into vortices."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from torch import Tensor

from pdebench.equations.vorticity import NoForcing
from pdebench.errors import ConfigError
from pdebench.generation import sample_generator
from pdebench.solver import Solver
from pdebench_navier_stokes.trajectories import Flow, Law, Start, card, check, shifted

NAME, VERSION = "navier_stokes/decaying", "1"
UNITS = {"vorticity": "1", "viscosity": "1", "drag": "1", "time": "1", "x": "1", "y": "1"}
SHIFTS = {
    "ood_peak": "energy at twice the wavenumber: more and smaller vortices than in training",
}


@final
@dataclass(frozen=True)
class McWilliamsStart(Start):
    """Random vorticity with an energy spectrum that peaks near k0.

        E(k) ~ k (1 + (k / k0)^4)^{-2},   |k| <= band,   <|u|^2> / 2 = energy

    McWilliams, J. Fluid Mech. 146 (1984), sec. 2, in the form of Cao et al. (arXiv 2405.17211):
    [k (1 + (k/k0)^4)]^{-1} is the amplitude of psi. The published field has no band limit, and its
    vorticity then depends on the grid.
    """

    peak: float
    band: int
    energy: float = 0.5

    def draw(self, stream: str, indices: range, grid: int) -> Tensor:
        k = np.arange(-self.band, self.band + 1)
        radius = np.hypot(k[:, None], k)
        inside = (radius > 0) & (radius <= self.band)
        safe = np.where(inside, radius, 1.0)
        amplitude = np.where(inside, safe / (1 + (safe / self.peak) ** 4), 0.0)
        keep = min(self.band, (grid - 1) // 2)
        inner = slice(self.band - keep, self.band + keep + 1)
        place = torch.arange(-keep, keep + 1) % grid
        spectrum = torch.zeros(len(indices), grid, grid, dtype=torch.complex128)
        for row, index in enumerate(indices):
            parts = sample_generator(stream, index).standard_normal((2, *radius.shape))
            modes = amplitude * (parts[0] + 1j * parts[1])
            modes = (modes + modes[::-1, ::-1].conj()) / 2  # of a real field
            energy = (np.abs(modes / safe) ** 2)[inside].sum() / 2
            modes *= math.sqrt(self.energy / energy)
            spectrum[row, place[:, None], place] = torch.from_numpy(modes[inner, inner].copy())
        return torch.fft.ifft2(spectrum, norm="forward").real


@final
class Decaying(Flow):
    """Vorticity of freely decaying turbulence on [0, 2 pi)^2.

        w_t + u . grad w = nu lap w,   E(k, 0) ~ k (1 + (k / peak)^4)^{-2},   <|u|^2> / 2 = 1/2

    McWilliams, J. Fluid Mech. 146 (1984); as operator data in Cao et al. (arXiv 2405.17211). Small
    vortices merge into few large ones that live long; filaments between them are drawn out to the
    dissipation scale.

    Args:
        viscosity: nu.
        stored_grid: points per axis of the stored fields.
        solve_grid: points per axis of the solution.
        frames: stored frames after the first.
        spacing: time between frames.
        warm_up: time of the first frame; the random field has become vortices.
        counts: split -> samples; splits are train, valid, test, test_fine, ood_low_viscosity
            (nu x 0.3), ood_high_viscosity (nu x 3), ood_peak (peak x 2), ood_horizon (the test
            samples, twice as long).
        solver: solves the problems.
        peak: wavenumber of the largest energy.
        band: largest wavenumber of the initial field.
        shard: samples solved together.
        workers: processes; None for one per core. Does not change the samples.
    """

    def __init__(
        self,
        viscosity: float,
        stored_grid: int,
        solve_grid: int,
        frames: int,
        spacing: float,
        warm_up: float,
        counts: Mapping[str, int],
        solver: Solver,
        peak: float = 4.0,
        band: int = 16,
        shard: int = 8,
        workers: int | None = None,
    ) -> None:
        check(viscosity, stored_grid, solve_grid, frames)
        if spacing <= 0 or warm_up <= 0:
            raise ConfigError(
                f"dataset.spacing={spacing}, warm_up={warm_up}, expected positive times"
            )
        start = McWilliamsStart(peak, band)
        base = Law(viscosity, NoForcing(), start, stored_grid, solve_grid, frames)
        laws = {
            **shifted(base),
            "ood_peak": replace(base, start=replace(start, peak=2 * peak)),
        }
        settings = {
            "viscosity": viscosity,
            "frames": frames,
            "spacing": spacing,
            "warm_up": warm_up,
            "peak": peak,
            "band": band,
            "solve_grid": solve_grid,
        }
        text = card(
            NAME,
            VERSION,
            f"Decaying 2D turbulence on [0, 2 pi)^2, nu = {viscosity:g}",
            "w_t + u.grad w = nu lap w",
            "McWilliams, J. Fluid Mech. 146 (1984); Cao et al., arXiv 2405.17211",
            solver,
            base,
            SHIFTS,
            UNITS,
        )
        recipe = {
            "samples_per_shard": shard, "extent": 2 * math.pi, "warm_up": warm_up,
            "spacing": spacing, "solver": solver,
        }  # fmt: skip
        super().__init__(text, laws, counts, settings, recipe, workers)
