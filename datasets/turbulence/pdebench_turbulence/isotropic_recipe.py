"""How filtered isotropic turbulence is made: random field, simulation, filter, file."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pdebench.domain import Grid
from pdebench.equations.filtered_flow import FilteredNavierStokes
from pdebench.equations.filters import FilterKind, filtered
from pdebench.equations.forcing import Forcing, RandomForce
from pdebench.equations.tensors import products
from pdebench.files import Layout, Variable
from pdebench.generation import Recipe, sample_generator
from pdebench.problem import Problem
from pdebench.solver import Solver
from pdebench.spectral import Modes, resample
from pdebench_turbulence.statistics import flow_statistics

NAME, VERSION = "turbulence/isotropic", "1"
LENGTH = 2 * math.pi
BAND = 10  # largest wavenumber of the initial field
_FIELDS = ("velocity", "viscosity")
_STATISTICS = {
    "energy": "<|u|^2> / 2",
    "dissipation": "nu <|grad u|^2>",
    "reynolds": "Re_lambda",
    "resolution": "k_max eta, k_max = N / 2",
    "length": "integral scale",
    "skewness": "of the longitudinal derivative",
}


def draw_velocity(stream: str, index: int, grid: int, peak: float) -> Tensor:
    """Return a random solenoidal velocity (3, n, n, n) on [0, 2 pi)^3 with <|u|^2> = 3.

    E(k) ~ (k / k_p)^4 exp(-2 (k / k_p)^2), random phases, modes up to 10 whatever the grid, so that
    one sample exists on every grid with n > 20.
    """
    line = np.arange(-BAND, BAND + 1)
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
        grid = Grid.torus((n, n, n), LENGTH)
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
        return resample(filtered(u, self.filter_kind, LENGTH / n, modes), (n, n, n))

    def stress(self, split: str, u: Tensor, modes: Modes) -> Tensor:
        """Return tau_ij = (u_i u_j)~ - u~_i u~_j, (T, 6, n, n, n), on the split's stored grid.

        Products are formed on 3/2 of the simulation's points, where none aliases, before the
        truncation to the stored grid. tau_ii >= 0 for filters that are positive: gaussian and box.
        """
        n, fine = self.flows[split].les_grid, modes.padded
        frames = []
        for v in resample(u, fine.shape):
            width, kind = LENGTH / n, self.filter_kind
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
        points = (LENGTH * np.arange(n) / n, "1")
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
