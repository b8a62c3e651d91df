"""Long simulations in pieces that are kept, so that a killed one goes on where it was."""

import contextlib
import math
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from pdebench.atomic import atomic_path
from pdebench.domain import Axis, Grid
from pdebench.equations.channel_flow import ChannelFlow
from pdebench.errors import DataError
from pdebench.files import content_digest
from pdebench.problem import Problem
from pdebench.progress import steps
from pdebench.solver import Solver
from pdebench.workers import Workers, one_thread
from pdebench_turbulence.channel_start import Start

_PIECE = 20  # frames between checkpoints


@final
@dataclass(frozen=True)
class Flow:
    """One simulation: Re_tau, its random start, time before the first frame, number of frames."""

    name: str
    stream: str
    index: int
    reynolds: float
    spin_up: float
    frames: int

    @property
    def spins(self) -> int:
        """Pieces of the spin-up, one a unit of time."""
        return math.ceil(self.spin_up)

    @property
    def pieces(self) -> int:
        """All pieces, those of the spin-up too."""
        return self.spins + math.ceil(self.frames / _PIECE)


@final
@dataclass(frozen=True)
class Simulation:
    """How every flow of a data set is simulated and stored; must pickle.

    Attributes:
        grid: points of the simulation in x, y, z.
        store: points of the stored frames.
        extent: L_x, L_z in half-widths.
        spacing: time between frames, in half-widths over u_tau.
        start: the field that flows start from.
        solver: solves the problems.
    """

    grid: tuple[int, int, int]
    store: tuple[int, int, int]
    extent: tuple[float, float]
    spacing: float
    start: Start
    solver: Solver

    def domain(self, points: tuple[int, int, int]) -> Grid:
        """Return the channel with walls at y = -1 and 1."""
        x, z = Axis.torus(points[0], self.extent[0]), Axis.torus(points[2], self.extent[1])
        return Grid((x, Axis.chebyshev(points[1]), z))

    def problem(self, u0: Tensor, reynolds: float, times: Tensor) -> Problem:
        """Return the question of one flow that starts from u0 (3, *grid) at time zero."""
        shape = (u0.shape[1], u0.shape[2], u0.shape[3])
        nu = torch.tensor([1 / reynolds], dtype=torch.float64)
        inputs, parameters = {"velocity": u0[None]}, {"viscosity": nu}
        return Problem(ChannelFlow(), self.domain(shape), inputs, times, None, parameters)

    def advance(self, u0: Tensor, reynolds: float, times: Tensor) -> Tensor:
        """Return the velocity (T, 3, *S), float64, at ``times`` after u0 (3, *S)."""
        problem = self.problem(u0, reynolds, times)
        self.solver.prepare(problem)
        return self.solver.solve(problem).u[0]

    def restricted(self, u: Tensor) -> Tensor:
        """Return fields (..., 3, *grid) on the stored grid: spectral in x and z, nodes in y."""
        if self.grid == self.store:
            return u
        every = (self.grid[1] - 1) // (self.store[1] - 1)
        planes = u[..., ::every, :].movedim(-2, -3)
        spectrum = torch.fft.rfft2(planes, norm="forward")
        a, b = (self.store[0] - 1) // 2, (self.store[2] - 1) // 2 + 1
        shape = (self.store[0], self.store[2] // 2 + 1)
        out = spectrum.new_zeros((*spectrum.shape[:-2], *shape))
        out[..., : a + 1, :b] = spectrum[..., : a + 1, :b]
        out[..., -a:, :b] = spectrum[..., -a:, :b]
        fields = torch.fft.irfft2(out, s=(self.store[0], self.store[2]), norm="forward")
        return fields.movedim(-3, -2)


def simulate(
    simulation: Simulation, flows: Sequence[Flow], folder: Path, workers: Workers, shown: bool
) -> None:
    """Simulate flows side by side, one thread each; those that are finished cost nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    ordered = sorted(flows, key=lambda flow: -flow.frames)
    if len(flows) == 1:
        with one_thread():
            pieces = _march(simulation, flows[0], folder)
            for _ in steps(pieces, "simulating a channel, pieces", shown, flows[0].pieces):
                pass
        return
    made = workers.run(_whole, [(simulation, flow, folder) for flow in ordered])
    for _ in steps(made, "simulating channels", shown, len(flows)):
        pass


def seconds(simulation: Simulation, flows: Sequence[Flow], folder: Path, workers: int) -> float:
    """Return about how long `simulate` will take, from half a frame of the first flow."""
    flow, grid = flows[0], simulation.domain(simulation.grid)
    start = simulation.start.draw(flow.stream, flow.index, grid, flow.reynolds)
    half = torch.tensor([simulation.spacing / 2], dtype=torch.float64)
    began = time.perf_counter()
    simulation.advance(start, flow.reynolds, half)
    pace = (time.perf_counter() - began) / float(half)
    left = []
    for one in flows:
        made = len(list(folder.glob(f"{one.name}-*.npz")))
        whole = one.spin_up + one.frames * simulation.spacing
        left.append(pace * whole * (1 - min(made / one.pieces, 1.0)))
    return max(max(left), sum(left) / max(1, workers))


def frames(flow: Flow, folder: Path, first: int, count: int) -> Tensor:
    """Return frames ``first`` to ``first + count - 1`` of a simulated flow, (count, 3, *grid)."""
    parts: list[Tensor] = []
    for number in range(first // _PIECE, (first + count - 1) // _PIECE + 1):
        found = _kept(folder / f"{flow.name}-{number:05d}.npz")
        if found is None:
            raise DataError(f"'{folder}' lacks piece {number} of {flow.name}; make the data again")
        parts.append(found)
    start = first % _PIECE
    return torch.cat(parts)[start : start + count]


def _march(simulation: Simulation, flow: Flow, folder: Path) -> Iterator[None]:
    """Make the pieces of a flow that are not there, each from the end of the one before."""
    last: Tensor | None = None
    for number in range(-flow.spins, flow.pieces - flow.spins):
        name = f"spin{-number:05d}" if number < 0 else f"{number:05d}"
        path = folder / f"{flow.name}-{name}.npz"
        found = _kept(path)
        if found is None:
            if last is None:
                grid = simulation.domain(simulation.grid)
                last = simulation.start.draw(flow.stream, flow.index, grid, flow.reynolds)
            found = simulation.advance(last, flow.reynolds, _times(flow, number, simulation))
            arrays: dict[str, Any] = {"frames": found.numpy()}
            with atomic_path(path) as partial, partial.open("wb") as stream:
                np.savez(stream, digest=np.array(content_digest(arrays.items())), **arrays)
        last = found[-1]
        yield


def _times(flow: Flow, number: int, simulation: Simulation) -> Tensor:
    """Return when the frames of a piece are taken, after the end of the piece before."""
    if number < 0:
        return torch.tensor([flow.spin_up / flow.spins], dtype=torch.float64)
    first = 0 if number == 0 else 1  # frame 0 is where the spin-up ended
    count = min(_PIECE, flow.frames - number * _PIECE)
    return simulation.spacing * torch.arange(first, first + count, dtype=torch.float64)


def _whole(simulation: Simulation, flow: Flow, folder: Path) -> None:
    for _ in _march(simulation, flow, folder):
        pass


def _kept(path: Path) -> Tensor | None:
    """Return the frames of a piece, or None where it is not there or damaged."""
    with contextlib.suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        with np.load(path, allow_pickle=False) as found:
            arrays = {"frames": found["frames"]}
            said = str(found["digest"])
        if content_digest(arrays.items()) == said:
            return torch.from_numpy(arrays["frames"])
    return None
