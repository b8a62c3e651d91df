"""The networks of a batch of flows under training."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from pdebench.domain import Axis, Grid
from pdebench.errors import Diverged
from pdebench.problem import Problem
from pdebench.progress import steps as shown
from pdebench_pinn.periodic import PeriodicField
from pdebench_pinn.seeded import start_alike

if TYPE_CHECKING:
    from pdebench_pinn.flow import PinnFlow

_AT_ONCE = 1 << 22  # units of a hidden layer that are held while fields are evaluated


@final
@dataclass(frozen=True)
class Points:
    """What one step sees: a lattice of ``axis`` points per axis at ``instants`` instants, and
    ``given`` points of the given frames.
    """

    axis: int
    instants: int
    given: int


@final
class FlowFit:
    """One network per flow, their optimiser, and where their points come from."""

    def __init__(self, solver: "PinnFlow", problem: Problem) -> None:
        domain = problem.domain
        assert isinstance(domain, Grid) and problem.times is not None
        self._solver, self._problem, self._domain = solver, problem, domain
        frames = problem.input if problem.history is not None else problem.input.unsqueeze(1)
        start = torch.zeros(1) if problem.history is None else problem.history
        self._device = frames.device
        self._given = frames.flatten(3).float()  # (B, T_in, C, N)
        self._history = start.double().cpu()
        self._span = float(self._history[0]), float(problem.times[-1])
        self._x = domain.points.to(self._device)
        self._length = max(domain.extent) / (2 * math.pi)
        size = self._given.square().mean((1, 2, 3)).sqrt()
        self._size = torch.where(size > 0, size, 1.0)
        self._scales = solver.form.scales(self._size, self._length, domain.dim)[:, None]
        self._networks = self._network(len(problem)).to(self._device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(solver.seed)
            start_alike(self._networks, self._network(1))
        self._random = torch.Generator().manual_seed(solver.seed)
        self._optimizer = torch.optim.Adam(self._networks.parameters(), lr=solver.lr)
        self.taken = 0

    def _network(self, count: int) -> PeriodicField:
        s, domain = self._solver, self._domain
        channels = s.form.channels(domain.dim)
        form = (s.width, s.depth, s.band, s.form.mixed)
        return PeriodicField(count, channels, domain.extent, self._span, *form)

    def advance(self, steps: int) -> None:
        """Take steps. Raises Diverged where a loss is not finite."""
        total = self._solver.steps
        for _ in shown(range(steps), f"networks, from step {self.taken} of {total}"):
            rate = self._solver.lr * (1 + math.cos(math.pi * self.taken / total)) / 2
            for group in self._optimizer.param_groups:
                group["lr"] = rate
            self._optimizer.zero_grad()
            loss = self.losses().sum()
            loss.backward()
            self._optimizer.step()
            self.taken += 1
            if not bool(loss.detach().isfinite()):
                raise Diverged(
                    f"pinn_flow: the loss is not finite after {self.taken} steps; use a smaller "
                    "solver.lr"
                )

    def losses(self) -> Tensor:
        """Return the loss (B,) at points drawn now."""
        lattice, t = self._drawn()
        x = lattice.points.to(self._device).repeat(len(t), 1)
        times = t.to(self._device).repeat_interleave(self._solver.points.axis**lattice.dim)
        jet = self._networks.jet(x.float(), times)
        jet = type(jet)(jet.streams * self._scales[:, None], jet.dim, jet.pairs)
        form = self._solver.form
        parts = form.residuals(jet, lattice, self._problem, self._size, self._length)
        return sum(parts.values(), self._solver.initial * self._misfit())

    def _drawn(self) -> tuple[Grid, Tensor]:
        """Return a moved lattice and instants (I,), s."""
        points, dim = self._solver.points, self._domain.dim
        moved = torch.rand(dim, generator=self._random, dtype=torch.float64)
        part = torch.rand(points.instants, generator=self._random, dtype=torch.float64)
        lengths = zip(self._domain.extent, moved.tolist(), strict=True)
        axes = [Axis.torus(points.axis, a, m * a / points.axis) for a, m in lengths]
        place = (torch.arange(points.instants) + part) / points.instants
        first, last = self._span
        return Grid(tuple(axes)), first + place * (last - first)

    def _misfit(self) -> Tensor:
        """Return <(q - given)^2> / <given^2> (B,) at points of the given frames."""
        count, frames, num = self._solver.points.given, *self._given.shape[1::2]
        frame = torch.randint(frames, (count,), generator=self._random)
        place = torch.randint(num, (count,), generator=self._random).to(self._device)
        q = self._networks(self._x[place].float(), self._history[frame].to(self._device))
        wanted = self._given[:, frame.to(self._device), :, place].movedim(0, 1)  # (B, count, C)
        found = (q * self._scales)[..., : wanted.shape[-1]]
        return (found - wanted).square().mean((1, 2)) / self._size.square()

    def answer(self) -> Tensor:
        """Return the fields (B, T, C, *S) at the asked times."""
        times, shape = self._problem.times, self._domain.shape
        assert times is not None
        count, channels = len(self._given), self._given.shape[2]
        out = self._given.new_empty(count, len(times), channels, len(self._x))
        block = max(1, _AT_ONCE // (count * self._solver.width))
        x = self._x.float()
        with torch.no_grad():
            for n, t in enumerate(times.double()):
                for first in range(0, len(x), block):
                    part = x[first : first + block]
                    q = self._networks(part, t.expand(len(part))) * self._scales
                    out[:, n, :, first : first + block] = q[..., :channels].mT
        return out.view(count, len(times), channels, *shape).to(self._problem.input.dtype)
