"""Which windows of which flows the samples of channel flow are, and how they are made."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from pdebench.files import Layout, Variable
from pdebench.generation import Recipe
from pdebench.workers import Workers
from pdebench_turbulence.channel_flows import Flow, Simulation, frames, seconds, simulate

NAME, VERSION = "turbulence/channel", "1"
SPLITS = ("train", "valid", "test")  # of one flow, in this order of time


@final
@dataclass(frozen=True)
class Window:
    """A sample: frames of a flow from ``first`` on."""

    flow: Flow
    first: int


@final
@dataclass(frozen=True)
class ChannelRecipe(Recipe):
    """Picklable recipe: which windows of which flows.

    Attributes:
        simulation: how flows are simulated.
        windows: split -> its samples.
        frames: split -> frames of a sample.
        folder: where flows were simulated; None before `begin`.
    """

    simulation: Simulation
    windows: Mapping[str, tuple[Window, ...]]
    frames: Mapping[str, int]
    folder: Path | None = None

    @property
    def counts(self) -> Mapping[str, int]:
        return {split: len(windows) for split, windows in self.windows.items()}

    @property
    def shard(self) -> int:
        return 1

    def begin(self, folder: Path, workers: Workers, progress: bool) -> Recipe:
        flows = {w.flow.name: w.flow for split in self.windows.values() for w in split}
        simulate(self.simulation, list(flows.values()), folder / "flows", workers, progress)
        return replace(self, folder=folder / "flows")

    def shared_seconds(self, folder: Path, workers: int) -> float | None:
        flows = {w.flow.name: w.flow for split in self.windows.values() for w in split}
        return seconds(self.simulation, list(flows.values()), folder / "flows", workers)

    def make(self, split: str, indices: range) -> Mapping[str, NDArray[Any]]:
        assert self.folder is not None
        made: dict[str, list[NDArray[Any]]] = {"velocity": [], "viscosity": []}
        if self._kept(split):
            made["start"] = []
        for window in (self.windows[split][i] for i in indices):
            u = frames(window.flow, self.folder, window.first, self.frames[split])
            made["velocity"].append(self.simulation.restricted(u).float().numpy())
            made["viscosity"].append(np.array(1 / window.flow.reynolds))
            if "start" in made:
                made["start"].append(u[0].numpy())
        return {name: np.stack(rows) for name, rows in made.items()}

    def _kept(self, split: str) -> bool:
        """Whether first frames are kept as simulated, for ``finer``: those of scored splits."""
        learned = {"train", "valid"}
        return split not in learned or set(self.windows) <= learned

    def layout(self, split: str) -> Layout:
        x, y, z = self.simulation.domain(self.simulation.store).axes
        fine = self.simulation.domain(self.simulation.grid).axes
        variables = {
            "velocity": Variable(("time", "channel", "x", "y", "z"), "u_tau", "velocity"),
            "viscosity": Variable((), "1", "kinematic viscosity nu = 1 / Re_tau"),
        }
        coordinates: dict[str, tuple[NDArray[Any], str]] = {
            "time": (self.simulation.spacing * np.arange(self.frames[split]), "delta / u_tau"),
            "channel": (np.array(["velocity_x", "velocity_y", "velocity_z"]), "1"),
            "x": (x.nodes.numpy(), "delta"),
            "y": (y.nodes.numpy(), "delta"),
            "z": (z.nodes.numpy(), "delta"),
        }
        if self._kept(split):
            axes = ("channel", "x_fine", "y_fine", "z_fine")
            variables["start"] = Variable(axes, "u_tau", "first frame as simulated")
            for name, axis in zip(axes[1:], fine, strict=True):
                coordinates[name] = (axis.nodes.numpy(), "delta")
        return Layout(variables, coordinates)


@final
@dataclass(frozen=True)
class Plan:
    """Which frames of which flows the samples are."""

    spin_up: float
    frames: int
    long: int
    spacing: float
    counts: Mapping[str, int]

    def _flow(self, split: str, index: int, reynolds: float, frames: int) -> Flow:
        stream = f"{NAME}@{VERSION}/{split}"
        return Flow(f"{split}{index}", stream, index, reynolds, self.spin_up, frames)

    def one(self, reynolds: float, other: float) -> dict[str, tuple[Window, ...]]:
        """Return windows of one flow in the order of the splits, and of one at another Re_tau."""
        stride, gap, now = self.frames - 1, math.ceil(1 / self.spacing), 0
        firsts: dict[str, list[int]] = {}
        for split in SPLITS:
            count = self.counts.get(split, 0)
            firsts[split] = [now + i * stride for i in range(count)]
            if split != "test":
                now += count * stride + gap
        firsts["test_long"] = [now] * self.counts.get("test_long", 0)
        end = now + max(self.counts.get("test", 0) * stride + 1, self.long)
        main = self._flow("main", 0, reynolds, end)
        found = {s: tuple(Window(main, f) for f in firsts[s]) for s in firsts if firsts[s]}
        num = self.counts.get("ood_reynolds", 0)
        if num:
            ood = self._flow("ood_reynolds", 0, other, num * stride + 1)
            found["ood_reynolds"] = tuple(Window(ood, i * stride) for i in range(num))
        return {split: found[split] for split in self.counts}

    def each(self, reynolds: float, other: float) -> dict[str, tuple[Window, ...]]:
        """Return a flow per sample; those of test_long are longer."""
        found: dict[str, tuple[Window, ...]] = {}
        for split, count in self.counts.items():
            value = other if split == "ood_reynolds" else reynolds
            length = self.long if split == "test_long" else self.frames
            flows = (self._flow(split, i, value, length) for i in range(count))
            found[split] = tuple(Window(flow, 0) for flow in flows)
        return found
