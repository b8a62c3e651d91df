"""Forced two-dimensional Navier-Stokes flow, after the data of the Fourier neural operator."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

from torch import Tensor

from pdebench.equations.vorticity import DiagonalForcing
from pdebench.solver import Solver
from pdebench_navier_stokes.field import draw
from pdebench_navier_stokes.trajectories import Flow, Law, Start, card, check, shifted

NAME, VERSION = "navier_stokes/forced", "1"
UNITS = {"vorticity": "1/s", "viscosity": "m^2/s", "time": "s", "x": "m", "y": "m"}
SHIFTS = {
    "ood_forcing": "forcing of wavevector (1, 2) instead of (1, 1): the attractor itself is "
    "another",
    "ood_initial": "initial fields of smoothness 2 and inverse length 5 instead of 2.5 and 7: "
    "rougher and larger, scales that training fields hardly hold",
}


@final
@dataclass(frozen=True)
class GaussianStart(Start):
    """N(0, tau^{2 alpha - 2} (-lap + tau^2)^{-alpha}) cut to |k_i| <= band, see `field`."""

    alpha: float
    tau: float
    band: int

    def draw(self, stream: str, indices: range, grid: int) -> Tensor:
        return draw(stream, indices, grid, self.band, self.alpha, self.tau)


def forced_laws(
    viscosity: float, stored_grid: int, solve_grid: int, frames: int, start: GaussianStart
) -> dict[str, Law]:
    """Return the law of every split."""
    base = Law(viscosity, DiagonalForcing(0.1, (1, 1)), start, stored_grid, solve_grid, frames)
    return {
        **shifted(base),
        "ood_forcing": replace(base, forcing=DiagonalForcing(0.1, (1, 2))),
        "ood_initial": replace(base, start=GaussianStart(2.0, 5.0, start.band)),
    }


@final
class Forced(Flow):
    """Vorticity of a forced flow on the unit torus from a random initial field.

        w_t + u . grad w = nu lap w + 0.1 (sin 2 pi(x+y) + cos 2 pi(x+y)),   t = 0, 1, .., T

    Li et al., ICLR 2021 (arXiv 2010.08895), sec. 5.3; solved by ``solver`` in float64 and stored as
    float32 after spectral truncation (point sampling would alias). The initial field is
    band-limited, so that one sample exists on every grid.

    Args:
        viscosity: nu, m^2/s.
        stored_grid: points per axis of the stored fields.
        solve_grid: points per axis of the solution.
        frames: T, also the number of stored frames after the initial one (spacing 1 s).
        counts: split -> samples; splits are train, valid, test, test_fine (the test samples on a
            grid twice as fine), ood_low_viscosity (nu x 0.3), ood_high_viscosity (nu x 3),
            ood_forcing (wavevector (1, 2)), ood_initial (alpha 2, tau 5), ood_horizon (the test
            samples up to 2 T).
        solver: solves the problems; its cost is a row of the task like any other.
        alpha, tau: smoothness and inverse length of the initial field.
        band: largest wavenumber index of the initial field.
        shard: samples solved together.
        workers: processes; None for one per core. Does not change the samples.
    """

    def __init__(
        self,
        viscosity: float,
        stored_grid: int,
        solve_grid: int,
        frames: int,
        counts: Mapping[str, int],
        solver: Solver,
        alpha: float = 2.5,
        tau: float = 7.0,
        band: int = 32,
        shard: int = 16,
        workers: int | None = None,
    ) -> None:
        check(viscosity, stored_grid, solve_grid, frames)
        start = GaussianStart(alpha, tau, band)
        laws = forced_laws(viscosity, stored_grid, solve_grid, frames, start)
        settings = {
            "viscosity": viscosity,
            "frames": frames,
            "alpha": alpha,
            "tau": tau,
            "band": band,
            "solve_grid": solve_grid,
        }
        text = card(
            NAME,
            VERSION,
            f"Forced 2D vorticity on the unit torus, nu = {viscosity:g}",
            "w_t + u.grad w = nu lap w + 0.1 (sin 2pi(k.x) + cos 2pi(k.x))",
            "Li et al., ICLR 2021, arXiv 2010.08895, sec. 5.3",
            solver,
            laws["test"],
            SHIFTS,
            UNITS,
        )
        recipe = {
            "samples_per_shard": shard, "extent": 1.0, "warm_up": 0.0, "spacing": 1.0,
            "solver": solver,
        }  # fmt: skip
        super().__init__(text, laws, counts, settings, recipe, workers)
