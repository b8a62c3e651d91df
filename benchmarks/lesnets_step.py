"""A training step of LESnets against a straightforward formulation with the same operator.

    python benchmarks/lesnets_step.py [--threads 2] [--rounds 7]

32^3 points, 10 frames, one flow: four-dimensional Fourier layers of width 20 with 8, 8, 8, 2 modes,
three layers, the residual of the filtered equations with Smagorinsky's closure (two-thirds rule,
central differences, continuity), its gradient, Adam, float32. The plain form follows the paper's
description: transforms over all four axes, eight blocks of weights, 1x1 convolutions over flattened
points, every derivative of the velocity on its own. Both have the same weights and must give the
same loss.
"""

import argparse
import math
import sys
from collections.abc import Callable
from itertools import product
from statistics import median
from typing import final

import torch
from lesnets_residual import WIDTH, N, plain
from pdebench_lesnets.frames import encoded
from pdebench_lesnets.network import FourierOperator
from report import interleaved, ratio_interval, store_result
from torch import Tensor, nn
from torch.nn import functional

from pdebench.domain import Grid
from pdebench.equations.closures import Smagorinsky
from pdebench.equations.filtered_flow import FilteredNavierStokes
from pdebench.problem import Problem
from pdebench.spectral import Modes

FRAMES, MODES, CHANNELS, STEP = 10, (8, 8, 8, 2), 20, 0.02


@final
class PlainLayer(nn.Module):
    """rfftn over all axes, one product per corner of the kept modes, irfftn."""

    def __init__(self, whole: Tensor) -> None:
        super().__init__()
        m = MODES
        table = whole.detach().view(*(2 * n for n in m[:3]), m[3], CHANNELS, CHANNELS)
        self.corners = list(product((0, 1), repeat=3))
        self.weights = nn.ParameterList()
        for corner in self.corners:
            cut = tuple(slice(n * s, n * (s + 1)) for n, s in zip(m, corner, strict=False))
            self.weights.append(nn.Parameter(table[cut].permute(4, 5, 0, 1, 2, 3).contiguous()))

    def forward(self, x: Tensor) -> Tensor:
        z = torch.fft.rfftn(x, dim=(-4, -3, -2, -1))
        out = torch.zeros_like(z)
        for corner, weight in zip(self.corners, self.weights, strict=True):
            cut = tuple(
                slice(-n, None) if s else slice(n) for n, s in zip(MODES, corner, strict=False)
            )
            place = (..., *cut, slice(MODES[3]))
            out[place] = torch.einsum("bixyzt,ioxyzt->boxyzt", z[place], weight)
        return torch.fft.irfftn(out, s=x.shape[-4:], dim=(-4, -3, -2, -1))


@final
class PlainOperator(nn.Module):
    """The operator with the weights of ours."""

    def __init__(self, ours: FourierOperator) -> None:
        super().__init__()
        self.lift, self.head = _conv(ours.lift), nn.ModuleList(map(_conv, ours.head))
        self.spectral = nn.ModuleList(PlainLayer(layer.weight) for layer in ours.spectral)
        self.local = nn.ModuleList(map(_conv, ours.local))

    def forward(self, x: Tensor) -> Tensor:
        shape = x.shape[2:]
        h = self.lift(x.flatten(2))
        for index, (spectral, local) in enumerate(zip(self.spectral, self.local, strict=True)):
            h = spectral(h.unflatten(2, shape)).flatten(2) + local(h)
            h = functional.gelu(h) if index + 1 < len(self.local) else h
        return self.head[1](functional.gelu(self.head[0](h))).unflatten(2, shape)


def _conv(given: nn.Module) -> nn.Conv1d:
    assert isinstance(given, nn.Conv1d)
    made = nn.Conv1d(given.in_channels, given.out_channels, 1)
    made.load_state_dict(given.state_dict())
    return made


def step(network: nn.Module, loss: Callable[[], Tensor]) -> Callable[[], float]:
    """Return one training step as a function that returns the loss before it."""
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)

    def once() -> float:
        optimizer.zero_grad(set_to_none=True)
        value = loss()
        value.backward()
        optimizer.step()
        return float(value.detach())

    return once


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    modes = Modes.of((N,) * 3, (2 * math.pi,) * 3, dtype=torch.float32)
    u0 = torch.randn(1, 3, N, N, N)
    u0 = modes.inverse(modes.project(modes.forward(u0)) * torch.exp(-modes.square / 30))
    problem = Problem(
        FilteredNavierStokes(Smagorinsky(WIDTH, 0.01)),
        Grid.torus((N,) * 3, 2 * math.pi),
        {"velocity": u0[:, None]},
        times=STEP * torch.arange(1, FRAMES + 1, dtype=torch.float64),
        history=torch.zeros(1, dtype=torch.float64),
        parameters={"viscosity": torch.tensor([1 / 64])},
    )
    ours = FourierOperator(7, 3, MODES, [CHANNELS] * 4, [64])
    other = PlainOperator(ours)
    x = encoded(u0, FRAMES)

    def right() -> Tensor:
        found = problem.equation.residual(ours(x).movedim(-1, 1), problem)
        return found[:, :, :3].square().mean() + found[:, :, 3].square().mean()

    def written() -> Tensor:
        frames = torch.cat([u0.unsqueeze(1), other(x).movedim(-1, 1)], 1)[0]
        return plain(frames, modes, STEP)

    with torch.no_grad():
        gap = abs(float(right() / written()) - 1)
    if gap > 1e-4:  # float32 round-off of time differences, 1e-7 / 0.02
        raise SystemExit(f"the two losses differ by {gap:.1e}")
    times = interleaved({"ours": step(ours, right), "plain": step(other, written)}, given.rounds)
    ratio, low, high = ratio_interval(times["ours"], times["plain"])
    sys.stdout.write(
        f"ours / plain: {ratio:.3f} [{low:.3f}, {high:.3f}]; losses differ by {gap:.0e}\n"
    )
    row = {"ratio": ratio, "low": low, "high": high, "loss difference": gap}
    seconds = {f"{name}_s": median(values) for name, values in times.items()}
    store_result("lesnets_step", {"baseline": "plain", "threads": given.threads, **row, **seconds})


if __name__ == "__main__":
    main()
