"""Stream functions of turbulent vorticity fields: a linear problem with a known answer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from torch import Tensor

from pdebench.dataset import Card
from pdebench.domain import Grid
from pdebench.equations.streamfunction import StreamFunction
from pdebench.equations.vorticity import NoForcing
from pdebench.errors import ConfigError
from pdebench.files import Layout, Variable
from pdebench.generated import GeneratedDataset, check_counts
from pdebench.generation import Recipe
from pdebench.problem import Index, Problem
from pdebench.samples import Source
from pdebench.solver import Solver
from pdebench.spectral import Modes, resample
from pdebench.stored import Stored
from pdebench_navier_stokes.forced import GaussianStart, forced_laws
from pdebench_navier_stokes.trajectories import FlowRecipe, Law, check

NAME, VERSION = "navier_stokes/streamfunction", "1"
UNITS = {"vorticity": "1/s", "stream_function": "m^2/s", "x": "m", "y": "m"}
SHIFTS = {
    "test_fine": "the test fields on a grid twice as fine: the same functions, more unknowns, and "
    "a matrix whose condition number is four times larger",
    "ood_low_viscosity": "vorticity of a flow with viscosity x 0.3: more energy in the small "
    "scales, where the inverse Laplacian damps what a network has learnt to weigh",
    "ood_forcing": "vorticity of a flow forced at wavevector (1, 2): the mode that dominates every "
    "training field is absent",
    "ood_rough": "random fields that no flow has smoothed (alpha 1.5, tau 7): energy at all scales",
}


def inverted(vorticity: Tensor) -> Tensor:
    """Return psi (B, n, n), float64, of -lap psi = w on the unit torus, zero mean."""
    n = vorticity.shape[-1]
    modes = Modes.of((n, n), (1.0, 1.0))
    return modes.inverse(modes.inverse_square * modes.forward(vorticity.double()))


@final
@dataclass(frozen=True)
class StreamRecipe(Recipe):
    """Picklable recipe of all splits: a vorticity field of a flow, and its stream function."""

    flow: FlowRecipe
    rough: frozenset[str]

    @property
    def counts(self) -> Mapping[str, int]:
        return self.flow.counts

    @property
    def shard(self) -> int:
        return self.flow.shard

    def make(self, split: str, indices: range) -> dict[str, np.ndarray]:
        law = self.flow.laws[split]
        n = law.stored_grid
        if split in self.rough:
            fields = law.start.draw(law.stream, indices, n)
        else:
            fields = resample(self.flow.solution(split, indices)[:, -1], (n, n))
        # psi belongs to the field as it is stored; a Nyquist mode would belong to no function
        stored = resample(resample(fields, (n - 1, n - 1)), (n, n)).float()
        stored -= stored.mean((-2, -1), keepdim=True)
        return {
            "vorticity": stored.unsqueeze(1).numpy(),
            "stream_function": inverted(stored).unsqueeze(1).float().numpy(),
        }

    def layout(self, split: str) -> Layout:
        n = self.flow.laws[split].stored_grid
        points, axes = (np.arange(n) / n, "m"), ("channel", "x", "y")
        words = {"vorticity": "vorticity w", "stream_function": "stream function psi"}
        return Layout(
            {name: Variable(axes, UNITS[name], words[name]) for name in words},
            {"channel": (np.array(["value"]), "1"), "x": points, "y": points},
        )


class _Fields(Source):
    """Stored fields: the vorticity as input, the stream function as target."""

    def __init__(self, stored: Stored, grid: int) -> None:
        self._stored, self._domain = stored, Grid.torus((grid, grid))

    def __len__(self) -> int:
        return len(self._stored)

    def problem(self, index: Index) -> Problem:
        fields = torch.from_numpy(self._stored.read("vorticity", index))
        return Problem(StreamFunction(), self._domain, {"vorticity": fields})

    def target(self, index: Index) -> Tensor:
        return torch.from_numpy(self._stored.read("stream_function", index))


@final
class Streamfunction(GeneratedDataset):
    """Vorticity of the forced flow at one time, and the stream function it belongs to.

        -lap psi = w on the unit torus, zero mean

    w is the field of `pdebench_navier_stokes.forced` at time ``at``; psi is exact up to float32,
    since w is stored without modes that a grid cannot hold. One linear problem for direct and
    iterative solvers, learned directions, Gaussian processes and operators alike.

    Args:
        viscosity: nu of the flow, m^2/s.
        stored_grid: points per axis of the stored fields.
        solve_grid: points per axis of the flow's solution.
        at: time of the field, s, a whole number of at least 2.
        counts: split -> samples; splits are train, valid, test, test_fine (the test fields on a
            grid twice as fine), ood_low_viscosity, ood_forcing, ood_rough.
        solver: solves the flow.
        alpha, tau, band: of the flow's initial field.
        shard: samples solved together.
        workers: processes; None for one per core. Does not change the samples.
    """

    def __init__(
        self,
        viscosity: float,
        stored_grid: int,
        solve_grid: int,
        at: int,
        counts: Mapping[str, int],
        solver: Solver,
        alpha: float = 2.5,
        tau: float = 7.0,
        band: int = 32,
        shard: int = 16,
        workers: int | None = None,
    ) -> None:
        if at < 2:
            raise ConfigError(f"dataset.at={at}, expected a whole number of seconds, 2 or more")
        check(viscosity, stored_grid, solve_grid, at)
        laws = forced_laws(viscosity, stored_grid, solve_grid, at, GaussianStart(alpha, tau, band))
        rough = replace(laws["test"], forcing=NoForcing(), start=GaussianStart(1.5, 7.0, band))
        known = {**laws, "ood_rough": rough}
        known = {name: known[name] for name in ("train", "valid", "test", *SHIFTS)}
        check_counts(counts, tuple(known))
        self._laws: dict[str, Law] = {
            split: replace(
                known[split],
                stream=f"{NAME}@{VERSION}/{'test' if split == 'test_fine' else split}",
            )
            for split in counts
        }
        flow = FlowRecipe(self._laws, dict(counts), shard, 1.0, 0.0, 1.0, UNITS, solver)
        settings = {
            "viscosity": viscosity,
            "at": at,
            "alpha": alpha,
            "tau": tau,
            "band": band,
            "solve_grid": solve_grid,
        }
        how = type(solver)
        card = Card(
            name=NAME,
            version=VERSION,
            summary=f"Stream functions of forced 2D flow, nu = {viscosity:g}, t = {at} s",
            equation="-lap psi = w",
            units=UNITS,
            how=f"w by {how.__module__}.{how.__name__} on {solve_grid}^2, psi by Fourier transform "
            "in float64",
            reference="Li et al., ICLR 2021, arXiv 2010.08895, sec. 5.3 (the flow)",
            splits=counts,
            shifts={key: why for key, why in SHIFTS.items() if key in counts},
        )
        super().__init__(card, StreamRecipe(flow, frozenset({"ood_rough"})), settings, workers)

    @property
    def equation(self) -> StreamFunction:
        return StreamFunction()

    def source(self, split: str, stored: Stored) -> Source:
        return _Fields(stored, self._laws[split].stored_grid)

    def finer(self, split: str, indices: range) -> Tensor:
        """Invert the stored vorticity on twice the grid, in float64; nothing else is uncertain."""
        n = self._laws[split].stored_grid
        stored = torch.from_numpy(self.recipe.make(split, indices)["vorticity"])[:, 0].double()
        return resample(inverted(resample(stored, (2 * n, 2 * n))), (n, n)).unsqueeze(1)
