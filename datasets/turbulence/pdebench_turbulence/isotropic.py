"""Isotropic turbulence in a periodic box: direct simulation, filtered to the grid of an LES."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pdebench.dataset import Card
from pdebench.domain import Grid
from pdebench.equation import Equation
from pdebench.equations.filtered_flow import FilteredNavierStokes
from pdebench.equations.filters import FilterKind
from pdebench.equations.forcing import ConstantPower, Forcing, RandomForce
from pdebench.errors import ConfigError
from pdebench.generated import GeneratedDataset, check_counts
from pdebench.problem import Index, Problem
from pdebench.samples import Source
from pdebench.solver import Solver
from pdebench.stored import Stored
from pdebench_turbulence.isotropic_recipe import (
    BAND,
    LENGTH,
    NAME,
    VERSION,
    Flow,
    IsotropicRecipe,
)

_SHIFTS = {
    "test_fine": "the test flows, filtered to a grid twice as fine",
    "ood_viscosity": "half the viscosity: smaller eddies than any in training, below the filter",
    "ood_peak": "initial energy at twice the wavenumber: smaller eddies, and a shorter turnover "
    "than any in training",
    "ood_decaying": "the force is switched off: energy that training always replaced runs out",
}


class _Windows(Source):
    """Stored trajectories cut into windows: the first frame as input, the others as target.

    Sample i is window i mod W of flow i // W; W windows of ``window`` frames follow each other, the
    last frame of one is the input of the next. One window as long as the trajectory: no cut.
    """

    def __init__(
        self, stored: Stored, grid: int, force: Forcing | None, window: int, spin_up: float
    ) -> None:
        self._stored, self._force, self._window = stored, force, window
        self._spin_up = spin_up
        self._domain = Grid.torus((grid, grid, grid), LENGTH)
        self._times = torch.from_numpy(stored.coordinate("time"))[: window + 1]
        self._spacing = float(self._times[1] - self._times[0])
        self._per_flow = (len(stored.coordinate("time")) - 1) // window

    def __len__(self) -> int:
        return len(self._stored) * self._per_flow

    def _places(self, index: Index) -> NDArray[np.int64]:
        return np.arange(len(self))[index]

    def _frames(self, index: Index, first: int, last: int) -> Tensor:
        """Return frames first .. last - 1 of the windows, (B, T, 3, n, n, n)."""
        flows, windows = np.divmod(self._places(index), self._per_flow)
        needed, position = np.unique(flows, return_inverse=True)
        starts = self._window * windows
        lowest = int(starts.min()) if len(starts) else 0
        highest = int(starts.max()) if len(starts) else 0
        wanted = slice(lowest + first, highest + last)
        stored = self._stored.read("velocity", needed, wanted)
        places = starts - lowest
        cut = [stored[k, s : s + last - first] for k, s in zip(position, places, strict=True)]
        return torch.from_numpy(np.stack(cut)) if cut else torch.from_numpy(stored)

    def problem(self, index: Index) -> Problem:
        flows = self._places(index) // self._per_flow
        needed, position = np.unique(flows, return_inverse=True)
        viscosity = self._stored.read("viscosity", needed)[position]
        parameters = {"viscosity": torch.from_numpy(viscosity)}
        if isinstance(self._force, RandomForce):
            seeds = self._stored.read("force_seed", needed)[position]
            firsts = self._window * (self._places(index) % self._per_flow)
            parameters["force_seed"] = torch.from_numpy(seeds)
            parameters["force_start"] = self._spin_up + torch.from_numpy(firsts) * self._spacing
        return Problem(
            FilteredNavierStokes(dealias="padding", forcing=self._force),
            self._domain,
            {"velocity": self._frames(index, 0, 1)},
            times=self._times[1:],
            history=self._times[:1],
            parameters=parameters,
        )

    def target(self, index: Index) -> Tensor:
        return self._frames(index, 1, self._window + 1)

    def frames(self, index: Index, part: slice) -> Tensor:
        start, stop, _ = part.indices(self._window)
        return self._frames(index, 1 + start, 1 + stop)


@final
class Isotropic(GeneratedDataset):
    """Filtered direct simulations of isotropic turbulence on [0, 2 pi)^3, decaying or driven.

        du/dt = P[-div(u u) + A u_low] + nu lap u,    stored: the filtered u on a coarse grid

    After the decaying and forced cases of Zhao et al., J. Comput. Phys. 537 (2025) 114125, who
    start from forced turbulence on 256^3; here from a random solenoidal field with
    E(k) ~ k^4 exp(-2 (k / peak)^2) and <|u|^2> = 3, run for ``spin_up`` first. The equation of the
    stored fields has a subgrid stress that no data set can give: a solver chooses its closure.
    Splits: train, valid, test, test_fine, ood_viscosity (nu / 2), ood_peak (2 peak), and for driven
    flow ood_decaying (no force). One flow per law is solved
    again for the reference error: a finer simulation costs three times the flow.

    Args:
        viscosity: nu.
        dns_grid: points per axis of the simulation.
        les_grid: points per axis of the stored fields; the filter is as wide as their spacing.
        frames: stored frames after the first.
        spacing: time between frames.
        spin_up: time before the first frame.
        counts: split -> flows.
        solver: solves the problems.
        peak: wavenumber of the initial field's largest energy.
        power: P_in of a `ConstantPower` force on |k| <= 2.5; 0 for none.
        filter_kind: sharp, gaussian or box.
        stress_frames: first frames whose subgrid stress is stored, too, together with statistics of
            the simulation: Re_lambda, k_max eta, integral scale, skewness, energy, dissipation.
        window: frames after the first of a sample of train and valid, to which their trajectories
            are cut; None for whole trajectories. The scored splits are whole always.
        workers: processes; None for one per core. Does not change the samples.
        force: another force of `pdebench.equations.forcing` instead of that of ``power``.
    """

    checked: ClassVar[Mapping[str, int]] = {
        "test": 1,
        "test_fine": 1,
        "ood_viscosity": 1,
        "ood_peak": 1,
        "ood_decaying": 1,
        "train": 0,
        "valid": 0,
    }

    def __init__(
        self,
        viscosity: float,
        dns_grid: int,
        les_grid: int,
        frames: int,
        spacing: float,
        spin_up: float,
        counts: Mapping[str, int],
        solver: Solver,
        peak: float = 3.0,
        power: float = 0.0,
        filter_kind: FilterKind = "sharp",
        stress_frames: int = 0,
        window: int | None = None,
        workers: int | None = None,
        force: Forcing | None = None,
    ) -> None:
        if viscosity <= 0:
            raise ConfigError(f"dataset.viscosity={viscosity}, expected a positive number")
        if dns_grid <= 2 * BAND:
            raise ConfigError(f"dataset.dns_grid={dns_grid}, expected more than {2 * BAND}")
        if not 4 <= les_grid <= dns_grid // 2:
            raise ConfigError(
                f"dataset.les_grid={les_grid}, expected 4 to dns_grid / 2 = {dns_grid // 2}"
            )
        if frames < 2:
            raise ConfigError(f"dataset.frames={frames}, expected at least 2")
        if window is not None and not 2 <= window <= frames:
            raise ConfigError(
                f"dataset.window={window}, expected 2 to dataset.frames={frames}, or null"
            )
        if spacing <= 0 or spin_up < 0 or power < 0:
            raise ConfigError(
                f"dataset.spacing={spacing}, spin_up={spin_up}, power={power}: expected a positive "
                "spacing, and neither of the others negative"
            )
        if not 0 <= stress_frames <= frames + 1:
            raise ConfigError(
                f"dataset.stress_frames={stress_frames}, expected 0 to frames + 1 = {frames + 1}"
            )
        if force is not None and power:
            raise ConfigError(f"dataset.power={power} and dataset.force: set one of them")
        drive = ConstantPower(power) if power else force
        base = Flow(viscosity, dns_grid, les_grid, f"{NAME}@{VERSION}/test", peak, drive)
        flows = {
            name: replace(base, stream=f"{NAME}@{VERSION}/{name}")
            for name in ("train", "valid", "test")
        }
        flows["test_fine"] = replace(base, les_grid=2 * les_grid)
        flows["ood_viscosity"] = replace(
            base, viscosity=viscosity / 2, stream=f"{NAME}@{VERSION}/ood_viscosity"
        )
        flows["ood_peak"] = replace(base, peak=2 * peak, stream=f"{NAME}@{VERSION}/ood_peak")
        if drive is not None:
            flows["ood_decaying"] = replace(
                base, force=None, stream=f"{NAME}@{VERSION}/ood_decaying"
            )
        check_counts(counts, tuple(flows))
        flows = {split: flows[split] for split in counts}
        recipe = IsotropicRecipe(
            flows, dict(counts), frames, spacing, spin_up, filter_kind, solver, stress_frames
        )
        settings = {
            "viscosity": viscosity,
            "dns_grid": dns_grid,
            "les_grid": les_grid,
            "frames": frames,
            "spacing": spacing,
            "spin_up": spin_up,
            "peak": peak,
            "power": power,
            "filter": filter_kind,
        }
        if stress_frames:
            settings["stress_frames"] = stress_frames
        if force is not None:
            settings["force"] = repr(force)
        kind = "decaying" if drive is None else "driven"
        card = Card(
            name=NAME,
            version=VERSION,
            summary=f"Filtered {kind} isotropic turbulence, nu = {viscosity:g}, "
            f"{dns_grid}^3 to {les_grid}^3",
            equation="du/dt = P[-div(u u)] + nu lap u + forcing, filtered",
            units={"velocity": "1", "viscosity": "1", "time": "1", "x": "1", "y": "1", "z": "1"},
            how=f"direct simulation on {dns_grid}^3, {filter_kind} filter of "
            f"width 2 pi / {les_grid}",
            reference="Zhao et al., J. Comput. Phys. 537 (2025) 114125",
            splits=counts,
            shifts={key: why for key, why in _SHIFTS.items() if key in counts},
        )
        super().__init__(card, recipe, settings, workers)
        self._flows, self._force, self._made_by = flows, drive, recipe
        self._frames, self._window, self._spin_up = frames, window, spin_up

    @property
    def equation(self) -> Equation:
        return FilteredNavierStokes(dealias="padding", forcing=self._force)

    def source(self, split: str, stored: Stored) -> Source:
        flow = self._flows[split]
        cut = self._window if split in ("train", "valid") else None
        return _Windows(stored, flow.les_grid, flow.force, cut or self._frames, self._spin_up)

    def finer(self, split: str, indices: range) -> Iterator[Tensor]:
        """Solve on a grid 4/3 as fine, the step shrinking with it: twice as fine costs 16 times."""
        for index in indices:
            u, modes = self._made_by.simulated(split, index, refine=4 / 3)
            yield self._made_by.filtered(split, u[1:], modes)
