"""Isotropic turbulence in a periodic box: direct simulation, filtered to the grid of an LES."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pdebench.dataset import Card
from pdebench.domain import Grid
from pdebench.equation import Equation
from pdebench.equations.filtered_flow import FilteredNavierStokes
from pdebench.equations.filters import FilterKind, filtered
from pdebench.equations.forcing import ConstantPower, Forcing, RandomForce
from pdebench.equations.tensors import products
from pdebench.errors import ConfigError
from pdebench.files import Layout, Stored, Variable
from pdebench.generated import GeneratedDataset, check_counts
from pdebench.generation import Recipe, sample_generator
from pdebench.problem import Index, Problem
from pdebench.samples import Source
from pdebench.solver import Solver
from pdebench.spectral import Modes, resample
from pdebench_turbulence.statistics import flow_statistics

NAME, VERSION = "turbulence/isotropic", "1"
_LENGTH = 2 * math.pi
_BAND = 10  # largest wavenumber of the initial field
_FIELDS = ("velocity", "viscosity")
_STATISTICS = {
    "energy": "<|u|^2> / 2",
    "dissipation": "nu <|grad u|^2>",
    "reynolds": "Re_lambda",
    "resolution": "k_max eta, k_max = N / 2",
    "length": "integral scale",
    "skewness": "of the longitudinal derivative",
}
_SHIFTS = {
    "test_fine": "the test flows, filtered to a grid twice as fine",
    "ood_viscosity": "half the viscosity: smaller eddies than any in training, below the filter",
    "ood_peak": "initial energy at twice the wavenumber: smaller eddies, and a shorter turnover "
    "than any in training",
    "ood_decaying": "the force is switched off: energy that training always replaced runs out",
}


def draw_velocity(stream: str, index: int, grid: int, peak: float) -> Tensor:
    """Return a random solenoidal velocity (3, n, n, n) on [0, 2 pi)^3 with <|u|^2> = 3.

    E(k) ~ (k / k_p)^4 exp(-2 (k / k_p)^2), random phases, modes up to 10 whatever the grid, so that
    one sample exists on every grid with n > 20.
    """
    line = np.arange(-_BAND, _BAND + 1)
    k = np.stack(np.meshgrid(line, line, line, indexing="ij")).astype(float)
    size = np.sqrt((k**2).sum(0))
    safe = np.where(size > 0, size, 1.0)
    # E(k) is spread over the 4 pi k^2 modes of a shell
    amplitude = np.where(size > 0, (safe / peak) ** 2 * np.exp(-((safe / peak) ** 2)) / safe, 0.0)
    random = sample_generator(stream, index)
    parts = random.standard_normal((2, 3, *size.shape))
    modes = (parts[0] + 1j * parts[1]) * amplitude
    modes = modes - k * (k * modes).sum(0) / safe**2
    whole = np.zeros((3, grid, grid, grid), complex)
    place = line % grid
    whole[:, place[:, None, None], place[:, None], place] = modes
    u = np.fft.ifftn(whole, axes=(1, 2, 3)).real
    u *= math.sqrt(3 / (u**2).sum(0).mean())
    return torch.from_numpy(u)


def force_seed(stream: str, index: int) -> int:
    """Return the seed of one flow's random force; exact in single precision."""
    return int(sample_generator(f"{stream}/force", index).integers(2**24))


@final
@dataclass(frozen=True)
class Flow:
    """What distinguishes a split: viscosity, grid of the simulation, stored grid, random stream,
    wavenumber of the initial energy, force.
    """

    viscosity: float
    dns_grid: int
    les_grid: int
    stream: str
    peak: float
    force: Forcing | None


@final
@dataclass(frozen=True)
class IsotropicRecipe(Recipe):
    """Picklable recipe of all splits."""

    flows: Mapping[str, Flow]
    sizes: Mapping[str, int]
    frames: int
    spacing: float
    spin_up: float
    filter_kind: FilterKind
    solver: Solver
    stress_frames: int

    @property
    def counts(self) -> Mapping[str, int]:
        return self.sizes

    @property
    def shard(self) -> int:
        return 1

    def simulated(self, split: str, index: int, refine: float = 1.0) -> tuple[Tensor, Modes]:
        """Return the frames (T + 1, 3, N, N, N), float64, of the simulation, and its modes."""
        flow = self.flows[split]
        n = round(flow.dns_grid * refine)
        grid = Grid.torus((n, n, n), _LENGTH)
        u0 = draw_velocity(flow.stream, index, n, flow.peak)
        parameters = {"viscosity": torch.tensor([flow.viscosity], dtype=torch.float64)}
        if flow.force is not None:
            u0 = flow.force.started(u0, Modes.of(grid.shape, grid.extent))
        if isinstance(flow.force, RandomForce):
            parameters["force_seed"] = torch.tensor([force_seed(flow.stream, index)])
        times = self.spin_up + self.spacing * torch.arange(self.frames + 1, dtype=torch.float64)
        problem = Problem(
            FilteredNavierStokes(forcing=flow.force),
            grid,
            {"velocity": u0[None]},
            times=times,
            parameters=parameters,
        )
        self.solver.prepare(problem)
        return self.solver.solve(problem).u[0], Modes.of(grid.shape, grid.extent)

    def filtered(self, split: str, u: Tensor, modes: Modes) -> Tensor:
        """Return frames (..., n, n, n) on the split's stored grid."""
        n = self.flows[split].les_grid
        return resample(filtered(u, self.filter_kind, _LENGTH / n, modes), (n, n, n))

    def stress(self, split: str, u: Tensor, modes: Modes) -> Tensor:
        """Return tau_ij = (u_i u_j)~ - u~_i u~_j, (T, 6, n, n, n), on the split's stored grid.

        Products are formed on 3/2 of the simulation's points, where none aliases, before the
        truncation to the stored grid. tau_ii >= 0 for filters that are positive: gaussian and box.
        """
        n, fine = self.flows[split].les_grid, modes.padded
        frames = []
        for v in resample(u, fine.shape):
            width, kind = _LENGTH / n, self.filter_kind
            total = filtered(products(v, fine), kind, width, fine)
            tau = total - products(filtered(v, kind, width, fine), fine)
            frames.append(resample(tau, (n, n, n)))
        return torch.stack(frames)

    def make(self, split: str, indices: range) -> Mapping[str, NDArray[Any]]:
        rows: dict[str, list[Any]] = {name: [] for name in self.layout(split).variables}
        viscosity = self.flows[split].viscosity
        for index in indices:
            u, modes = self.simulated(split, index)
            rows["velocity"].append(self.filtered(split, u, modes).float().numpy())
            rows["viscosity"].append(viscosity)
            if "force_seed" in rows:
                rows["force_seed"].append(force_seed(self.flows[split].stream, index))
            if self.stress_frames:
                kept = u[: self.stress_frames]
                rows["stress"].append(self.stress(split, kept, modes).float().numpy())
                largest = modes.shape[0] / 2  # of the solver's default, 3/2 of the points
                found = flow_statistics(u[0].double(), viscosity, modes, largest)
                for name in _STATISTICS:
                    rows[name].append(getattr(found, name))
        return {name: np.asarray(values, np.float32) for name, values in rows.items()}

    def layout(self, split: str) -> Layout:
        n = self.flows[split].les_grid
        points = (_LENGTH * np.arange(n) / n, "1")
        time = self.spacing * np.arange(self.frames + 1)
        variables = {
            "velocity": Variable(("time", "channel", "x", "y", "z"), "1", "filtered velocity"),
            "viscosity": Variable((), "1", "kinematic viscosity nu"),
        }
        coordinates = {
            "time": (time, "1"),
            "channel": (np.array(["velocity_x", "velocity_y", "velocity_z"]), "1"),
            **dict.fromkeys("xyz", points),
        }
        if isinstance(self.flows[split].force, RandomForce):
            variables["force_seed"] = Variable((), "1", "seed of the random force")
        if self.stress_frames:
            axes = ("stress_time", "component", "x", "y", "z")
            variables["stress"] = Variable(axes, "1", "subgrid stress (u_i u_j)~ - u~_i u~_j")
            for name, summary in _STATISTICS.items():
                variables[name] = Variable(
                    (), "1", f"of the simulation at the first frame: {summary}"
                )
            coordinates["stress_time"] = (time[: self.stress_frames], "1")
            coordinates["component"] = (np.array(["xx", "xy", "xz", "yy", "yz", "zz"]), "1")
        return Layout(variables, coordinates)


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
        self._domain = Grid.torus((grid, grid, grid), _LENGTH)
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
        stored = self._stored.read("velocity", needed)
        starts = self._window * windows
        cut = [stored[k, s + first : s + last] for k, s in zip(position, starts, strict=True)]
        return torch.from_numpy(np.stack(cut)) if cut else torch.from_numpy(stored)[:, first:last]

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
        if dns_grid <= 2 * _BAND:
            raise ConfigError(f"dataset.dns_grid={dns_grid}, expected more than {2 * _BAND}")
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
