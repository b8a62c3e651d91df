"""Channel flow: windows of long direct simulations, or many short ones."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any, ClassVar, Literal, final

import torch
from torch import Tensor

from pdebench.dataset import Card
from pdebench.equation import Equation
from pdebench.equations.channel_flow import ChannelFlow
from pdebench.errors import ConfigError
from pdebench.generated import GeneratedDataset, check_counts
from pdebench.problem import Index, Problem
from pdebench.samples import Samples, Source
from pdebench.solver import Solver
from pdebench.stored import Stored
from pdebench_turbulence.channel_flows import Simulation
from pdebench_turbulence.channel_recipe import NAME, SPLITS, VERSION, ChannelRecipe, Plan
from pdebench_turbulence.channel_start import Start

_SHIFTS = {
    "test_long": "the flow of test, asked for much longer: only statistics can be right",
    "ood_reynolds": "another friction Reynolds number: other profiles and other scales",
}


class _Windows(Source):
    """Stored windows: the first frame as input, all frames as target."""

    def __init__(self, stored: Stored, simulation: Simulation) -> None:
        self._stored = stored
        self._domain = simulation.domain(simulation.store)
        self._times = torch.from_numpy(stored.coordinate("time"))

    def __len__(self) -> int:
        return len(self._stored)

    def problem(self, index: Index) -> Problem:
        viscosity = torch.from_numpy(self._stored.read("viscosity", index))
        inputs = {"velocity": self.frames(index, slice(0, 1))[:, 0]}
        parameters = {"viscosity": viscosity}
        return Problem(ChannelFlow(), self._domain, inputs, self._times, None, parameters)

    def target(self, index: Index) -> Tensor:
        return torch.from_numpy(self._stored.read("velocity", index))

    def frames(self, index: Index, part: slice) -> Tensor:
        return torch.from_numpy(self._stored.read("velocity", index, part))

    def start(self, index: int) -> Tensor:
        """Return the first frame as simulated, (3, *grid), float64."""
        return torch.from_numpy(self._stored.read("start", slice(index, index + 1)))[0]


@final
class Channel(GeneratedDataset):
    """Direct simulations of channel flow at constant pressure gradient.

        du/dt = u x curl u - grad p + e_x + nu lap u,   nu = 1 / Re_tau,   u = 0 at y = -1, 1

    In units of the half-width and the friction velocity; y nodes are Gauss-Lobatto, with
    Clenshaw-Curtis weights. ``flows: one``: train, valid and test are windows of one flow in this
    order, a unit of time between them; consecutive windows share the frame between them.
    ``test_long`` starts where test starts. ``ood_reynolds`` are windows of a flow at another
    Re_tau. ``flows: each``: every sample is a flow of its own. Kim, Moin and Moser, J. Fluid Mech.
    177 (1987); box of Jimenez and Moin, J. Fluid Mech. 225 (1991). Pieces of twenty frames are kept
    until all samples are made: a killed simulation goes on from the last one.

    Args:
        reynolds: Re_tau.
        ood_reynolds: Re_tau of the split of that name.
        grid: points of the simulation in x, y, z.
        store: points of the stored frames: no more in x and z, every m-th node in y; None for all.
        extent: L_x, L_z.
        start: the field that flows start from.
        spin_up: time before the first frame.
        spacing: time between frames.
        frames: frames of a sample, the first included.
        long: frames of a sample of ``test_long``.
        counts: split -> samples.
        solver: solves the problems.
        finer: solves them for ``reference_error``: half the step, a finer grid.
        flows: "one" or "each".
        workers: processes; None for one per core. Does not change the samples.
    """

    # A sample takes a minute on the finer grid. Chaos makes every long flow another one.
    checked: ClassVar[Mapping[str, int]] = {
        "test": 1, "ood_reynolds": 1, "train": 0, "valid": 0, "test_long": 0,
    }  # fmt: skip

    def __init__(
        self,
        reynolds: float,
        ood_reynolds: float,
        grid: tuple[int, int, int],
        extent: tuple[float, float],
        start: Start,
        spin_up: float,
        spacing: float,
        frames: int,
        counts: Mapping[str, int],
        solver: Solver,
        finer: Solver,
        store: tuple[int, int, int] | None = None,
        long: int | None = None,
        flows: Literal["one", "each"] = "one",
        workers: int | None = None,
    ) -> None:
        _check(locals())
        check_counts(counts, (*SPLITS, *_SHIFTS))
        held = grid if store is None else store
        simulation = Simulation(
            (grid[0], grid[1], grid[2]), (held[0], held[1], held[2]), (extent[0], extent[1]),
            spacing, start, solver,
        )  # fmt: skip
        lengths = dict.fromkeys(counts, frames)
        if "test_long" in counts:
            lengths["test_long"] = long or frames
        plan = Plan(spin_up, frames, lengths.get("test_long", 0), spacing, dict(counts))
        windows = plan.one(reynolds, ood_reynolds) if flows == "one" else plan.each(
            reynolds, ood_reynolds
        )  # fmt: skip
        recipe = ChannelRecipe(simulation, windows, lengths)
        settings = {
            "reynolds": reynolds,
            "ood_reynolds": ood_reynolds,
            "grid": list(grid),
            "store": list(held),
            "extent": list(extent),
            "start": {"kind": type(start).__name__, **asdict(start)},
            "spin_up": spin_up,
            "spacing": spacing,
            "frames": frames,
            "long": long,
            "flows": flows,
            "counts": dict(counts),  # windows of one flow: where test begins depends on train
        }
        names = "x".join(map(str, grid))
        card = Card(
            name=NAME,
            version=VERSION,
            summary=f"Channel flow at Re_tau = {reynolds:g}, {names}",
            equation="du/dt = u x curl u - grad p + e_x + nu lap u, div u = 0, no slip at y = +-1",
            units={
                "velocity": "u_tau", "viscosity": "1", "time": "delta / u_tau",
                "x": "delta", "y": "delta", "z": "delta",
            },
            how=f"direct simulation on {names} (Fourier x Chebyshev x Fourier), box "
            f"{extent[0]:.3g} x 2 x {extent[1]:.3g}; "
            + ("windows of one flow in time order" if flows == "one" else "one flow per sample"),
            reference="Kim, Moin and Moser, J. Fluid Mech. 177 (1987)",
            splits=counts,
            shifts={key: why for key, why in _SHIFTS.items() if key in counts},
        )  # fmt: skip
        super().__init__(card, recipe, settings, workers)
        self._simulation, self._finer = simulation, finer

    @property
    def equation(self) -> Equation:
        return ChannelFlow()

    def source(self, split: str, stored: Stored) -> Source:
        return _Windows(stored, self._simulation)

    def finer(self, split: str, indices: range) -> Iterator[Tensor]:
        """Solve again from the first frame as simulated, by ``finer``."""
        samples: Samples = self.split(split)
        windows = samples.source
        assert isinstance(windows, _Windows)
        again = replace(self._simulation, solver=self._finer)
        for index in indices:
            start, problem = windows.start(index), windows.problem([index])
            assert problem.times is not None
            reynolds = 1 / float(problem.parameters["viscosity"][0])
            u = again.advance(start, reynolds, problem.times)
            yield again.restricted(u)


def _check(given: Mapping[str, Any]) -> None:
    for name in ("reynolds", "ood_reynolds", "spacing"):
        if given[name] <= 0:
            raise ConfigError(f"dataset.{name}={given[name]}, expected a positive number")
    if given["spin_up"] < 0:
        raise ConfigError(f"dataset.spin_up={given['spin_up']}, expected no negative time")
    if given["frames"] < 3:
        raise ConfigError(f"dataset.frames={given['frames']}, expected at least 3")
    if given["long"] is not None and given["long"] < given["frames"]:
        raise ConfigError(
            f"dataset.long={given['long']}, expected at least dataset.frames={given['frames']}"
        )
    if given["flows"] not in ("one", "each"):
        raise ConfigError(f"dataset.flows={given['flows']!r}, expected 'one' or 'each'")
    grid, store = given["grid"], given["store"]
    if len(grid) != 3 or min(grid) < 6:
        raise ConfigError(f"dataset.grid={grid}, expected points in x, y, z, at least 6 each")
    if store is not None and (
        len(store) != 3
        or store[0] > grid[0]
        or store[2] > grid[2]
        or min(store) < 4
        or (grid[1] - 1) % (store[1] - 1)
    ):
        raise ConfigError(
            f"dataset.store={store}, expected at most {grid[0]} and {grid[2]} points in x and z, "
            f"and in y a divisor of {grid[1] - 1} plus one"
        )
