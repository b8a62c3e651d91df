"""Kolmogorov flow: two-dimensional turbulence driven by a sinusoidal shear force."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import final

from pdebench.equations.vorticity import KolmogorovForcing
from pdebench.errors import ConfigError
from pdebench.solver import Solver
from pdebench_navier_stokes.decaying import UNITS, McWilliamsStart
from pdebench_navier_stokes.trajectories import Flow, Law, card, check, shifted

NAME, VERSION = "navier_stokes/kolmogorov", "1"
SHIFTS = {
    "ood_low_viscosity": "Reynolds number x 3.3: more scales, and a shorter time of prediction",
    "ood_high_viscosity": "Reynolds number / 3: nearly laminar, a state that training never shows",
    "ood_forcing": "six waves of the force instead of four: another scale of injection, hence "
    "another attractor",
}


@final
class Kolmogorov(Flow):
    """Vorticity of Kolmogorov flow on [0, 2 pi)^2, statistically stationary.

        w_t + u . grad w = lap w / Re - alpha w - 4 cos 4y

    Chandler and Kerswell, J. Fluid Mech. 722 (2013), sec. 2; with drag alpha = 0.1 at Re 500 and
    more, as Kochkov et al., PNAS 118 (2021). Starts from the random fields of decaying turbulence
    and runs for ``warm_up`` first. The laminar state is w = -4 cos 4y / (16 / Re + alpha).

    Args:
        reynolds: Re = 1 / nu.
        stored_grid: points per axis of the stored fields.
        solve_grid: points per axis of the solution.
        frames: stored frames after the first.
        spacing: time between frames.
        warm_up: time of the first frame.
        counts: split -> samples; splits are train, valid, test, test_fine, ood_low_viscosity
            (nu x 0.3), ood_high_viscosity (nu x 3), ood_forcing (6 waves), ood_horizon (the test
            samples, twice as long).
        solver: solves the problems.
        drag: alpha.
        shard: samples solved together.
        workers: processes; None for one per core. Does not change the samples.
    """

    def __init__(
        self,
        reynolds: float,
        stored_grid: int,
        solve_grid: int,
        frames: int,
        spacing: float,
        warm_up: float,
        counts: Mapping[str, int],
        solver: Solver,
        drag: float = 0.0,
        shard: int = 8,
        workers: int | None = None,
    ) -> None:
        if reynolds <= 0:
            raise ConfigError(f"dataset.reynolds={reynolds}, expected a positive number")
        check(1 / reynolds, stored_grid, solve_grid, frames)
        if spacing <= 0 or warm_up <= 0 or drag < 0:
            raise ConfigError(
                f"dataset.spacing={spacing}, warm_up={warm_up}, drag={drag}, expected positive "
                "times and no negative drag"
            )
        start = McWilliamsStart(4.0, 16)
        base = Law(
            1 / reynolds, KolmogorovForcing(4), start, stored_grid, solve_grid, frames, drag=drag
        )
        laws = {**shifted(base), "ood_forcing": replace(base, forcing=KolmogorovForcing(6))}
        settings = {
            "reynolds": reynolds,
            "frames": frames,
            "spacing": spacing,
            "warm_up": warm_up,
            "drag": drag,
            "solve_grid": solve_grid,
        }
        text = card(
            NAME,
            VERSION,
            f"Kolmogorov flow on [0, 2 pi)^2, Re = {reynolds:g}, drag {drag:g}",
            "w_t + u.grad w = lap w / Re - alpha w - 4 cos 4y",
            "Chandler and Kerswell, J. Fluid Mech. 722 (2013); Kochkov et al., PNAS 118 (2021)",
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
